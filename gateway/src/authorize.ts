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

const seesAll = ({ clusters }: Caller) => clusters.includes('*');

/** Whether the caller may know that the cluster exists. */
export function seesCluster(caller: Caller, clusterId: string): boolean {
  return seesAll(caller) || caller.clusters.includes(clusterId);
}

/** The clusters to which a list is narrowed; none means no narrowing. */
export function visibleClusters(caller: Caller): string[] {
  return seesAll(caller) ? [] : [...caller.clusters];
}

/** @throws AppError `permission_denied` when the caller's role does not allow the call */
export function requireRole(caller: Caller, call: Call): void {
  const needed = NEEDED_ROLE[call];
  if (ROLES.indexOf(caller.role) >= ROLES.indexOf(needed)) return;
  throw new AppError(
    'permission_denied',
    `This needs the role ${needed}; the token "${caller.name}" is a ${caller.role}.`,
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
