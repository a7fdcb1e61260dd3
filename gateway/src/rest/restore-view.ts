import type { Reason } from '@tidemark/protocol/connect/tidemark/backup/v1/backup';
import type {
  RecoveryHole,
  RecoveryPoint,
  RecoveryRange,
} from '@tidemark/protocol/connect/tidemark/backup/v1/backup_service';
import { ClusterPurpose } from '@tidemark/protocol/connect/tidemark/backup/v1/registry_service';
import {
  type CleanupItem,
  type Restore,
  type RestoreAttempt,
  RestoreChecksums,
  RestoreEndKind,
  type RestorePlan,
  type RestorePoint,
  type RestoreSource,
  RestoreState,
  type RestoreTarget,
  TargetState,
} from '@tidemark/protocol/connect/tidemark/backup/v1/restore';
import { purposeOf } from './cluster-purpose.ts';
import { timeOf } from './legacy-states.ts';
import type { HoleView, PointView, RangeView } from './operations/recovery-points.ts';
import type { RestoreView } from './operations/restore-record.ts';
import type { PlanView } from './operations/restore-starts.ts';
import { levelOf } from './verification-level.ts';

export const STATES = {
  Queued: RestoreState.QUEUED,
  Running: RestoreState.RUNNING,
  Canceling: RestoreState.CANCELING,
  Succeeded: RestoreState.SUCCEEDED,
  Failed: RestoreState.FAILED,
  Canceled: RestoreState.CANCELED,
} as const;

const TARGET_STATES = {
  Untouched: TargetState.UNTOUCHED,
  Partial: TargetState.PARTIAL,
  Restored: TargetState.RESTORED,
  Released: TargetState.RELEASED,
} as const;

const ENDS: Readonly<Record<number, string>> = {
  [RestoreEndKind.SUCCEEDED]: 'succeeded',
  [RestoreEndKind.REFUSED]: 'refused',
  [RestoreEndKind.NOT_FRESH]: 'notFresh',
  [RestoreEndKind.FAILED_BEFORE]: 'failedBefore',
  [RestoreEndKind.NONE]: 'none',
  [RestoreEndKind.WAIT]: 'wait',
  [RestoreEndKind.FAILED]: 'failed',
  [RestoreEndKind.DIRTY]: 'dirty',
  [RestoreEndKind.AFTER_SUMMARY]: 'afterSummary',
  [RestoreEndKind.STOPPED]: 'stopped',
};

/** The name of a value; `Unknown` for one that a newer service knows. */
function nameOf<Name extends string>(names: Readonly<Record<Name, number>>, value: number): Name | 'Unknown' {
  return (Object.keys(names) as Name[]).find((name) => names[name] === value) ?? 'Unknown';
}

/** A restore as REST shows it. */
export function toRestoreView(restore: Restore): RestoreView {
  const { progress, result, reason, cancellation, release, quietUntil, nextTryTime, brVersion, worker } = restore;
  return {
    id: restore.id,
    state: nameOf(STATES, restore.state),
    targetState: nameOf(TARGET_STATES, restore.targetState),
    source: toSourceView(restore.source),
    target: toTargetView(restore.target),
    ...filterOf(restore.options?.filter),
    argv: restore.argv,
    ...(brVersion !== '' && { brVersion }),
    ...(worker !== '' && { worker }),
    ...(progress && {
      progress: {
        step: progress.step,
        percent: progress.percent,
        ...(progress.remainingSeconds !== undefined && { secondsLeft: progress.remainingSeconds }),
      },
    }),
    attempts: restore.attempts.map(toAttemptView),
    ...(result && {
      result: {
        sizeBytes: Number(result.sizeBytes),
        seconds: result.seconds,
        summary: result.summary,
        ...(result.remark !== '' && { remark: result.remark }),
        checksums: restore.checksums === RestoreChecksums.UNPROVEN ? 'unproven' : 'proven',
      },
    }),
    ...(reason && { reason: toReasonView(reason) }),
    outcomeUnknown: restore.outcomeUnknown,
    resumable: restore.resumable,
    needsConfirm: restore.needsConfirm,
    needsCleaning: restore.needsCleaning,
    ...(quietUntil && { quietUntil: timeOf(quietUntil) }),
    ...(restore.advice !== '' && { advice: restore.advice }),
    cleanup: restore.cleanup.map(toCleanupView),
    ...(cancellation && {
      canceledBy: cancellation.by,
      ...(cancellation.reason !== '' && { cancelReason: cancellation.reason }),
    }),
    ...(release && {
      release: {
        at: timeOf(release.at),
        by: release.by,
        cleaned: release.cleaned,
        ...(release.note !== '' && { note: release.note }),
      },
    }),
    createdBy: restore.createdBy,
    startTime: timeOf(restore.startTime),
    endTime: timeOf(restore.endTime),
    createTime: timeOf(restore.createTime),
    updateTime: timeOf(restore.updateTime),
    ...(nextTryTime && { nextTryTime: timeOf(nextTryTime) }),
    revision: Number(restore.revision),
  };
}

