import type { BackupFiles } from '../storage/backup-files.ts';

/**
 * Where BR keeps its lock: from 7.1 on, and in 6.5; up to 8.2 below a folder without a name, which is the same place
 * only in a file system (br-contract 5.1).
 */
export const LOCK_FILES = [
  'checkpoints/backup/checkpoint.lock',
  'checkpoints/checkpoint.lock',
  '/checkpoints/backup/checkpoint.lock',
  '/checkpoints/checkpoint.lock',
] as const;

/** BR gives a lock no longer life than this; what says more is not believed. */
const LONGEST_MS = 10 * 60_000;

/**
 * For how long BR's own lock still guards the path, in milliseconds; 0 where there is none or it has expired.
 * BR writes the instant by the clock of its host, so this is one of the few places that read a wall clock.
 */
export async function lockedForMs(files: BackupFiles, signal: AbortSignal): Promise<number> {
  let longest = 0;
  for (const name of LOCK_FILES) {
    const content = await files.read(name, signal);
    if (content) longest = Math.max(longest, remaining(content.toString('utf8'), Date.now()));
  }
  return longest;
}

function remaining(content: string, now: number): number {
  try {
    const expireAt: unknown = (JSON.parse(content) as { 'expire-at'?: unknown })['expire-at'];
    if (typeof expireAt !== 'number') return 0;
    return Math.min(Math.max(0, expireAt - now), LONGEST_MS);
  } catch {
    return LONGEST_MS / 2; // half-written: somebody is at it
  }
}
