/**
 * The lock that BR keeps in a path while it is at work (br-contract 5.4).
 *
 * K1. A lock is looked for by listing, and only what was listed is read or removed. Below a folder without a name only
 *     where that folder was listed: there are stores that cannot hold a key with an empty part, and what they answer
 *     about one says nothing (br-contract 5.1).
 * K2. Where a list fails, or a lock that was listed cannot be read, a `br` may be at work: AppError `unavailable`.
 * K3. No lock holds longer than ten minutes after it was written, whatever it says.
 */
import { AppError } from '@tidemark/errors/app-error';
import { MAX_LOCK_BYTES } from '@tidemark/limits/limits';
import type { BackupFiles } from '@tidemark/storage/backup-files';
import type { ReadLimit } from '@tidemark/storage/read-limit';
import type { StoredEntry } from '@tidemark/storage/storage-files';

const LOCK = 'checkpoint.lock';
/** Up to 8.2 below a folder without a name, which is the same place only in a file system. */
const CHECKPOINTS = 'checkpoints';
/** Here it lies from 7.1 on; in 6.5 it lies in the folder above. */
const OF_BACKUPS = 'backup';

const LOCK_LIMIT: ReadLimit = { bytes: MAX_LOCK_BYTES, ms: 30_000 };

/** BR gives a lock no longer life than this; what says more is not believed. */
const LONGEST_MS = 10 * 60_000;

/** A lock that was listed; its name is relative to the path. */
export interface FoundLock extends Pick<StoredEntry, 'name' | 'bytes' | 'modified'> {}

/**
 * The locks that lie in a path.
 *
 * @throws AppError `unavailable` when that cannot be listed
 */
export function findLocks(files: BackupFiles, signal: AbortSignal): Promise<FoundLock[]> {
  return untilKnown(signal, async () => {
    const found: FoundLock[] = [];
    const lookInto = async (folder: string): Promise<void> => {
      for await (const { name, folder: isFolder, bytes, modified } of files.entries(folder, signal))
        if (name === LOCK && !isFolder) found.push({ name: `${folder}/${name}`, bytes, modified });
    };
    const lookThrough = async (folder: string) => {
      await lookInto(folder);
      await lookInto(`${folder}/${OF_BACKUPS}`);
    };
    await lookThrough(CHECKPOINTS);
    for await (const { name, folder } of files.entries('', signal))
      if (folder && name === '') await lookThrough(`/${CHECKPOINTS}`);
    return found;
  });
}

/**
 * For how long BR's own lock still guards the path, in milliseconds; 0 where there is none or it has expired.
 * BR writes the instant by the clock of its host, so this is one of the few places that read a wall clock.
 *
 * @throws AppError `unavailable` when that cannot be found out
 */
export async function lockedForMs(files: BackupFiles, signal: AbortSignal): Promise<number> {
  let longest = 0;
  for (const lock of await findLocks(files, signal)) {
    const content = await untilKnown(signal, () => contentOf(lock, files, signal));
    if (content === undefined) continue;
    const now = Date.now();
    longest = Math.max(longest, Math.min(remaining(content, now), mostRemaining(lock, now)));
  }
  return longest;
}

/** What is too long for a lock counts as one that is damaged. */
async function contentOf({ name, bytes }: FoundLock, files: BackupFiles, signal: AbortSignal) {
  return bytes > LOCK_LIMIT.bytes ? '' : (await files.read(name, signal, LOCK_LIMIT))?.toString('utf8');
}

function remaining(content: string, now: number): number {
  try {
    const expireAt: unknown = (JSON.parse(content) as { 'expire-at'?: unknown })['expire-at'];
    return typeof expireAt === 'number' ? Math.max(0, expireAt - now) : 0;
  } catch {
    return LONGEST_MS / 2; // half-written: somebody is at it
  }
}

function mostRemaining({ modified }: FoundLock, now: number): number {
  if (modified === undefined) return LONGEST_MS;
  return Math.min(LONGEST_MS, Math.max(0, modified.getTime() + LONGEST_MS - now));
}

async function untilKnown<T>(signal: AbortSignal, act: () => Promise<T>): Promise<T> {
  try {
    return await act();
  } catch (error) {
    signal.throwIfAborted();
    const why = error instanceof Error ? error.message : String(error);
    throw new AppError('unavailable', `Whether a br is at work in the path cannot be found out: ${why}`, {
      cause: error,
    });
  }
}
