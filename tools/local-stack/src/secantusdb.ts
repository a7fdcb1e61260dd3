import { runStep } from './find-program.ts';
import type { LocalServerOptions } from './local-server.ts';
import { installPythonPackage, isPythonPackageInstalled } from './python-package.ts';
import type { ServerUser } from './secret-files.ts';

/** A pre-release, so the pin is needed (stack-findings 11.1). */
export const SECANTUSDB_VERSION = '0.7.0b3';

const SECANTUSDB = {
  title: 'SecantusDB',
  folder: `secantusdb-${SECANTUSDB_VERSION}`,
  requirements: [`secantusdb==${SECANTUSDB_VERSION}`],
  size: '145 MB',
};

/** Whether SecantusDB is already installed for this checkout. */
export function isSecantusdbInstalled(): boolean {
  return isPythonPackageInstalled(SECANTUSDB);
}

/**
 * Installs SecantusDB into a virtual environment that all stacks of this checkout share.
 *
 * @returns its Python, which runs it as `-c "from secantus.cli import main; main()"`
 * @throws a sentence that says what is missing
 */
export function installSecantusdb(options: LocalServerOptions): Promise<string> {
  return installPythonPackage(SECANTUSDB, options);
}

/** Writes the user as `createUser` of SecantusDB does; the password comes by standard input. */
const MAKE_USER = `
import json, sys
from secantus.auth import SCRAM_SHA_256, derive_credentials
from secantus.storage import Storage
wanted = json.load(sys.stdin)
user = wanted['user']
storage = Storage(sys.argv[1], sync_on_commit=True)
storage.add_user('admin', user, {
    '_id': f'admin.{user}', 'user': user, 'db': 'admin',
    'credentials': derive_credentials(wanted['password']).to_doc(),
    'roles': [{'role': 'root', 'db': 'admin'}], 'mechanisms': [SCRAM_SHA_256],
}, replace=True)
storage.close()
`;
const MAKE_USER_MS = 60_000;

/**
 * Makes a user in the data of a stopped SecantusDB, which can do that only without asking for passwords once it runs.
 *
 * @throws a sentence with the end of what it said
 */
export async function makeSecantusdbUser(
  python: string,
  folder: string,
  user: ServerUser,
  signal: AbortSignal,
): Promise<void> {
  const input = JSON.stringify(user);
  const args = ['-c', MAKE_USER, folder];
  await runStep(python, args, 'SecantusDB could not be given a password', { input, signal, limitMs: MAKE_USER_MS });
}
