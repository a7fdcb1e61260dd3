import { describe, expect, it } from 'vitest';
import { bytes, count, duration, fromNow } from './quantities.ts';

describe('a duration', () => {
  it.each([
    [0, '0 s'],
    [0.4, '0 s'],
    [59, '59 s'],
    [60, '1 min'],
    [61, '1 min 1 s'],
    [605, '10 min'],
    [3_600, '1 h'],
    [7_260, '2 h 1 min'],
    [86_400, '1 d'],
    [10 * 86_400 + 3_600, '10 d'],
    [-5, '0 s'],
  ])('of %d seconds is %s', (seconds, text) => expect(duration(seconds)).toBe(text));
});

it.each([
  [0, 'just now'],
  [10_000, '10 s ago'],
  [7_200_000, '2 h ago'],
  [-1_200_000, 'in 20 min'],
])('what was %d ms before now is %s', (age, text) => expect(fromNow(1_000_000_000 - age, 1_000_000_000)).toBe(text));

it.each([
  [0n, '0 B'],
  [999n, '999 B'],
  [1_000n, '1.0 KB'],
  [999_949n, '1.0 MB'],
  [1_400_000_000n, '1.4 GB'],
  [123_456_789_000n, '123 GB'],
])('%d bytes are %s', (size, text) => expect(bytes(size)).toBe(text));

it('one thing is counted in the singular', () => {
  expect([count(1, 'cluster'), count(0, 'cluster'), count(1_234, 'cluster')]).toEqual([
    '1 cluster',
    '0 clusters',
    '1,234 clusters',
  ]);
});
