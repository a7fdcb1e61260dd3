import { describe, expect, it } from 'vitest';
import { digestText, dueDigest, type Standing } from './digest.ts';

const LONG_AGO = new Date(0);
const BERLIN = { hour: 8, timeZone: 'Europe/Berlin' };

describe('a digest is due', () => {
  it('each day at the hour of its zone, summer and winter', () => {
    expect(dueDigest(BERLIN, LONG_AGO, new Date('2026-12-02T07:00:00Z'))?.date).toBe('2026-12-02');
    expect(dueDigest(BERLIN, LONG_AGO, new Date('2026-07-02T06:00:00Z'))?.date).toBe('2026-07-02');
    expect(dueDigest(BERLIN, LONG_AGO, new Date('2026-07-02T05:59:59Z'))).toBeUndefined();
  });

  it('as that of yesterday where the day has just begun, and not once it is half a day late', () => {
    const evening = { hour: 23, timeZone: 'UTC' };
    expect(dueDigest(evening, LONG_AGO, new Date('2026-12-02T01:00:00Z'))?.date).toBe('2026-12-01');
    expect(dueDigest(evening, LONG_AGO, new Date('2026-12-02T11:00:01Z'))).toBeUndefined();
  });

  it('not for a morning before somebody wanted it', () => {
    const now = new Date('2026-12-02T09:00:00Z');
    expect(dueDigest(BERLIN, new Date('2026-12-02T08:00:00Z'), now)).toBeUndefined();
  });

  it('also where the hour is skipped by the clocks', () => {
    const night = { hour: 2, timeZone: 'Europe/Berlin' };
    expect(dueDigest(night, LONG_AGO, new Date('2026-03-29T01:00:00Z'))?.date).toBe('2026-03-29');
  });
});

describe('a digest', () => {
  const now = new Date('2026-12-02T07:00:00Z');
  const standing = (fields: Partial<Standing>): Standing => ({
    clusters: 3,
    counts: [
      ['late', 0],
      ['in time', 3],
    ],
    badCount: 0,
    bad: [],
    givenUp: 0,
    asOf: now,
    ...fields,
  });

  it('says that all is well only of what is known now', () => {
    expect(digestText(standing({}), now)).toBe('3 clusters: 3 in time.\nNothing is known to be bad.');
    expect(digestText(standing({ asOf: new Date('2026-12-02T06:00:00Z') }), now)).toContain(
      'could not read its records',
    );
    expect(digestText(standing({ asOf: undefined }), now)).toContain('cannot tell how the clusters are');
  });

  it('counts all that is bad, names some, and says what did not come here', () => {
    const bad = Array.from({ length: 20 }, (_, index) => `c${index} is late.`);
    const text = digestText(standing({ badCount: 22, bad, givenUp: 4 }), now);
    expect(text).toContain('22 to look at:\n- c0 is late.');
    expect(text).toContain('and 2 more.');
    expect(text).toContain('4 notifications could not be delivered');
  });
});
