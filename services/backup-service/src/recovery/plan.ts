/**
 * What is kept of a cluster and why, what goes, and until where its logs may be truncated.
 *
 * K1. The newest usable snapshot, those that are pinned or in use, those that a person made, and each base of the horizon are kept,
 *     whatever the policies of the rules say. A base may be anybody's.
 * K2. A damaged snapshot is no base, and no policy counts it. It goes some days after it was found damaged, if a newer one is good.
 * K3. A log is truncated up to the base of its horizon: that which serves now, and that which serves if the removals that can be taken
 *     back are. A snapshot that is kept for another reason holds no log.
 * K4. Nothing of a log is taken while a restore reads it or a truncation is under way. A log that ended goes with its last point of
 *     the horizon.
 * K5. What is kept has its reasons in words.
 */
import { type Needed, needed } from './needed.ts';
import {
  type Generation,
  type RecoveryState,
  type Snapshot,
  type Span,
  smaller,
  usableOf,
  withRemovalsTakenBack,
} from './state.ts';

export interface PlanView {
  readonly now: Date;
  /** The oldest point that is to stay restorable: now less the horizon, as a TSO. */
  readonly from: bigint;
  /**
   * Which of the good snapshots of rules their policies keep, and why; where a rule has no retention that is each of its own, and
   * where a rule is gone none.
   */
  readonly keptByRules: (snapshots: readonly Snapshot[]) => ReadonlyMap<string, readonly string[]>;
  /** How points are told. */
  readonly tell: (point: bigint) => string;
}

export interface Truncation {
  readonly generation: number;
  readonly until: bigint;
}

export interface RecoveryPlan {
  readonly deleteSnapshots: readonly string[];
  readonly truncate: readonly Truncation[];
  readonly removeGenerations: readonly number[];
  /** Of each snapshot that stays and that nobody removes. */
  readonly keepReasons: ReadonlyMap<string, readonly string[]>;
  /** Of each log that stays. */
  readonly logReasons: ReadonlyMap<number, readonly string[]>;
}

const DAY_MS = 86_400_000;
/** For how long a damaged snapshot stays at least, for people to look at it. */
export const DAMAGED_STAYS_MS = 7 * DAY_MS;

export function plan(state: RecoveryState, view: PlanView): RecoveryPlan {
  const { bases, logFrom: servedNow } = needed(state, view.from);
  const logFrom = earliest(servedNow, needed(withRemovalsTakenBack(state), view.from).logFrom);
  const newest = usableOf(state).at(-1);
  const byRules = view.keptByRules(
    state.snapshots.filter(
      ({ removal, damagedAt, origin }) => removal === 'none' && damagedAt === null && origin === 'rule',
    ),
  );
  const kept = state.snapshots
    .filter(({ removal }) => removal === 'none')
    .map((one) => ({
      id: one.id,
      reasons: [
        ...reasonsOf(one, newest, view.now),
        ...(bases.get(one.id) ?? []).map((points) => asBase(points, view)),
        ...(byRules.get(one.id) ?? []),
      ],
    }));
  const logs = state.generations.map((one) => ({ one, reasons: reasonsOfLog(one, logFrom, view) }));
  return {
    deleteSnapshots: kept.filter(({ reasons }) => reasons.length === 0).map(({ id }) => id),
    keepReasons: new Map(kept.filter(({ reasons }) => reasons.length > 0).map(({ id, reasons }) => [id, reasons])),
    truncate: state.generations.flatMap((one) => truncationOf(one, logFrom)),
    removeGenerations: logs.filter(({ reasons }) => reasons.length === 0).map(({ one }) => one.n),
    logReasons: new Map(logs.filter(({ reasons }) => reasons.length > 0).map(({ one, reasons }) => [one.n, reasons])),
  };
}

/** Of each log the earlier of both. */
function earliest(one: Needed['logFrom'], other: Needed['logFrom']): Needed['logFrom'] {
  const both = new Map(one);
  for (const [n, from] of other) both.set(n, smaller(both.get(n) ?? from, from));
  return both;
}

/** Why a snapshot is kept, apart from policies and logs. */
function reasonsOf(snapshot: Snapshot, newest: Snapshot | undefined, now: Date): string[] {
  const { id, tso, pinned, held, origin, keyKnown, damagedAt } = snapshot;
  const reasons = [
    ...(id === newest?.id ? ['newest good backup'] : []),
    ...(pinned ? ['pinned'] : []),
    ...(held ? ['in use'] : []),
    ...(origin === 'person' ? ['made by a person'] : []),
    ...(keyKnown ? [] : ['its key is not known, so that nobody can tell what it is worth']),
  ];
  if (damagedAt === null) return reasons;
  if (!newest || newest.tso <= tso) return [...reasons, 'damaged, and no newer backup is good'];
  return now.getTime() - damagedAt.getTime() < DAMAGED_STAYS_MS ? [...reasons, 'found damaged lately'] : reasons;
}

const asBase = ({ from, to }: Span, { tell }: PlanView) => `base of the points from ${tell(from)} to ${tell(to)}`;

function reasonsOfLog(generation: Generation, logFrom: Needed['logFrom'], { from, tell }: PlanView): string[] {
  const { n, open, max, holds, truncating } = generation;
  const start = logFrom.get(n);
  return [
    ...(open ? ['still written'] : []),
    ...(holds.length > 0 ? ['in use'] : []),
    ...(truncating ? ['being truncated'] : []),
    ...(start === undefined ? [] : [`replayed from the backup at ${tell(start)}`]),
    ...(max !== null && max >= from ? [`reaches into the horizon, to ${tell(max)}`] : []),
  ];
}

function truncationOf({ n, min, holds, truncating }: Generation, logFrom: Needed['logFrom']): Truncation[] {
  const until = logFrom.get(n);
  if (until === undefined || min === null || until <= min || holds.length > 0 || truncating) return [];
  return [{ generation: n, until }];
}
