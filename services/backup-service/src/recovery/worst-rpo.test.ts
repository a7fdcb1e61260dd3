import { expect, it } from 'vitest';
import { worstRpoMs } from './worst-rpo.ts';

const DAY = 24;
const snapshot = (at: number) => ({ from: at, to: at });

it('is the longest time between two snapshots, or from the newest to now', () => {
  const daily = [0, 1, 2, 4].map((day) => snapshot(day * DAY));
  expect(worstRpoMs(daily, 0, 5 * DAY)).toBe(2 * DAY);
  expect(worstRpoMs(daily, 0, 7 * DAY)).toBe(3 * DAY);
  expect(worstRpoMs(daily.toReversed(), 0, 5 * DAY)).toBe(2 * DAY);
});

it('counts none of what a log covers, also where ranges and snapshots overlap', () => {
  const logged = [snapshot(0), { from: DAY, to: 9 * DAY }, snapshot(3 * DAY), { from: 2 * DAY, to: 4 * DAY }];
  expect(worstRpoMs(logged, 0, 9 * DAY + 1)).toBe(DAY);
  expect(worstRpoMs(logged.slice(1), 0, 9 * DAY + 1)).toBe(1);
});

it('tells of a moment of the time how old the newest before it is, also where that is older, and forgets what was over before', () => {
  const some = [snapshot(0), snapshot(8 * DAY), snapshot(9 * DAY)];
  expect(worstRpoMs(some, 7 * DAY, 10 * DAY)).toBe(8 * DAY);
  expect(worstRpoMs(some, 8 * DAY, 10 * DAY)).toBe(DAY);
});

it('begins with the first that can be restored, and is nothing where there is none', () => {
  expect(worstRpoMs([snapshot(9 * DAY)], 0, 10 * DAY)).toBe(DAY);
  expect(worstRpoMs([], 0, 10 * DAY)).toBeUndefined();
});
