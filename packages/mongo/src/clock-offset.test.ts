import { expect, it } from 'vitest';
import { narrowOffset, type OffsetBounds, timeAt } from './clock-offset.ts';

const middle = ({ low, high }: OffsetBounds) => (low + high) / 2;
/** An answer that took so long each way, by a database whose clock is ahead by `ahead`. */
const reading = (ahead: number, sentAt: number, thereMs: number, backMs: number) => ({
  time: Math.floor(sentAt + thereMs + ahead),
  sentAt,
  receivedAt: sentAt + thereMs + backMs,
});

it('knows the offset to half of the time that the answer took', () => {
  const known = narrowOffset(undefined, reading(5_000, 100, 300, 500));
  expect(known).toEqual({ low: 4_500, high: 5_301, at: 900 });
});

it('is not moved by an answer that took longer', () => {
  const known = narrowOffset(undefined, reading(5_000, 100, 1, 1));
  const then = narrowOffset(known, reading(5_000, 1_000, 0, 1_500));
  expect(Math.abs(middle(then) - 5_000)).toBeLessThan(2.5);
});

it('knows more after a slow request and a slow answer than after either', () => {
  const slowRequest = reading(5_000, 0, 800, 10);
  const slowAnswer = reading(5_000, 1_000, 10, 800);
  const known = narrowOffset(narrowOffset(undefined, slowRequest), slowAnswer);
  expect(known.high - known.low).toBeLessThan(25);
  expect(Math.abs(middle(known) - 5_000)).toBeLessThan(12);
});

it('never steps back when more becomes known of it, and is right soon after', () => {
  // The first answer came late, so that the time was read 400 ms too far ahead.
  const first = narrowOffset(undefined, reading(5_000, 0, 800, 0));
  const told = timeAt(first, 1_000);
  const known = narrowOffset(first, reading(5_000, 999, 1, 0));
  const times = [1_000, 1_001, 1_010, 1_500, 1_900].map((at) => timeAt(known, at));
  expect([told, ...times]).toEqual([told, ...times].toSorted((one, other) => one - other));
  expect(new Set(times).size).toBe(times.length);
  expect(Math.abs((times.at(-1) ?? 0) - 6_900)).toBeLessThan(2);
});

it('follows a database whose clock was set, forward and back', () => {
  for (const ahead of [8_000, 2_000]) {
    const known = narrowOffset(undefined, reading(5_000, 0, 1, 1));
    expect(Math.abs(middle(narrowOffset(known, reading(ahead, 1_000, 20, 20))) - ahead)).toBeLessThan(25);
  }
});

it('follows a database whose clock runs a little faster, for hours', () => {
  let known = narrowOffset(undefined, reading(0, 0, 1, 1));
  for (let at = 10_000; at < 4 * 3_600_000; at += 10_000) {
    known = narrowOffset(known, reading(at * 0.0004, at, 1, 1));
    expect(Math.abs(middle(known) - at * 0.0004)).toBeLessThan(10);
  }
});

it('trusts what it knew long ago less than what it hears now', () => {
  const known = narrowOffset(undefined, reading(5_000, 0, 0, 0));
  const later = narrowOffset(known, reading(5_100, 3_600_000, 60, 60));
  expect(Math.abs(middle(later) - 5_100)).toBeLessThan(61);
});
