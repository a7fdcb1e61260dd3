import { describe, expect, it } from 'vitest';
import { chooseBackup, choosePoint } from './run.ts';

const opensAt = new Date('2026-01-04T01:00:00Z');
const ago = (minutes: number) => new Date(opensAt.getTime() - minutes * 60_000);
const runs = Array.from({ length: 400 }, (_, n) => ({ _id: `orders:${n}`, opensAt, choose: 'random' }) as const);

describe('the moment that a drill restores', () => {
  const ranges = [
    { from: ago(20), to: ago(-30) },
    { from: ago(100), to: ago(90) },
  ];
  const pointsOf = (some = ranges) => runs.map((run) => choosePoint(run, some)?.getTime() ?? Number.NaN);

  it('lies in what can be restored and before the run, each part of it by its length', () => {
    const within = (from: Date, to: Date) => pointsOf().filter((at) => at > +from && at <= +to).length;
    expect(within(ago(20), opensAt) + within(ago(100), ago(90))).toBe(runs.length);
    expect(within(ago(20), opensAt)).toBeGreaterThan(2.2 * (runs.length / 4));
    expect(within(ago(100), ago(90))).toBeGreaterThan(runs.length / 5);
  });

  it('is the same whenever it is chosen for a run, and in whatever order they are told, although the log has grown (DR8)', () => {
    const grown = [{ from: ago(20), to: ago(-60) }, ...ranges.slice(1)].toReversed();
    expect(pointsOf(grown)).toEqual(pointsOf());
    expect(new Set(pointsOf()).size).toBeGreaterThan(300);
  });

  it('is none where all that can be restored came later, or is the one moment of a snapshot', () => {
    expect(choosePoint({ _id: 'a', opensAt }, [{ from: ago(-1), to: ago(-5) }])).toBeUndefined();
    expect(choosePoint({ _id: 'a', opensAt }, [{ from: ago(5), to: ago(5) }])).toBeUndefined();
  });
});

it('a random backup is the same for a run each time, and in time each of them', () => {
  const candidates = ['a', 'b', 'c'].map((backupId) => ({ backupId, time: null }));
  const chosen = runs.map((run) => chooseBackup(run, candidates)?.backupId);
  expect(runs.map((run) => chooseBackup(run, candidates)?.backupId)).toEqual(chosen);
  expect(new Set(chosen).size).toBe(3);
});
