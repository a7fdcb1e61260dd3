import type { Role } from '@tidemark/contract/calls';
import { AppError } from '@tidemark/errors/app-error';
import type { Backup } from '@tidemark/protocol/connect/tidemark/backup/v1/backup';
import type { PlanRestoreRequest } from '@tidemark/protocol/connect/tidemark/backup/v1/restore_service';
import { encodeSight } from '@tidemark/service-kit/grpc/metadata-names';
import { authorizeCluster, requireRole, seesCluster } from '../authorize.ts';
import { type CallDependencies, callOptions, type RequestScope } from './scope.ts';

/**
 * The backup, if this caller may know of it; only then the role counts.
 *
 * @throws AppError `backup_not_found` or `permission_denied`
 */
export async function findVisibleBackup(
  request: RequestScope,
  dependencies: CallDependencies,
  role: Role,
  id: string,
): Promise<Backup> {
  request.audited = { ...request.audited, backupId: id };
  const { backup } = await dependencies.backends.backups.getBackup({ id }, callOptions(request, dependencies));
  if (!backup || !seesCluster(request.caller, backup.clusterId)) throw unknownBackup(id);
  request.audited = { ...request.audited, clusterId: backup.clusterId };
  requireRole(request.caller, role);
  return backup;
}

/**
 * Looks whether the caller may know of the backup that a restore reads, or of the cluster of which it restores a point. The service
 * looks at a backup itself, unless the caller sees more clusters than it can be told of.
 *
 * @throws AppError `backup_not_found` or `cluster_not_found`
 */
export async function requireVisibleSource(
  scope: RequestScope,
  dependencies: CallDependencies,
  { backupId: id, point }: Pick<PlanRestoreRequest, 'backupId' | 'point'>,
): Promise<void> {
  if (point) return authorizeCluster(scope.caller, 'viewer', point.clusterId);
  if (id === '') return;
  if (encodeSight(scope.caller.clusters) !== undefined) return;
  const { backup } = await dependencies.backends.backups.getBackup({ id }, callOptions(scope, dependencies));
  if (!backup || !seesCluster(scope.caller, backup.clusterId)) throw unknownBackup(id);
}

/** What a service answers to whatever it did to a backup. @throws AppError `internal` where it holds none */
export function requireBackup(backup: Backup | undefined): Backup {
  if (backup === undefined) throw new AppError('internal', 'The service answered without a backup.');
  return backup;
}

export function unknownBackup(backupId: string): AppError {
  return new AppError('backup_not_found', `There is no backup ${backupId}.`, { info: { backupId } });
}
