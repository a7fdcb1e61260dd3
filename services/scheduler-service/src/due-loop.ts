/**
 * Takes up windows whose start has come, and finishes what any copy began.
 *
 * S1. An occurrence is inserted before its strategy is advanced; its `_id` is the window, so only one copy makes it. It
 *     starts nothing before the strategy is advanced.
 * S2. A backup is started under the occurrence's `_id` as key and not after the window's close, so that however often it
 *     is asked for, and by however many copies, there is one.
 * S3. Once the window is over, only the backup of that key decides: an answer that was lost does not make a lie.
 * S4. After an outage, all windows that came are taken up before any starts; then the clusters whose newest good backup
 *     is oldest are first, and a cluster gets one start, however many of its rules wait.
 * S5. A rule or a window that cannot be worked on is set aside, and stops no other.
 */

import { randomUUID } from 'node:crypto';
import { AppError, isOutage } from '@tidemark/errors/app-error';
import type { ErrorCode } from '@tidemark/errors/codes';
import { MAX_OCCURRENCE_REASON, MAX_PAGE_SIZE } from '@tidemark/limits/limits';
import { EPOCH } from '@tidemark/mongo/time-range';
import { BackupMode, BackupOrigin } from '@tidemark/protocol/grpc/tidemark/backup/v1/backup';
import { type Strategy, WindowEnd } from '@tidemark/protocol/grpc/tidemark/strategy/v1/strategy_service';
import type { CallOptions } from '@tidemark/service-kit/grpc/client';
import { type Loop, startLoop } from '@tidemark/service-kit/loop';
import pMap from 'p-map';
import type { Backends } from './backends.ts';
import {
  because,
  concludeWithout,
  isOver,
  mayCatchUp,
  nextStep,
  nextTryAt,
  type Occurrence,
  occurrenceId,
  type ReasonCode,
  type Why,
} from './catch-up.ts';
import { occurrenceDecided, startWaits, windowCame } from './events.ts';
import { loopLog } from './logger.ts';
import { type Standing, standingsOf } from './newest-good.ts';
import type { OccurrenceStore } from './occurrence-store.ts';
import type { Quarantines } from './quarantines.ts';

export interface DueLoopDependencies {
  readonly store: OccurrenceStore;
  readonly backends: Backends;
  /** Database time. */
  readonly now: () => Date;
  readonly pollMs: number;
  readonly retryMs: number;
  readonly skewMs: number;
  readonly quarantines: Pick<Quarantines, 'dueRules' | 'windows' | 'closedWindows'>;
}

/** On whose behalf the scheduler starts backups; part of what makes its keys its own. */
export const CALLER = 'scheduler';
const BATCH = 200;
/** Of a batch that every copy sees alike, each takes so many by chance, so that copies seldom do the same. */
const SHARE = 40;
/** Calls under way at once: many windows open at the full hour. */
const CONCURRENCY = 8;
/** A start that is taken up later than this was not waited for by anybody. */
const SHORTEST_LATE_MS = 60_000;

/** Starts looking for due windows. */
export function startDueLoop(dependencies: DueLoopDependencies): Loop {
  return startLoop({
    name: 'due-loop',
    everyMs: dependencies.pollMs,
    log: loopLog,
    run: (signal) => attendToWindows(dependencies, signal),
  });
}

/** One round, of a bounded number of windows (S4); answers whether there is more to do at once. */
export async function attendToWindows(dependencies: DueLoopDependencies, signal: AbortSignal): Promise<boolean> {
  return (await takeUpDue(dependencies, signal)) || (await attendPending(dependencies, signal));
}

/** @returns whether there is more that this copy can move on */
async function takeUpDue(dependencies: DueLoopDependencies, signal: AbortSignal): Promise<boolean> {
  const { backends, store, now, quarantines } = dependencies;
  const options = { signal, caller: CALLER };
  const limit = Math.min(BATCH + quarantines.dueRules.size, MAX_PAGE_SIZE);
  const { strategies: found, more } = await backends.plans.listDueStrategies({ limit }, options);
  const strategies = found.filter((strategy) => quarantines.dueRules.admits(ruleId(strategy)));
  if (strategies.length === 0) return false;
  const mine = someOf(strategies);
  // Only after an outage does it matter whose newest backup is oldest.
  const late = mine.filter(({ nextWindow }) => isLate(nextWindow?.startAt, now(), dependencies.pollMs));
  const clusterIds = [...new Set(late.map(({ clusterId }) => clusterId))];
  const standings = await standingsOf(backends, clusterIds, options).catch((error: unknown) => {
    if (!isRefusal(error)) throw error;
    // Better in another order than not at all.
    loopLog.error({ error, clusterIds }, 'the newest good backups of clusters could not be asked for');
    return new Map<string, Standing>();
  });

  const takeUp = async (strategy: Strategy) => {
    const occurrence = toOccurrence(
      strategy,
      standings.get(strategy.clusterId)?.newest?.endedAt ?? EPOCH,
      now(),
      dependencies,
    );
    if (!occurrence) return false;
    if (await store.insert(occurrence)) windowCame(occurrence);
    const { clusterId, rule, revision } = strategy;
    const { opensAt } = occurrence;
    return (await backends.plans.advanceStrategy({ clusterId, rule, revision, opensAt }, options)).advanced;
  };
  const moved = await pMap(
    mine,
    (strategy) => quarantines.dueRules.attempt(ruleId(strategy), () => takeUp(strategy), signal),
    { concurrency: CONCURRENCY, signal },
  );
  return (more || mine.length < strategies.length) && moved.includes(true);
}

