/**
 * The metrics that tell whether a fleet is safe. Each copy answers for the whole fleet, from the records: take the
 * greatest over the copies, not their sum.
 */
import { counter, gauge } from '@tidemark/service-kit/metrics';
import { expectedIntervalMs, type Fleet, type FleetCluster } from './fleet.ts';
import type { OccurrenceStore, OutcomeCount } from './occurrence-store.ts';

/** Read at each scrape, so that an age goes on growing while the services behind it are away. */
let told: { readonly fleet: Fleet; readonly now: () => Date } | undefined;

/** Lets the gauges speak of a fleet; a cluster that is gone is gone from them. */
export function tellOf(fleet: Fleet, now: () => Date): Disposable {
  const mine = { fleet, now };
  told = mine;
  return {
    [Symbol.dispose]() {
      if (told === mine) told = undefined;
    },
  };
}

function clusterGauge(name: string, help: string, measure: (known: FleetCluster, now: Date) => number | undefined) {
  gauge(name, help, ['cluster'], (one) => {
    one.reset();
    if (!told) return;
    const now = told.now();
    for (const [cluster, known] of told.fleet.clusters) {
      const value = measure(known, now);
      if (value !== undefined) one.set({ cluster }, value);
    }
  });
}

clusterGauge(
  'tidemark_cluster_backup_age_seconds',
  'Since the end of the newest good backup of a cluster; since its registration while it has none.',
  ({ newestGoodAt, registeredAt }, now) => Math.max(0, now.getTime() - (newestGoodAt ?? registeredAt).getTime()) / 1000,
);
clusterGauge(
  'tidemark_cluster_has_good_backup',
  'Whether a cluster has any good backup (1) or none (0).',
  ({ newestGoodAt }) => (newestGoodAt ? 1 : 0),
);
clusterGauge(
  'tidemark_cluster_expected_interval_seconds',
  'The longest time between two windows of a cluster; absent where none is planned.',
  (known) => {
    const expectedMs = expectedIntervalMs(known);
    return expectedMs === undefined ? undefined : expectedMs / 1000;
  },
);
const occurrences = counter(
  'tidemark_occurrences_total',
  'Windows that came, by what became of them and why, of those still on record when this copy started and since.',
  ['state', 'reason'],
);

// There from the start: what is absent cannot be told from a scheduler that is.
occurrences.inc({ state: 'Started', reason: 'NONE' }, 0);

/** Counts decided windows of all copies: what is on record at the start, and then what comes. */
export function createOutcomeCount(store: OccurrenceStore, now: () => Date) {
  let countedUntil: Date | undefined;
  /** Decided within the overlap and counted already. */
  let counted = new Set<string>();

  const add = ({ state, code, count }: OutcomeCount) => occurrences.inc({ state, reason: code || 'NONE' }, count);

  return {
    async refresh(signal: AbortSignal): Promise<void> {
      const until = new Date(now().getTime() - SETTLED_MS);
      if (countedUntil === undefined) {
        for (const row of await store.countDecided(until, signal)) add(row);
        countedUntil = until;
        return;
      }
      for (let more = true; more; ) {
        const found = await store.findDecided(countedUntil, until, BATCH, signal);
        const fresh = found.filter(({ _id }) => !counted.has(_id));
        for (const { state, code } of fresh) add({ state, code, count: 1 });
        more = found.length === BATCH && fresh.length > 0;
        const last = more ? found.at(-1)?.decidedAt : undefined;
        // Others may have been decided in the same millisecond as the last of a full page.
        counted = last ? new Set(found.map(({ _id }) => _id)) : new Set();
        countedUntil = last ? new Date(last.getTime() - 1) : until;
      }
    },
  };
}

/** A decision becomes visible a moment after its time; it is counted when none can come before it any more. */
const SETTLED_MS = 5_000;
const BATCH = 1_000;
