/**
 * What metrics tell of drills. Each copy answers for all of them, from the records: take the greatest over the copies, not their sum. An age goes on
 * growing while the database is away.
 */
import { longestGapDays } from '@tidemark/schedule/weekdays';
import { gauge } from '@tidemark/service-kit/metrics';
import type { Quarantines } from '../quarantines.ts';
import type { Drill } from './decide/drill.ts';
import type { DrillOutcome, DrillStore } from './drill-store.ts';

/** What is told of one. */
interface ToldDrill {
  readonly cluster: string;
  /** When the cluster was last proven, else when its drill was first saved. */
  readonly since: Date;
  /** The longest time between two windows; undefined where none is planned. */
  readonly everySeconds: number | undefined;
  /** How the last run ended. */
  readonly last: DrillOutcome['state'] | undefined;
}

let source: { readonly drills: readonly ToldDrill[]; readonly now: () => Date } | undefined;

function drillGauge(name: string, help: string, measure: (drill: ToldDrill, now: Date) => number | undefined) {
  gauge(name, help, ['cluster'], (one) => {
    one.reset();
    for (const drill of source?.drills ?? []) {
      const value = source && measure(drill, source.now());
      if (value !== undefined) one.set({ cluster: drill.cluster }, value);
    }
  });
}

drillGauge(
  'tidemark_cluster_proven_age_seconds',
  'Since a drill last brought a backup of a cluster back; since the drill was first saved while it never did. Absent where there is no drill.',
  ({ since }, now) => Math.max(0, now.getTime() - since.getTime()) / 1_000,
);
drillGauge(
  'tidemark_cluster_expected_proof_seconds',
  'The longest time between two windows of the drill of a cluster; absent where none is planned.',
  ({ everySeconds }) => everySeconds,
);
gauge(
  'tidemark_cluster_last_drill',
  'What became of the last run of the drill of a cluster, of those that are over: 1 for that state, and no series for others.',
  ['cluster', 'state'],
  (one) => {
    one.reset();
    for (const { cluster, last } of source?.drills ?? []) if (last) one.set({ cluster, state: last }, 1);
  },
);

export interface DrillCount extends Disposable {
  /** Takes in what there is now. */
  refresh(signal: AbortSignal): Promise<void>;
}

/** A decision becomes visible a moment after its time. */
const OVERLAP_MS = 10_000;
const DAY_SECONDS = 86_400;

export function createDrillCount({
  store,
  quarantines,
  now,
}: {
  readonly store: Pick<DrillStore, 'scan' | 'scanOutcomes' | 'findProofs'>;
  readonly quarantines: Pick<Quarantines, 'countedDrills'>;
  /** Database time. */
  readonly now: () => Date;
}): DrillCount {
  const outcomes = new Map<string, DrillOutcome>();
  let readUntil = new Date(0);
  let mine: typeof source;

  const told = (drill: Drill, provenAt: Date | undefined): ToldDrill => {
    const { _id: cluster, createTime, days, nextWindow } = drill;
    const gapDays = nextWindow ? longestGapDays(days) : undefined;
    return {
      ...{ cluster, since: new Date((provenAt ?? createTime).getTime()), last: outcomes.get(cluster)?.state },
      everySeconds: gapDays === undefined ? undefined : gapDays * DAY_SECONDS,
    };
  };

  return {
    async refresh(signal) {
      const begunAt = now();
      for await (const outcome of store.scanOutcomes(readUntil, signal)) {
        const known = outcomes.get(outcome.clusterId)?.decidedAt;
        if (!known || (outcome.decidedAt && known <= outcome.decidedAt)) outcomes.set(outcome.clusterId, outcome);
      }
      readUntil = new Date(begunAt.getTime() - OVERLAP_MS);
      const proofs = new Map((await store.findProofs(undefined, signal)).map(({ _id, time }) => [_id, time]));
      const drills: ToldDrill[] = [];
      const there = new Set<string>();
      for await (const drill of store.scan(signal)) {
        there.add(drill._id);
        const one = quarantines.countedDrills.read(drill._id, () => told(drill, proofs.get(drill._id)));
        if (one) drills.push(one);
      }
      for (const cluster of outcomes.keys()) if (!there.has(cluster)) outcomes.delete(cluster);
      mine = { drills, now };
      source = mine;
    },
    [Symbol.dispose]() {
      if (source === mine) source = undefined;
    },
  };
}
