/**
 * Deletes what no retention keeps any more.
 *
 * R1. Only successful backups that the scheduler started, of a rule that is there and has a retention; never the newest
 *     good one of its rule, nor one that is held. One that a verification found damaged counts for nothing, and is left
 *     alone. backup-service asks the same once more, and again when a worker claims
 *     the removal.
 * R2. Every copy does this. A deletion is recorded once, under the reason that is told here, and is retried and shown by
 *     backup-service from then on.
 *     What points of a log backup are restored from is not asked for: backup-service would refuse it.
 * R3. What is missed in one round (a backup that was listed twice, a refusal) is found by the next.
 * R4. Where a rule cannot be read, all of its backups are kept, and other rules are applied.
 */
import { randomUUID } from 'node:crypto';
import { AppError, isOutage } from '@tidemark/errors/app-error';
import type { Retention } from '@tidemark/protocol/grpc/tidemark/strategy/v1/strategy_service';
import type { Backends } from './backends.ts';
import { CALLER } from './due-loop.ts';
import { retentionDeletes, retentionRefused } from './events.ts';
import type { Quarantines } from './quarantines.ts';
import { isBehind, judge, listBases, listGoodBackups, listRules } from './retention.ts';

/**
 * Applies the retention of a cluster's rules.
 *
 * @returns 'later' when too many deletions are under way already
 */
export async function applyRetention(
  clusterId: string,
  {
    backends,
    quarantines,
    now,
  }: {
    readonly backends: Backends;
    readonly quarantines: Pick<Quarantines, 'retentionOfRules'>;
    readonly now: () => Date;
  },
  signal: AbortSignal,
): Promise<'done' | 'later'> {
  const requestId = randomUUID();
  const options = { signal, requestId, caller: CALLER };
  // Read now: a retention that was widened a moment ago must not delete under its old numbers.
  const rules = await listRules(backends, clusterId, options);
  const limited = rules.filter(({ retention }) => retention !== undefined);
  if (limited.length === 0) return 'done';
  const backups = await listGoodBackups(backends, { clusterId, scheduled: true }, options);
  const bases = await listBases(backends, clusterId, options);
  const ofRule = Map.groupBy(backups, ({ rule }) => rule);
  const judged = limited.flatMap((rule) => {
    const judgeRule = () => judge(ofRule.get(rule.rule) ?? [], [rule], ({ retention }) => retention, now(), bases);
    return quarantines.retentionOfRules.read(`${clusterId}:${rule.rule}`, judgeRule) ?? [];
  });
  const goes = judged.filter(({ keepReasons }) => keepReasons.length === 0).map(({ backup }) => backup);
  // The oldest first: should anything stop this half way, what is left is the newer part.
  for (const backup of goes.sort((one, other) => (isBehind(one, other) ? -1 : 1))) {
    const rule = limited.find((one) => one.rule === backup.rule);
    const reason = `Retention of rule ${backup.rule}: ${describe(rule?.retention)}.`;
    try {
      await backends.backups.deleteBackup(
        { id: backup.id, clusterId, reason, byRetention: true, forget: false },
        options,
      );
      retentionDeletes(clusterId, backup.rule, backup.id, requestId);
    } catch (error) {
      if (!(error instanceof AppError) || error.code === 'canceled' || isOutage(error)) throw error;
      if (error.code === 'too_many_requests') return 'later';
      if (error.code !== 'backup_not_found') retentionRefused(clusterId, backup.rule, backup.id, error);
    }
  }
  return 'done';
}

/** A retention in words, such as "keeps last 7, 30 days, 12 monthly". */
export function describe(retention: Retention | undefined): string {
  if (!retention) return 'keeps everything';
  const { keepLast, keepDays, daily, weekly, monthly, yearly } = retention;
  const parts = [
    keepLast > 0 && `last ${keepLast}`,
    keepDays > 0 && `${keepDays} days`,
    daily > 0 && `${daily} daily`,
    weekly > 0 && `${weekly} weekly`,
    monthly > 0 && `${monthly} monthly`,
    yearly > 0 && `${yearly} yearly`,
  ];
  return `keeps ${parts.filter(Boolean).join(', ')}`;
}
