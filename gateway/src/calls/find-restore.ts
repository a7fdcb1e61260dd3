import type { Role } from '@tidemark/contract/calls';
import { AppError } from '@tidemark/errors/app-error';
import type { Restore } from '@tidemark/protocol/connect/tidemark/backup/v1/restore';
import { requireRole, seesCluster } from '../authorize.ts';
import { type CallDependencies, callOptions, type RequestScope } from './scope.ts';

/**
 * Looks whether this caller may know of a restore, which takes both of its clusters; only then the role counts.
 *
 * @throws AppError `restore_not_found` or `permission_denied`
 */
export async function requireVisibleRestore(
  request: RequestScope,
  dependencies: CallDependencies,
  role: Role,
  id: string,
): Promise<void> {
  request.audited = { ...request.audited, restoreId: id };
  const { restore } = await dependencies.backends.restores.getRestore({ id }, callOptions(request, dependencies));
  const clusters = [restore?.target?.clusterId, restore?.source?.clusterId];
  if (clusters.some((clusterId) => clusterId === undefined || !seesCluster(request.caller, clusterId)))
    throw new AppError('restore_not_found', `There is no restore ${id}.`, { info: { restoreId: id } });
  const [clusterId = ''] = clusters;
  request.audited = { ...request.audited, clusterId };
  requireRole(request.caller, role);
}

/** What a service answers to whatever it did to a restore. @throws AppError `internal` where it holds none */
export function requireRestore(restore: Restore | undefined): Restore {
  if (restore === undefined) throw new AppError('internal', 'The service answered without a restore.');
  return restore;
}
