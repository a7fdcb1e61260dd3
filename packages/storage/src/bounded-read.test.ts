import { Readable } from 'node:stream';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { handOver, whileAlive } from './bounded-read.ts';

beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval'] }));
afterEach(() => void vi.useRealTimers());

const { signal } = new AbortController();

it('a file whose pieces are taken slowly is read to its end', async () => {
  const pieces = [Buffer.from('one'), Buffer.from('two')];
  const taken: string[] = [];
  const read = whileAlive('a.sst', signal, (ending, alive) =>
    handOver(
      Readable.from(pieces),
      async (piece) => {
        await new Promise((resolve) => setTimeout(resolve, 100_000));
        taken.push(Buffer.from(piece).toString());
      },
      ending,
      alive,
    ),
  );
  await vi.advanceTimersByTimeAsync(250_000);
  expect(await read).toBe(true);
  expect(taken).toEqual(['one', 'two']);
});

it('a file of which no piece comes is given up', async () => {
  const silent = new Readable({ read: () => undefined });
  const read = whileAlive('a.sst', signal, (ending, alive) => handOver(silent, () => undefined, ending, alive));
  const failed = expect(read).rejects.toMatchObject({ code: 'unavailable' });
  await vi.advanceTimersByTimeAsync(31_000);
  await failed;
});