const ruleId = ({ clusterId, rule }: Strategy) => `${clusterId}:${rule}`;

/** A few by chance, so that copies which see the same seldom do the same. */
function someOf<T>(all: readonly T[]): readonly T[] {
  return all
    .map((one) => ({ one, at: Math.random() }))
    .sort((one, other) => one.at - other.at)
    .slice(0, SHARE)
    .map(({ one }) => one);
}

/** Whether a start was due so long ago that nobody can have waited for it. */
function isLate(startAt: Date | undefined, at: Date, pollMs: number): boolean {
  return startAt !== undefined && at.getTime() - startAt.getTime() > Math.max(SHORTEST_LATE_MS, 3 * pollMs);
}

function toOccurrence(
  { clusterId, rule, nextWindow, windowEnd }: Strategy,
  lastGoodAt: Date,
  at: Date,
  { pollMs }: DueLoopDependencies,
): Occurrence | undefined {
  if (!nextWindow?.opensAt || !nextWindow.closesAt || !nextWindow.startAt) return undefined;
  const { opensAt, closesAt, startAt } = nextWindow;
  return {
    _id: occurrenceId(clusterId, rule, opensAt),
    clusterId,
    rule,
    opensAt,
    closesAt,
    startAt,
    late: isLate(startAt, at, pollMs),
    lastGoodAt,
    state: 'Pending',
    backupId: null,
    code: '',
    reason: '',
    windowEnd: windowEnd === WindowEnd.WINDOW_END_STOP ? 'stop' : 'letRun',
    stopAt: null,
    nextTryAt: at,
    decidedAt: null,
    createTime: at,
  };
}

async function attendPending(dependencies: DueLoopDependencies, signal: AbortSignal): Promise<boolean> {
  const { store, now, quarantines } = dependencies;
  const { windows } = quarantines;
  const limit = BATCH + windows.size;
  const found = await store.findPending(now(), limit, signal);
  const pending = found.filter(({ _id }) => windows.admits(_id));
  const attendTo = (occurrence: Occurrence) =>
    windows.attempt(occurrence._id, () => takeUpAndAttend(occurrence, dependencies, signal), signal);
  const onTime = someOf(pending.filter(({ late }) => !late));
  await pMap(onTime, attendTo, { concurrency: CONCURRENCY, signal });
  if (onTime.length === SHARE) return true;
  const late = pending.filter((occurrence) => occurrence.late);
  // One after the other: they are in the order in which they are to start.
  for (const occurrence of late.slice(0, SHARE)) await attendTo(occurrence);
  return (found.length === limit && pending.length > 0) || late.length > SHARE;
}

async function takeUpAndAttend(
  occurrence: Occurrence,
  dependencies: DueLoopDependencies,
  signal: AbortSignal,
): Promise<void> {
  const { store, now, retryMs, pollMs } = dependencies;
  if (!(await store.takeUp(occurrence, nextTryAt(occurrence, now(), retryMs, pollMs)))) return;
  const requestId = randomUUID();
  try {
    await attend(occurrence, dependencies, { signal, requestId, caller: CALLER });
  } catch (error) {
    signal.throwIfAborted();
    if (!(error instanceof AppError) || error.code === 'internal') throw error;
    loopLog.warn({ error, occurrenceId: occurrence._id, requestId }, 'a window could not be attended to; tried again');
  }
}

type Options = CallOptions & { readonly signal: AbortSignal; readonly requestId: string };

async function attend(occurrence: Occurrence, dependencies: DueLoopDependencies, options: Options): Promise<void> {
  const { store, now, skewMs } = dependencies;
  const { _id: key } = occurrence;
  const wait = async (why: Why) => {
    if (why.code === occurrence.code && why.reason === occurrence.reason) return;
    startWaits(occurrence, why, options.requestId);
    await store.wait(key, why);
  };

  if (isOver(occurrence, now(), skewMs)) return conclude(occurrence, dependencies, options);
  let strategy: Strategy | undefined;
  try {
    strategy = await strategyAfter(occurrence, dependencies, options);
  } catch (error) {
    // Asked again after a moment; an edit that came between is no reason for people to read.
    if (error instanceof AppError && error.code === 'conflict') return;
    return wait(whyOf(error));
  }
  const step = nextStep(occurrence, strategy, now(), skewMs);
  switch (step.kind) {
    case 'wait':
      return wait(step);
    case 'conclude':
      return conclude(occurrence, dependencies, options);
    case 'start':
      try {
        if (!(await mayStart(occurrence, dependencies, options))) return await wait(because('CATCH_UP'));
        const backupId = await start(occurrence, strategy, dependencies, options);
        const windowEnd = strategy?.windowEnd === WindowEnd.WINDOW_END_STOP ? 'stop' : 'letRun';
        return await started({ ...occurrence, windowEnd }, backupId, dependencies, options);
      } catch (error) {
        // Closed by the clock of backup-service: the reason stays why nothing started before.
        if (error instanceof AppError && error.code === 'start_expired') return;
        return wait(whyOf(error));
      }
  }
}

