import { expect, it, vi } from 'vitest';
import { raceAbort } from './abort.ts';

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
