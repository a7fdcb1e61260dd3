/**
 * The data folder of one stack.
 *
 * 1. At most one living stack uses it (the lock).
 * 2. Only a folder that is new, empty or marked as ours is used, so that `--fresh` never deletes a stranger's files.
 * 3. Nothing of an earlier stack runs once it is claimed.
 */
import { chmodSync, existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { tryLock } from '@tidemark/processes/file-lock';
import { runFolder } from './run-record.ts';
import { sweep } from './sweep.ts';

/** Says that a folder is a data folder. */
const MARK = '.tidemark-data';

export interface DataFolder extends Disposable {
  readonly path: string;
  /** Names of processes that an earlier stack had left and that were ended. */
  readonly swept: readonly string[];
}

/**
 * Claims a data folder for this process, makes it private, and ends what an earlier stack left there.
 *
 * @param fresh deletes everything in it first
 * @throws a sentence when another stack uses it, or when it is somebody else's folder
 */
export async function claimDataFolder(path: string, fresh = false): Promise<DataFolder> {
  if (existsSync(path) && readdirSync(path).length > 0 && !existsSync(join(path, MARK))) {
    throw new Error(`${path} is not empty and no data folder of Tidemark: name a new or an empty folder with --data.`);
  }
  mkdirSync(path, { recursive: true, mode: 0o700 });
  chmodSync(path, 0o700);
  writeFileSync(join(path, MARK), '', { mode: 0o600 });
  const lock = tryLock(lockPath(path));
  if ('holder' in lock) {
    throw new Error(
      `A stack (process ${lock.holder.pid}) already runs with the data folder ${path}: stop it, or name another folder with --data.`,
    );
  }
  try {
    const swept = await sweep(path);
    if (fresh) erase(path);
    return { path, swept, [Symbol.dispose]: () => lock[Symbol.dispose]() };
  } catch (error) {
    lock[Symbol.dispose]();
    throw error;
  }
}

/** The file that names the stack which uses a data folder. */
export function lockPath(dataDir: string): string {
  return join(runFolder(dataDir), 'stack.lock');
}

function erase(path: string): void {
  for (const entry of readdirSync(path)) {
    if (entry !== MARK && entry !== 'run') rmSync(join(path, entry), { recursive: true, force: true });
  }
}
