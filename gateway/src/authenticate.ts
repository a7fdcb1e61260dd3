import { createHash, timingSafeEqual } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { AppError } from '@tidemark/errors/app-error';
import { z } from 'zod';
import { log } from './logger.ts';

export const ROLES = ['viewer', 'operator', 'admin'] as const;
export type Role = (typeof ROLES)[number];

/** Who makes a request, and what that one may see. */
export interface Caller {
  /** Id of the token, for limits. */
  readonly tokenId: string;
  /** Name of the token, for records and audit. */
  readonly name: string;
  readonly role: Role;
  /** Ids of clusters, or `*` for all. */
  readonly clusters: readonly string[];
}

/** The tokens file: hashes only, so that reading it gives nobody a token. */
const TokensFile = z.object({
  tokens: z.array(
    z.object({
      id: z.string().min(1),
      name: z.string().min(1),
      sha256: z.string().regex(/^[0-9a-f]{64}$/),
      role: z.enum(ROLES),
      clusters: z.array(z.string().min(1)).min(1),
      expiresAt: z.iso.datetime({ offset: true }).optional(),
    }),
  ),
});
type KnownToken = z.infer<typeof TokensFile>['tokens'][number] & { readonly digest: Buffer };

export interface Authenticator {
  /**
   * The caller that an `Authorization` header proves.
   *
   * @throws AppError `unauthenticated` or `token_expired`
   */
  authenticate(authorization: string | undefined): Promise<Caller>;
  /** @throws Error while the tokens cannot be read */
  check(): Promise<void>;
}

const RECHECK_MS = 1_000;
const BEARER = /^Bearer +(\S{1,512})$/i;

/** Authenticates against a file of hashed tokens, which is read again when it changed. Unreadable, it knows nobody. */
export function createAuthenticator(tokensFile: string): Authenticator {
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
      const { tokens } = TokensFile.parse(JSON.parse(await readFile(tokensFile, 'utf8')));
      known = tokens.map((token) => ({ ...token, digest: Buffer.from(token.sha256, 'hex') }));
      readVersion = version;
      trouble = undefined;
      log.info({ tokens: tokens.length }, 'tokens read');
    } catch (error) {
      known = [];
      trouble = new Error('the tokens file cannot be read, so nobody is let in', { cause: error });
      log.error({ error, file: tokensFile }, trouble.message);
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
    async authenticate(authorization) {
      await refresh();
      const presented = BEARER.exec(authorization ?? '')?.[1];
      if (presented === undefined)
        throw new AppError('unauthenticated', 'A token is needed: send the header "Authorization: Bearer <token>".');
      const token = findToken(known, presented);
      if (!token) throw new AppError('unauthenticated', 'The token is not known.');
      if (token.expiresAt !== undefined && Date.parse(token.expiresAt) <= Date.now())
        throw new AppError('token_expired', `The token expired at ${token.expiresAt}.`);
      return { tokenId: token.id, name: token.name, role: token.role, clusters: token.clusters };
    },
    async check() {
      await refresh();
      if (trouble) throw trouble;
    },
  };
}

/** Looks at every token, so that the time taken tells nothing of how nearly one was guessed. */
function findToken(known: readonly KnownToken[], presented: string): KnownToken | undefined {
  const digest = createHash('sha256').update(presented).digest();
  let found: KnownToken | undefined;
  for (const token of known) if (timingSafeEqual(token.digest, digest)) found = token;
  return found;
}
