/**
 * The rules of recovery, each switched off from outside: a function is given another state than it should be, or what it says is
 * altered. With each goes a small world that shows what the rule is for.
 */

import type { LogView } from '../log-plan.ts';
import { needed } from '../needed.ts';
import { DAMAGED_STAYS_MS, type PlanView, type RecoveryPlan } from '../plan.ts';
import { covers } from '../recoverable.ts';
import { type RecoveryState, smaller, usableOf, withRemovalsTakenBack } from '../state.ts';
import { wouldLose } from '../would-lose.ts';
import type { Rules, Setting } from './world.ts';

export interface Mutation {
  /** What holds no longer. */
  readonly without: string;
  readonly of: (rules: Rules) => Partial<Rules>;
  readonly in: Partial<Setting>;
  /** The promise that is broken first. */
  readonly breaks: string;
}

/** What logs are judged by, for a plan of all: what keeps snapshots does not matter then. */
const asPlanView = (view: LogView): PlanView => ({ now: new Date(0), keptByRules: () => new Map(), ...view });

/** Plans, and judges each step, by another plan. */
const planning = (alter: (rules: Rules) => Rules['plan']): Mutation['of'] => {
  return (rules) => {
    const plan = alter(rules);
    return {
      plan,
      mayAskRemoval: (state, id, view) => plan(state, view).deleteSnapshots.includes(id),
      mayTruncate: (state, { generation, until }, view) =>
        plan(state, asPlanView(view)).truncate.some((one) => one.generation === generation && one.until >= until),
      mayRemoveGeneration: (state, n, view) => plan(state, asPlanView(view)).removeGenerations.includes(n),
      whyTakeBack: (state, id, view) => {
        const snapshots = state.snapshots.map((one) => (one.id === id ? { ...one, removal: 'none' as const } : one));
        return plan({ ...state, snapshots }, view).keepReasons.get(id) ?? [];
      },
    };
  };
};

/** A plan without some of its reasons to keep snapshots. */
const withoutReasons = (isLeftOut: (reason: string) => boolean): Mutation['of'] =>
  planning(({ plan }) => (state, view) => {
    const made = plan(state, view);
    const reasons = [...made.keepReasons].map(([id, some]) => [id, some.filter((one) => !isLeftOut(one))] as const);
    const gone = reasons.filter(([, some]) => some.length === 0).map(([id]) => id);
    return {
      ...made,
      keepReasons: new Map(reasons.filter(([, some]) => some.length > 0)),
      deleteSnapshots: [...made.deleteSnapshots, ...gone],
    };
  });

/** A plan that truncates otherwise. */
const truncating = (until: (state: RecoveryState, n: number, made: RecoveryPlan, from: bigint) => bigint | undefined) =>
  planning(({ plan }) => (state, view) => {
    const made = plan(state, view);
    const truncate = state.generations.flatMap(({ n, min, holds, truncating: isTruncating }) => {
      const point = until(state, n, made, view.from);
      if (point === undefined || min === null || point <= min || holds.length > 0 || isTruncating) return [];
      return [{ generation: n, until: point }];
    });
    return { ...made, truncate };
  });

const undamaged = (state: RecoveryState): RecoveryState => ({
  ...state,
  snapshots: state.snapshots.map((one) => ({ ...one, damagedAt: null })),
});
const uncut = (state: RecoveryState): RecoveryState => ({
  ...state,
  generations: state.generations.map((one) => ({ ...one, cuts: [] })),
});
const unheld = (state: RecoveryState): RecoveryState => ({
  snapshots: state.snapshots,
  generations: state.generations.map((one) => ({ ...one, holds: [] })),
});

const LAST_GOOD = 'retention never removes the last good snapshot (P4)';
const SHOWN = 'what is shown can be restored (P1)';
const UNTRUNCATED = 'a truncation takes no point of the horizon (P8)';
const STAYS = 'a point of the horizon stays (P2)';
const DAMAGED_BASES: Partial<Setting> = { ticks: 2, snapshots: 3, damages: 1 };

