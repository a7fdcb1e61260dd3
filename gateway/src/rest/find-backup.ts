import { AppError } from '@tidemark/errors/app-error';
import type { Backup } from '@tidemark/protocol/connect/tidemark/backup/v1/backup';
import { type Call, requireRole, seesCluster } from '../authorize.ts';
import { callOptions, type RequestScope, type RouteDependencies } from './route.ts';

/**
 * The backup, if this caller may know of it; only then the role counts.
 *
 * @throws AppError `backup_not_found` or `permission_denied`
 */
export async function findVisibleBackup(
  request: RequestScope,
  dependencies: RouteDependencies,
  call: Call,
  id: string,
): Promise<Backup> {
  request.audited = { backupId: id };
  const { backup } = await dependencies.backends.backups.getBackup({ id }, callOptions(request, dependencies));
  if (!backup || !seesCluster(request.caller, backup.clusterId)) throw unknownBackup(id);
  request.audited = { backupId: id, clusterId: backup.clusterId };
  requireRole(request.caller, call);
  return backup;
}

export function unknownBackup(backupId: string): AppError {
  return new AppError('backup_not_found', `There is no backup ${backupId}.`, { info: { backupId } });
}
