/**
 * The tokens that were made by calls, as backup-service keeps them.
 *
 * ST1. What was read is believed for 5 s at most: so long a token may outlive its being revoked. From a second on it is read anew while it
 *      is still believed.
 * ST2. A token that is not known is looked for once more before it is refused: it may have been made since.
 * ST3. What cannot be read in time lets nobody in, and says that it may pass. Only tokens that begin as these do are concerned.
 */
import { randomUUID } from 'node:crypto';
import { timestampDate } from '@bufbuild/protobuf/wkt';
import { AppError } from '@tidemark/errors/app-error';
import { type HashedToken, TokenRole } from '@tidemark/protocol/connect/tidemark/backup/v1/registry_service';
import { REQUEST_ID } from '@tidemark/service-kit/grpc/metadata-names';
import { shareReads } from '@tidemark/service-kit/shared-reads';
import { findToken } from '@tidemark/tokens/tokens-file';
import type { Backends } from '../backends.ts';
import { log } from '../logger.ts';
import { toError } from '../to-error.ts';
import type { Proof, Role, SignedTokens } from './caller.ts';

/** Of what backup-service makes. */
const STORED = /^tdms_/;
const FRESH_MS = 1_000;
const USABLE_MS = 5_000;
const ASK_MS = 1_500;

export interface StoredTokens extends SignedTokens {
  /** Whether a token is one of these, if it is any. */
  isLike(presented: string): boolean;
}

interface KnownToken {
  readonly digest: Buffer;
  readonly proof: Proof;
  readonly expiresAt: Date | undefined;
}

interface Copy {
  readonly at: number;
  readonly tokens: readonly KnownToken[];
}

/** @param headers that prove the gateway to backup-service */
export function createStoredTokens(
  registry: Pick<Backends['registry'], 'readTokenHashes'>,
  headers: Readonly<Record<string, string>>,
): StoredTokens {
  const reads = shareReads<Copy>(ASK_MS);
  let copy: Copy | undefined;

  const read = () =>
    reads('tokens', AbortSignal.timeout(2 * ASK_MS), async (signal) => {
      const at = performance.now();
      const options = { signal, timeoutMs: ASK_MS, headers: { ...headers, [REQUEST_ID]: `tokens-${randomUUID()}` } };
      const { tokens } = await registry.readTokenHashes({}, options);
      copy = { at, tokens: tokens.flatMap(toKnown) };
      return copy;
    });
  const recent = async (): Promise<Copy> => {
    const age = copy ? performance.now() - copy.at : Number.POSITIVE_INFINITY;
    if (!copy || age >= USABLE_MS) return read();
    if (age >= FRESH_MS)
      read().catch((error: unknown) => log.warn({ error: toError(error) }, 'tokens could not be read anew'));
    return copy;
  };

  return {
    isLike: (presented) => STORED.test(presented),
    async verify(presented) {
      try {
        const known = findToken((await recent()).tokens, presented) ?? findToken((await read()).tokens, presented);
        if (!known) throw new AppError('unauthenticated', 'The token is not known.');
        const { proof, expiresAt } = known;
        if (expiresAt && expiresAt.getTime() <= Date.now())
          throw new AppError('token_expired', `The token expired at ${expiresAt.toISOString()}.`);
        return proof;
      } catch (error) {
        if (error instanceof AppError && error.row.http === 401) throw error;
        throw new AppError('unavailable', 'This token cannot be checked right now; try again shortly.', {
          cause: error,
        });
      }
    },
  };
}

const ROLES: Readonly<Record<number, Role>> = {
  [TokenRole.VIEWER]: 'viewer',
  [TokenRole.OPERATOR]: 'operator',
  [TokenRole.ADMIN]: 'admin',
};

function toKnown({ token, sha256 }: HashedToken): KnownToken[] {
  const role = token && ROLES[token.role];
  // A newer service may know roles that this gateway does not.
  if (!role || sha256.length !== 32) return [];
  const { id: tokenId, name, clusterIds, allClusters, labels, expireTime } = token;
  const clusters = allClusters ? ['*'] : clusterIds;
  const expiresAt = expireTime && timestampDate(expireTime);
  // Records and keys of starts go by the name, and several tokens may have one: whoever makes a token chooses it.
  const proof = { tokenId, name: `${name} (${tokenId})`, role, clusters, labels };
  return [{ digest: Buffer.from(sha256), proof, expiresAt }];
}
