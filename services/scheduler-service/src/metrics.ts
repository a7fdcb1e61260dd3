/**
 * The metrics that tell whether a fleet is safe. Each copy answers for the whole fleet, from the records: take the
 * greatest over the copies, not their sum.
 */
import { counter, gauge } from '@tidemark/service-kit/metrics';
import { type Occurrence, REASONS, type ReasonCode } from './catch-up.ts';
import { newestPoint } from './cluster-log.ts';
import { expectedIntervalMs, type Fleet, type FleetCluster, verifiedEveryMs } from './fleet.ts';
import type { OccurrenceStore, OutcomeCount } from './occurrence-store.ts';

/** Read at each scrape, so that an age goes on growing while the services behind it are away. */
let source: { readonly fleet: Fleet; readonly now: () => Date } | undefined;

/** Lets the gauges speak of a fleet; a cluster that is gone is gone from them. */
export function tellOf(fleet: Fleet, now: () => Date): Disposable {
  const mine = { fleet, now };
  source = mine;
  return {
    [Symbol.dispose]() {
      if (source === mine) source = undefined;
    },
  };
}

const secondsSince = (at: Date, now: Date) => Math.max(0, now.getTime() - at.getTime()) / 1000;

function clusterGauge(name: string, help: string, measure: (known: FleetCluster, now: Date) => number | undefined) {
  gauge(name, help, ['cluster'], (one) => {
    one.reset();
    if (!source) return;
    const now = source.now();
    for (const [cluster, known] of source.fleet.clusters) {
      const value = measure(known, now);
      if (value !== undefined) one.set({ cluster }, value);
    }
  });
}

clusterGauge(
  'tidemark_cluster_backup_age_seconds',
  'Since the end of the newest good backup of a cluster; since its registration while it has none.',
  ({ newest, registeredAt }, now) => secondsSince(newest?.endedAt ?? registeredAt, now),
);
clusterGauge(
  'tidemark_cluster_has_good_backup',
  'Whether a cluster has any good backup (1) or none (0).',
  ({ newest }) => (newest ? 1 : 0),
);
clusterGauge(
  'tidemark_cluster_backup_bytes',
  'Bytes of the newest good backup of a cluster; absent where it has none.',
  ({ newest }) => newest?.sizeBytes,
);
clusterGauge(
  'tidemark_cluster_backup_duration_seconds',
  'From the request to the end of the newest good backup of a cluster; absent where it has none.',
  ({ newest }) => newest?.startedAt && secondsSince(newest.startedAt, newest.endedAt),
);
clusterGauge(
  'tidemark_cluster_recovery_point_age_seconds',
  'Since the newest moment to which a cluster can be brought back: what would be lost. Since its registration while there is none.',
  ({ newest, log, registeredAt }, now) =>
    newest && !newest.recoveryPointAt
      ? undefined
      : secondsSince(newestPoint(newest?.recoveryPointAt, log) ?? registeredAt, now),
);
clusterGauge(
  'tidemark_cluster_verified_point_age_seconds',
  'Since the newest moment to which a cluster can be brought back by a backup that a verification found good; since its registration while there is none.',
  ({ newest, registeredAt }, now) => secondsSince(newest?.verifiedPointAt ?? registeredAt, now),
);
clusterGauge(
  'tidemark_cluster_expected_verification_seconds',
  'How often the rules of a cluster have a backup verified; absent where none does.',
  (known) => {
    const everyMs = verifiedEveryMs(known);
    return everyMs === undefined ? undefined : everyMs / 1000;
  },
);
clusterGauge(
  'tidemark_cluster_expected_interval_seconds',
  'The longest time between two windows of a cluster; absent where none is planned.',
  (known) => {
    const expectedMs = expectedIntervalMs(known);
    return expectedMs === undefined ? undefined : expectedMs / 1000;
  },
);
gauge(
  'tidemark_cluster_last_backup',
  'How the last backup of a cluster ended, of those that ended: 1 for that state, and no series for others.',
  ['cluster', 'state'],
  (one) => {
    one.reset();
    for (const [cluster, { last }] of source?.fleet.clusters ?? [])
      if (last) one.set({ cluster, state: last.state }, 1);
  },
);
const occurrences = counter(
  'tidemark_occurrences_total',
  'Windows that came, by what became of them and why, of those still on record when this copy started and since.',
  ['state', 'reason'],
);

