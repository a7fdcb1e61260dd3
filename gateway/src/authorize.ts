import { randomUUID } from 'node:crypto';
import { AppError } from '@tidemark/errors/app-error';
import { type Caller, ROLES, type Role } from './authenticate.ts';

/** The least role that each call needs; the one table that is asked (design section 6). */
export const NEEDED_ROLE = {
  getStrategy: 'viewer',
  listStrategies: 'viewer',
  saveStrategy: 'operator',
  deleteStrategy: 'operator',
  getFleetStrategy: 'viewer',
  listFleetStrategies: 'viewer',
  saveFleetStrategy: 'operator',
  deleteFleetStrategy: 'operator',
  getBackup: 'viewer',
  listBackups: 'viewer',
  watchBackup: 'viewer',
  readBackupLog: 'viewer',
  startBackup: 'operator',
  cancelBackup: 'operator',
  deleteBackup: 'operator',
  pinBackup: 'operator',
  unpinBackup: 'operator',
  listOccurrences: 'viewer',
  previewStrategy: 'viewer',
  evaluateRetention: 'viewer',
  getCluster: 'viewer',
  listClusters: 'viewer',
  putCluster: 'admin',
  deleteCluster: 'admin',
  getStorage: 'admin',
  listStorages: 'admin',
  putStorage: 'admin',
  deleteStorage: 'admin',
  checkStorage: 'admin',
  rebuildRecords: 'admin',
  getStorageCheck: 'admin',
} as const satisfies Record<string, Role>;

export type Call = keyof typeof NEEDED_ROLE;

/**
 * What each call is about, which decides who may know of it: a cluster, a backup (of a cluster), whatever of the
 * caller's clusters there is, or what belongs to all clusters together.
 */
export const CALL_SUBJECT = {
  getStrategy: 'cluster',
  listStrategies: 'cluster',
  saveStrategy: 'cluster',
  deleteStrategy: 'cluster',
  getFleetStrategy: 'everything',
  listFleetStrategies: 'everything',
  saveFleetStrategy: 'everything',
  deleteFleetStrategy: 'everything',
  getBackup: 'backup',
  listBackups: 'own clusters',
  watchBackup: 'backup',
  readBackupLog: 'backup',
  startBackup: 'cluster',
  cancelBackup: 'backup',
  deleteBackup: 'backup',
  pinBackup: 'backup',
  unpinBackup: 'backup',
  listOccurrences: 'own clusters',
  previewStrategy: 'cluster',
  evaluateRetention: 'cluster',
  getCluster: 'cluster',
  listClusters: 'own clusters',
  putCluster: 'cluster',
  deleteCluster: 'cluster',
  getStorage: 'everything',
  listStorages: 'everything',
  putStorage: 'everything',
  deleteStorage: 'everything',
  checkStorage: 'everything',
  rebuildRecords: 'everything',
  getStorageCheck: 'everything',
} as const satisfies Record<Call, 'cluster' | 'backup' | 'own clusters' | 'everything'>;

/** Fits the pattern of ids and belongs to no cluster, as nobody can know it before. */
const NO_CLUSTER = `none-${randomUUID()}`;

const seesAll = ({ clusters }: Caller) => clusters.includes('*');

/** Whether the caller may know that the cluster exists. */
export function seesCluster(caller: Caller, clusterId: string): boolean {
  return seesAll(caller) || caller.clusters.includes(clusterId);
}

/**
 * The clusters to which a list is narrowed; none means no narrowing. A caller that sees no cluster at all (its labels
 * fit none) gets one that does not exist, so that its lists are empty and not everybody's.
 */
export function visibleClusters(caller: Caller): string[] {
  if (seesAll(caller)) return [];
  return caller.clusters.length > 0 ? [...caller.clusters] : [NO_CLUSTER];
}

/** @throws AppError `permission_denied` when the caller's role does not allow the call */
export function requireRole(caller: Caller, call: Call): void {
  const needed = NEEDED_ROLE[call];
  if (ROLES.indexOf(caller.role) >= ROLES.indexOf(needed)) return;
  throw new AppError(
    'permission_denied',
    `This needs the role ${needed}; the token "${caller.name}" has the role ${caller.role}.`,
  );
}

/**
 * A cluster that the caller may not see is as unknown as one that does not exist; only then the role counts.
 *
 * @throws AppError `cluster_not_found` or `permission_denied`
 */
export function authorizeCluster(caller: Caller, call: Call, clusterId: string): void {
  if (!seesCluster(caller, clusterId))
    throw new AppError('cluster_not_found', `There is no cluster ${clusterId}.`, { info: { clusterId } });
  requireRole(caller, call);
}

/** What belongs to no cluster is for those who see all of them. @throws AppError `permission_denied` */
export function authorizeAll(caller: Caller, call: Call): void {
  requireRole(caller, call);
  if (!seesAll(caller))
    throw new AppError(
      'permission_denied',
      `This needs a token for all clusters; "${caller.name}" is limited to some.`,
    );
}

/**
 * The whole verdict on a call, for a surface that has no routes: the caller's sight first, then the role.
 *
 * @param clusterId the cluster of the request or of the backup that it names; undefined where it names none
 * @param backupId for calls about a backup: a foreign one is then as unknown as one that does not exist
 * @throws AppError `cluster_not_found`, `backup_not_found` or `permission_denied`
 */
export function authorizeCall(caller: Caller, call: Call, clusterId: string | undefined, backupId = ''): void {
  const subject = CALL_SUBJECT[call];
  if (subject === 'everything') authorizeAll(caller, call);
  else if (subject === 'backup') {
    if (clusterId === undefined || !seesCluster(caller, clusterId))
      throw new AppError('backup_not_found', `There is no backup ${backupId}.`, { info: { backupId } });
    requireRole(caller, call);
  } else if (clusterId !== undefined) authorizeCluster(caller, call, clusterId);
  else if (subject === 'own clusters') requireRole(caller, call);
  else throw new AppError('cluster_not_found', 'The request names no cluster.');
}
