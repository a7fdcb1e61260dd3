import { describe, expect, it } from 'vitest';
import { toMoment } from './moment.ts';

describe('a moment', () => {
  it.each([
    ['2026-01-31T10:15:00+01:00', '2026-01-31T09:15:00.000Z'],
    ['2026-01-31T10:15:00.25Z', '2026-01-31T10:15:00.250Z'],
    [' 2026-01-31T10:15Z ', '2026-01-31T10:15:00.000Z'],
    ['2026-01-31 10:15:33 UTC', '2026-01-31T10:15:33.000Z'],
  ])('with a zone is what it says: %s', (text, iso) => {
    expect(toMoment(text).toISOString()).toBe(iso);
  });

  it('without a zone is of this machine', () => {
    expect(toMoment('2026-01-31 10:15')).toEqual(new Date(2026, 0, 31, 10, 15));
  });

  it('in words is seen from now', () => {
    const day = new Date();
    day.setDate(day.getDate() - 1);
    day.setHours(10, 15, 0, 0);
    expect(toMoment('yesterday 10:15')).toEqual(day);
    const ago = (Date.now() - toMoment('2 hours ago').getTime()) / 1_000;
    expect(Math.abs(ago - 7_200)).toBeLessThan(60);
  });

  it.each([
    '',
    'yesterday',
    'may',
    '2026-01-31',
    '03/04/2026 10:00',
    '3.4.2026 10:00',
    'yesterday 25:99',
    '2026-02-31T10:00:00Z x',
    'rm -rf',
    '10:00 to 11:00',
  ])('is not %j', (text) => {
    expect(() => toMoment(text)).toThrow('with its time of day');
  });
});
