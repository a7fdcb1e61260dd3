import { timestampFromDate } from '@bufbuild/protobuf/wkt';
import { type Token, TokenRole } from '@tidemark/protocol/connect/tidemark/backup/v1/registry_service';
import type { FastifyInstance } from 'fastify';
import type { CallDependencies } from '../calls/scope.ts';
import { ROLES, type Role } from '../identity/caller.ts';
import { timeOf } from './legacy-states.ts';
import * as operations from './operations/tokens.ts';
import { route } from './route.ts';

const TOKEN_ROLES = {
  viewer: TokenRole.VIEWER,
  operator: TokenRole.OPERATOR,
  admin: TokenRole.ADMIN,
} as const satisfies Record<Role, TokenRole>;

/** Tokens that are made by calls. */
export function tokenRoutes(app: FastifyInstance, dependencies: CallDependencies): void {
  route(app, dependencies, {
    method: 'POST',
    path: '/tokens',
    operation: operations.createToken,
    fieldNames: { clusterIds: 'clusters' },
    toRequest({ body }) {
      const { name, role, clusters, labels, expireTime } = body;
      const ids: readonly string[] = clusters ?? [];
      return {
        name,
        role: TOKEN_ROLES[role],
        clusterIds: ids.filter((id) => id !== '*'),
        allClusters: ids.includes('*'),
        labels: labels ?? {},
        ...(expireTime !== undefined && { expireTime: timestampFromDate(new Date(expireTime)) }),
      };
    },
    toView: ({ token, secret }) => ({ data: { token: token && toTokenView(token), secret } }),
  });

  route(app, dependencies, {
    method: 'GET',
    path: '/tokens',
    operation: operations.listTokens,
    toRequest: () => ({}),
    toView: ({ tokens }) => ({ data: { tokens: tokens.map(toTokenView) } }),
  });

  route(app, dependencies, {
    method: 'DELETE',
    path: '/tokens/:tokenId',
    operation: operations.revokeToken,
    toRequest: ({ params }) => ({ id: params.tokenId }),
    toView: () => ({ data: {} }),
  });
}

function toTokenView(token: Token): operations.TokenView {
  const { id, name, clusterIds, allClusters, labels, expireTime, createTime, createdBy } = token;
  return {
    ...{ id, name },
    role: ROLES.find((role) => TOKEN_ROLES[role] === token.role) ?? 'unknown',
    clusters: allClusters ? ['*'] : clusterIds,
    labels,
    ...(expireTime && { expireTime: timeOf(expireTime) }),
    createTime: timeOf(createTime),
    createdBy,
  };
}
