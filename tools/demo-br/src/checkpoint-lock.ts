import { setTimeout as pause } from 'node:timers/promises';
import { BrError } from './br-error.ts';
import type { Dialect } from './dialect.ts';
import type { Storage } from './storage.ts';
import { tsoAt } from './tso.ts';

// 1. Whoever finds a lock that has not expired starts nothing.
// 2. Whoever wrote the lock looks again after the settle time; if another has written meanwhile, it starts nothing.
// 3. The lock is renewed at 80 % of its life, and never written again once release began.
// 4. A success removes it. Up to v8.5.4 so does a failure, but after a signal only on local storage: elsewhere BR tries
//    with a context that is already cancelled. From v8.5.5 on a failure leaves it (br-contract 5.4).

interface Lock {
  readonly lockId: bigint;
  /** Unix milliseconds. */
  readonly expireAt: number;
}

export interface LockOptions {
  /** The lock's name in the storage. */
  readonly name: string;
  readonly dialect: Dialect;
  readonly ttlMs: number;
  readonly settleMs: number;
  /** Called when the lock is there for the first time, before the settle pause. */
  readonly onWritten: () => void;
  /** Ends the settle pause. */
  readonly signal: AbortSignal;
}

/** A lock that is held; disposing it is what a failed run does. */
export interface HeldLock extends AsyncDisposable {
  /** Removes it after a success. */
  release(): Promise<void>;
}

/**
 * Takes checkpoint.lock of a path and keeps it fresh until disposed (br-contract 5.4).
 *
 * @throws BrError with the seconds to wait while another run holds it, or did when it was killed
 */
export async function takeCheckpointLock(storage: Storage, options: LockOptions): Promise<HeldLock> {
  const { name, dialect, ttlMs, settleMs, onWritten, signal } = options;
  const now = Date.now();
  const held = await readLock(storage, name);
  if (held !== undefined && held.expireAt > now) {
    const seconds = Math.floor((held.expireAt - now) / 1000);
    // The path in the message lacks a slash in the real program too.
    throw new BrError(
      `The existing lock will expire in ${seconds} seconds. There may be another BR(${held.lockId}) running. ` +
        `If not, you can wait for the lock to expire, or delete the file \`${storage.uri}${name}\` manually.`,
    );
  }

  const lockId = tsoAt(now, process.pid % 0x40000);
  const write = () => storage.writeWhole(name, `{"lock-id":${lockId},"expire-at":${Date.now() + ttlMs}}`);
  await write();
  onWritten();
  let renewing: Promise<void> = Promise.resolve();
  const timer = setInterval(() => {
    // A lock that cannot be renewed expires by itself; the run's own writes say what is wrong with the storage.
    renewing = write().catch(() => undefined);
  }, ttlMs * 0.8);

  const release = async () => {
    clearInterval(timer);
    await renewing;
    if ((await readLock(storage, name))?.lockId === lockId) await storage.remove(name);
  };
  const fail = async () => {
    const stays = dialect.lock === 'left-by-failures' || (signal.aborted && storage.kind !== 'local');
    if (!stays) return release();
    clearInterval(timer);
    await renewing;
  };

  try {
    await pause(settleMs, undefined, { signal });
    const settled = await readLock(storage, name);
    if (settled?.lockId !== lockId) {
      throw new BrError(
        `There are another BR(${settled?.lockId ?? 0}) running after but setting lock before this one(${lockId}). ` +
          'Please check whether the BR is running. If not, you can retry.',
      );
    }
  } catch (error) {
    await fail();
    throw error;
  }
  return { release, [Symbol.asyncDispose]: fail };
}

async function readLock(storage: Storage, name: string): Promise<Lock | undefined> {
  const text = String(await storage.read(name));
  const lockId = /"lock-id":(\d+)/.exec(text)?.[1];
  const expireAt = /"expire-at":(\d+)/.exec(text)?.[1];
  return lockId === undefined || expireAt === undefined
    ? undefined
    : { lockId: BigInt(lockId), expireAt: Number(expireAt) };
}
