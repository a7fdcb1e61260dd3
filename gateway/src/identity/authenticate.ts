import { stat } from 'node:fs/promises';
import { AppError } from '@tidemark/errors/app-error';
import { MAX_TOKENS_FILE_BYTES } from '@tidemark/limits/limits';
import { readFileWithin, whyUnread } from '@tidemark/service-kit/bounded-read';
import { findToken, isExpired, parseTokensFile, type TokenEntry, TokensFileError } from '@tidemark/tokens/tokens-file';
import { log } from '../logger.ts';
import type { Caller, Proof, SignedTokens } from './caller.ts';
import type { ClusterLabels } from './cluster-labels.ts';
import type { StoredTokens } from './stored-tokens.ts';

export interface Authenticator {
  /**
   * The caller that an `Authorization` header proves.
   *
   * @throws AppError `unauthenticated` or `token_expired`, or `unavailable` when nobody can be judged right now
   */
  authenticate(authorization: string | undefined): Promise<Caller>;
  /** @throws Error while the tokens cannot be read */
  check(): Promise<void>;
}

export interface AuthenticatorOptions {
  /** Left out, tokens that are limited by labels are let nowhere. */
  readonly clusterLabels?: ClusterLabels;
  /** Left out, only hashed tokens count. */
  readonly signedTokens?: SignedTokens | undefined;
  /** Left out, no token counts that was made by a call. */
  readonly storedTokens?: StoredTokens | undefined;
}

const RECHECK_MS = 1_000;
/** A JWT with a few groups has kilobytes; the headers together are limited to 16 KiB. */
const BEARER = /^Bearer +(\S{1,12288})$/i;
/** Three parts, of which the first is base64url of `{"…`; `alg: none` has an empty third. */
const LIKE_JWT = /^eyJ[\w-]+\.[\w-]+\.[\w-]*$/;

/**
 * Authenticates against a file of hashed tokens, which is read again when it changed, against the tokens that were made by calls, and
 * against an issuer where there is one. While the file cannot be used nobody is let in by it, and the issuer's tokens go on working; and the reverse.
 */
export function createAuthenticator(
  tokensFile: string,
  { clusterLabels, signedTokens, storedTokens }: AuthenticatorOptions = {},
): Authenticator {
  const hashed = createHashedTokens(tokensFile);
  const prove = (presented: string): Promise<Proof> => {
    if (signedTokens && LIKE_JWT.test(presented)) return signedTokens.verify(presented);
    return storedTokens?.isLike(presented) ? storedTokens.verify(presented) : hashed.find(presented);
  };
  return {
    async authenticate(authorization) {
      const presented = BEARER.exec(authorization ?? '')?.[1];
      if (presented === undefined)
        throw new AppError('unauthenticated', 'A token is needed: send the header "Authorization: Bearer <token>".');
      return toCaller(await prove(presented), clusterLabels);
    },
    check: () => hashed.check(),
  };
}

async function toCaller({ labels, ...caller }: Proof, clusterLabels: ClusterLabels | undefined): Promise<Caller> {
  if (Object.keys(labels).length === 0) return caller;
  if (!clusterLabels) throw new AppError('unavailable', 'Labels of clusters cannot be looked up here.');
  const labelled = await clusterLabels.clustersWith(labels);
  // Labels narrow: whatever else a token says, it does not see all clusters.
  return { ...caller, clusters: [...new Set([...caller.clusters, ...labelled])].filter((id) => id !== '*') };
}

type KnownToken = TokenEntry & { readonly digest: Buffer };

function createHashedTokens(tokensFile: string) {
  let known: readonly KnownToken[] = [];
  let refreshing: Promise<void> | undefined;
  let readVersion = '';
  let checkedAt = Number.NEGATIVE_INFINITY;
  let trouble: Error | undefined;

  const readIfChanged = async (): Promise<void> => {
    try {
      const { mtimeMs, size, ino } = await stat(tokensFile);
      const version = `${mtimeMs}:${size}:${ino}`;
      if (version === readVersion && !trouble) return;
      const { tokens } = parseTokensFile((await readFileWithin(tokensFile, MAX_TOKENS_FILE_BYTES)).toString('utf8'));
      known = tokens.map((token) => ({ ...token, digest: Buffer.from(token.sha256, 'hex') }));
      readVersion = version;
      trouble = undefined;
      log.info({ tokens: tokens.length }, 'tokens read');
    } catch (error) {
      known = [];
      const why = error instanceof TokensFileError ? error.message : `it ${whyUnread(error)}`;
      const message = `the tokens file cannot be used, so nobody is let in by it: ${why}`;
      if (trouble?.message !== message) log.error({ file: tokensFile }, message);
      trouble = new Error(message);
    } finally {
      checkedAt = performance.now();
      refreshing = undefined;
    }
  };
  /** Requests that come while the file is being read wait for it: before the first reading nobody is known. */
  const refresh = async (): Promise<void> => {
    if (!refreshing && performance.now() - checkedAt < RECHECK_MS) return;
    refreshing ??= readIfChanged();
    await refreshing;
  };

  return {
    async find(presented: string): Promise<Proof> {
      await refresh();
      if (trouble)
        throw new AppError(
          'unavailable',
          'Tokens cannot be checked right now; the operators of Tidemark can see why.',
          {
            cause: trouble,
          },
        );
      const token = findToken(known, presented);
      if (!token) throw new AppError('unauthenticated', 'The token is not known.');
      if (isExpired(token, Date.now())) throw new AppError('token_expired', `The token expired at ${token.expiresAt}.`);
      const { id, name, role, clusters, labels } = token;
      return { tokenId: id, name, role, clusters, labels };
    },
    async check(): Promise<void> {
      await refresh();
      if (trouble) throw trouble;
    },
  };
}
