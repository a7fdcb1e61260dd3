import { expect, it } from 'vitest';
import { createTurnstile, type Rank } from './turnstile.ts';

const { signal } = new AbortController();

it('lets so many in at once, those of the smallest rank first and each rank in its order', async () => {
  const turnstile = createTurnstile(2);
  const done: string[] = [];
  const ends = new Map<string, () => void>();
  const pass = (name: string, rank: Rank = 2) =>
    turnstile.pass(rank, signal, async () => {
      await new Promise<void>((resolve) => ends.set(name, resolve));
      done.push(name);
    });
  const passing = [pass('a'), pass('b'), pass('c'), pass('d', 1), pass('e', 0)];
  await Promise.resolve();
  expect([...ends.keys()]).toEqual(['a', 'b']);
  expect(turnstile.waiting()).toBe(3);
  for (const [index, name] of ['b', 'e', 'a', 'd', 'c'].entries()) {
    ends.get(name)?.();
    await passing[['a', 'b', 'c', 'd', 'e'].indexOf(name)];
    await Promise.resolve();
    expect(turnstile.waiting()).toBe(Math.max(0, 2 - index));
  }
  expect([...ends.keys()]).toEqual(['a', 'b', 'e', 'd', 'c']);
  expect(done).toEqual(['b', 'e', 'a', 'd', 'c']);
});

it('a place is free again after a failure, and who gave up waiting takes none', async () => {
  const turnstile = createTurnstile(1);
  const gone = new AbortController();
  const blocked = Promise.withResolvers<never>();
  const first = turnstile.pass(2, signal, () => blocked.promise);
  const second = turnstile.pass(2, gone.signal, async () => 'second');
  const third = turnstile.pass(2, signal, async () => 'third');
  gone.abort(new Error('gave up'));
  await expect(second).rejects.toThrow('gave up');
  blocked.reject(new Error('failed'));
  await expect(first).rejects.toThrow('failed');
  await expect(third).resolves.toBe('third');
  expect(turnstile.waiting()).toBe(0);
});
