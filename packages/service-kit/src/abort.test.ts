import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, it, vi } from 'vitest';
import { raceAbort, withTimeout } from './abort.ts';

setFlagsFromString('--expose-gc');
const collectGarbage: () => void = runInNewContext('gc');

it('work that fails although nobody waits for it any more does not end the process', async () => {
  const unheard = vi.fn();
  const before = process.listeners('unhandledRejection');
  process.removeAllListeners('unhandledRejection');
  process.on('unhandledRejection', unheard);
  try {
    const signal = AbortSignal.abort(new Error('the task was lost'));
    const late = async () => {
      await Promise.resolve();
      throw new Error('too late');
    };
    await expect(raceAbort(late(), signal)).rejects.toThrow('the task was lost');
    // Node.js tells of a rejection that nobody heard of once the microtasks are done.
    await new Promise((resolve) => setImmediate(resolve));
    expect(unheard).not.toHaveBeenCalled();
  } finally {
    process.removeAllListeners('unhandledRejection');
    for (const listener of before) process.on('unhandledRejection', listener);
  }
});

it('a signal with a time limit aborts after it, or with any other', async () => {
  const other = new AbortController();
  const late = withTimeout(1, other.signal, undefined);
  await vi.waitFor(() => expect(late.reason).toMatchObject({ name: 'TimeoutError' }));
  const early = withTimeout(60_000, other.signal);
  expect(early.aborted).toBe(false);
  other.abort(new Error('the task was lost'));
  expect(early.reason).toMatchObject({ message: 'the task was lost' });
});

it('a signal with a time limit goes once nobody holds it, but not while it is listened to', async () => {
  const { signal: parent } = new AbortController();
  // As the storages do, which add a limit of their own for each answer.
  const used = () => {
    const signal = withTimeout(60_000, parent);
    const listener = () => undefined;
    const nested = AbortSignal.any([signal, parent]);
    nested.addEventListener('abort', listener);
    nested.removeEventListener('abort', listener);
    return new WeakRef(signal);
  };
  const held = Array.from({ length: 10 }, used);
  const onAbort = vi.fn();
  withTimeout(50, parent).addEventListener('abort', onAbort);
  await vi.waitFor(() => {
    collectGarbage();
    expect(held.filter((one) => one.deref())).toEqual([]);
    expect(onAbort).toHaveBeenCalledOnce();
  });
});
