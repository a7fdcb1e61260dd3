/** Tokens as they are told. Pure. */
import {
  type HashedToken,
  TokenRole as RoleMessage,
  Token,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/registry_service';
import type { TokenRole } from '@tidemark/tokens/tokens-file';
import type { StoredToken } from './token-store.ts';

export const TOKEN_ROLES = {
  viewer: RoleMessage.TOKEN_ROLE_VIEWER,
  operator: RoleMessage.TOKEN_ROLE_OPERATOR,
  admin: RoleMessage.TOKEN_ROLE_ADMIN,
} as const satisfies Record<TokenRole, RoleMessage>;

export function toTokenMessage(token: StoredToken): Token {
  const { _id: id, name, role, clusters, labels, expiresAt, createTime, createdBy } = token;
  return Token.create({
    ...{ id, name, createTime, createdBy },
    role: TOKEN_ROLES[role],
    clusterIds: clusters.filter((one) => one !== '*'),
    allClusters: clusters.includes('*'),
    labels: { ...labels },
    expireTime: expiresAt ?? undefined,
  });
}

export function toHashedMessage(token: StoredToken): HashedToken {
  return { token: toTokenMessage(token), sha256: Buffer.from(token.sha256, 'hex') };
}

/** Whether a token is for none but these clusters; none means that all are meant. */
export function isWithin({ clusters, labels }: StoredToken, clusterIds: readonly string[]): boolean {
  if (clusterIds.length === 0) return true;
  return Object.keys(labels).length === 0 && clusters.every((one) => clusterIds.includes(one));
}
