/**
 * Looks for what people are to be notified of, one copy at a time (RD1, RD2).
 *
 * LL1. All of it is on record elsewhere, and is asked for from where the last look ended: nothing is lost while no scheduler runs.
 * LL2. What is bad by several records is looked at again every ten minutes: a record that is gone, or good again, ends it though nothing was told of
 *      that.
 * LL3. A cluster or record that is damaged is set aside, and stops no other.
 */
import { randomUUID } from 'node:crypto';
import { AppError, isOutage } from '@tidemark/errors/app-error';
import { MAX_OPEN_RESTORES } from '@tidemark/limits/limits';
import { type Restore, RestoreState } from '@tidemark/protocol/grpc/tidemark/backup/v1/restore';
import { plus } from '@tidemark/task/time';
import type { Backends } from '../backends.ts';
import { CALLER } from '../due-loop.ts';
import type { Fleet } from '../fleet.ts';
import type { OccurrenceStore } from '../occurrence-store.ts';
import type { Quarantines } from '../quarantines.ts';
import type { ConditionStore } from './condition-store.ts';
import { type ConditionState, conditionId, type Fact } from './decide/condition.ts';
import { factsOfBackup, factsOfWindow, type ToldCluster } from './decide/facts.ts';
import type { Cursors, Round } from './decide/round.ts';
import { lookAtFleet } from './look-at-fleet.ts';
import type { Outbox } from './outbox.ts';
import type { RoundStore } from './round-store.ts';
import { eventOfRestore, seenOf, toSeenBackup, toToldCluster } from './seen.ts';

export interface LookDependencies {
  readonly rounds: RoundStore;
  readonly outbox: Outbox;
  readonly conditions: ConditionStore;
  readonly occurrences: Pick<OccurrenceStore, 'findDecided'>;
  readonly backends: Pick<Backends, 'backups' | 'registry' | 'restores'>;
  readonly fleet: Pick<Fleet, 'clusters' | 'asOf' | 'logsAsOf'>;
  readonly quarantines: Pick<Quarantines, 'conditions'>;
  /** Database time. */
  readonly now: () => Date;
  /** Of this copy. */
  readonly worker: string;
  readonly notifyMs: number;
}

const PAGE = 500;
const WINDOWS = 200;
const RESTORES = 100;
const OPEN_RESTORES = [
  RestoreState.RESTORE_STATE_QUEUED,
  RestoreState.RESTORE_STATE_RUNNING,
  RestoreState.RESTORE_STATE_CANCELING,
];
const ENDED_RESTORES = [RestoreState.RESTORE_STATE_SUCCEEDED, RestoreState.RESTORE_STATE_FAILED];
/** Between two looks for restores. */
const RESTORES_MS = 15_000;
/** A restore becomes visible a moment after its time, and clocks differ. */
const RESTORE_OVERLAP_MS = 60_000;
/** A decision becomes visible a moment after its time. */
const SETTLED_MS = 5_000;
const REVIEW_MS = 600_000;
/** Records that one review looks at. */
const REVIEWED = 500;
/** One round, where no other copy has it. */
export async function look(dependencies: LookDependencies, signal: AbortSignal): Promise<void> {
  const { rounds, outbox, worker, notifyMs } = dependencies;
  const claim = randomUUID();
  const round = await rounds.apply({ kind: 'claim', claim, worker }, signal);
  if (!round) return;
  const held = { claim, fence: round.fence };
  const advance = async (cursors: Cursors) => {
    if (!(await rounds.apply({ kind: 'advance', ...held, cursors }, signal))) throw new LostRound();
  };
  try {
    while (await outbox.spreadPending(signal)) await advance({});
    // Without the labels of the clusters it is not known whom anything is for.
    if (!dependencies.fleet.asOf) {
      await rounds.apply({ kind: 'release', ...held, pauseMs: notifyMs }, signal);
      return;
    }
    // First what needs no other service: that one is away is told, too.
    await lookAtWindows(round, dependencies, advance, signal);
    await lookAtFleet(dependencies, () => advance({}), signal);
    await lookAtBackups(round, dependencies, advance, signal);
    await lookAtRestores(round, dependencies, advance, signal);
    await review(round, dependencies, advance, signal);
    await rounds.apply({ kind: 'end', ...held, pauseMs: notifyMs }, signal);
  } catch (error) {
    if (error instanceof LostRound) return;
    // Where this fails too the lease ends by itself.
    const signalOfEnd = AbortSignal.timeout(RELEASE_MS);
    await rounds.apply({ kind: 'release', ...held, pauseMs: notifyMs }, signalOfEnd).catch(() => undefined);
    throw error;
  }
}

