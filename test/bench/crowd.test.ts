import { setImmediate } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { crowd } from './crowd.ts';

test('everything is done once, and never more at once than asked for', async () => {
  const { signal } = new AbortController();
  const done: number[] = [];
  let [now, most] = [0, 0];
  await crowd({ times: 10, atOnce: 3, signal }, async (index) => {
    now += 1;
    most = Math.max(most, now);
    await setImmediate();
    now -= 1;
    done.push(index);
  });
  expect(done.toSorted((one, other) => one - other)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  expect(most).toBe(3);
});

test('a crowd that is stopped begins nothing more', async () => {
  const stop = new AbortController();
  let begun = 0;
  const act = async () => {
    begun += 1;
    stop.abort(new Error('enough'));
  };
  await expect(crowd({ times: 5, atOnce: 1, signal: stop.signal }, act)).rejects.toThrow('enough');
  expect(begun).toBe(1);
});
