import fc from 'fast-check';
import { expect, test } from 'vitest';
import { baseOf, type Log, recoverable, type Snapshot } from './recoverable.ts';

const snapshot = (tso: number): Snapshot => ({ id: `b${tso}`, tso: BigInt(tso) });
const log = (n: number, min: number, max: number, endedWhy = ''): Log => ({
  ...{ n, min: BigInt(min), max: BigInt(max), open: endedWhy === '', endedWhy },
});
const told = (snapshots: readonly number[], logs: readonly Log[], now: number) => {
  const { ranges, holes, newest } = recoverable(snapshots.map(snapshot), logs, BigInt(now));
  return {
    ranges: ranges.map(({ from, to, generation, baseId }) => [Number(from), Number(to), generation, baseId]),
    holes: holes.map(({ from, to, why }) => [Number(from), Number(to), why]),
    newest: newest === undefined ? undefined : Number(newest),
  };
};

test('without a log each snapshot is a point, and no hole is told of', () => {
  expect(told([10, 30], [], 50)).toEqual({ ranges: [], holes: [], newest: 30 });
});

test('a log is replayed from the first snapshot in it on, to its end', () => {
  expect(told([10, 30, 40], [log(1, 20, 48)], 50)).toEqual({
    ranges: [[30, 48, 1, 'b30']],
    holes: [
      [10, 30, 'noBase'],
      [48, 50, 'lag'],
    ],
    newest: 48,
  });
});

test('a log without a snapshot in it promises nothing', () => {
  expect(told([10], [log(1, 20, 48)], 50)).toEqual({ ranges: [], holes: [[10, 50, 'noBase']], newest: 10 });
});

test('ranges never join two logs, and the hole between them says how the first ended', () => {
  expect(told([10, 35], [log(1, 5, 20, 'historyLost'), log(2, 30, 50)], 50)).toEqual({
    ranges: [
      [10, 20, 1, 'b10'],
      [35, 50, 2, 'b35'],
    ],
    holes: [[20, 35, 'noBase']],
    newest: 50,
  });
});

test('a log that ended leaves a hole up to now', () => {
  expect(told([10], [log(1, 5, 20, 'stopped')], 50).holes).toEqual([[20, 50, 'stopped']]);
});

test('a point is restored from the last snapshot before it', () => {
  const found = recoverable([10, 30, 60].map(snapshot), [log(1, 5, 50)], 70n);
  expect(baseOf(29n, found)).toEqual({ snapshot: snapshot(10), generation: 1 });
  expect(baseOf(30n, found)).toEqual({ snapshot: snapshot(30), generation: 1 });
  expect(baseOf(51n, found)).toBeUndefined();
  expect(baseOf(9n, found)).toBeUndefined();
});

const TIME = fc.integer({ min: 1, max: 40 });
const WORLD = fc
  .record({
    snapshots: fc.uniqueArray(TIME, { maxLength: 6 }),
    // Logs follow one another, as generations do.
    ends: fc.uniqueArray(TIME, { minLength: 0, maxLength: 8 }).map((times) => times.toSorted((a, b) => a - b)),
  })
  .map(({ snapshots, ends }) => ({
    snapshots: snapshots.map(snapshot),
    logs: Array.from({ length: Math.floor(ends.length / 2) }, (_, index) =>
      log(index + 1, ends[2 * index] ?? 0, ends[2 * index + 1] ?? 0, 2 * index + 2 < ends.length ? 'stopped' : ''),
    ),
  }));

test('a point is shown where, and only where, one log holds it and a snapshot before it', () => {
  fc.assert(
    fc.property(WORLD, TIME, ({ snapshots, logs }, time) => {
      const point = BigInt(time);
      const found = recoverable(snapshots, logs, 41n);
      const isShown = found.ranges.some(({ from, to }) => from <= point && point <= to);
      const canBe = logs.some(
        ({ min, max }) => min <= point && point <= max && snapshots.some(({ tso }) => tso >= min && tso <= point),
      );
      expect(isShown).toBe(canBe);
      expect(baseOf(point, found) !== undefined).toBe(canBe);
    }),
  );
});

test('between the oldest point and now each moment is in a range or in a hole, and in no two', () => {
  fc.assert(
    fc.property(WORLD, TIME, ({ snapshots, logs }, time) => {
      const found = recoverable(snapshots, logs, 41n);
      const [first] = found.points;
      fc.pre(first !== undefined && logs.length > 0 && BigInt(time) > first.tso);
      const isIn = ({ from, to }: { readonly from: bigint; readonly to: bigint }) =>
        from < BigInt(time) && BigInt(time) <= to;
      expect([...found.ranges, ...found.holes].filter(isIn)).toHaveLength(1);
    }),
  );
});
