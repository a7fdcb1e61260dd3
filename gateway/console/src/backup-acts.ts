/** What can be done with a backup, and the requests that do it. Pure but for the calls. */
import {
  type Backup,
  BackupState,
  DeletionState,
  VerificationState,
} from '@tidemark/protocol/connect/tidemark/backup/v1/backup';
import { pathOf, type Same } from './shell.ts';
import { isActive } from './words.ts';

export type BackupAct =
  | 'cancel'
  | 'pin'
  | 'unpin'
  | 'verify'
  | 'cancel verification'
  | 'restore'
  | 'delete'
  | 'delete for good'
  | 'undelete'
  | 'forget';

/** How the holds begin that are pins. */
const PIN = 'pin:';

export function isPinned({ holds }: Pick<Backup, 'holds'>): boolean {
  return holds.some((hold) => hold.startsWith(PIN));
}

export function isVerified(state: number | undefined): boolean {
  return (
    state === VerificationState.QUEUED || state === VerificationState.RUNNING || state === VerificationState.CANCELING
  );
}

/** What makes sense now for who may operate; the first one is the most likely. */
export function actsOn(backup: Backup, isAdmin: boolean): BackupAct[] {
  const deletion = backup.deletion?.state ?? DeletionState.NONE;
  if (isActive(backup.state)) return backup.state === BackupState.CANCELING ? [] : ['cancel'];
  const isGood = backup.state === BackupState.SUCCEEDED;
  const isUnderWay = isVerified(backup.verification?.state);
  const verifying: BackupAct[] = isUnderWay ? ['cancel verification'] : ['verify'];
  const pinning: BackupAct = isPinned(backup) ? 'unpin' : 'pin';
  if (deletion === DeletionState.TRASHED) return ['undelete', pinning, ...verifying, 'delete for good'];
  if (deletion === DeletionState.NONE || deletion === DeletionState.UNSPECIFIED)
    return isGood ? ['restore', ...verifying, pinning, 'delete'] : ['delete'];
  if (deletion === DeletionState.DELETE_FAILED) return isAdmin ? ['delete', 'forget'] : ['delete'];
  return [];
}

/** The same over REST and on the command line. @param acknowledge of the points that a removal loses */
export function sameAct(
  act: BackupAct,
  { id, clusterId }: Pick<Backup, 'id' | 'clusterId'>,
  acknowledge?: string,
): Same {
  const path = pathOf(['backups', id]);
  switch (act) {
    case 'cancel':
      return {
        method: 'POST',
        path: '/backups/cancel',
        body: { clusterId, backupId: id },
        tidemark: ['backup', 'cancel', id],
      };
    case 'pin':
      return { method: 'PUT', path: `${path}/pin`, tidemark: ['backup', 'pin', id] };
    case 'unpin':
      return { method: 'DELETE', path: `${path}/pin`, tidemark: ['backup', 'unpin', id] };
    case 'verify':
      return { method: 'POST', path: `${path}/verify`, body: {}, tidemark: ['backup', 'verify', id] };
    case 'cancel verification':
      return { method: 'POST', path: `${path}/verify/cancel`, tidemark: ['backup', 'cancel-verify', id] };
    case 'restore':
      return {
        method: 'POST',
        path: '/restores/plan',
        body: { backupId: id, targetClusterId: '…' },
        tidemark: ['restore', 'plan', id, '--into', '…'],
      };
    case 'undelete':
      return { method: 'POST', path: `${path}/undelete`, tidemark: ['backup', 'undelete', id] };
    case 'delete':
      return sameRemoval(id, {}, acknowledge);
    case 'delete for good':
      return sameRemoval(id, { permanently: 'true' }, acknowledge);
    case 'forget':
      return sameRemoval(id, { forget: 'true' }, acknowledge);
  }
}

function sameRemoval(id: string, how: Readonly<Record<string, 'true'>>, acknowledge: string | undefined): Same {
  const query = new URLSearchParams({ ...how, ...(acknowledge !== undefined && { acknowledge }) });
  const flags = [
    ...Object.keys(how).map((flag) => `--${flag}`),
    ...(acknowledge ? ['--acknowledge', acknowledge] : []),
  ];
  return {
    method: 'DELETE',
    path: [pathOf(['backups', id]), query.toString()].filter(Boolean).join('?'),
    tidemark: ['backup', 'delete', id, ...flags],
  };
}
