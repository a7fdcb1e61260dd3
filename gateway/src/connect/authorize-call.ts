import type { FieldViolation } from '@tidemark/errors/app-error';
import type { Backup } from '@tidemark/protocol/connect/tidemark/backup/v1/backup';
import { authorizeAll, authorizeCluster, type Call, requireRole, seesCluster, visibleClusters } from '../authorize.ts';
import { findVisibleBackup, unknownBackup } from '../rest/find-backup.ts';
import type { RequestScope, RouteDependencies } from '../rest/route.ts';
import { Id, required } from '../rest/validate.ts';
import type { Scope } from './served-call.ts';

/** What was learned on the way. */
export interface Authorized {
  readonly backup: Backup | undefined;
  readonly asked: readonly string[];
  /** The caller sees no cluster at all: a list is empty, and an empty list of clusters must not mean all of them. */
  readonly seesNothing: boolean;
}

/** What is wrong with the ids that say whose a call is: nobody can be asked about them. */
export function badIds<Request>(of: Scope<Request>, request: Request): FieldViolation[] {
  switch (of.kind) {
    case 'all':
      return [];
    case 'cluster':
      return checkId(of.field, of.id(request));
    case 'clusters':
      return of.ids(request).flatMap((id, index) => checkId(`${of.field}[${index}]`, id));
    case 'backup': {
      const clusterId = of.clusterId?.(request) ?? '';
      return [...checkId('id', of.id(request)), ...(clusterId === '' ? [] : checkId('clusterId', clusterId))];
    }
  }
}

/**
 * Lets a call through if its caller may make it, and narrows a list to the caller's clusters: the same verdict as REST's.
 *
 * @param request whose ids are good
 * @throws AppError `permission_denied`, or as for what does not exist
 */
export async function authorizeCall<Request>(
  scope: RequestScope,
  dependencies: RouteDependencies,
  { call, of }: { readonly call: Call; readonly of: Scope<Request> },
  request: Request,
): Promise<Authorized> {
  const { caller } = scope;
  const nothing: Authorized = { backup: undefined, asked: [], seesNothing: false };
  switch (of.kind) {
    case 'all':
      authorizeAll(caller, call);
      return nothing;
    case 'cluster': {
      const clusterId = of.id(request);
      scope.audited = { clusterId, ...scope.audited };
      authorizeCluster(caller, call, clusterId);
      return nothing;
    }
    case 'clusters': {
      const ids = of.ids(request);
      const asked = [...ids];
      for (const clusterId of asked) authorizeCluster(caller, call, clusterId);
      if (asked.length === 0) {
        requireRole(caller, call);
        ids.push(...visibleClusters(caller));
      }
      return { ...nothing, asked, seesNothing: caller.clusters.length === 0 };
    }
    case 'backup': {
      const backupId = of.id(request);
      const clusterId = of.clusterId?.(request) ?? '';
      if (clusterId === '') {
        const audited = scope.audited;
        const backup = await findVisibleBackup(scope, dependencies, call, backupId);
        scope.audited = { ...audited, ...scope.audited };
        return { ...nothing, backup };
      }
      scope.audited = { ...scope.audited, clusterId, backupId };
      if (!seesCluster(caller, clusterId)) throw unknownBackup(backupId);
      requireRole(caller, call);
      return nothing;
    }
  }
}

function checkId(field: string, id: string): FieldViolation[] {
  const { error } = required(Id).safeParse(id);
  return error ? error.issues.map(({ message }) => ({ field, description: message })) : [];
}
