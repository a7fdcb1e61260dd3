/**
 * What is kept of a cluster and why, what goes, and until where its logs may be truncated.
 *
 * K1. The newest usable snapshot, those that are pinned or in use, those that a person made, and each base of the horizon are kept,
 *     whatever the policies of the rules say. A base may be anybody's.
 * K2. A damaged snapshot is no base, and no policy counts it. It goes some days after it was found damaged, if a newer one is good.
 * K5. What is kept has its reasons in words.
 *
 * K3 and K4 are those of `log-plan.ts`.
 */
import { type LogPlan, type LogView, planLogs } from './log-plan.ts';
import { needed } from './needed.ts';
import { type RecoveryState, type Snapshot, type Span, usableOf } from './state.ts';

export interface PlanView extends LogView {
  readonly now: Date;
  /**
   * Which of the good snapshots of rules their policies keep, and why; where a rule has no retention that is each of its own, and
   * where a rule is gone none.
   */
  readonly keptByRules: (snapshots: readonly Snapshot[]) => ReadonlyMap<string, readonly string[]>;
}

export interface RecoveryPlan extends LogPlan {
  readonly deleteSnapshots: readonly string[];
  /** Of each snapshot that stays and that nobody removes. */
  readonly keepReasons: ReadonlyMap<string, readonly string[]>;
}

const DAY_MS = 86_400_000;
/** For how long a damaged snapshot stays at least, for people to look at it. */
export const DAMAGED_STAYS_MS = 7 * DAY_MS;

export function plan(state: RecoveryState, view: PlanView): RecoveryPlan {
  const { bases } = needed(state, view.from);
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
  return {
    ...planLogs(state, view),
    deleteSnapshots: kept.filter(({ reasons }) => reasons.length === 0).map(({ id }) => id),
    keepReasons: new Map(kept.filter(({ reasons }) => reasons.length > 0).map(({ id, reasons }) => [id, reasons])),
  };
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
