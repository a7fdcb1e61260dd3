import { expect, it } from 'vitest';
import { fitOf } from './fit.ts';

it('counts the durations that are longer than the smallest room', () => {
  expect(fitOf([90, 30, 60], [10, 30, 31, 50])).toEqual({ tooLong: 2, longestMs: 50, smallestRoomMs: 30 });
});

it('finds nothing too long where no backup or no window is known', () => {
  expect(fitOf([30], [])).toEqual({ tooLong: 0, longestMs: 0, smallestRoomMs: 30 });
  expect(fitOf([], [50])).toEqual({ tooLong: 0, longestMs: 50, smallestRoomMs: Number.POSITIVE_INFINITY });
});