const RELEASE_MS = 5_000;

/** Another copy has the round. */
class LostRound extends Error {
  override name = 'LostRound';
}

type Advance = (cursors: Cursors) => Promise<void>;

const options = (signal: AbortSignal) => ({ signal, caller: CALLER });

/** Clusters with their labels: those of the fleet, and of one that is younger than its picture what the registry says. */
function clusterLookup(
  { fleet, backends }: LookDependencies,
  signal: AbortSignal,
): (id: string) => Promise<ToldCluster> {
  const found = new Map<string, ToldCluster>();
  return async (id) => {
    const known = fleet.clusters.get(id);
    if (known) return toToldCluster(id, known);
    const before = found.get(id);
    if (before) return before;
    const cluster = toToldCluster(id, await registered(id, backends, signal));
    found.set(id, cluster);
    return cluster;
  };
}

/** Undefined where it is registered no longer, or cannot be read. */
async function registered(id: string, { registry }: LookDependencies['backends'], signal: AbortSignal) {
  try {
    return (await registry.getCluster({ id }, options(signal))).cluster;
  } catch (error) {
    if (error instanceof AppError && error.code !== 'canceled' && !isOutage(error)) return undefined;
    throw error;
  }
}

async function lookAtBackups(
  { cursors }: Round,
  dependencies: LookDependencies,
  advance: Advance,
  signal: AbortSignal,
): Promise<void> {
  const { backends, outbox, quarantines } = dependencies;
  const clusters = clusterLookup(dependencies, signal);
  let after = cursors.backups;
  for (let more = true, pageToken = ''; more; ) {
    const answer = await backends.backups.listChangedClusters(
      { after, limit: PAGE, pageToken, active: true },
      options(signal),
    );
    const facts: Fact[] = [];
    for (const change of answer.backups) {
      const seen = toSeenBackup(change);
      const cluster = await clusters(change.clusterId);
      const told = () => (seen ? factsOfBackup(seen, cluster) : []);
      facts.push(...(quarantines.conditions.read(change.backupId, told) ?? []));
    }
    await outbox.takeIn(facts, signal);
    pageToken = answer.nextPageToken;
    if (pageToken !== '') continue;
    after = answer.nextAfter ?? after;
    more = answer.more;
    if (after) await advance({ backups: after });
  }
}

async function lookAtWindows(
  { cursors }: Round,
  dependencies: LookDependencies,
  advance: Advance,
  signal: AbortSignal,
): Promise<void> {
  const { occurrences, outbox, quarantines, now } = dependencies;
  const clusters = clusterLookup(dependencies, signal);
  const until = plus(now(), -SETTLED_MS);
  let after = cursors.windows ?? until;
  for (let more = true; more; ) {
    const found = await occurrences.findDecided(plus(after, -1), until, WINDOWS, signal);
    const facts: Fact[] = [];
    for (const occurrence of found) {
      const cluster = await clusters(occurrence.clusterId);
      facts.push(...(quarantines.conditions.read(occurrence._id, () => factsOfWindow(occurrence, cluster)) ?? []));
    }
    await outbox.takeIn(facts, signal);
    const last = found.at(-1)?.decidedAt;
    more = found.length === WINDOWS && last !== undefined && last !== null && last > after;
    after = more && last ? last : until;
    await advance({ windows: after });
  }
}

/**
 * Restores that ended since the last look: those that were open then, and those that began since. The id of the event is made of that of the
 * restore, so what was told is there.
 */
