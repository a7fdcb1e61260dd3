/**
 * The one user of a private database: without it, every user of the machine could read and write the records.
 *
 * 1. Name and password exist as a file before the server knows them, and stay when its data is wiped.
 * 2. The user is made over no port: in the data itself, on a socket in a folder of this user alone, or inside the
 *    container. So nobody else ever finds a server that asks for no password.
 * 3. Making it again changes nothing but the password. A file in the server's folder says that it is done, and goes
 *    with the data; it is written last.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { newServerUser, privateRecord, type ServerUser, writePrivately } from './secret-files.ts';

const MADE = 'tidemark-user';

/**
 * The user of the private database of a data folder.
 *
 * @throws a sentence that names the file when it is damaged
 */
export function databaseUser(dataDir: string): ServerUser {
  const path = join(dataDir, 'secrets', 'mongodb-user.json');
  return privateRecord<ServerUser>(
    path,
    ['user', 'password'],
    newServerUser,
    `remove it and every ${MADE} below ${dataDir}; a new password is made at the next start, and the records stay`,
  );
}

/** Runs `make` unless the data in `folder` has this user already. */
export async function ensureDatabaseUser(
  folder: string,
  { user }: ServerUser,
  make: () => Promise<void>,
): Promise<void> {
  const made = join(folder, MADE);
  // By its name: where the file of the password was removed, there is a new user, and this one is not made yet.
  if (existsSync(made) && readFileSync(made, 'utf8').trim() === user) return;
  await make();
  writePrivately(made, `${user}\n`);
}
