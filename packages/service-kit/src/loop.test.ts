import { expect, it, vi } from 'vitest';
import type { Logger } from './logging.ts';
import { startLoop } from './loop.ts';

const quiet: Logger = { debug() {}, info() {}, warn() {}, error() {}, child: () => quiet };

it('runs at once, again when woken, and never twice at the same time', async () => {
  let running = 0;
  let most = 0;
  let rounds = 0;
  await using loop = startLoop({
    name: 'test',
    everyMs: 60_000,
    log: quiet,
    async run() {
      running += 1;
      most = Math.max(most, running);
      await Promise.resolve();
      running -= 1;
      rounds += 1;
      return rounds < 3;
    },
  });
  await vi.waitFor(() => expect(rounds).toBe(3));
  loop.wake();
  await vi.waitFor(() => expect(rounds).toBe(4));
  expect(most).toBe(1);
});

it('goes on after a round that failed, and is not healthy until one succeeds', async () => {
  let rounds = 0;
  await using loop = startLoop({
    name: 'test',
    everyMs: 5,
    log: quiet,
    async run() {
      rounds += 1;
      if (rounds < 3) throw new Error('not yet');
      return false;
    },
  });
  expect(loop.healthySince()).toBeUndefined();
  await vi.waitFor(() => expect(loop.healthySince()).toBeGreaterThan(0));
  expect(rounds).toBeGreaterThanOrEqual(3);
});

it('waits for the round under way when it is disposed', async () => {
  let ended = false;
  const began = Promise.withResolvers<void>();
  const loop = startLoop({
    name: 'test',
    everyMs: 5,
    log: quiet,
    async run(signal) {
      began.resolve();
      await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
      ended = true;
      return false;
    },
  });
  await began.promise;
  await loop[Symbol.asyncDispose]();
  expect(ended).toBe(true);
});
