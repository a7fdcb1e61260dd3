import { copyFileSync, mkdirSync, openSync, readFileSync, renameSync, statSync, truncateSync } from 'node:fs';
import { dirname } from 'node:path';

/** A log grows to this many bytes before it is rotated. */
const MAX_BYTES = 10 * 1024 * 1024;
/** Rotated files kept beside the current one: `<name>.log.1` is the youngest. */
const KEPT = 3;

/**
 * Opens a log for a child to append to. The child writes the file itself, so that its log goes on
 * when this process is slow, frozen or dead.
 *
 * @returns a file descriptor that the caller closes after the spawn
 */
export function openLog(path: string): number {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  rotateLog(path);
  return openSync(path, 'a', 0o600);
}

/**
 * Rotates a log that has grown too large, by copying and truncating: the child keeps its descriptor,
 * which appends. Lines written between the two steps are lost.
 */
export function rotateLog(path: string, maxBytes = MAX_BYTES): void {
  try {
    if (statSync(path).size <= maxBytes) return;
    for (let age = KEPT - 1; age >= 1; age--) renameIfThere(`${path}.${age}`, `${path}.${age + 1}`);
    copyFileSync(path, `${path}.1`);
    truncateSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
}

/** The last lines of a log, for a sentence about a process that would not start. */
export function tailLog(path: string, lines = 12): string {
  try {
    return readFileSync(path, 'utf8').trimEnd().split('\n').slice(-lines).join('\n');
  } catch {
    return '';
  }
}

function renameIfThere(from: string, to: string): void {
  try {
    renameSync(from, to);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
}
