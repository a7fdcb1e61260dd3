import { AppError } from '@tidemark/errors/app-error';
import { MAX_NAMED } from '@tidemark/limits/limits';
import type { CallContext } from '@tidemark/service-kit/grpc/call-context';
import { type Backup, type DeletionState, isBeingVerified, isPinned } from '../backup.ts';
import type { Applied, Occupant } from '../backup-store.ts';
import { isActive, type Restore } from '../restore/restore.ts';
import { pointsWouldBeLost } from './points-lost.ts';

export function unknownBackup(id: string): AppError {
  return new AppError('backup_not_found', `There is no backup ${id}.`, { info: { backupId: id } });
}

/** How a restore is called to who sees its target; its id is for those who see the cluster of its backup, too. */
export function calledFor(
  { _id: restoreId, source }: Restore,
  sees: CallContext['sees'],
): { readonly who: string; readonly named: Readonly<Record<string, string>> } {
  return sees(source.clusterId)
    ? { who: `Restore ${restoreId}`, named: { restoreId } }
    : { who: 'A restore of a backup of a cluster that you may not see', named: {} };
}

/** What wants a cluster that a backup or a restore has. */
export function busy(clusterId: string, { backup, restore }: Occupant, sees: CallContext['sees']): AppError {
  if (backup)
    return new AppError(
      'cluster_busy',
      `Cluster ${clusterId} already has an active backup, ${backup._id} (${backup.state}): wait for its end or cancel it.`,
      { info: { clusterId, backupId: backup._id, state: backup.state } },
    );
  const { who, named } = calledFor(restore, sees);
  const info = { clusterId, ...named, state: restore.state, targetState: restore.targetState };
  if (isActive(restore))
    return new AppError(
      'cluster_busy',
      `${who} into cluster ${clusterId} is under way (${restore.state}): wait for its end or cancel it.`,
      { info },
    );
  return new AppError(
    'target_needs_cleaning',
    `${who} ended in the middle (${restore.state}), and cluster ${clusterId} holds part of its data: resume it, or clean the cluster and release it.`,
    { info },
  );
}

export function unknownCluster(id: string): AppError {
  return new AppError('cluster_not_found', `There is no cluster ${id}.`, { info: { clusterId: id } });
}

export function unknownStorage(id: string): AppError {
  return new AppError('storage_not_found', `There is no storage ${id}.`, { info: { storageId: id } });
}

/** The same whether there is no such storage or others have it: nobody is to learn which there are. */
export function unusableStorage(id: string, clusterId: string): AppError {
  return new AppError('storage_not_found', `There is no storage ${id} that cluster ${clusterId} may use.`, {
    info: { storageId: id },
  });
}

/** @param clusterIds whose own storage it is, and who could not use it any more */
export function stillUsed(id: string, clusterIds: readonly string[]): AppError {
  const named = clusterIds.slice(0, MAX_NAMED).map((clusterId) => `cluster ${clusterId}`);
  const more = clusterIds.length > named.length ? ` and ${clusterIds.length - named.length} more` : '';
  return new AppError(
    'storage_in_use',
    `Storage ${id} would be closed to what writes to it: ${named.join(', ')}${more}. Let them write elsewhere first, or keep them in usableBy.`,
    { info: { storageId: id } },
  );
}

export function unknownCheck(id: string): AppError {
  return new AppError('check_not_found', `There is no check ${id}: checks are kept for a day.`, {
    info: { checkId: id },
  });
}

const isOffTheBooks = ({ deletion: { state } }: Backup) => state === 'Deleted' || state === 'Forgotten';

/**
 * The backup, if the caller sees it, it is not deleted or forgotten, and of the cluster that the caller named.
 *
 * @param clusterId empty when the caller named none
 * @throws AppError `backup_not_found`
 */
