/** Restores as they travel between backup-service and its workers. Pure. */

import type { RestoreOrder } from '@tidemark/br-restore/command';
import type { EndKind } from '@tidemark/br-restore/end';
import { toLookMessage } from '@tidemark/br-restore/look-message';
import type {
  RestoreGrant as GrantMessage,
  RestoreRef,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/executor_service';
import {
  type RestoreEnd as EndMessage,
  type RestoreOptions as OptionsMessage,
  RestoreEndKind,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/restore';
import type { RestoreEnd } from './end.ts';
import type { RestoreRun } from './run-folders.ts';
import { NOT_SIGNED } from './source-check.ts';
import type { RestoreGrant } from './task.ts';

/** @throws Error for a grant without source, target or storage */
export function fromGrantMessage(grant: GrantMessage): RestoreGrant {
  const { source, target, storage, logStorage, tls, options, marker, crypterMethod, crypterKeyFile } = grant;
  if (!source || !target || !storage) throw new Error('the grant names no source, no target or no storage');
  const { point } = source;
  if (point && !logStorage) throw new Error('the grant names no storage of the log');
  const key = crypterMethod === '' ? undefined : { method: crypterMethod, keyFile: crypterKeyFile };
  return {
    order: {
      source: { storage, path: source.path, key },
      ...(point && logStorage && { point: { tso: String(point.ts), storage: logStorage, path: point.path } }),
      target: { pd: target.pd, tls },
      options: fromOptionsMessage(options),
    },
    rateLimit: options?.rateLimit,
    targetVersion: target.version,
    existingTablesAccepted: grant.existingTablesAccepted,
    tso: source.tso,
    tidbClusterId: source.tidbClusterId,
    marker,
    manifestKeys: grant.manifestKeys,
    signed: grant.sourceSigned,
    unsoundAccepted: grant.unsoundAccepted,
    // Its grants name none: another worker is found by the doorbell alone.
    storageDigest: '',
    brVersion: grant.brVersion === '' ? undefined : grant.brVersion,
    argvBefore: grant.argv,
    wasPartial: grant.wasPartial,
    failures: grant.failures,
    waits: grant.waits,
    remainingMs: grant.remainingSeconds * 1_000,
  };
}

function fromOptionsMessage(options: OptionsMessage | undefined): RestoreOrder['options'] {
  if (!options) return {};
  const { withSystemTables, withoutStats, placementPolicies, waitTiflashReady, filter, extra } = options;
  return {
    ...{ withSystemTables, loadStats: !withoutStats, placementPolicies, waitTiFlashReady: waitTiflashReady },
    ...{ filter, extra },
  };
}

const KINDS = {
  succeeded: RestoreEndKind.RESTORE_END_KIND_SUCCEEDED,
  refused: RestoreEndKind.RESTORE_END_KIND_REFUSED,
  notFresh: RestoreEndKind.RESTORE_END_KIND_NOT_FRESH,
  failedBefore: RestoreEndKind.RESTORE_END_KIND_FAILED_BEFORE,
  none: RestoreEndKind.RESTORE_END_KIND_NONE,
  wait: RestoreEndKind.RESTORE_END_KIND_WAIT,
  failed: RestoreEndKind.RESTORE_END_KIND_FAILED,
  dirty: RestoreEndKind.RESTORE_END_KIND_DIRTY,
  afterSummary: RestoreEndKind.RESTORE_END_KIND_AFTER_SUMMARY,
  stopped: RestoreEndKind.RESTORE_END_KIND_STOPPED,
} as const satisfies Record<EndKind, RestoreEndKind>;

/** Those after which the same command may go on by itself. */
const GOES_ON: ReadonlySet<EndKind> = new Set(['failedBefore', 'failed', 'afterSummary', 'stopped']);

export function toEndMessage(end: RestoreEnd): EndMessage {
  const { kind, reason, summary, remark, checkpointLeft, retryable, seconds, killed, sourceDamaged, look } = end;
  return {
    kind: KINDS[kind],
    reason,
    result: summary && {
      sizeBytes: summary.sizeBytes ?? 0n,
      seconds: summary.seconds ?? 0,
      logSeconds: summary.logSeconds ?? 0,
      summary: summary.text,
      remark,
    },
    checkpointLeft,
    afterChange: GOES_ON.has(kind) && !retryable,
    waitSeconds: seconds ?? 0,
    killed,
    sourceDamaged,
    look: look && toLookMessage(look),
    sourceNotSigned: reason?.code === NOT_SIGNED,
  };
}

export const NOT_STARTED: EndMessage = {
  kind: RestoreEndKind.RESTORE_END_KIND_NONE,
  reason: undefined,
  result: undefined,
  checkpointLeft: false,
  afterChange: false,
  waitSeconds: 0,
  killed: false,
  sourceDamaged: false,
  look: undefined,
  sourceNotSigned: false,
};

export function toRestoreRef({
  restoreId,
  claim,
  fence,
}: Pick<RestoreRun, 'restoreId' | 'claim' | 'fence'>): RestoreRef {
  return { restoreId, claim, fence: BigInt(fence) };
}