/** A plan as REST shows it. */
export function toPlanView(plan: RestorePlan): PlanView {
  const { hash, source, target, filter, checks, estimatedSeconds, estimateBasis, sourceTime, brVersion, argv } = plan;
  const blocked = checks.filter(({ result }) => result === 'blocked').map(({ name }) => name);
  return {
    planHash: hash,
    source: { ...toSourceView(source), time: timeOf(sourceTime) },
    target: toTargetView(target),
    ...filterOf(filter),
    checks: checks.map(({ name, result, message }) => ({ name, result, message })),
    estimate: { seconds: estimatedSeconds, basis: estimateBasis },
    ...(brVersion !== '' && { brVersion, argv }),
    needs: [...(target?.purpose === ClusterPurpose.SCRATCH ? [] : ['confirm']), ...blocked],
  };
}

const filterOf = (filter: readonly string[] = []) => (filter.length > 0 ? { filter: [...filter] } : {});

function toSourceView(source: RestoreSource | undefined): RestoreView['source'] {
  return {
    backupId: source?.backupId ?? '',
    clusterId: source?.clusterId ?? '',
    storageId: source?.storageId ?? '',
    path: source?.path ?? '',
    tso: String(source?.tso ?? 0n),
    sizeBytes: Number(source?.sizeBytes ?? 0n),
    clusterVersion: source?.clusterVersion ?? '',
    ...(source?.point && { log: toLogView(source.point) }),
  };
}

function toLogView({ time, ts, generation, storageId, path }: RestorePoint) {
  return { pointInTime: timeOf(time), tso: String(ts), generation, storageId, path };
}

function toTargetView(target: RestoreTarget | undefined): RestoreView['target'] {
  const { clusterId = '', pd = [], version = '', pool = '', strictLoss = false } = target ?? {};
  const purpose = target && purposeOf(target.purpose);
  return { clusterId, pd: [...pd], version, pool, ...(purpose && { purpose }), strictLoss };
}

function toReasonView({ code, message, detail }: Reason) {
  return { code, message, ...(detail !== '' && { detail }) };
}

function toAttemptView(attempt: RestoreAttempt): RestoreView['attempts'][number] {
  const { number, worker, startTime, endTime, outcome, end, brVersion } = attempt;
  const kind = end && ENDS[end.kind];
  return {
    ...{ number, worker, startTime: timeOf(startTime), endTime: timeOf(endTime), outcome },
    ...(kind !== undefined && { end: kind }),
    ...(brVersion !== '' && { brVersion }),
    ...(end?.reason && { reason: toReasonView(end.reason) }),
  };
}

function toCleanupView({ what, until, message, command, seenTime }: CleanupItem): RestoreView['cleanup'][number] {
  return {
    what,
    ...(until && { until: timeOf(until) }),
    message,
    ...(command !== '' && { command }),
    ...(seenTime && { seenTime: timeOf(seenTime) }),
  };
}

/** A recovery point as REST shows it. */
export function toPointView(point: RecoveryPoint): PointView {
  const { backupId, tso, time, sizeBytes, storageId, clusterVersion, verifiedAt, level } = point;
  return {
    ...{ backupId, tso: String(tso), time: timeOf(time), sizeBytes: Number(sizeBytes), storageId, clusterVersion },
    ...(verifiedAt && { verification: { level: levelOf(level), at: timeOf(verifiedAt) } }),
  };
}

export function toRangeView({ fromTime, toTime, fromTs, toTs, generation, baseBackupId }: RecoveryRange): RangeView {
  return {
    ...{ from: timeOf(fromTime), to: timeOf(toTime), generation, baseBackupId },
    fromTso: String(fromTs),
    toTso: String(toTs),
  };
}

export function toHoleView({ fromTime, toTime, why }: RecoveryHole): HoleView {
  return { from: timeOf(fromTime), to: timeOf(toTime), why };
}
