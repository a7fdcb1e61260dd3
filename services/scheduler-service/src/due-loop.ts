/**
 * Takes up windows whose start has come, and finishes what any copy began.
 *
 * S1. An occurrence is inserted before its strategy is advanced; its `_id` is the window, so only one copy makes it.
 * S2. A backup is started under the occurrence's `_id` as key and not after the window's close, so that however often it
 *     is asked for, and by however many copies, there is one.
 * S3. Once the window is over, only the backup of that key decides: an answer that was lost does not make a lie.
 */

import { randomUUID } from 'node:crypto';
import { AppError } from '@tidemark/errors/app-error';
import { BackupMode, BackupOrigin } from '@tidemark/protocol/grpc/tidemark/backup/v1/backup';
import type { Strategy } from '@tidemark/protocol/grpc/tidemark/strategy/v1/strategy_service';
import { type Loop, startLoop } from '@tidemark/service-kit/loop';
import type { Backends } from './backends.ts';
import { concludeWithout, isOver, nextStep, type Occurrence, occurrenceId } from './catch-up.ts';
import { occurrenceDecided, startWaits, windowCame } from './events.ts';
import { loopLog } from './logger.ts';
import type { OccurrenceStore } from './occurrence-store.ts';

export interface DueLoopDependencies {
  readonly store: OccurrenceStore;
  readonly backends: Backends;
  /** Database time. */
  readonly now: () => Date;
  readonly pollMs: number;
  readonly retryMs: number;
  readonly skewMs: number;
}

/** On whose behalf the scheduler starts backups; part of what makes its keys its own. */
const CALLER = 'scheduler';
const BATCH = 100;

/** Starts looking for due windows. */
export function startDueLoop(dependencies: DueLoopDependencies): Loop {
  const { pollMs } = dependencies;
  return startLoop({
    name: 'due-loop',
    everyMs: pollMs,
    log: loopLog,
    async run(signal) {
      const more = await takeUpDue(dependencies, signal);
      const rest = await attendPending(dependencies, signal);
      return more || rest;
    },
  });
}

async function takeUpDue({ backends, store, now }: DueLoopDependencies, signal: AbortSignal): Promise<boolean> {
  const { strategies, more } = await backends.plans.listDueStrategies({ limit: BATCH }, { signal, caller: CALLER });
  for (const strategy of strategies) {
    const occurrence = toOccurrence(strategy, now());
    if (!occurrence) continue;
    if (await store.insert(occurrence)) windowCame(occurrence);
    const { clusterId, rule, revision } = strategy;
    await backends.plans.advanceStrategy(
      { clusterId, rule, revision, opensAt: occurrence.opensAt },
      { signal, caller: CALLER },
    );
  }
  return more;
}

function toOccurrence({ clusterId, rule, nextWindow }: Strategy, at: Date): Occurrence | undefined {
  if (!nextWindow?.opensAt || !nextWindow.closesAt || !nextWindow.startAt) return undefined;
  const { opensAt, closesAt, startAt } = nextWindow;
  return {
    _id: occurrenceId(clusterId, rule, opensAt),
    clusterId,
    rule,
    opensAt,
    closesAt,
    startAt,
    state: 'Pending',
    backupId: null,
    reason: '',
    nextTryAt: at,
    decidedAt: null,
    createTime: at,
  };
}

async function attendPending(dependencies: DueLoopDependencies, signal: AbortSignal): Promise<boolean> {
  const { store, now, retryMs } = dependencies;
  const pending = await store.findPending(now(), BATCH, signal);
  for (const occurrence of pending) {
    if (!(await store.takeUp(occurrence, new Date(now().getTime() + retryMs)))) continue;
    const requestId = randomUUID();
    try {
      await attend(occurrence, dependencies, requestId, signal);
    } catch (error) {
      signal.throwIfAborted();
      loopLog.warn(
        { error, occurrenceId: occurrence._id, requestId },
        'a window could not be attended to; tried again',
      );
    }
  }
  return pending.length === BATCH;
}

async function attend(
  occurrence: Occurrence,
  { store, backends, now, skewMs }: DueLoopDependencies,
  requestId: string,
  signal: AbortSignal,
): Promise<void> {
  const options = { signal, requestId, caller: CALLER };
  const { clusterId, rule, closesAt, _id: key } = occurrence;
  const decide = async (decision: Pick<Occurrence, 'state' | 'backupId' | 'reason'>) => {
    if (await store.decide(key, { ...decision, decidedAt: now() })) occurrenceDecided(occurrence, decision, requestId);
  };
  const wait = async (reason: string) => {
    startWaits(occurrence, reason, requestId);
    if (reason !== occurrence.reason) await store.wait(key, reason);
  };

  const over = isOver(occurrence, now(), skewMs);
  const strategy = over ? undefined : (await backends.strategies.getStrategy({ clusterId, rule }, options)).strategy;
  const step = nextStep(occurrence, strategy, now(), skewMs);
  switch (step.kind) {
    case 'wait':
      return wait(step.reason);
    case 'conclude': {
      const { backup } = await backends.backups.findBackupByKey({ clusterId, key }, options);
      return decide(
        backup
          ? { state: 'Started', backupId: backup.id, reason: '' }
          : { ...concludeWithout(occurrence), backupId: null },
      );
    }
    case 'start':
      try {
        const { backup } = await backends.backups.startBackup(
          {
            clusterId,
            key,
            notAfter: closesAt,
            type: '',
            brOptions: undefined,
            mode: BackupMode.BACKUP_MODE_AUTO,
            origin: BackupOrigin.BACKUP_ORIGIN_SCHEDULE,
          },
          options,
        );
        return decide({ state: 'Started', backupId: backup?.id ?? '', reason: '' });
      } catch (error) {
        if (!(error instanceof AppError) || error.code === 'canceled') throw error;
        return wait(reasonOf(error));
      }
  }
}

function reasonOf({ code, message }: AppError): string {
  return code === 'unavailable' || code === 'deadline_exceeded' || code === 'internal'
    ? 'backup-service could not be reached'
    : message;
}
