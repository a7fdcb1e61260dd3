import { expect, test } from 'vitest';
import { interleave } from './rounds.ts';

const signal = new AbortController().signal;

test('each round does everything once, every other round backwards', async () => {
  const order: string[] = [];
  const did = (name: string) => async () => void order.push(name);
  const timings = await interleave({ floor: did('floor'), subject: did('subject') }, { rounds: 2, warmUps: 1, signal });
  expect(order).toEqual(['floor', 'subject', 'subject', 'floor', 'floor', 'subject']);
  expect([timings.floor.length, timings.subject.length]).toEqual([2, 2]);
});

test('a run that is stopped ends before the next measurement', async () => {
  const stop = new AbortController();
  let done = 0;
  const subject = async () => {
    done += 1;
    stop.abort(new Error('enough'));
  };
  await expect(interleave({ subject }, { rounds: 5, warmUps: 0, signal: stop.signal })).rejects.toThrow('enough');
  expect(done).toBe(1);
});