async function lookAtRestores(
  { cursors }: Round,
  dependencies: LookDependencies,
  advance: Advance,
  signal: AbortSignal,
) {
  const { outbox, quarantines, now } = dependencies;
  const clusters = clusterLookup(dependencies, signal);
  const at = now();
  const { restores: since = at, openRestores = [] } = cursors;
  if (cursors.restores && plus(cursors.restores, RESTORES_MS) > at) return;
  const open = await restoresIn(OPEN_RESTORES, new Date(0), dependencies, signal);
  const openIds = open.map(({ id }) => id);
  const begun = await restoresIn(ENDED_RESTORES, plus(since, -RESTORE_OVERLAP_MS), dependencies, signal);
  const known = new Set([...openIds, ...begun.map(({ id }) => id)]);
  const ended: Restore[] = [];
  for (const id of openRestores.filter((one) => !known.has(one))) {
    const restore = await restoreOf(id, dependencies, signal);
    if (restore) ended.push(restore);
  }
  for (const restore of [...begun, ...ended]) {
    const clusterId = restore.target?.clusterId ?? '';
    const tell = async () => {
      const event = eventOfRestore(restore, await clusters(clusterId));
      if (event) await outbox.spread(event, signal);
    };
    await quarantines.conditions.attempt(restore.id, tell, signal);
  }
  await advance({ restores: at, openRestores: openIds.slice(0, MAX_OPEN_RESTORES) });
}

async function restoreOf(
  id: string,
  { backends }: LookDependencies,
  signal: AbortSignal,
): Promise<Restore | undefined> {
  try {
    return (await backends.restores.getRestore({ id }, options(signal))).restore;
  } catch (error) {
    if (error instanceof AppError && ['restore_not_found', 'internal'].includes(error.code)) return undefined;
    throw error;
  }
}

/** Restores in these states that were accepted since; they are listed by that, newest first. */
async function restoresIn(
  states: RestoreState[],
  since: Date,
  { backends }: LookDependencies,
  signal: AbortSignal,
): Promise<Restore[]> {
  const found: Restore[] = [];
  for (let pageToken = ''; ; ) {
    const wish = { clusterIds: [], sourceClusterId: '', backupId: '', states, withinSight: false };
    const page = await backends.restores.listRestores({ ...wish, pageSize: RESTORES, pageToken }, options(signal));
    const young = page.restores.filter(({ startTime }) => startTime && startTime >= since);
    found.push(...young);
    pageToken = page.nextPageToken;
    if (pageToken === '' || young.length < page.restores.length || found.length >= MAX_OPEN_RESTORES) return found;
  }
}

/** Looks at some of the records that make something bad: they may have changed unseen, or be gone. */
async function review({ cursors }: Round, dependencies: LookDependencies, advance: Advance, signal: AbortSignal) {
  const { outbox, conditions, quarantines, now } = dependencies;
  const at = now();
  if (cursors.review && plus(cursors.review, REVIEW_MS) > at) return;
  for (const { state, record } of await conditions.ofBad('all', someOf(quarantines), signal)) {
    const check = async () => outbox.takeIn([await factNow(state, record, dependencies, signal)], signal);
    await quarantines.conditions.attempt(conditionId(state.condition, record), check, signal);
    await advance({});
  }
  await advance({ review: at });
}

/** One of the records that make a condition bad. */
interface Reviewed {
  readonly state: ConditionState;
  readonly record: string;
}

/** By chance, so that in time all of many have their turn. */
function someOf(quarantines: LookDependencies['quarantines']) {
  return async (bad: AsyncIterable<ConditionState>): Promise<readonly Reviewed[]> => {
    const some: Reviewed[] = [];
    let seen = 0;
    for await (const state of bad)
      for (const record of quarantines.conditions.read(state._id, () => [...state.records]) ?? []) {
        seen += 1;
        const place = some.length < REVIEWED ? some.length : Math.floor(Math.random() * seen);
        if (place < REVIEWED) some[place] = { state, record };
      }
    return some;
  };
}

/** What a record that made something bad says now. */
async function factNow(
  { _id, condition, clusterId, storageId, labels }: ConditionState,
  backupId: string,
  { backends, now }: LookDependencies,
  signal: AbortSignal,
): Promise<Fact> {
  const { backup } = await backends.backups.getBackup({ id: backupId }, options(signal)).catch((error: unknown) => {
    if (error instanceof AppError && error.code === 'backup_not_found') return { backup: undefined };
    throw error;
  });
  const cluster = { id: clusterId, labels };
  const facts = backup ? factsOfBackup(seenOf(backup, now()), { ...cluster, id: backup.clusterId }) : [];
  const found = facts.find((fact) => conditionId(fact.condition, fact.subject) === _id);
  if (found) return found;
  const about = { clusterId, storageId, labels };
  const subject = _id.slice(condition.length + 1);
  const text = `What was bad about ${subject} is over: its backup is gone.`;
  return { condition, subject, at: now(), level: 'good', grade: '', record: backupId, text, about };
}
