import { expect, test } from 'vitest';
import { goDuration, humanSize, parseGoDuration, progressDuration } from './go-format.ts';

test('durations look as Go prints them', () => {
  expect(
    [0, 0.000586, 0.586905, 3.597416, 300, 4715.509333, 161_134.444031, 120_000, 3_723_000].map(goDuration),
  ).toEqual(['0s', '586ns', '586.905µs', '3.597416ms', '300ms', '4.715509333s', '2m41.134444031s', '2m0s', '1h2m3s']);
});

test('progress lines keep one decimal under ten seconds and whole seconds above', () => {
  expect([0, 3_812, 9_940, 9_960, 120_400, 581_000].map(progressDuration)).toEqual([
    '0s',
    '3.8s',
    '9.9s',
    '10s',
    '2m0s',
    '9m41s',
  ]);
});

test('sizes are SI units with four significant digits', () => {
  expect([0, 831.6, 71_330, 134_000, 33_980, 250_000, 1_234_000_000].map(humanSize)).toEqual([
    '0B',
    '831.6B',
    '71.33kB',
    '134kB',
    '33.98kB',
    '250kB',
    '1.234GB',
  ]);
});

test('durations on the command line are read, and what is none is refused', () => {
  expect(parseGoDuration('1h30m')).toBe(5_400_000);
  expect(parseGoDuration('1.5s')).toBe(1_500);
  expect(parseGoDuration('250ms')).toBe(250);
  expect(parseGoDuration('90')).toBeUndefined();
  expect(parseGoDuration('')).toBeUndefined();
});
