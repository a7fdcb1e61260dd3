/**
 * Takes what no point of a horizon needs out of the logs of all clusters, and removes the full backups that logs were begun with, once
 * they are older than that. Every copy does this: the document decides who of them did it, and judges it by what is known at its write
 * (P5). One cluster whose logs cannot be judged, or backup, stops no other.
 */
import { randomUUID } from 'node:crypto';
import { EPOCH } from '@tidemark/mongo/time-range';
import type { Quarantine } from '@tidemark/service-kit/quarantine';
import { plus } from '@tidemark/task/time';
import type { BackupStore } from '../backup-store.ts';
import type { Dispatcher } from '../dispatcher.ts';
import type { FinishedBackups } from '../finished-backups.ts';
import type { LogBackup } from './log-backup.ts';
import type { TruncationStore } from './truncation-store.ts';

export interface RetentionDependencies {
  readonly truncations: Pick<TruncationStore, 'findWithHorizon' | 'apply'>;
  readonly store: Pick<BackupStore, 'apply'>;
  readonly finished: Pick<FinishedBackups, 'startedByLog' | 'countRetentionDeletions'>;
  readonly dispatcher: Pick<Dispatcher, 'ringTruncation' | 'ring'>;
  /** How many removals that retention asked for may be under way. */
  readonly retentionDeletions: number;
  /** Of clusters. */
  readonly quarantine: Quarantine;
  /** Of backups. */
  readonly bases: Quarantine;
  readonly now: () => Date;
}

const BATCH = 100;
const DAY_MS = 86_400_000;
const REMOVED = {
  by: { kind: 'retention', name: 'log backup' },
  reason: 'older than all that its log backup keeps restorable',
} as const;

/** @throws AppError `unavailable` */
export async function retainLogs(dependencies: RetentionDependencies, signal: AbortSignal): Promise<void> {
  const { truncations, dispatcher, quarantine } = dependencies;
  for (let after = ''; ; ) {
    const ids = await truncations.findWithHorizon(after, BATCH, signal);
    for (const id of ids) {
      const retain = async () => {
        const applied = await truncations.apply(id, { kind: 'retain' }, signal);
        if (applied?.decision.next) await dispatcher.ringTruncation(id);
        if (applied) await removeBases(applied.log, dependencies, signal);
      };
      await quarantine.attempt(id, retain, signal);
    }
    const last = ids.at(-1);
    if (last === undefined || ids.length < BATCH) return;
    after = last;
  }
}

/** What is pinned, the newest good one or needed by a log is refused, and stays. */
async function removeBases(
  { _id: clusterId, settings }: LogBackup,
  { store, finished, dispatcher, retentionDeletions, bases, now }: RetentionDependencies,
  signal: AbortSignal,
): Promise<void> {
  if (!settings) return;
  const before = plus(now(), -settings.retentionDays * DAY_MS);
  for (let after = EPOCH; ; ) {
    const found = await finished.startedByLog(clusterId, { after, before }, BATCH, signal);
    for (const { _id: id } of found) {
      if ((await finished.countRetentionDeletions(retentionDeletions, signal)) >= retentionDeletions) return;
      const remove = async () => {
        const applied = await store.apply(id, { kind: 'delete', ...REMOVED, requestId: randomUUID() }, signal);
        if (applied?.decision.ring) await dispatcher.ring(id);
      };
      await bases.attempt(id, remove, signal);
    }
    const last = found.at(-1);
    if (last === undefined || found.length < BATCH) return;
    after = last.startTime;
  }
}