/** S1: the strategy as it is once it was advanced past the window, so that no edit can plan that one again. */
async function strategyAfter(
  { clusterId, rule, opensAt }: Occurrence,
  { backends }: DueLoopDependencies,
  options: Options,
): Promise<Strategy | undefined> {
  const { strategy } = await backends.strategies.getStrategy({ clusterId, rule }, options);
  if (!isPlanned(strategy, opensAt)) return strategy;
  const advanced = await backends.plans.advanceStrategy(
    { clusterId, rule, opensAt, revision: strategy?.revision ?? 0n },
    options,
  );
  if (isPlanned(advanced.strategy, opensAt))
    throw new AppError('conflict', `Rule ${rule} of cluster ${clusterId} is being edited.`);
  return advanced.strategy;
}

function isPlanned(strategy: Strategy | undefined, opensAt: Date): boolean {
  return strategy?.nextWindow?.opensAt?.getTime() === opensAt.getTime();
}

/** S4: whether no other rule of the cluster goes first, or went. */
async function mayStart(
  occurrence: Occurrence,
  { store, backends }: DueLoopDependencies,
  options: Options,
): Promise<boolean> {
  if (!occurrence.late) return true;
  const others = await store.findSiblings(occurrence, options.signal);
  const siblings = await pMap(others, async (other) => {
    if (other.state !== 'Pending') return { ...other, hasBackup: false };
    const found = await backends.backups.findBackupByKey({ clusterId: other.clusterId, key: other._id }, options);
    return { ...other, hasBackup: found.backup !== undefined };
  });
  return mayCatchUp(occurrence, siblings);
}

async function start(
  { clusterId, rule, closesAt, _id: key }: Occurrence,
  strategy: Strategy | undefined,
  { backends }: DueLoopDependencies,
  options: Options,
): Promise<string> {
  const { backup } = await backends.backups.startBackup(
    {
      clusterId,
      key,
      rule,
      notAfter: closesAt,
      type: '',
      storageId: strategy?.storageId ?? '',
      brOptions: strategy?.brOptions,
      mode: BackupMode.BACKUP_MODE_AUTO,
      origin: BackupOrigin.BACKUP_ORIGIN_SCHEDULE,
    },
    options,
  );
  return backup?.id ?? '';
}

async function started(
  occurrence: Occurrence,
  backupId: string,
  { store, now }: DueLoopDependencies,
  { requestId }: Options,
): Promise<void> {
  const { closesAt, windowEnd, _id } = occurrence;
  const stopAt = windowEnd === 'stop' ? closesAt : null;
  const outcome = { state: 'Started', backupId, code: '', reason: '', windowEnd, stopAt, decidedAt: now() } as const;
  if (await store.decide(_id, outcome)) occurrenceDecided(occurrence, outcome, requestId);
}

async function conclude(occurrence: Occurrence, dependencies: DueLoopDependencies, options: Options): Promise<void> {
  const { clusterId, windowEnd, _id: key } = occurrence;
  const { backup } = await dependencies.backends.backups.findBackupByKey({ clusterId, key }, options);
  if (backup) return started(occurrence, backup.id, dependencies, options);
  const { store, now } = dependencies;
  // Why it waited may have been written down since it was read, by whoever had it before.
  const latest = (await store.get(key, options.signal)) ?? occurrence;
  const outcome = { ...concludeWithout(latest), backupId: null, windowEnd, stopAt: null, decidedAt: now() };
  if (await store.decide(key, outcome)) occurrenceDecided(occurrence, outcome, options.requestId);
}

const REFUSALS: { readonly [code in ErrorCode]?: ReasonCode } = {
  cluster_busy: 'CLUSTER_BUSY',
  storage_not_found: 'STORAGE_UNUSABLE',
  storage_unusable: 'STORAGE_UNUSABLE',
  cluster_not_found: 'CLUSTER_UNKNOWN',
  overloaded: 'BACKEND_AWAY',
  unavailable: 'BACKEND_AWAY',
  deadline_exceeded: 'BACKEND_AWAY',
  internal: 'BACKEND_AWAY',
};

/** Whether a service answered, and would answer the same again. */
function isRefusal(error: unknown): boolean {
  return error instanceof AppError && error.code !== 'canceled' && !isOutage(error);
}

/** @throws what is no answer of a service */
function whyOf(error: unknown): Why {
  if (!(error instanceof AppError) || error.code === 'canceled') throw error;
  const code = REFUSALS[error.code] ?? 'START_REFUSED';
  return code === 'BACKEND_AWAY' ? because(code) : { code, reason: error.message.slice(0, MAX_OCCURRENCE_REASON) };
}
