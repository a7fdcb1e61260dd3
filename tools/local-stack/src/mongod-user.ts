import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { MongoClient, MongoServerError } from 'mongodb';
import { runStep } from './find-program.ts';
import type { ServerUser } from './secret-files.ts';

/** Of `createUser`, where the name is taken. */
const USER_EXISTS = 51_003;
const LIMIT_MS = 60_000;
const RETRY_MS = 100;

const command = (name: string, { user, password }: ServerUser) => ({
  [name]: user,
  pwd: password,
  roles: [{ role: 'root', db: 'admin' }],
});

/**
 * Makes a user in the data of a stopped `mongod`, or gives it this password. For that the server runs for a moment
 * without asking for one, on a socket in a folder that only this user can enter.
 *
 * @throws a sentence with what failed
 */
export async function makeMongodUser(
  program: string,
  data: string,
  user: ServerUser,
  signal: AbortSignal,
): Promise<void> {
  // Short: the path of a socket has about a hundred characters at most.
  const folder = await mkdtemp(join(tmpdir(), 'tidemark-mongod-'));
  const socket = join(folder, 's.sock');
  const server = spawn(program, ['--dbpath', data, '--bind_ip', socket, '--unixSocketPrefix', folder, '--quiet'], {
    stdio: 'ignore',
  });
  const ended = once(server, 'exit');
  const limit = AbortSignal.any([signal, AbortSignal.timeout(LIMIT_MS)]);
  try {
    await setUser(`mongodb://${encodeURIComponent(socket)}/?directConnection=true`, user, limit);
  } catch (error) {
    signal.throwIfAborted();
    throw new Error(`MongoDB could not be given a password: ${(error as Error).message}`, { cause: error });
  } finally {
    server.kill('SIGTERM');
    await ended;
    await rm(folder, { recursive: true, force: true });
  }
}

/** Makes a user inside a running container, whose server lets in the first user only from there. */
export async function makeContainerUser(
  docker: string,
  container: string,
  user: ServerUser,
  signal: AbortSignal,
): Promise<void> {
  const create = JSON.stringify(command('createUser', user));
  const script = `const { ok, code } = db.getSiblingDB('admin').runCommand(${create}); if (!ok && code !== ${USER_EXISTS}) quit(1);`;
  const args = ['exec', '--interactive', container, 'mongosh', '--quiet', '--norc', '--nodb', '--file', '/dev/stdin'];
  const input = `db = connect('mongodb://127.0.0.1/');\n${script}\n`;
  await runStep(docker, args, 'MongoDB could not be given a password', { input, signal, limitMs: LIMIT_MS });
}

async function setUser(url: string, user: ServerUser, signal: AbortSignal): Promise<void> {
  for (;;) {
    await using client = new MongoClient(url, { serverSelectionTimeoutMS: 1_000 });
    try {
      const admin = client.db('admin');
      await admin.command(command('createUser', user)).catch(async (error: unknown) => {
        if (!(error instanceof MongoServerError && error.code === USER_EXISTS)) throw error;
        await admin.command(command('updateUser', user));
      });
      return;
    } catch (error) {
      if (signal.aborted || error instanceof MongoServerError) throw error;
      await sleep(RETRY_MS);
    }
  }
}
