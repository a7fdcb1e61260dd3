/**
 * Files that a cluster or a storage names and this process opens: keys, credentials, TLS files.
 *
 * S1. Nothing but a regular file is ever opened, and without blocking; no more than the bound is read, under the signal.
 * S2. With a folder set, the file lies below it, also where links lead; nobody else may read a secret, and a group only
 *     where it is the worker's own.
 * S3. The sentence of the error is the same for what is missing, unreadable and unfit; what it was is its cause, for the log.
 */
import { constants } from 'node:fs';
import { lstat, open, realpath } from 'node:fs/promises';
import { sep } from 'node:path';
import { AppError } from '@tidemark/errors/app-error';
import { raceAbort } from '@tidemark/service-kit/abort';
import { readOpenFileWithin } from '@tidemark/service-kit/bounded-read';

export interface FileRules {
  /** Below which it must lie; undefined: anywhere. */
  readonly folder: string | undefined;
  readonly maxBytes: number;
  /** Who else may read it: anybody, or nobody but the worker and its groups. */
  readonly readers: 'anybody' | 'worker';
  /** What the file must be and hold, as the end of a sentence. */
  readonly must: string;
}

const READ = constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW | constants.O_NOCTTY;
const OTHERS = 0o007;
const GROUP = 0o070;

/** The folder below which this worker opens keys, credentials and TLS files; undefined when none is set. */
export function secretsFolder(env: Readonly<Record<string, string | undefined>>): string | undefined {
  return env.TIDEMARK_SECRETS_DIR;
}

/**
 * Reads a file by the rules, and makes of its content what `use` makes; undefined from it means unfit.
 *
 * @throws AppError `storage_unusable`, the same for whatever is wrong with the file
 */
export async function useFile<T>(
  file: string,
  rules: FileRules,
  signal: AbortSignal,
  use: (content: Buffer) => T | undefined,
): Promise<T> {
  let cause: unknown = new Error('its content does not fit');
  try {
    // The read of a server that is away cannot be stopped; it is left behind.
    const used = use(await raceAbort(readByRules(file, rules), signal));
    if (used !== undefined) return used;
  } catch (error) {
    signal.throwIfAborted();
    cause = error;
  }
  throw new AppError('storage_unusable', `The file ${file} cannot be used on this worker: it ${rules.must}.`, {
    cause,
  });
}

/** What every such file must be, as the end of a sentence. */
export function mustBe({ folder, maxBytes, readers }: Omit<FileRules, 'must'>): string {
  const where = folder === undefined ? '' : ' below the folder that is set as TIDEMARK_SECRETS_DIR';
  const who =
    readers === 'worker' ? ', which the worker can read and others cannot (chmod 600)' : ', which the worker can read';
  return `must be a file of at most ${maxBytes / 1024} KiB${where}${who}`;
}

async function readByRules(file: string, { folder, maxBytes, readers }: FileRules): Promise<Buffer> {
  const real = await realpath(file);
  if (folder !== undefined && !real.startsWith(`${await realpath(folder)}${sep}`))
    throw new Error('it lies outside of the folder for secrets');
  if (!(await lstat(real)).isFile()) throw new Error('it is no regular file');
  await using handle = await open(real, READ);
  const { mode, gid } = await handle.stat();
  if (readers === 'worker' && isOpenToOthers(mode, gid)) throw new Error('others can read it');
  // It is looked at again there: another file may have come to the name.
  return await readOpenFileWithin(handle, maxBytes);
}

function isOpenToOthers(mode: number, gid: number): boolean {
  if ((mode & OTHERS) !== 0) return true;
  const own = [process.getgid?.(), ...(process.getgroups?.() ?? [])];
  return (mode & GROUP) !== 0 && !own.includes(gid);
}
