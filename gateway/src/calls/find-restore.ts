import type { Role } from '@tidemark/contract/calls';
import { AppError } from '@tidemark/errors/app-error';
import type { Restore } from '@tidemark/protocol/connect/tidemark/backup/v1/restore';
import { requireRole, seesCluster } from '../authorize.ts';
import type { Caller } from '../identity/caller.ts';
import { type CallDependencies, callOptions, type RequestScope } from './scope.ts';

/**
 * The restore, if this caller may know of it, which takes both of its clusters; only then the role counts.
 *
 * @throws AppError `restore_not_found` or `permission_denied`
 */
export async function findVisibleRestore(
  request: RequestScope,
  dependencies: CallDependencies,
  role: Role,
  id: string,
): Promise<Restore> {
  request.audited = { ...request.audited, restoreId: id };
  const { restore } = await dependencies.backends.restores.getRestore({ id }, callOptions(request, dependencies));
  if (!restore || !seesRestore(request.caller, restore)) throw unknownRestore(id);
  request.audited = { ...request.audited, clusterId: restore.target?.clusterId ?? '' };
  requireRole(request.caller, role);
  return restore;
}

/** Whether the caller may know of a restore: it sees both of its clusters. */
export function seesRestore(caller: Caller, { target, source }: Pick<Restore, 'target' | 'source'>): boolean {
  return [target, source].every((one) => one !== undefined && seesCluster(caller, one.clusterId));
}

export function unknownRestore(restoreId: string): AppError {
  return new AppError('restore_not_found', `There is no restore ${restoreId}.`, { info: { restoreId } });
}

/** What a service answers to whatever it did to a restore. @throws AppError `internal` where it holds none */
export function requireRestore(restore: Restore | undefined): Restore {
  if (restore === undefined) throw new AppError('internal', 'The service answered without a restore.');
  return restore;
}