export function existing(
  backup: Backup | undefined,
  { id, clusterId = '' }: { readonly id: string; readonly clusterId?: string },
  { sees }: Pick<CallContext, 'sees'>,
): Backup {
  if (!backup || isOffTheBooks(backup) || !sees(backup.clusterId)) throw unknownBackup(id);
  if (clusterId !== '' && backup.clusterId !== clusterId) throw unknownBackup(id);
  return backup;
}

/** @throws AppError that says why the backup's state does not allow what was asked */
export function throwRefusal({ decision: { answer }, backup }: Applied): void {
  if (answer.kind !== 'refused') return;
  const info = { backupId: backup._id, clusterId: backup.clusterId, state: backup.state };
  switch (answer.why) {
    case 'over':
      throw new AppError('backup_over', `Backup ${backup._id} is over (${backup.state}): nothing is left to cancel.`, {
        info,
      });
    case 'active':
      throw new AppError(
        'backup_in_use',
        `Backup ${backup._id} is still active (${backup.state}): cancel it or wait for its end before deleting it.`,
        { info },
      );
    case 'held':
      throw new AppError('backup_in_use', heldBy(backup), { info });
    case 'notGood':
      throw notGoodEnough(backup, 'pinned');
    case 'notScheduled':
      throw new AppError(
        'wrong_state',
        `Backup ${backup._id} is not a good one that the schedule started: retention has no say in it.`,
        { info },
      );
    case 'newest':
      throw new AppError('backup_in_use', `Retention keeps backup ${backup._id}: it is the newest good backup.`, {
        info,
      });
    case 'base':
      throw new AppError(
        'backup_in_use',
        `Retention keeps backup ${backup._id}: points of the log backup are restored from it.`,
        { info },
      );
    case 'losesPoints':
      throw pointsWouldBeLost(backup, answer.loss);
    case 'notFailed':
      throw new AppError('backup_in_use', notFailed(backup), { info });
    case 'notForgotten':
      throw new AppError('wrong_state', `Backup ${backup._id} was not forgotten, or cannot be brought back.`, { info });
    case 'notTrashed':
      throw new AppError(
        'backup_not_in_bin',
        `Backup ${backup._id} cannot be had back, its deletion is ${backup.deletion.state}: only one that lies in the bin can.`,
        { info },
      );
    case 'wrongPair':
      throw new AppError('wrong_state', `Backup ${backup._id} cannot end this way in state ${backup.state}.`, { info });
  }
}

/** Not pinned or verified, since the backup is not a good one. */
export function notGoodEnough(backup: Backup, what: 'pinned' | 'verified'): AppError {
  const info = { backupId: backup._id, clusterId: backup.clusterId, state: backup.state };
  return new AppError('backup_not_good', notGood(backup, what), { info });
}

function heldBy(backup: Backup): string {
  if (isPinned(backup)) return `Backup ${backup._id} is pinned: unpin it before deleting it.`;
  if (isBeingVerified(backup))
    return `Backup ${backup._id} is being verified: cancel that or wait for its end before deleting it.`;
  return `Backup ${backup._id} is being read: it can be deleted when that has ended.`;
}

function notGood({ _id, state, deletion }: Backup, what: string): string {
  const how = state === 'Succeeded' ? `its deletion is ${deletion.state}` : `it is ${state}`;
  return `Backup ${_id} cannot be ${what}, ${how}: only a good backup that nobody deletes can.`;
}

function notFailed({ _id, storage, deletion }: Backup): string {
  const told: Partial<Record<DeletionState, string>> = {
    None: 'nobody has tried to delete it',
    Trashed: 'it lies in the bin',
  };
  const how = told[deletion.state] ?? `its deletion is ${deletion.state}`;
  return `Backup ${_id} cannot be forgotten, ${how}: only after its deletion has failed, or once storage ${storage.id} was declared gone.`;
}

export function logBackupNotSet(clusterId: string): AppError {
  return new AppError(
    'log_backup_not_set',
    `Cluster ${clusterId} has no log backup: PUT /clusters/${clusterId}/log-backup says where it is to be written.`,
    { info: { clusterId } },
  );
}
