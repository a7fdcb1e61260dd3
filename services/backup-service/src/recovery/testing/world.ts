/**
 * A small world of one cluster: snapshots, a log that grows, retention in steps that may end anywhere, people, and what really lies in
 * the storage. A tick is half of the time for which damaged snapshots stay; a point is a whole number of ticks.
 */
import type * as judge from '../judge.ts';
import { DAMAGED_STAYS_MS, type PlanView, type plan } from '../plan.ts';
import type { recoverable } from '../recoverable.ts';
import type { RecoveryState, Snapshot } from '../state.ts';
import type { wouldLose } from '../would-lose.ts';

/** What is explored; a mutation switches one of them off. */
export type Rules = typeof judge & {
  readonly plan: typeof plan;
  readonly recoverable: typeof recoverable;
  readonly wouldLose: typeof wouldLose;
};

export interface Setting {
  readonly ticks: number;
  readonly snapshots: number;
  readonly logs: number;
  readonly damages: number;
  readonly restores: number;
  readonly removals: number;
  readonly pins: number;
  /** How often the log stands still while time passes. */
  readonly stops: number;
  readonly horizonChanges: number;
  /** How often somebody truncates a log by hand. */
  readonly byHand: number;
  readonly runners: number;
  readonly keepLast: number;
  readonly yearly: boolean;
  readonly horizon: number;
  readonly manual: boolean;
}

export interface WorldSnapshot {
  tso: number;
  damagedAt: number | null;
  removal: Snapshot['removal'];
  by: Snapshot['removalBy'];
  pinned: boolean;
  holds: number;
  origin: 'rule' | 'person';
}

export interface WorldLog {
  n: number;
  min: number;
  max: number;
  open: boolean;
  cuts: [from: number, to: number][];
  holds: number;
  until: number | null;
  /** What the storage has: where br's safepoint stands, and the oldest files. */
  safepoint: number;
  files: number;
}

/** A step of a plan that is still to be done. */
export type Todo =
  | { readonly kind: 'truncate'; readonly log: number; readonly until: number }
  | { readonly kind: 'delete'; readonly tso: number }
  | { readonly kind: 'removeLog'; readonly log: number };

export interface World {
  readonly setting: Setting;
  readonly rules: Rules;
  now: number;
  horizon: number;
  snapshots: WorldSnapshot[];
  logs: WorldLog[];
  runners: Todo[][];
  /** What a person was told that a removal loses. */
  asked: { tso: number; lost: number[]; acknowledgement: string } | null;
  restores: { tso: number; log?: number }[];
  /** Points of the horizon that were shown. */
  promised: number[];
  /** Of these, what a person gave up knowingly, or what damage or a hand took. */
  excused: number[];
  left: Record<Counted, number>;
}

export type Counted =
  | 'snapshots'
  | 'logs'
  | 'damages'
  | 'restores'
  | 'removals'
  | 'pins'
  | 'stops'
  | 'horizonChanges'
  | 'byHand';

export function beginning(setting: Setting, rules: Rules): World {
  const { snapshots, logs, damages, restores, removals, pins, stops, horizonChanges, byHand } = setting;
  return {
    setting,
    rules,
    now: 0,
    horizon: setting.horizon,
    snapshots: [],
    logs: [],
    runners: Array.from({ length: setting.runners }, () => []),
    asked: null,
    restores: [],
    promised: [],
    excused: [],
    left: { snapshots, logs, damages, restores, removals, pins, stops, horizonChanges, byHand },
  };
}

export function copyOf(world: World): World {
  return {
    ...world,
    snapshots: world.snapshots.map((one) => ({ ...one })),
    logs: world.logs.map((one) => ({ ...one, cuts: [...one.cuts] })),
    runners: [...world.runners],
    restores: [...world.restores],
    left: { ...world.left },
  };
}

export function likenessOf({ setting: _, rules: __, ...rest }: World): string {
  return JSON.stringify(rest);
}

export const idOf = (tso: number): string => `b${tso}`;
export const snapshotOf = ({ snapshots }: World, tso: number) => snapshots.find((one) => one.tso === tso);
export const logAt = ({ logs }: World, n: number) => logs.find((one) => one.n === n);
export const isThere = ({ removal }: WorldSnapshot): boolean => removal === 'none';
export const isGood = (one: WorldSnapshot): boolean => isThere(one) && one.damagedAt === null;
export const horizonOf = ({ now, horizon }: World): number => now - horizon;

/** For how many ticks a damaged snapshot stays at least. */
export const DAMAGED_STAYS = 2;
const TICK_MS = DAMAGED_STAYS_MS / DAMAGED_STAYS;
const dateOf = (tick: number) => new Date(tick * TICK_MS);

/** What is on record. */
export function stateOf({ snapshots, logs }: Pick<World, 'snapshots' | 'logs'>): RecoveryState {
  return {
    snapshots: snapshots.map(({ tso, damagedAt, removal, by, pinned, holds, origin }) => ({
      id: idOf(tso),
      tso: BigInt(tso),
      damagedAt: damagedAt === null ? null : dateOf(damagedAt),
      removal,
      removalBy: by,
      pinned,
      held: holds > 0,
      origin,
      rule: origin === 'rule' ? 'daily' : null,
      upstreamClusterId: '7',
      keyKnown: true,
    })),
    generations: logs.map(({ n, min, max, open, cuts, holds, until }) => ({
      n,
      min: BigInt(min),
      max: BigInt(max),
      cuts: cuts.map(([from, to]) => ({ from: BigInt(from), to: BigInt(to), why: 'missing', crossable: false })),
      open,
      paused: false,
      endedWhy: open ? null : 'stopped',
      holds: Array.from({ length: holds }, (_, index) => `r${index}`),
      truncating: until === null ? null : { until: BigInt(until) },
      upstreamClusterId: '7',
    })),
  };
}

export function viewOf(world: World): PlanView {
  const { keepLast, yearly } = world.setting;
  return {
    now: dateOf(world.now),
    from: BigInt(horizonOf(world)),
    keptByRules: (some) => {
      const newestFirst = some.toSorted((one, other) => Number(other.tso - one.tso));
      return new Map(
        newestFirst.map(({ id, tso }, place) => [
          id,
          [...(place < keepLast ? [`last ${keepLast}`] : []), ...(yearly && tso % 3n === 0n ? ['yearly'] : [])],
        ]),
      );
    },
    tell: String,
  };
}

/** The points that the records show as restorable; with `takenBack` also those of removals that may still be taken back. */
export function shown(world: World, { takenBack = false } = {}): Set<number> {
  const snapshots = takenBack
    ? world.snapshots.map((one) =>
        one.removal === 'asked' && one.by === 'retention' ? { ...one, removal: 'none' as const } : one,
      )
    : world.snapshots;
  const { ranges } = world.rules.recoverable(stateOf({ snapshots, logs: world.logs }), BigInt(world.now));
  const points = new Set<number>();
  for (const { from, to } of ranges) for (let point = Number(from); point <= Number(to); point += 1) points.add(point);
  return points;
}

/** The steps of a plan as it would be made now, in their order. */
export function planned(world: World): Todo[] {
  const { truncate, deleteSnapshots, removeGenerations } = world.rules.plan(stateOf(world), viewOf(world));
  return [
    ...truncate.map(({ generation, until }) => ({ kind: 'truncate' as const, log: generation, until: Number(until) })),
    ...deleteSnapshots.map((id) => ({ kind: 'delete' as const, tso: Number(id.slice(1)) })),
    ...removeGenerations.map((log) => ({ kind: 'removeLog' as const, log })),
  ];
}
