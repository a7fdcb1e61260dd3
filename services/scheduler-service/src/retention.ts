/** What retention says of the backups of a cluster: reads only (design section 4). */
import {
  type Backup,
  BackupMode,
  BackupOrigin,
  BackupState,
  DeletionState,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/backup';
import type { Retention, Strategy } from '@tidemark/protocol/grpc/tidemark/strategy/v1/strategy_service';
import { evaluateRetention } from '@tidemark/schedule/retention';
import type { CallOptions } from '@tidemark/service-kit/grpc/client';
import type { Backends } from './backends.ts';

/** A successful backup and why it is kept; without a reason it goes. */
export interface Judged {
  readonly backup: Backup;
  readonly keepReasons: readonly string[];
  readonly expiresAt?: Date;
}

const PAGE = 1_000;
const NOT_SCHEDULED = 'not started by the scheduler';

/** Every successful backup of the cluster that is not deleted, nor about to be. */
export async function listGoodBackups(
  { backups }: Backends,
  filter: { readonly clusterId: string; readonly rule?: string; readonly scheduled?: boolean },
  options: CallOptions,
): Promise<Backup[]> {
  const good: Backup[] = [];
  for (let page = 1; ; page += 1) {
    const found = await backups.listBackups(
      {
        clusterIds: [filter.clusterId],
        states: [BackupState.BACKUP_STATE_SUCCEEDED],
        origin: filter.scheduled ? BackupOrigin.BACKUP_ORIGIN_SCHEDULE : BackupOrigin.BACKUP_ORIGIN_UNSPECIFIED,
        rule: filter.rule ?? '',
        mode: BackupMode.BACKUP_MODE_UNSPECIFIED,
        id: '',
        startedAtOrAfter: undefined,
        endedAtOrBefore: undefined,
        includeDeleted: false,
        page,
        pageSize: PAGE,
        withoutTotal: true,
      },
      options,
    );
    // What a page misses because another backup went meanwhile only makes more be kept.
    good.push(
      ...found.backups.filter(({ deletion }) => !deletion || deletion.state === DeletionState.DELETION_STATE_NONE),
    );
    if (found.backups.length < PAGE) return good;
  }
}

/** Rules of one cluster, each with its retention. */
export async function listRules(
  { strategies }: Backends,
  clusterId: string,
  options: CallOptions,
): Promise<Strategy[]> {
  const found = await strategies.listStrategies(
    { clusterIds: [clusterId], withRetention: false, pageSize: PAGE, pageToken: '', updatedAfter: undefined },
    options,
  );
  return found.strategies;
}

/**
 * Judges the backups, each under the retention of its own rule.
 *
 * @param policyOf the retention of a rule, or undefined where everything is kept
 */
export function judge(
  backups: readonly Backup[],
  rules: readonly Strategy[],
  policyOf: (rule: Strategy) => Retention | undefined,
  now: Date,
): Judged[] {
  const judged = rules.flatMap((rule) => {
    const own = backups.filter((backup) => backup.rule === rule.rule && isScheduled(backup));
    const retained = own.map(({ id, startTime, holds }) => ({
      id,
      takenAt: startTime ?? new Date(0),
      held: holds.length > 0,
    }));
    const byId = new Map(own.map((backup) => [backup.id, backup]));
    const verdicts = evaluateRetention(retained, policyOf(rule), { timeZone: rule.timeZone, now });
    return verdicts.flatMap(({ id, keepReasons, expiresAt }) => {
      const backup = byId.get(id);
      return backup ? [{ backup, keepReasons, ...(expiresAt && { expiresAt }) }] : [];
    });
  });
  const known = new Set(judged.map(({ backup }) => backup.id));
  const others = backups
    .filter(({ id }) => !known.has(id))
    .map((backup) => ({ backup, keepReasons: [isScheduled(backup) ? 'its rule is gone' : NOT_SCHEDULED] }));
  return [...judged, ...others].sort((one, other) => startOf(other.backup) - startOf(one.backup));
}

const isScheduled = ({ origin }: Backup) => origin === BackupOrigin.BACKUP_ORIGIN_SCHEDULE;
const startOf = ({ startTime }: Backup) => startTime?.getTime() ?? 0;
