import type { Call, Role } from '@tidemark/contract/calls';
import { encodeSight } from '@tidemark/service-kit/grpc/metadata-names';
import { authorizeAll, authorizeCluster, hasRole, requireRole, seesAll, seesCluster } from '../authorize.ts';
import { findVisibleBackup, unknownBackup } from './find-backup.ts';
import { findVisibleRestore } from './find-restore.ts';
import type { CallDependencies, RequestScope } from './scope.ts';
import type { Acting } from './steps.ts';

export interface Authorized extends Pick<Acting, 'backup' | 'restore' | 'asked'> {
  readonly seesNothing: boolean;
}

interface Wanted {
  readonly call: Call;
  /** The least that it takes. */
  readonly role: Role;
  /** Whose subject is good. */
  readonly request: object;
  readonly clusterStands: boolean;
  readonly needsRecord: boolean;
}

/**
 * Lets a call through if its caller may make it, and narrows a list to the caller's clusters.
 *
 * @throws AppError `permission_denied`, or as for what does not exist
 */
export async function authorizeCall(
  scope: RequestScope,
  dependencies: CallDependencies,
  { call, role, request, clusterStands, needsRecord }: Wanted,
): Promise<Authorized> {
  const { caller } = scope;
  const nothing: Authorized = { backup: undefined, restore: undefined, asked: [], seesNothing: false };
  switch (call.subject) {
    case 'everything':
      authorizeAll(caller, role);
      return nothing;
    case 'cluster': {
      const clusterId = subjectOf(call, request) as string;
      scope.audited = { clusterId, ...scope.audited };
      authorizeCluster(caller, role, clusterId);
      return nothing;
    }
    case 'own clusters': {
      const ids = subjectOf(call, request) as string[];
      const asked = [...ids];
      for (const clusterId of asked) authorizeCluster(caller, role, clusterId);
      if (asked.length === 0) {
        requireRole(caller, role);
        if (!seesAll(caller)) ids.push(...caller.clusters);
      }
      return { ...nothing, asked, seesNothing: caller.clusters.length === 0 };
    }
    case 'backup': {
      const backupId = subjectOf(call, request) as string;
      const { clusterId = '' } = request as { readonly clusterId?: string };
      if (clusterStands && clusterId !== '') {
        scope.audited = { ...scope.audited, clusterId, backupId };
        if (!seesCluster(caller, clusterId)) throw unknownBackup(backupId);
        requireRole(caller, role);
        return nothing;
      }
      // The service looks at what the caller sees, so that the record is read once. Of a caller without the role it must be
      // known whether there is a backup to refuse.
      const isLeftToService = dependencies.backends.honorsSight() && encodeSight(caller.clusters) !== undefined;
      if (isLeftToService && !needsRecord && hasRole(caller, role)) {
        scope.audited = { ...scope.audited, backupId };
        return nothing;
      }
      return { ...nothing, backup: await findVisibleBackup(scope, dependencies, role, backupId) };
    }
    case 'restore': {
      const restoreId = subjectOf(call, request) as string;
      scope.audited = { ...scope.audited, restoreId };
      const isLeftToService = dependencies.backends.honorsSight() && encodeSight(caller.clusters) !== undefined;
      if (isLeftToService && !needsRecord && hasRole(caller, role)) return nothing;
      return { ...nothing, restore: await findVisibleRestore(scope, dependencies, role, restoreId) };
    }
  }
}

/** What the field of the subject holds. */
function subjectOf({ field = '' }: Call, request: object): unknown {
  return field.split('.').reduce<unknown>((part, name) => (part as Record<string, unknown>)[name], request);
}
