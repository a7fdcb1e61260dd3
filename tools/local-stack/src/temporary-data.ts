/**
 * Data folders of stacks that keep nothing.
 *
 * 1. At the latest when the process that made it exits, a folder and everything recorded in it is gone.
 * 2. Folders made by the workers of a test run lie below the folder of the run, whose process lives longer: workers
 *    can be killed at any time.
 * 3. What a killed process left is ended by the next test run.
 */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir, userInfo } from 'node:os';
import { basename, join } from 'node:path';
import { isAlive, parseIdentity } from '@tidemark/processes/identity';
import { lockPath } from './data-folder.ts';
import { readRunRecords } from './run-record.ts';
import { sweep } from './sweep.ts';

/** The variable that names the folder in which temporary data folders are made, instead of the system's own. */
export const TEMPORARY_DATA = 'TIDEMARK_TEMPORARY_DATA';

const PREFIX = 'tidemark-stack-';

/** A new, empty folder for a stack that keeps nothing. */
export function temporaryDataFolder(): string {
  const folder = mkdtempSync(join(process.env[TEMPORARY_DATA] ?? tmpdir(), PREFIX));
  process.once('exit', () => eraseNow(folder));
  return folder;
}

/** Whether a folder was made by `temporaryDataFolder`. */
export function isTemporary(folder: string): boolean {
  return basename(folder).startsWith(PREFIX);
}

/** Removes a folder, also while a process that was just killed still writes there. */
export function removeFolder(folder: string): void {
  rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 50 });
}

/** Removes the temporary data folders whose processes were killed, with everything that still runs there. */
export async function sweepTemporaryData(): Promise<void> {
  const { uid } = userInfo();
  for (const folder of temporaryFoldersIn(tmpdir())) {
    if (!isAbandoned(folder, uid)) continue;
    for (const inner of [...temporaryFoldersIn(folder), folder]) await sweep(inner);
    removeFolder(folder);
  }
}

/** The same for one folder, synchronously and without grace. */
function eraseNow(folder: string): void {
  if (!existsSync(folder)) return;
  for (const inner of [...temporaryFoldersIn(folder), folder]) {
    for (const record of readRunRecords(inner)) if (isAlive(record)) process.kill(record.pid, 'SIGKILL');
  }
  removeFolder(folder);
}

function temporaryFoldersIn(parent: string): string[] {
  return readdirSync(parent)
    .filter((name) => name.startsWith(PREFIX))
    .map((name) => join(parent, name));
}

/** Only a folder of this user whose lock names a dead process; one without a lock may be just being made. */
function isAbandoned(folder: string, uid: number): boolean {
  try {
    if (statSync(folder).uid !== uid) return false;
    const holder = parseIdentity(readFileSync(lockPath(folder), 'utf8'));
    return holder !== undefined && !isAlive(holder);
  } catch (error) {
    // Another run may sweep at the same time.
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
    throw error;
  }
}
