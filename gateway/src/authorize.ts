import type { Call, Role } from '@tidemark/contract/calls';
import { AppError } from '@tidemark/errors/app-error';
import { type Caller, ROLES } from './identity/caller.ts';

export const seesAll = ({ clusters }: Caller): boolean => clusters.includes('*');

/** Whether the caller may know that the cluster exists. */
export function seesCluster(caller: Caller, clusterId: string): boolean {
  return seesAll(caller) || caller.clusters.includes(clusterId);
}

export const hasRole = (caller: Caller, role: Role): boolean => ROLES.indexOf(caller.role) >= ROLES.indexOf(role);

/** @throws AppError `permission_denied` when the caller has less than the role */
export function requireRole(caller: Caller, role: Role): void {
  if (hasRole(caller, role)) return;
  throw new AppError(
    'permission_denied',
    `This needs the role ${role}; the token "${caller.name}" has the role ${caller.role}.`,
  );
}

/**
 * A cluster that the caller may not see is as unknown as one that does not exist; only then the role counts.
 *
 * @throws AppError `cluster_not_found` or `permission_denied`
 */
export function authorizeCluster(caller: Caller, role: Role, clusterId: string): void {
  if (!seesCluster(caller, clusterId))
    throw new AppError('cluster_not_found', `There is no cluster ${clusterId}.`, { info: { clusterId } });
  requireRole(caller, role);
}

/** What belongs to no cluster is for those who see all of them. @throws AppError `permission_denied` */
export function authorizeAll(caller: Caller, role: Role): void {
  requireRole(caller, role);
  if (!seesAll(caller))
    throw new AppError(
      'permission_denied',
      `This needs a token for all clusters; "${caller.name}" is limited to some.`,
    );
}

/**
 * The part of the verdict that the token alone decides, before anything of a body is read.
 *
 * @throws AppError `permission_denied`
 */
export function requireByToken(caller: Caller, { subject, role }: Call): void {
  if (subject === 'everything') authorizeAll(caller, role);
  else if (subject !== 'backup' && seesAll(caller)) requireRole(caller, role);
}
