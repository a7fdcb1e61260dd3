import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import { describe, expect, it } from 'vitest';
import {
  axisOf,
  endsOf,
  find,
  holeWords,
  movedBy,
  pointedAt,
  REACHES,
  reachTo,
  recoverableOf,
  ticksOn,
} from './time-line.ts';

const NOW = Date.UTC(2026, 0, 31, 12);
const minutes = (before: number) => NOW - before * 60_000;
const tso = (ms: number, logical = 0n) => (BigInt(ms) << 18n) + logical;

type Answer = Parameters<typeof recoverableOf>[0];
const range = (fromMs: number, toMs: number, logical = 0n) =>
  ({
    fromTs: tso(fromMs, logical),
    toTs: tso(toMs, logical),
    generation: 1,
    baseBackupId: 'base',
  }) as Answer['ranges'][0];
const hole = (fromMs: number, toMs: number, why: string) =>
  ({ fromTime: timestampFromMs(fromMs), toTime: timestampFromMs(toMs), why }) as Answer['holes'][0];
const point = (ms: number, backupId: string) => ({ time: timestampFromMs(ms), backupId }) as Answer['points'][0];

/** A backup an hour ago, a log from half an hour ago on that has a hole, and that is written up to a minute ago. */
const known = recoverableOf({
  points: [point(minutes(30), 'base'), point(minutes(60), 'old')],
  ranges: [range(minutes(10), minutes(1)), range(minutes(30), minutes(20))],
  holes: [
    hole(minutes(1), NOW, 'lag'),
    hole(minutes(20), minutes(10), 'historyLost'),
    hole(minutes(60), minutes(30), 'noLog'),
  ],
  nextPageToken: '',
});

describe('what is known of a moment', () => {
  it('is the range that has it, its first and its last millisecond too', () => {
    for (const ms of [minutes(30), minutes(25), minutes(20)])
      expect(find(known, ms, NOW)).toMatchObject({ is: 'second', range: { fromMs: minutes(30) } });
    expect(find(known, minutes(20) + 1, NOW)).toMatchObject({ is: 'nothing' });
  });

  it('is no second before its backup is, which has a TSO within a millisecond', () => {
    const { ranges } = recoverableOf({
      points: [],
      ranges: [range(minutes(9), minutes(1), 5n)],
      holes: [],
      nextPageToken: '',
    });
    expect(ranges).toMatchObject([{ fromMs: minutes(9) + 1, toMs: minutes(1) }]);
  });

  it('is the backup of just that moment where no log has it', () => {
    expect(find(known, minutes(60), NOW)).toEqual({ is: 'backup', backupId: 'old' });
  });

  it('in a hole is why, and what can be had on both sides of it', () => {
    expect(find(known, minutes(15), NOW)).toEqual({
      is: 'nothing',
      why: 'The log was interrupted for longer than the cluster keeps its history.',
      before: { ms: minutes(20) },
      after: { ms: minutes(10) },
    });
    expect(find(known, minutes(45), NOW)).toMatchObject({ before: { ms: minutes(60), backupId: 'old' } });
  });

  it('in the future is so, and behind what is written that it is not complete so far', () => {
    expect(find(known, NOW + 1, NOW)).toMatchObject({ why: 'It is in the future.', before: { ms: minutes(1) } });
    expect(find(known, NOW - 1, NOW)).toMatchObject({ why: 'The log is not complete so far.', after: undefined });
  });

  it('before all that is kept is so, unless there are older backups than are known here', () => {
    const before = minutes(61);
    expect(find(known, before, NOW)).toMatchObject({ why: 'Nothing is kept that is so old.', before: undefined });
    expect(find({ ...known, isCut: true }, before, NOW)).toMatchObject({ why: expect.stringContaining('list of all') });
  });

  it('between two backups of a cluster without a log is that none leads there', () => {
    const bare = recoverableOf({
      points: [point(minutes(5), 'b'), point(minutes(60), 'a')],
      ranges: [],
      holes: [],
      nextPageToken: '',
    });
    expect(find(bare, minutes(20), NOW)).toEqual({
      is: 'nothing',
      why: 'No log leads there from the backup before it.',
      before: { ms: minutes(60), backupId: 'a' },
      after: { ms: minutes(5), backupId: 'b' },
    });
  });

  it('names a reason that a later version gives as that does', () => {
    expect(holeWords('somethingNew')).toBe('The log is interrupted (somethingNew)');
  });
});

describe('the line', () => {
  it('reaches as far as there is something, and moves on in steps', () => {
    expect([30, 61, 60 * 30, 60 * 24 * 90].map((before) => reachTo(minutes(before), NOW).name)).toEqual([
      '1 hour',
      '1 day',
      '7 days',
      '30 days',
    ]);
    const [hour] = REACHES;
    if (!hour) throw new Error('there is no hour');
    expect(axisOf(hour, NOW + 1)).toEqual(axisOf(hour, NOW + 5_000));
    expect(axisOf(hour, NOW + 1).toMs).toBeGreaterThan(NOW);
  });

  it.each(REACHES)('of $name has some marks, each on a full hour or day of the reader', (reach) => {
    const ticks = ticksOn(axisOf(reach, NOW), reach);
    expect(ticks.length).toBeGreaterThanOrEqual(5);
    expect(ticks.length).toBeLessThanOrEqual(9);
    for (const ms of ticks) {
      const at = new Date(ms);
      expect((at.getHours() * 60 + at.getMinutes()) % Math.min(reach.tickMinutes, 24 * 60)).toBe(0);
    }
  });

  it('is pointed at by the second or by the minute, and never beside it', () => {
    const axis = { fromMs: NOW - 3_600_000, toMs: NOW };
    expect(pointedAt(axis, 0.50001)).toBe(minutes(30));
    expect(pointedAt(axis, 0.5003)).toBe(minutes(30) + 1_000);
    expect(pointedAt(axis, -3)).toBe(axis.fromMs);
    expect(pointedAt({ fromMs: NOW - 86_400_000, toMs: NOW }, 0.50001)).toBe(NOW - 43_200_000);
  });

  it('is walked by keys: a second, a minute, an hour, to its ends and not beyond', () => {
    const from = minutes(25);
    const by = (key: string, ms = from) => movedBy(key, ms, known, NOW);
    expect(['ArrowLeft', 'ArrowUp', 'PageDown', 'Home', 'End', 'Enter'].map((key) => by(key))).toEqual([
      from - 1_000,
      from + 60_000,
      minutes(60),
      minutes(60),
      minutes(1),
      undefined,
    ]);
    expect(by('ArrowRight', NOW)).toBe(NOW);
    expect(
      movedBy('Home', from, recoverableOf({ points: [], ranges: [], holes: [], nextPageToken: '' }), NOW),
    ).toBeUndefined();
  });

  it('has no ends where nothing can be restored', () => {
    expect(endsOf(known)).toEqual({ oldest: { ms: minutes(60), backupId: 'old' }, newest: { ms: minutes(1) } });
    expect(endsOf({ ranges: [], holes: [], points: [], isCut: false })).toBeUndefined();
  });
});
