import { expect, it } from 'vitest';
import { announceAwake } from './announce-awake.ts';

/** Announces a start while the machine sleeps so long each time; answers what comes of it, and how often it was asked. */
async function announceWhile(sleepsMs: readonly number[], answers: readonly (number | undefined)[]) {
  let [boot, timers, asked] = [1_000_000, 0, 0];
  const announce = async () => {
    timers += 100;
    boot += 100 + (sleepsMs[asked] ?? 0);
    asked += 1;
    return answers[asked - 1];
  };
  const startBy = await announceAwake(announce, { sinceBoot: () => boot, monotonic: () => timers });
  return { startBy, asked };
}

it('announces a start once where the machine was awake', async () => {
  expect(await announceWhile([0], [5])).toEqual({ startBy: 5, asked: 1 });
  expect(await announceWhile([10], [5])).toEqual({ startBy: 5, asked: 1 });
});

it('announces it again as often as the machine slept meanwhile', async () => {
  expect(await announceWhile([60_000, 2_000, 0], [5, 6, 7])).toEqual({ startBy: 7, asked: 3 });
});

it('takes a refusal for one, also after a sleep', async () => {
  expect(await announceWhile([60_000], [undefined])).toEqual({ startBy: undefined, asked: 1 });
});

it('goes by the clocks of the system', async () => {
  expect(await announceAwake(async () => 5)).toBe(5);
});
