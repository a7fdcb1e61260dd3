import { AppError } from '@tidemark/errors/app-error';
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

it('says while it waits for a neighbour what is wrong with that, and not only that it is missing', async () => {
  const refused = new Error('connect ECONNREFUSED amqp://tidemark:secret@127.0.0.1:1');
  const cause = new Error('the connection failed', { cause: refused });
  const told: unknown[] = [];
  await using loop = startLoop({
    name: 'test',
    everyMs: 5,
    log: { ...quiet, info: (fields: object) => void told.push(fields) } as Logger,
    async run() {
      if (told.length === 0) throw new AppError('unavailable', 'A part of Tidemark cannot be reached.', { cause });
      return false;
    },
  });
  await vi.waitFor(() => expect(loop.healthySince()).toBeGreaterThan(0));
  expect(told).toEqual([{ loop: 'test', reason: 'connect ECONNREFUSED amqp://tidemark:***@127.0.0.1:1' }]);
});

it('is not healthy after a gap in which it did not run, until it has run anew', async () => {
  let hold = Promise.resolve();
  let rounds = 0;
  await using loop = startLoop({
    name: 'test',
    everyMs: 5,
    log: quiet,
    async run() {
      rounds += 1;
      await hold;
      return false;
    },
  });
  await vi.waitFor(() => expect(loop.healthySince()).toBeGreaterThan(0));
  const before = loop.healthySince() ?? 0;
  const gap = Promise.withResolvers<void>();
  hold = gap.promise;
  await vi.waitFor(() => expect(loop.healthySince()).toBeUndefined(), { timeout: 5_000 });
  const held = rounds;
  gap.resolve();
  await vi.waitFor(() => expect(rounds).toBeGreaterThan(held));
  expect(loop.healthySince()).toBeGreaterThan(before);
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
