/**
 * A lock between processes of one machine: a file that names its holder.
 *
 * 1. The file appears complete or not at all (hard link of a finished file).
 * 2. A holder that is dead holds nothing: its file is moved away by whoever comes next. Whoever moves looks at
 *    what it moved, and puts back a lock that a faster one had taken meanwhile.
 */
import { linkSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { identifySelf, isAlive, type ProcessIdentity, parseIdentity } from './identity.ts';

/** Takes the lock, or returns the living process that holds it. */
export function tryLock(path: string): Disposable | { readonly holder: ProcessIdentity } {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const mine = `${path}.${process.pid}`;
  writeFileSync(mine, `${JSON.stringify(identifySelf())}\n`, { mode: 0o600 });
  try {
    for (;;) {
      if (tryLink(mine, path)) return { [Symbol.dispose]: () => rmSync(path, { force: true }) };
      const text = readText(path);
      const holder = parseIdentity(text ?? '');
      if (holder !== undefined && isAlive(holder)) return { holder };
      if (text !== undefined) moveAway(path, text);
    }
  } finally {
    rmSync(mine, { force: true });
  }
}

/** Takes the lock as soon as nobody else holds it. */
export async function waitForLock(path: string, signal: AbortSignal, onWait: () => void): Promise<Disposable> {
  for (let first = true; ; first = false) {
    signal.throwIfAborted();
    const lock = tryLock(path);
    if (!('holder' in lock)) return lock;
    if (first) onWait();
    await sleep(200, undefined, { signal });
  }
}

function moveAway(path: string, stale: string): void {
  const moved = `${path}.${process.pid}.stale`;
  try {
    renameSync(path, moved);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
    throw error;
  }
  if (readText(moved) !== stale) tryLink(moved, path);
  rmSync(moved, { force: true });
}

function tryLink(from: string, to: string): boolean {
  try {
    linkSync(from, to);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}