const ofLastDay = gauge(
  'tidemark_occurrences_last_day',
  'Windows that were decided in the last 24 hours, by what became of them and why; each copy shows all.',
  ['state', 'reason'],
);

const REASON_CODES = Object.keys(REASONS) as ReasonCode[];
/** Every way in which a window can end. */
const PAIRS = [
  { state: 'Started', code: '' },
  ...(['Skipped', 'Missed'] as const).flatMap((state) => REASON_CODES.map((code) => ({ state, code }))),
] as const satisfies readonly Omit<OutcomeCount, 'count'>[];

// There from the start: what is absent cannot be source from a scheduler that is, and what begins at 1 never grew.
for (const { state, code } of PAIRS) {
  occurrences.inc({ state, reason: code || 'NONE' }, 0);
  ofLastDay.set({ state, reason: code || 'NONE' }, 0);
}

/** Counts decided windows of all copies: what is on record at the start, and then what comes. */
export function createOutcomeCount(store: OccurrenceStore, now: () => Date) {
  let countedUntil: Date | undefined;
  /** Decided within the overlap and counted already. */
  let counted = new Set<string>();
  /** Of the last day: how many were decided in each minute since 1970, by state and reason. */
  const minutes = new Map<number, Map<string, number>>();

  const add = ({ state, code, count }: OutcomeCount) => occurrences.inc({ state, reason: code || 'NONE' }, count);

  function addToDay({ state, code, decidedAt }: Occurrence): void {
    const minute = minuteOf(decidedAt ?? now());
    const ofMinute = minutes.get(minute) ?? new Map<string, number>();
    minutes.set(minute, ofMinute);
    const pair = pairName(state, code);
    ofMinute.set(pair, (ofMinute.get(pair) ?? 0) + 1);
  }

  function tellOfDay(): void {
    const first = minuteOf(new Date(now().getTime() - DAY_MS));
    for (const minute of minutes.keys()) if (minute < first) minutes.delete(minute);
    const sums = new Map<string, number>(PAIRS.map(({ state, code }) => [pairName(state, code), 0]));
    for (const ofMinute of minutes.values())
      for (const [pair, count] of ofMinute) sums.set(pair, (sums.get(pair) ?? 0) + count);
    for (const [pair, count] of sums) {
      const [state = '', reason = ''] = pair.split(' ');
      ofLastDay.set({ state, reason }, count);
    }
  }

  async function readNew(until: Date, signal: AbortSignal): Promise<void> {
    if (countedUntil === undefined) {
      const yesterday = new Date(until.getTime() - DAY_MS);
      for (const row of await store.countDecided(yesterday, signal)) add(row);
      countedUntil = yesterday;
    }
    for (let more = true; more; ) {
      const found = await store.findDecided(countedUntil, until, BATCH, signal);
      const fresh = found.filter(({ _id }) => !counted.has(_id));
      for (const one of fresh) {
        add({ state: one.state, code: one.code, count: 1 });
        addToDay(one);
      }
      more = found.length === BATCH && fresh.length > 0;
      const last = more ? found.at(-1)?.decidedAt : undefined;
      // Others may have been decided in the same millisecond as the last of a full page.
      counted = last ? new Set(found.map(({ _id }) => _id)) : new Set();
      countedUntil = last ? new Date(last.getTime() - 1) : until;
    }
  }

  return {
    async refresh(signal: AbortSignal): Promise<void> {
      await readNew(new Date(now().getTime() - SETTLED_MS), signal);
      tellOfDay();
    },
  };
}

const pairName = (state: string, code: string) => `${state} ${code || 'NONE'}`;
const minuteOf = (at: Date) => Math.floor(at.getTime() / 60_000);

const DAY_MS = 86_400_000;
/** A decision becomes visible a moment after its time; it is counted when none can come before it any more. */
const SETTLED_MS = 5_000;
const BATCH = 1_000;
