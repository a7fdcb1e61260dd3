/** What holds of any snapshots and logs: ranges, bases, holes, plans and losses agree with each other, point by point. */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { plan } from './plan.ts';
import { baseOf, covers, recoverable } from './recoverable.ts';
import { basesIn, segments } from './segments.ts';
import { type RecoveryState, usableOf } from './state.ts';
import { logOf, snapshotAt } from './testing/sample-state.ts';
import { lossBetween, wouldLose } from './would-lose.ts';

const END = 24;
const POINTS = Array.from({ length: END + 1 }, (_, point) => BigInt(point));
const NOW = BigInt(END);
const point = fc.integer({ min: 0, max: END });

const snapshots = fc.uniqueArray(
  fc.record({
    tso: point,
    damaged: fc.integer({ min: 0, max: 5 }).map((one) => one === 0),
    keyKnown: fc.integer({ min: 0, max: 9 }).map((one) => one > 0),
    removal: fc.constantFrom('none', 'none', 'none', 'asked', 'claimed'),
    origin: fc.constantFrom('rule', 'rule', 'log', 'person'),
    cluster: fc.constantFrom('7', '7', '7', '8', ''),
  }),
  { maxLength: 7, selector: ({ tso }) => tso },
);
const cuts = fc.array(fc.record({ from: point, length: fc.integer({ min: 1, max: 5 }), crossable: fc.boolean() }), {
  maxLength: 3,
});
/** Logs of one cluster never overlap: the lengths of what is between them and of themselves. */
const logs = fc.array(
  fc.record({ gap: fc.integer({ min: 1, max: 4 }), length: fc.integer({ min: 0, max: 12 }), cuts }),
  { maxLength: 3 },
);

const states: fc.Arbitrary<RecoveryState> = fc.record({ snapshots, logs }).map((drawn) => {
  let at = -1;
  const generations = drawn.logs.flatMap((log, index) => {
    const min = at + log.gap;
    at = Math.min(END, min + log.length);
    if (min > END) return [];
    const open = index === drawn.logs.length - 1;
    const pieces = log.cuts.map(({ from, length, crossable }) => ({
      from: BigInt(from),
      to: BigInt(from + length),
      why: 'missing',
      crossable,
    }));
    return [logOf(index + 1, BigInt(min), BigInt(at), { cuts: pieces, open, endedWhy: open ? null : 'stopped' })];
  });
  return {
    generations,
    snapshots: drawn.snapshots.map(({ tso, damaged, keyKnown, removal, origin, cluster }) =>
      snapshotAt(BigInt(tso), {
        damagedAt: damaged ? new Date(0) : null,
        keyKnown,
        removal,
        removalBy: removal === 'none' ? null : 'retention',
        origin,
        upstreamClusterId: cluster,
      }),
    ),
  };
});

const shownBy = (state: RecoveryState) => {
  const { ranges } = recoverable(state, NOW);
  return POINTS.filter((one) => covers(ranges, one));
};

/** Said otherwise than `recoverable` does: by what br would need for the point. */
function canBeReplayed({ generations, ...state }: RecoveryState, to: bigint): boolean {
  const usable = usableOf({ generations, ...state });
  return generations.some((log) => {
    const { min, max, cuts, upstreamClusterId } = log;
    if (min === null || max === null || to < min || to > max) return false;
    if (cuts.some((cut) => cut.crossable && cut.from < to && to < cut.to)) return false;
    return usable.some(
      (base) =>
        [upstreamClusterId, ''].includes(base.upstreamClusterId) &&
        base.tso >= min &&
        base.tso <= to &&
        !cuts.some((cut) => !cut.crossable && cut.from < to && cut.to > base.tso),
    );
  });
}

it('shows exactly the points that can be replayed, each with a base', () => {
  fc.assert(
    fc.property(states, (state) => {
      const expected = POINTS.filter((one) => canBeReplayed(state, one));
      expect(shownBy(state)).toEqual(expected);
      expect(POINTS.filter((one) => baseOf(state, one))).toEqual(expected);
    }),
    { numRuns: 2_000 },
  );
});

it('chooses of all bases the newest', () => {
  fc.assert(
    fc.property(states, point, (state, at) => {
      const base = baseOf(state, BigInt(at));
      if (!base) return;
      const log = state.generations.find(({ n }) => n === base.generation);
      const bases = log ? segments(log).flatMap((piece) => basesIn(piece, log, usableOf(state))) : [];
      expect(bases.filter(({ tso }) => tso > base.snapshot.tso && tso <= BigInt(at))).toEqual([]);
    }),
  );
});

it('tells of each stretch from the oldest point to now that it lies in a range or in one hole', () => {
  fc.assert(
    fc.property(states, (state) => {
      const { ranges, holes, points } = recoverable(state, NOW);
      fc.pre(state.generations.length > 0);
      const oldest = points[0]?.tso ?? NOW;
      for (const from of POINTS.filter((one) => one >= oldest && one < NOW)) {
        const inside = ({ from: start, to }: { from: bigint; to: bigint }) => start <= from && from + 1n <= to;
        expect(holes.filter(inside)).toHaveLength(ranges.some(inside) ? 0 : 1);
      }
    }),
  );
});

it('keeps what the points of the horizon need, when all that a plan says is done', () => {
  fc.assert(
    fc.property(states, point, (state, at) => {
      const from = BigInt(at);
      const view = { now: new Date(0), from, keptByRules: () => new Map<string, string[]>(), tell: String };
      const { deleteSnapshots, truncate, removeGenerations } = plan(state, view);
      const after: RecoveryState = {
        snapshots: state.snapshots.filter(({ id }) => !deleteSnapshots.includes(id)),
        generations: state.generations
          .filter(({ n }) => !removeGenerations.includes(n))
          .map((log) => ({ ...log, min: truncate.find(({ generation }) => generation === log.n)?.until ?? log.min })),
      };
      const within = (points: bigint[]) => points.filter((one) => one >= from);
      expect(within(shownBy(after))).toEqual(within(shownBy(state)));
      expect(usableOf(after).at(-1)?.id).toBe(usableOf(state).at(-1)?.id);
    }),
    { numRuns: 2_000 },
  );
});

it('tells of a removal exactly the points that it loses', () => {
  fc.assert(
    fc.property(states, (state) => {
      for (const { id } of state.snapshots) {
        const left = shownBy({ ...state, snapshots: state.snapshots.filter((one) => one.id !== id) });
        const { spans } = wouldLose(state, id, NOW);
        expect(POINTS.filter((one) => covers(spans, one))).toEqual(shownBy(state).filter((one) => !left.includes(one)));
      }
      expect(lossBetween(state, state, NOW).spans).toEqual([]);
    }),
  );
});
