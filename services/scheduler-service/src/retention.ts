/** What retention says of the backups of a cluster: reads only (architecture 4). */
import { AppError } from '@tidemark/errors/app-error';
import {
  type Backup,
  BackupMode,
  BackupOrigin,
  BackupState,
  DeletionState,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/backup';
import type { NeededBase } from '@tidemark/protocol/grpc/tidemark/backup/v1/backup_service';
import type { Retention, Strategy } from '@tidemark/protocol/grpc/tidemark/strategy/v1/strategy_service';
import { evaluateRetention } from '@tidemark/schedule/retention';
import type { CallOptions } from '@tidemark/service-kit/grpc/client';
import type { Backends } from './backends.ts';

/** What has to be known of a successful backup: there may be very many of a cluster. */
export type GoodBackup = Pick<Backup, 'id' | 'rule' | 'origin' | 'startTime' | 'holds' | 'verification'> & {
  readonly sizeBytes: bigint;
  /** A verification found it so: it stands for no other, and a person decides what becomes of it. */
  readonly damaged: boolean;
};

/** A successful backup and why it is kept; without a reason it goes. */
export interface Judged {
  readonly backup: GoodBackup;
  readonly keepReasons: readonly string[];
  readonly expiresAt?: Date;
}

/** Why a backup is kept whatever its retention says, by its id: points of a log backup would be lost with it. */
export type Bases = ReadonlyMap<string, readonly string[]>;

const PAGE = 1_000;
const NOT_SCHEDULED = 'not started by the scheduler';
const OF_LOG = 'started by the log backup, which lets it go once it is older than all that is to stay restorable';
const DAMAGED = 'found damaged: left to people';

/** Every successful backup of the cluster that is not deleted, nor about to be. */
export async function listGoodBackups(
  { backups }: Backends,
  filter: { readonly clusterId: string; readonly rule?: string; readonly scheduled?: boolean },
  options: CallOptions,
): Promise<GoodBackup[]> {
  const good: GoodBackup[] = [];
  for (let pageToken = ''; ; ) {
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
        page: 1,
        pageSize: PAGE,
        pageToken,
        withoutTotal: true,
        withinSight: false,
        damaged: false,
      },
      options,
    );
    good.push(
      ...found.backups
        .filter(({ deletion }) => !deletion || deletion.state === DeletionState.DELETION_STATE_NONE)
        .map(toGoodBackup),
    );
    // An older backup-service knows the rest of a page alone; what it leaves out is kept.
    pageToken = found.followingPageToken || found.nextPageToken;
    if (pageToken === '') return good;
  }
}

function toGoodBackup({ id, rule, origin, startTime, holds, result, verification }: Backup): GoodBackup {
  const damaged = verification?.damaged ?? false;
  return { id, rule, origin, startTime, holds, sizeBytes: result?.sizeBytes ?? 0n, verification, damaged };
}

/** Of the last days of a cluster's log backup. None where backup-service is of an earlier version: it lets none of them go all the same. */
export async function listBases({ backups }: Backends, clusterId: string, options: CallOptions): Promise<Bases> {
  try {
    const { bases } = await backups.listNeededBases({ clusterId }, options);
    const grouped = Map.groupBy(bases, ({ backupId }) => backupId);
    return new Map([...grouped].map(([id, some]) => [id, some.map(asBase)]));
  } catch (error) {
    if (error instanceof AppError && error.code === 'route_not_found') return new Map();
    throw error;
  }
}

function asBase({ fromTime, toTime }: NeededBase): string {
  const from = fromTime?.toISOString() ?? '';
  return toTime ? `base of the points from ${from} to ${toTime.toISOString()}` : `base of the points from ${from} on`;
}

/** Rules of one cluster, each with its retention. */
export async function listRules(
  { strategies }: Backends,
  clusterId: string,
  options: CallOptions,
): Promise<Strategy[]> {
  const rules: Strategy[] = [];
  for (let pageToken = ''; ; ) {
    const found = await strategies.listStrategies(
      { clusterIds: [clusterId], withRetention: false, pageSize: PAGE, pageToken, updatedAfter: undefined },
      options,
    );
    rules.push(...found.strategies);
    pageToken = found.nextPageToken;
    if (pageToken === '') return rules;
  }
}

/**
 * Judges the backups, each under the retention of its own rule, without those that were found damaged, and tells them newest first; those
 * of one instant by id. All reasons are told.
 *
 * @param policyOf the retention of a rule, or undefined where everything is kept
 */
export function judge(
  backups: readonly GoodBackup[],
  rules: readonly Strategy[],
  policyOf: (rule: Strategy) => Retention | undefined,
  now: Date,
  bases: Bases = new Map(),
): Judged[] {
  const judged = rules.flatMap((rule) => {
    const own = backups.filter((backup) => backup.rule === rule.rule && isScheduled(backup) && !backup.damaged);
    const retained = own.map(({ id, startTime, holds }) => ({
      id,
      takenAt: startTime ?? new Date(0),
      held: holds.length > 0,
    }));
    const byId = new Map(own.map((backup) => [backup.id, backup]));
    const verdicts = evaluateRetention(retained, policyOf(rule), { timeZone: rule.timeZone, now });
    return verdicts.flatMap(({ id, keepReasons, expiresAt }) => {
      const backup = byId.get(id);
      const asBases = bases.get(id) ?? [];
      const expiry = asBases.length === 0 && expiresAt ? { expiresAt } : {};
      return backup ? [{ backup, keepReasons: [...keepReasons, ...asBases], ...expiry }] : [];
    });
  });
  const known = new Set(judged.map(({ backup }) => backup.id));
  const others = backups
    .filter(({ id }) => !known.has(id))
    .map((backup) => ({
      backup,
      keepReasons: [
        whyKept(backup, rules),
        ...(backup.holds.length > 0 ? ['pinned or in use'] : []),
        ...(bases.get(backup.id) ?? []),
      ],
    }));
  return [...judged, ...others].sort((one, other) => (isBehind(one.backup, other.backup) ? 1 : -1));
}

/** Of what no retention is about. */
function whyKept(backup: GoodBackup, rules: readonly Strategy[]): string {
  if (backup.origin === BackupOrigin.BACKUP_ORIGIN_LOG) return OF_LOG;
  if (!isScheduled(backup)) return NOT_SCHEDULED;
  return backup.damaged && rules.some(({ rule }) => rule === backup.rule) ? DAMAGED : 'its rule is gone';
}

type Told = Pick<GoodBackup, 'id' | 'startTime'>;

/** Whether one backup is told after another. */
export function isBehind(one: Told, other: Told): boolean {
  return startOf(one) < startOf(other) || (startOf(one) === startOf(other) && one.id < other.id);
}

const isScheduled = ({ origin }: GoodBackup) => origin === BackupOrigin.BACKUP_ORIGIN_SCHEDULE;
const startOf = ({ startTime }: Told) => startTime?.getTime() ?? 0;
