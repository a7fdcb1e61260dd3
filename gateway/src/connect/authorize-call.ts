import { type FieldViolation, invalidArgument } from '@tidemark/errors/app-error';
import type { Backup } from '@tidemark/protocol/connect/tidemark/backup/v1/backup';
import { z } from 'zod';
import { authorizeAll, authorizeCluster, type Call, requireRole, seesCluster, visibleClusters } from '../authorize.ts';
import { findVisibleBackup, unknownBackup } from '../rest/find-backup.ts';
import type { RequestScope, RouteDependencies } from '../rest/route.ts';
import { Id, parse, required } from '../rest/validate.ts';
import type { Scope } from './served-call.ts';

/** What was learned on the way. */
export interface Authorized {
  readonly backup: Backup | undefined;
  readonly asked: readonly string[];
  /** The caller sees no cluster at all: a list is empty, and an empty list of clusters must not mean all of them. */
  readonly seesNothing: boolean;
}

/**
 * Lets a call through if its caller may make it, and narrows a list to the caller's clusters: the same verdict as REST's.
 *
 * @throws AppError `permission_denied`, `invalid_argument` for what is no id, or as for what does not exist
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
      requireId(of.field, clusterId);
      authorizeCluster(caller, call, clusterId);
      return nothing;
    }
    case 'clusters': {
      const ids = of.ids(request);
      const asked = [...ids];
      checkIds(of.field, asked);
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
      requireId('id', backupId);
      if (clusterId === '') {
        const audited = scope.audited;
        const backup = await findVisibleBackup(scope, dependencies, call, backupId);
        scope.audited = { ...audited, ...scope.audited };
        return { ...nothing, backup };
      }
      scope.audited = { ...scope.audited, clusterId, backupId };
      requireId('clusterId', clusterId);
      if (!seesCluster(caller, clusterId)) throw unknownBackup(backupId);
      requireRole(caller, call);
      return nothing;
    }
  }
}

function requireId(field: string, id: string): void {
  parse(z.object({ [field]: required(Id) }), { [field]: id });
}

function checkIds(field: string, ids: readonly string[]): void {
  const violations = ids.flatMap((id, index): FieldViolation[] =>
    Id.safeParse(id).success
      ? []
      : [{ field: `${field}[${index}]`, description: 'must be 1 to 64 letters, digits, underscores or dashes' }],
  );
  if (violations.length > 0) throw invalidArgument(violations);
}
