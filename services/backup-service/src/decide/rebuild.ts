/**
 * Makes the record of a good backup anew whose document was lost.
 *
 * X1. It is over, kept, and occupies nothing.
 * X2. Who reads the backup at that moment holds it again, and whoever has given its hold back never takes it again: the
 *     documents of restores and of verifications say so, which may still be there.
 * X3. A verdict that counted still counts.
 */
import { type Backup, restoreHold, type StorageSnapshot, verificationHold } from '../backup.ts';
import type { Manifest } from '../manifest.ts';
import { isOver, type Restore } from '../restore/restore.ts';
import { isEnded, toRecord, type Verification } from '../verification.ts';
import { ownKey } from './vocabulary.ts';

/** The remark of a record that a rebuild made or brought back. */
export const REBUILT = 'rebuilt from its manifest';

/** Documents that are about the backup, and were not lost with its own. */
export interface Readers {
  readonly restores: readonly Pick<Restore, '_id' | 'state' | 'targetState'>[];
  readonly verification: Verification | undefined;
}

/** The record of a good backup whose document was lost. */
export function rebuild(
  manifest: Manifest,
  storage: StorageSnapshot,
  { restores, verification }: Readers,
  requestId: string,
  now: Date,
): Backup {
  const { backupId, clusterId, mode, origin, rule, createdBy, request, target, basePath, path, startTime, endTime } =
    manifest;
  const own = ownKey({ _id: backupId });
  return {
    _id: backupId,
    request: { ...request, id: requestId },
    createdBy,
    clusterId,
    mode,
    type: 'full',
    method: 'physical',
    origin,
    ...(rule !== undefined && { rule }),
    target,
    storage: { ...storage, takenAt: now },
    basePath,
    path,
    leftovers: [],
    state: 'Succeeded',
    activeKey: own,
    slotKey: own,
    deadline: endTime,
    fence: 0,
    task: null,
    progress: null,
    result: { ...manifest.result, remark: REBUILT },
    reason: null,
    failures: 0,
    losses: 0,
    attempts: [],
    cancel: null,
    deletion: { state: 'None' },
    ...heldBy(restores, verification),
    startTime,
    endTime,
    createTime: startTime,
    updateTime: now,
    deleteTime: null,
    revision: 1,
    schemaVersion: 1,
  };
}

function heldBy(
  restores: Readers['restores'],
  verification: Verification | undefined,
): Pick<Backup, 'holds' | 'unheld' | 'verification'> {
  const idsOf = (some: Readers['restores']) => some.map(({ _id }) => restoreHold(_id));
  const holds = idsOf(restores.filter((one) => !isOver(one)));
  const unheld = idsOf(restores.filter(isOver));
  const given = unheld.length > 0 && { unheld };
  if (!verification) return { holds, ...given };
  const { run, last, counts } = toRecord(verification);
  const known = { ...(counts && { counts }), ...(verification.signed && { signed: true as const }) };
  return isEnded(verification)
    ? { holds, ...given, verification: { run, active: false, last, ...known } }
    : { holds: [...holds, verificationHold(run)], ...given, verification: { run, active: true, ...known } };
}
