import { AppError } from '@tidemark/errors/app-error';
import { counter, gauge } from '@tidemark/service-kit/metrics';
import type { BrExit } from './br/process.ts';
import { log } from './logger.ts';

const unreadable = counter('tidemark_messages_unreadable_total', 'Messages that could not be read and were dropped.');
const claims = counter('tidemark_worker_claims_total', 'Claims this worker made, by answer.', ['answer']);
const runs = counter('tidemark_br_runs_total', 'Runs of br, by how they ended.', ['outcome']);
const running = gauge('tidemark_tasks_running', 'Tasks this worker works on now.');
const strays = counter('tidemark_strays_total', 'Runs whose task was lost, reported as stray.');

const outOfReach = gauge('tidemark_storages_out_of_reach', 'Storages that this worker cannot reach now.');

export function storageOutOfReach(storageId: string, reason: string, count: number): void {
  outOfReach.set(count);
  log.warn({ storageId, reason }, 'a storage is out of reach: its tasks are left to other workers');
}

export function storageReached(storageId: string, count: number): void {
  outOfReach.set(count);
  log.info({ storageId }, 'a storage is within reach again');
}

export function storageNotAsked(storageId: string, count: number): void {
  outOfReach.set(count);
  log.info(
    { storageId },
    'a storage that was out of reach is asked for by no task any more, such as one that was corrected',
  );
}

export function presenceNotTold(error: unknown): void {
  log.info({ error }, 'the presence of this worker was not taken down; backup-service may be older than the worker');
}

/** This worker is to stop, and goes on with what it has for a while. */
export function drainBegan(tasks: number, seconds: number): void {
  log.info({ tasks, seconds }, 'this worker drains: it takes nothing new and finishes what it has');
}

export function drainEnded(why: string, tasks: number): void {
  const level = tasks > 0 ? 'warn' : 'info';
  log[level]({ why, tasks }, tasks > 0 ? 'the drain ended before all was done: the rest is given back' : 'drained');
}

/** What every line about a task carries, so that one request can be followed to its `br`. */
export interface TaskFacts {
  readonly requestId: string;
  readonly backupId: string;
  readonly clusterId: string;
  readonly attempt?: number;
}

/** The same of a restore; the cluster is its target. */
export interface RestoreTaskFacts {
  readonly requestId: string;
  readonly restoreId: string;
  readonly clusterId: string;
  readonly attempt?: number;
}

export function messageUnreadable(): void {
  unreadable.inc();
}

/** @param id of the backup, the restore or the check */
export function claimMade(
  answer: 'backup' | 'remove' | 'restore' | 'check' | 'verify' | 'log' | 'truncate' | 'lost' | 'unknown',
  id: string,
  requestId: string,
): void {
  claims.inc({ answer });
  const level = answer === 'unknown' ? 'warn' : 'debug';
  log[level]({ id, requestId, answer }, 'claim answered');
}

/** What every line about a check of a storage carries. */
export interface CheckFacts {
  readonly requestId: string;
  readonly checkId: string;
  readonly storageId: string;
  readonly check: 'probe' | 'rebuild';
}

export function checkBegan(facts: CheckFacts): void {
  running.inc();
  log.info(facts, 'check began');
}

export function checkStepFailed(facts: CheckFacts, step: string, error: unknown): void {
  log.warn({ ...facts, step, error }, 'a step of a check failed');
}

export function checkEnded(facts: CheckFacts, outcome: string): void {
  running.dec();
  log.info({ ...facts, outcome }, 'check ended');
}

/** What every line about a look at a log backup carries. */
export interface LogFacts {
  readonly requestId: string;
  readonly clusterId: string;
}

export function logLookBegan(facts: LogFacts): void {
  running.inc();
  log.debug(facts, 'look at a log backup began');
}

export function logLookEnded(facts: LogFacts, outcome: string): void {
  running.dec();
  log.debug({ ...facts, outcome }, 'look at a log backup ended');
}

/** An act of `br log` ended. */
export function logActEnded(
  facts: LogFacts,
  act: string,
  taskName: string,
  {
    result,
    reason,
  }: { readonly result: string; readonly reason?: { readonly code: string; readonly message: string } },
): void {
  const level = result === 'ok' ? 'info' : 'warn';
  const why = reason && { code: reason.code, why: reason.message };
  log[level]({ ...facts, taskName, result, ...why }, `br log ${act} ended`);
}

/** @param until a TSO; 0: the whole log goes */
export function truncationBegan(facts: LogFacts, taskName: string, until: bigint): void {
  running.inc();
  log.info({ ...facts, taskName, until: String(until) }, 'truncation of a log began');
}

export function truncationEnded(facts: LogFacts, taskName: string, outcome: string): void {
  running.dec();
  log.info({ ...facts, taskName, outcome }, 'truncation of a log ended');
}

export function taskBegan(kind: 'backup' | 'remove' | 'restore' | 'verify', facts: TaskFacts | RestoreTaskFacts): void {
  running.inc();
  log.info({ ...facts, task: kind }, 'task began');
}

export function taskEnded(
  kind: 'backup' | 'remove' | 'restore' | 'verify',
  facts: TaskFacts | RestoreTaskFacts,
  outcome: string,
  reason?: string,
): void {
  running.dec();
  log.info({ ...facts, task: kind, outcome, reason }, 'task ended');
}

export function brStarted(
  facts: TaskFacts | RestoreTaskFacts,
  group: number | undefined,
  argv: readonly string[],
): void {
  log.info({ ...facts, group, argv }, 'br started');
}

export function brEnded(facts: TaskFacts | RestoreTaskFacts, exit: BrExit, outcome: string): void {
  runs.inc({ outcome });
  log.info({ ...facts, exit, outcome }, 'br ended');
}

export function leaseLost(facts: TaskFacts | RestoreTaskFacts): void {
  log.warn(facts, 'the task was lost to somebody else: its br is stopped and its files are left alone');
}

export function renewalFailed(facts: TaskFacts | RestoreTaskFacts | CheckFacts | LogFacts, error: unknown): void {
  const retryable = error instanceof AppError && error.row.retryable;
  log[retryable ? 'warn' : 'error']({ ...facts, error }, 'a renewal was not answered; it is repeated');
}

export function outputNotTold(facts: TaskFacts | RestoreTaskFacts, error: unknown): void {
  log.debug({ ...facts, error }, 'a piece of output was not answered; it is repeated');
}

export function strayReported(facts: Omit<TaskFacts, 'clusterId'>, path: string): void {
  strays.inc();
  log.warn({ ...facts, path }, 'a path was reported into which a lost run had written');
}

export function orphanKilled(facts: { group: number } & ({ backupId: string } | { restoreId: string })): void {
  log.warn(facts, 'a br that an earlier worker of this host left behind was killed');
}

/** A good backup showed by what its storage is known. */
export function markerSettled(facts: TaskFacts, sentence: string): void {
  log.debug({ ...facts, marker: sentence }, 'the marker of the storage was looked at');
}

/** A `br` that restores waits for something that may pass. */
export function restoreWaits(facts: RestoreTaskFacts, code: string, sentence: string): void {
  log.warn({ ...facts, code, sentence }, 'br waits');
}
