import { expect, test } from 'vitest';
import { against, median, quantile } from './statistics.ts';

test('the median is the middle one, or halfway between the two in the middle', () => {
  expect(median([9, 1, 5])).toBe(5);
  expect(median([4, 1, 3, 2])).toBe(2.5);
  expect(median([7])).toBe(7);
});

test('numbers are ordered as numbers, and the values given stay as they were', () => {
  const values = [10, 9, 100];
  expect(median(values)).toBe(10);
  expect(values).toEqual([10, 9, 100]);
});

test('a quantile lies between the least and the most', () => {
  const values = Array.from({ length: 101 }, (_, index) => index);
  expect([0, 0.5, 0.99, 1].map((q) => quantile(values, q))).toEqual([0, 50, 99, 100]);
});

test('nothing has no median', () => {
  expect(() => median([])).toThrow('There is no quantile of nothing.');
});

test('a ratio says how many times the floor a value is', () => {
  expect(against(6, 'find', 2)).toEqual({ floor: { name: 'find', value: 2 }, ratio: 3 });
});
