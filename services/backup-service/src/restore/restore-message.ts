import { cleanupItems, partialSentence, stillThere, type TargetLook } from '@tidemark/br-restore/cleanup';
import type { CleanupItem } from '@tidemark/br-restore/cleanup-item';
import { type CollectionBefore, type CollectionLook, offBefore } from '@tidemark/br-restore/collection';
import type { EndKind } from '@tidemark/br-restore/end';
import { toLookMessage } from '@tidemark/br-restore/look-message';
import { looksFirst } from '@tidemark/br-restore/versions';
import {
  MAX_SCHEDULER_NAME,
  MAX_SCHEDULERS,
  MAX_TIKV_ADDRESS,
  MAX_TIKVS_NAMED,
  MAX_TOLD_SECONDS,
  MAX_WORKER_SENTENCE,
} from '@tidemark/limits/limits';
import {
  type CollectionLook as CollectionMessage,
  RestoreEndKind as EndKindMessage,
  type RestoreEnd as EndMessage,
  type TargetLook as LookMessage,
  type RestoreOptions as OptionsMessage,
  RestoreChecksums,
  Restore as RestoreMessage,
  type RestoreSource as SourceMessage,
  RestoreState as StateMessage,
  type RestoreTarget as TargetMessage,
  TargetState as TargetStateMessage,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/restore';
import { fromReasonMessage, toReasonMessage } from '../backup-message.ts';
import { toPurposeMessage } from '../cluster-purpose.ts';
import { instantOf } from '../log/log-backup.ts';
import type {
  End,
  Restore,
  RestoreAttempt,
  RestoreOptions,
  RestoreSource,
  RestoreState,
  RestoreTarget,
  TargetState,
} from './restore.ts';

const STATES = {
  Queued: StateMessage.RESTORE_STATE_QUEUED,
  Running: StateMessage.RESTORE_STATE_RUNNING,
  Canceling: StateMessage.RESTORE_STATE_CANCELING,
  Succeeded: StateMessage.RESTORE_STATE_SUCCEEDED,
  Failed: StateMessage.RESTORE_STATE_FAILED,
  Canceled: StateMessage.RESTORE_STATE_CANCELED,
} as const satisfies Record<RestoreState, StateMessage>;

const TARGET_STATES = {
  Untouched: TargetStateMessage.TARGET_STATE_UNTOUCHED,
  Partial: TargetStateMessage.TARGET_STATE_PARTIAL,
  Restored: TargetStateMessage.TARGET_STATE_RESTORED,
  Released: TargetStateMessage.TARGET_STATE_RELEASED,
} as const satisfies Record<TargetState, TargetStateMessage>;

const END_KINDS = {
  succeeded: EndKindMessage.RESTORE_END_KIND_SUCCEEDED,
  refused: EndKindMessage.RESTORE_END_KIND_REFUSED,
  notFresh: EndKindMessage.RESTORE_END_KIND_NOT_FRESH,
  failedBefore: EndKindMessage.RESTORE_END_KIND_FAILED_BEFORE,
  none: EndKindMessage.RESTORE_END_KIND_NONE,
  wait: EndKindMessage.RESTORE_END_KIND_WAIT,
  failed: EndKindMessage.RESTORE_END_KIND_FAILED,
  dirty: EndKindMessage.RESTORE_END_KIND_DIRTY,
  afterSummary: EndKindMessage.RESTORE_END_KIND_AFTER_SUMMARY,
  stopped: EndKindMessage.RESTORE_END_KIND_STOPPED,
} as const satisfies Record<EndKind, EndKindMessage>;

const CHECKSUMS = {
  proven: RestoreChecksums.RESTORE_CHECKSUMS_PROVEN,
  unproven: RestoreChecksums.RESTORE_CHECKSUMS_UNPROVEN,
} as const;

export function toRestoreStateMessage(state: RestoreState): StateMessage {
  return STATES[state];
}

/** The state of a message, if it names one. */
export function fromRestoreStateMessage(message: StateMessage): RestoreState | undefined {
  return (Object.keys(STATES) as RestoreState[]).find((state) => STATES[state] === message);
}

/** A stored restore as people see it at a moment. */
export function toRestoreMessage(restore: Restore, now: Date): RestoreMessage {
  const { task, released, cancels } = restore;
  const cancel = cancels.find(({ current }) => current);
  const isBetweenTries = restore.state === 'Queued' && restore.attempts.length > 0;
  return RestoreMessage.create({
    id: restore._id,
    state: STATES[restore.state],
    targetState: TARGET_STATES[restore.targetState],
    source: toSourceMessage(restore.source),
    target: toTargetMessage(restore.target),
    options: toOptionsMessage(restore.options),
    argv: [...(restore.argv ?? [])],
    brVersion: restore.brVersion ?? '',
    progress: restore.progress ?? undefined,
    result: restore.result ? toResultMessage(restore.result) : undefined,
    reason: restore.reason ? toReasonMessage(restore.reason) : undefined,
    attempts: restore.attempts.map(toAttemptMessage),
    cancellation: cancel && { at: cancel.at, by: cancel.by, reason: cancel.reason },
    release: released
      ? { at: released.at, by: released.by, cleaned: released.how === 'cleaned', note: released.note }
      : undefined,
    resumable: restore.resumable,
    outcomeUnknown: restore.outcomeUnknown,
    checksums: restore.checksums ? CHECKSUMS[restore.checksums] : RestoreChecksums.RESTORE_CHECKSUMS_UNSPECIFIED,
    needsConfirm: restore.needsConfirm,
    needsCleaning: restore.needsCleaning,
    quietUntil: restore.quietUntil && restore.quietUntil > now ? restore.quietUntil : undefined,
    advice: adviceOn(restore, now),
    cleanup: cleanupOf(restore, now).map(({ what, until, message, command, seenAt }) => ({
      what,
      until: until ?? undefined,
      message,
      command: command ?? '',
      seenTime: seenAt,
    })),
    startTime: restore.startTime,
    endTime: restore.endTime ?? undefined,
    createTime: restore.createTime,
    updateTime: restore.updateTime,
    revision: BigInt(restore.revision),
    createdBy: restore.createdBy,
    deadline: restore.deadline,
    nextTryTime: isBetweenTries ? task?.notBefore : undefined,
    worker: task?.worker ?? '',
  });
}

/** The ends of a `br` that had got past its checks. */
const PAST_CHECKS: ReadonlySet<EndKind> = new Set(['failed', 'dirty', 'afterSummary', 'succeeded']);

/** Whether a `br` of the restore that looks for its tables got past that: then none of them was there before. */
const foundNone = ({ attempts, options }: Restore): boolean =>
  attempts.some(
    ({ starting, end }) =>
      starting !== null &&
      end !== null &&
      PAST_CHECKS.has(end.kind) &&
      looksFirst(starting.brVersion, options.filter ?? []),
  );

function adviceOn(restore: Restore, now: Date): string {
  const { _id: restoreId, state, targetState, source, target, options, resumable, brVersion } = restore;
  if (targetState !== 'Partial' || (state !== 'Failed' && state !== 'Canceled')) return '';
  return partialSentence({
    ...{ restoreId, backupId: source.backupId, targetId: target.clusterId, resumable },
    ...{ brVersion: brVersion ?? '', filter: options.filter ?? [], foundNone: foundNone(restore) },
    items: cleanupOf(restore, now),
  });
}

/** The same for a list: command lines, which may be long, are in the single record. */
export function toListedRestore(restore: Restore, now: Date): RestoreMessage {
  return { ...toRestoreMessage(restore, now), argv: [] };
}

/**
 * What is left in the target at a moment, and how it goes. While `br` is at work nothing is known of it but what was so before, and of
 * one that goes on by itself only that counts which goes by itself too: nobody is to clean its target.
 */
export function cleanupOf(restore: Restore, now: Date): CleanupItem[] {
  const { attempts, targetState, state, lastBrEnd } = restore;
  const last = attempts.findLast(({ starting }) => starting !== null);
  if (!last?.starting) return [];
  const collectionBefore = collectionBeforeOf(restore);
  if (state === 'Running' || state === 'Canceling') return offBefore(collectionBefore);
  const isFree = targetState === 'Restored' || targetState === 'Released';
  const items = cleanupItems({
    kind: isFree ? 'succeeded' : last.end?.kind,
    brVersion: last.starting.brVersion,
    at: lastBrEnd ?? now,
    killed: last.end?.killed ?? last.end === null,
    filter: restore.options.filter ?? [],
    partial: targetState === 'Partial',
    foundNone: foundNone(restore),
    checkpointLeft: restore.needsCleaning,
    checksumsUnproven: restore.checksums === 'unproven',
    look: last.end?.look,
    toPoint: restore.source.point !== undefined && targetState !== 'Released',
    collectionBefore,
  });
  const left = stillThere(items, now);
  return state === 'Queued' ? [...left.filter(({ until }) => until !== null), ...offBefore(collectionBefore)] : left;
}

/** Of the last attempt that began while the target was as it was. */
function collectionBeforeOf({ attempts }: Restore): CollectionBefore | undefined {
  const starting = attempts.findLast((attempt) => attempt.starting && !attempt.wasPartial)?.starting;
  return starting?.collection && { ...starting.collection, at: starting.at };
}

export function toSourceMessage(source: RestoreSource): SourceMessage {
  const { backupId, clusterId, storage, path, tso, sizeBytes, clusterVersion, upstreamClusterId, point } = source;
  return {
    ...{ backupId, clusterId, storageId: storage.id, path, clusterVersion },
    tso: BigInt(tso),
    sizeBytes: BigInt(sizeBytes),
    tidbClusterId: BigInt(upstreamClusterId),
    point: point && {
      ts: BigInt(point.tso),
      time: instantOf(point.tso),
      generation: point.generation,
      storageId: point.storage.id,
      path: point.path,
    },
  };
}

export function toTargetMessage({ clusterId, pd, version, pool, purpose, strictLoss }: RestoreTarget): TargetMessage {
  return {
    ...{ clusterId, pd: [...pd], version, pool, strictLoss },
    purpose: toPurposeMessage(purpose),
  };
}

export function toOptionsMessage({ extra, filter = [], ...options }: RestoreOptions): OptionsMessage {
  return { ...options, filter: [...filter], extra: { ...extra } };
}

export function fromOptionsMessage(options: OptionsMessage | undefined): RestoreOptions {
  return {
    rateLimit: options?.rateLimit ?? 0,
    withSystemTables: options?.withSystemTables ?? false,
    withoutStats: options?.withoutStats ?? false,
    placementPolicies: options?.placementPolicies ?? '',
    waitTiflashReady: options?.waitTiflashReady ?? false,
    ...(options && options.filter.length > 0 && { filter: options.filter }),
    extra: options?.extra ?? {},
  };
}

function toResultMessage({ sizeBytes, seconds, logSeconds = 0, summary, remark = '' }: NonNullable<Restore['result']>) {
  return { sizeBytes: BigInt(sizeBytes), seconds, logSeconds, summary, remark };
}

function toAttemptMessage({ worker, startedAt, endedAt, outcome, end, starting }: RestoreAttempt, index: number) {
  return {
    ...{ number: index + 1, worker, startTime: startedAt, endTime: endedAt, outcome: outcome ?? '' },
    end: end ? toEndMessage(end) : undefined,
    brVersion: starting?.brVersion ?? '',
  };
}

function toEndMessage(end: End): EndMessage {
  return {
    kind: END_KINDS[end.kind],
    reason: end.reason ? toReasonMessage(end.reason) : undefined,
    result: end.result ? toResultMessage(end.result) : undefined,
    checkpointLeft: end.checkpointLeft ?? false,
    afterChange: end.afterChange ?? false,
    waitSeconds: (end.waitMs ?? 0) / 1000,
    killed: end.killed ?? false,
    sourceDamaged: end.sourceDamaged ?? false,
    look: end.look && toLookMessage(end.look),
    sourceNotSigned: end.sourceNotSigned ?? false,
  };
}

function fromLookMessage({ at, schedulers, safepoint, isRegistered, collection }: LookMessage): TargetLook | undefined {
  if (!at) return undefined;
  return {
    at,
    ...(schedulers && {
      pausedSchedulers: schedulers.names.slice(0, MAX_SCHEDULERS).map((name) => name.slice(0, MAX_SCHEDULER_NAME)),
    }),
    ...(safepoint && { safepointUntil: safepoint.until ?? null }),
    ...(isRegistered !== undefined && { isRegistered }),
    ...(collection && { collection: fromCollectionMessage(collection) }),
  };
}

export function fromCollectionMessage({ off, unseen }: CollectionMessage): CollectionLook {
  return { off: off.slice(0, MAX_TIKVS_NAMED).map((address) => address.slice(0, MAX_TIKV_ADDRESS)), unseen };
}

/** The end that a worker tells; undefined where it names none. */
export function fromEndMessage(message: EndMessage | undefined): End | undefined {
  const kind = (Object.keys(END_KINDS) as EndKind[]).find((one) => END_KINDS[one] === message?.kind);
  if (!message || !kind) return undefined;
  const { reason, result, checkpointLeft, afterChange, waitSeconds, killed, sourceDamaged, sourceNotSigned } = message;
  const look = message.look && fromLookMessage(message.look);
  return {
    kind,
    ...(reason && { reason: fromReasonMessage(reason) }),
    ...(result && {
      result: {
        sizeBytes: Number(result.sizeBytes),
        seconds: Math.min(Math.max(0, result.seconds), MAX_TOLD_SECONDS),
        ...(result.logSeconds > 0 && { logSeconds: Math.min(result.logSeconds, MAX_TOLD_SECONDS) }),
        summary: result.summary.slice(0, MAX_WORKER_SENTENCE),
        ...(result.remark !== '' && { remark: result.remark.slice(0, MAX_WORKER_SENTENCE) }),
      },
    }),
    ...(checkpointLeft && { checkpointLeft: true as const }),
    ...(afterChange && { afterChange: true as const }),
    ...(waitSeconds > 0 && { waitMs: Math.min(waitSeconds, MAX_TOLD_SECONDS) * 1000 }),
    ...(killed && { killed: true as const }),
    ...(sourceDamaged && { sourceDamaged: true as const }),
    ...(look && { look }),
    ...(sourceNotSigned && { sourceNotSigned: true as const }),
  };
}