export const MUTATIONS: readonly Mutation[] = [
  {
    without: 'a range begins at a snapshot (V1)',
    of: ({ recoverable }) => ({
      recoverable: (state, now) => ({
        ...recoverable(state, now),
        ranges: state.generations.map(({ n, min, max }) => ({
          from: min ?? 0n,
          to: max ?? 0n,
          generation: n,
          baseId: '',
        })),
      }),
    }),
    in: {},
    breaks: SHOWN,
  },
  {
    without: 'no range joins two logs (V1)',
    of: ({ recoverable }) => ({
      recoverable: (state, now) => {
        const { ranges, ...rest } = recoverable(state, now);
        const [first] = ranges;
        const to = state.generations.at(-1)?.max ?? now;
        return { ...rest, ranges: first ? [{ ...first, to }] : [] };
      },
    }),
    in: { logs: 2 },
    breaks: SHOWN,
  },
  {
    without: 'no range crosses a break (V1)',
    of: ({ recoverable }) => ({ recoverable: (state, now) => recoverable(uncut(state), now) }),
    in: { damages: 1 },
    breaks: SHOWN,
  },
  {
    without: 'a damaged snapshot serves nothing (V2, P3)',
    of: ({ recoverable }) => ({ recoverable: (state, now) => recoverable(undamaged(state), now) }),
    in: { damages: 1 },
    breaks: SHOWN,
  },
  {
    without: 'a damaged snapshot is never the newest good one (K2, P3)',
    of: planning(({ plan }) => (state, view) => {
      const good = new Set(usableOf(state).map(({ id }) => id));
      const asGood = plan(undamaged(state), view);
      const real = plan(state, view);
      const deleteSnapshots = asGood.deleteSnapshots.filter((id) => good.has(id) || real.deleteSnapshots.includes(id));
      const reasons = [...real.keepReasons, ...asGood.keepReasons];
      return {
        ...asGood,
        deleteSnapshots,
        keepReasons: new Map(reasons.filter(([id]) => !deleteSnapshots.includes(id))),
      };
    }),
    in: { damages: 1, logs: 0 },
    breaks: LAST_GOOD,
  },
  {
    without: 'the newest good snapshot is kept (K1, P4)',
    of: withoutReasons((reason) => reason === 'newest good backup'),
    in: { keepLast: 0, logs: 0 },
    breaks: LAST_GOOD,
  },
  {
    without: 'what is pinned is kept (K1, P4)',
    of: withoutReasons((reason) => reason === 'pinned'),
    in: { pins: 1, logs: 0 },
    breaks: 'what is pinned is never removed (P4)',
  },
  {
    without: 'what is in use is kept (K1, P4)',
    of: withoutReasons((reason) => reason === 'in use'),
    in: { restores: 1, logs: 0 },
    breaks: 'nothing is removed while it is restored (P4)',
  },
  {
    without: 'a base is kept (K1, P2)',
    of: withoutReasons((reason) => reason.startsWith('base of')),
    in: {},
    breaks: STAYS,
  },
  {
    without: 'a damaged snapshot goes some days later (K2, P9)',
    of: planning(({ plan }) => (state, view) => {
      const made = plan(state, view);
      const damaged = new Set(state.snapshots.filter(({ damagedAt }) => damagedAt).map(({ id }) => id));
      const stay = made.deleteSnapshots.filter((id) => damaged.has(id));
      return {
        ...made,
        deleteSnapshots: made.deleteSnapshots.filter((id) => !damaged.has(id)),
        keepReasons: new Map([...made.keepReasons, ...stay.map((id) => [id, ['damaged']] as const)]),
      };
    }),
    in: { damages: 1, logs: 0 },
    breaks: 'a damaged snapshot goes once it is replaced (P9)',
  },
  {
    without: 'each piece of a log has a base of its own (needed, P2)',
    of: planning(({ plan }) => (state, view) => {
      const made = plan(state, view);
      const whole = needed(uncut(state), view.from);
      const isBase = (reason: string) => reason.startsWith('base of');
      const reasons = [...made.keepReasons].map(
        ([id, some]) => [id, whole.bases.has(id) ? some : some.filter((one) => !isBase(one))] as const,
      );
      return {
        ...made,
        keepReasons: new Map(reasons.filter(([, some]) => some.length > 0)),
        deleteSnapshots: [...made.deleteSnapshots, ...reasons.flatMap(([id, some]) => (some.length === 0 ? [id] : []))],
      };
    }),
    in: { ...DAMAGED_BASES, ticks: 3, horizon: 3 },
    breaks: STAYS,
  },
  {
    without: 'the newest base that is old enough is chosen, and not the newest of all (needed, P2)',
    of: truncating(
      (state, n) =>
        usableOf(state).findLast(({ tso }) =>
          state.generations.some((one) => one.n === n && tso <= (one.max ?? 0n) && tso >= (one.min ?? 0n)),
        )?.tso,
    ),
    in: {},
    breaks: UNTRUNCATED,
  },
  {
    without: 'other snapshots that are kept hold no log (K3, P8)',
    of: truncating((state, n, { truncate, keepReasons }) => {
      const until = truncate.find(({ generation }) => generation === n)?.until;
      const kept = state.snapshots.filter(({ id }) => keepReasons.has(id)).map(({ tso }) => tso);
      return until === undefined ? undefined : kept.reduce(smaller, until);
    }),
    in: { yearly: true },
    breaks: 'no more of a log is kept than is needed (P8)',
  },
  {
    without: 'the log is kept for removals that can be taken back (K3, P8)',
    of: truncating((state, n, _, from) => needed(state, from).logFrom.get(n)),
    in: DAMAGED_BASES,
    breaks: STAYS,
  },
  {
    without: 'the log is kept for the base that serves until they are taken back (K3, P8)',
    of: truncating((state, n, _, from) => needed(withRemovalsTakenBack(state), from).logFrom.get(n)),
    in: { snapshots: 3 },
    breaks: UNTRUNCATED,
  },
  {
    without: 'a log that is read is left (K4, P7)',
    of: planning(
      ({ plan }) =>
        (state, view) =>
          plan(unheld(state), view),
    ),
    in: { restores: 1, horizon: 1 },
    breaks: 'no log is truncated while it is restored (P7)',
  },
  {
    without: 'no restore begins to read a log that is being truncated (K4, P7)',
    of: () => ({
      mayHold: () => true,
      beginTruncation: (generation, until) => ({ ...generation, truncating: { until } }),
    }),
    in: { restores: 1, horizon: 1 },
    breaks: SHOWN,
  },
  {
    without: 'a log that ended goes with its last point of the horizon (K4)',
    of: planning(({ plan }) => (state, view) => {
      const made = plan(state, view);
      const stay = made.removeGenerations.map((n) => [n, ['ended']] as const);
      return { ...made, removeGenerations: [], logReasons: new Map([...made.logReasons, ...stay]) };
    }),
    in: {},
    breaks: 'no more of a log is kept than is needed (P8)',
  },
  {
    without: 'a log that ended stays until then (K4, P2)',
    of: planning(({ plan }) => (state, view) => ({
      ...plan(state, view),
      removeGenerations: state.generations.filter(({ open, holds }) => !open && holds.length === 0).map(({ n }) => n),
    })),
    in: {},
    breaks: STAYS,
  },
  {
    without: 'what is kept has a reason (K5, P9)',
    of: planning(({ plan }) => (state, view) => {
      return { ...plan(state, view), deleteSnapshots: [] };
    }),
    in: { logs: 0 },
    breaks: 'what is kept has a reason (P9)',
  },
  {
    without: 'a removal is judged again when a worker begins (P4)',
    of: () => ({ whyTakeBack: () => [] }),
    in: { damages: 1, logs: 0 },
    breaks: LAST_GOOD,
  },
  {
    without: 'it is then judged as a base, too (P4)',
    of: () => ({
      whyTakeBack: (state, id) => {
        const own = state.snapshots.find((one) => one.id === id);
        return own && usableOf(state).some(({ tso }) => tso > own.tso) ? [] : ['newest good backup'];
      },
    }),
    in: DAMAGED_BASES,
    breaks: STAYS,
  },
  {
    without: 'a request of removal is judged when it is written (P5)',
    of: () => ({ mayAskRemoval: () => true }),
    in: { pins: 1, logs: 0 },
    breaks: 'what is pinned is never removed (P4)',
  },
  {
    without: 'a truncation is judged when it is written (P5)',
    of: () => ({ mayTruncate: () => true }),
    in: { snapshots: 3, damages: 1, horizon: 1 },
    breaks: UNTRUNCATED,
  },
  {
    without: 'the promise shrinks before the storage does (P6)',
    of: () => ({ beginTruncation: (generation, until) => ({ ...generation, truncating: { until } }) }),
    in: { horizon: 1 },
    breaks: SHOWN,
  },
  {
    without: 'a person is told anew what a removal loses (P10)',
    of: () => ({ mayRemove: () => true }),
    in: { removals: 1 },
    breaks: STAYS,
  },
  {
    without: 'a person is told what a removal loses (P10)',
    of: () => ({
      wouldLose: (state, id, now) => {
        const { lastGood, spans } = wouldLose(state, id, now);
        return { lastGood, spans: spans.filter(({ from, to }) => covers([{ from, to }], now)).slice(1) };
      },
      mayRemove: () => true,
    }),
    in: { removals: 1, ticks: 2 },
    breaks: STAYS,
  },
  {
    without: 'a damaged snapshot stays some days (K2)',
    of: planning(
      ({ plan }) =>
        (state, view) =>
          plan(state, { ...view, now: new Date(view.now.getTime() + DAMAGED_STAYS_MS) }),
    ),
    in: { damages: 1, logs: 0 },
    breaks: 'a damaged snapshot stays for some days (K2)',
  },
];
