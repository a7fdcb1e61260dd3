import { describe, expect, it } from 'vitest';
import { isoOf, readMoment } from './moment-text.ts';

const AT = Date.UTC(2026, 0, 31, 9, 15);
const trouble = (text: string, ahead = 60) => {
  const read = readMoment(text, () => ahead);
  return 'trouble' in read ? read.trouble : read;
};

describe('a moment that is typed', () => {
  it.each([
    '2026-01-31T09:15:00Z',
    '2026-01-31T09:15Z',
    '2026-01-31 09:15:00 UTC',
    ' 2026-01-31t10:15:00+01:00 ',
    '2026-01-31 10:15:00.000 +0100',
    '2026-01-30T21:45:00-11:30',
  ])('%s is one', (text) => {
    expect(readMoment(text)).toEqual({ ms: AT });
  });

  it('keeps its milliseconds', () => {
    expect(readMoment('2026-01-31T09:15:00.25Z')).toEqual({ ms: AT + 250 });
  });

  it('without a zone is none, and says how it is written in UTC and in the zone of the reader', () => {
    expect(trouble('2026-01-31T10:15:00')).toBe(
      'It has no zone: 2026-01-31T10:15:00Z is of UTC, 2026-01-31T10:15:00+01:00 of your zone.',
    );
    expect(trouble('2026-01-31 10:15', -210)).toContain('2026-01-31T10:15-03:30 of your zone.');
    expect(trouble('2026-01-31T10:15:00', 0)).toBe('It has no zone: 2026-01-31T10:15:00Z is of UTC.');
  });

  it.each(['2026-02-31T10:15:00Z', '2026-01-31T24:15:00Z', '2026-13-01T10:15:00Z'])('%s is in no calendar', (text) => {
    expect(trouble(text)).toMatch(/^There is no 2026-/);
  });

  it('has a zone that is somewhere in the world', () => {
    expect(trouble('2026-01-31T10:15:00+19:00')).toBe('There is no zone +19:00.');
    expect(trouble('2026-01-31T10:15:00+01:75')).toBe('There is no zone +01:75.');
  });

  it.each(['', 'yesterday', '2026-01-31', '31.01.2026 10:15 UTC', '2026-01-31T10:15:00+01:00 or so'])(
    '%j says how one is written',
    (text) => {
      expect(trouble(text)).toMatch(/^A moment is written as /);
    },
  );
});

it('a moment is shown in UTC, with milliseconds only where there are some', () => {
  expect([isoOf(AT), isoOf(AT + 7)]).toEqual(['2026-01-31T09:15:00Z', '2026-01-31T09:15:00.007Z']);
});
