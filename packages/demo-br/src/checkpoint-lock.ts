import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { BrError } from './br-error.ts';
import { CHECKPOINT_FOLDER } from './checkpoint.ts';
import { type LocalStorage, removeFile, writeWhole } from './storage.ts';
import { tsoAt } from './tso.ts';

// 1. Whoever finds a lock that has not expired starts nothing.
// 2. Whoever wrote the lock looks again after the settle time; if another has written meanwhile, it starts nothing.
// 3. The lock is renewed at 80 % of its life, never written again once release began, and removed at every end of the
//    run that is not a kill or a second signal (local storage, up to v8.5.4: br-contract 5.4).

const LOCK = `${CHECKPOINT_FOLDER}/checkpoint.lock`;

interface Lock {
  readonly lockId: bigint;
  /** Unix milliseconds. */
  readonly expireAt: number;
}

export interface LockOptions {
  readonly ttlMs: number;
  readonly settleMs: number;
  /** Ends the settle pause. */
  readonly signal: AbortSignal;
}

async function readLock(storage: LocalStorage): Promise<Lock | undefined> {
  let text: string;
  try {
    text = await readFile(join(storage.path, LOCK), 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  const lockId = /"lock-id":(\d+)/.exec(text)?.[1];
  const expireAt = /"expire-at":(\d+)/.exec(text)?.[1];
  return lockId === undefined || expireAt === undefined
    ? undefined
    : { lockId: BigInt(lockId), expireAt: Number(expireAt) };
}

/**
 * Takes checkpoint.lock of a path and keeps it fresh until disposed (br-contract 5.4).
 *
 * @throws BrError with the seconds to wait while another run holds it, or did when it was killed
 */
export async function takeCheckpointLock(
  storage: LocalStorage,
  { ttlMs, settleMs, signal }: LockOptions,
): Promise<AsyncDisposable> {
  const now = Date.now();
  const held = await readLock(storage);
  if (held !== undefined && held.expireAt > now) {
    const seconds = Math.floor((held.expireAt - now) / 1000);
    // The path in the message lacks a slash in the real program too.
    throw new BrError(
      `The existing lock will expire in ${seconds} seconds. There may be another BR(${held.lockId}) running. ` +
        `If not, you can wait for the lock to expire, or delete the file \`${storage.uri}${LOCK}\` manually.`,
    );
  }

  const lockId = tsoAt(now, process.pid % 0x40000);
  const write = () => writeWhole(storage, LOCK, `{"lock-id":${lockId},"expire-at":${Date.now() + ttlMs}}`);
  await write();
  let renewing: Promise<void> = Promise.resolve();
  const timer = setInterval(() => {
    // A lock that cannot be renewed expires by itself; the run's own writes say what is wrong with the storage.
    renewing = write().catch(() => undefined);
  }, ttlMs * 0.8);

  const release = async () => {
    clearInterval(timer);
    await renewing;
    if ((await readLock(storage))?.lockId === lockId) await removeFile(storage, LOCK);
  };

  try {
    await pause(settleMs, undefined, { signal });
    const settled = await readLock(storage);
    if (settled?.lockId !== lockId) {
      throw new BrError(
        `There are another BR(${settled?.lockId ?? 0}) running after but setting lock before this one(${lockId}). ` +
          'Please check whether the BR is running. If not, you can retry.',
      );
    }
  } catch (error) {
    await release();
    throw error;
  }
  return { [Symbol.asyncDispose]: release };
}
