/** Tokens that an OpenID issuer signed: its keys are found through its discovery document. */

import { AppError } from '@tidemark/errors/app-error';
import { MAX_ISSUER_DOCUMENT_BYTES } from '@tidemark/limits/limits';
import { UnfitError, withinBytes } from '@tidemark/service-kit/bounded-read';
import { isLoopback } from '@tidemark/service-kit/grpc/credentials';
import { Grant, NAME, RESERVED_NAMES, scopeProblem } from '@tidemark/tokens/tokens-file';
import { createRemoteJWKSet, customFetch, errors, type JWTPayload, type JWTVerifyGetKey, jwtVerify } from 'jose';
import { z } from 'zod';
import { log } from '../logger.ts';
import { type Proof, ROLES, type SignedTokens } from './caller.ts';

export interface IssuerConfig {
  /** Exactly as the `iss` of its tokens. */
  readonly issuer: string;
  /** Which `aud` its tokens must have to be for Tidemark. */
  readonly audience: string;
  /** Names of claims; one that is no claim is taken for a path, such as `realm_access.roles`. */
  readonly roleClaim: string;
  readonly clustersClaim: string;
  readonly labelsClaim: string;
}

/** Only keys that the issuer keeps to itself: with a shared one, whoever can check a token can make it. */
const ALGORITHMS = [
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
  'Ed25519',
];
const CLOCK_TOLERANCE_S = 30;
/** How long a request waits for the issuer; the asking itself goes on, for the next request. */
const PATIENCE_MS = 1_500;
const ASK_MS = 5_000;
/** After a failure the issuer is left alone for so long. */
const PAUSE_MS = 500;
/** A key that is not known is looked up, but not more often than this: anybody can make up names of keys. */
const NEW_KEY_PAUSE_MS = 5_000;
/** A key that the issuer withdrew is believed for so long. */
const KEYS_MS = 10 * 60_000;
const DISCOVERY_MS = 60 * 60_000;

const Discovery = z.object({ issuer: z.string(), jwks_uri: z.string() });

/** An issuer that is away is asked again with the next token. */
export function createIssuer(config: IssuerConfig): SignedTokens {
  const keys = createKeys(config.issuer);
  const verify = async (token: string): Promise<Proof> => {
    const { payload } = await jwtVerify(token, await keys(), {
      issuer: config.issuer,
      audience: config.audience,
      algorithms: ALGORITHMS,
      clockTolerance: CLOCK_TOLERANCE_S,
      requiredClaims: ['exp', 'sub'],
    });
    return toProof(payload, config);
  };
  return {
    async verify(token) {
      try {
        return await within(PATIENCE_MS, verify(token));
      } catch (error) {
        throw toRefusal(error);
      }
    },
  };
}

/** Answers how to find the key of a token, asking the issuer where its keys are once an hour. */
function createKeys(issuer: string): () => Promise<JWTVerifyGetKey> {
  let known: { readonly uri: string; readonly find: JWTVerifyGetKey } | undefined;
  let knownAt = 0;
  let failed: { readonly error: unknown; readonly at: number } | undefined;
  let asking: Promise<void> | undefined;

  const ask = async (): Promise<void> => {
    try {
      const uri = await discover(issuer);
      if (known?.uri !== uri) known = { uri, find: remoteKeys(uri) };
      knownAt = performance.now();
      failed = undefined;
    } catch (error) {
      if (!failed) log.warn({ error, issuer }, 'the issuer of tokens cannot be asked where its keys are');
      failed = { error, at: performance.now() };
      if (!known) throw error;
    } finally {
      asking = undefined;
    }
  };
  return async () => {
    const now = performance.now();
    const paused = failed !== undefined && now - failed.at < PAUSE_MS;
    if ((!known || now - knownAt > DISCOVERY_MS) && !paused) asking ??= ask();
    if (known) return known.find;
    if (paused) throw failed?.error;
    await asking;
    return (known as unknown as { find: JWTVerifyGetKey }).find;
  };
}

function remoteKeys(uri: string): JWTVerifyGetKey {
  return createRemoteJWKSet(new URL(uri), {
    timeoutDuration: ASK_MS,
    cooldownDuration: NEW_KEY_PAUSE_MS,
    cacheMaxAge: KEYS_MS,
    [customFetch]: fetchFromIssuer,
  });
}

async function discover(issuer: string): Promise<string> {
  const url = `${issuer.replace(/\/+$/, '')}/.well-known/openid-configuration`;
  const response = await fetchFromIssuer(url, { redirect: 'manual', signal: AbortSignal.timeout(ASK_MS) });
  const content = await response.json().catch((error: unknown) => {
    if (error instanceof UnfitError) throw away(new Error(`the discovery document ${error.message}`));
    return undefined;
  });
  const document = Discovery.safeParse(content);
  if (!document.success) throw away(new Error('the discovery document lacks issuer or jwks_uri'));
  const { issuer: itself, jwks_uri: uri } = document.data;
  if (itself !== issuer)
    throw away(new Error(`the issuer calls itself ${itself}: TIDEMARK_OIDC_ISSUER must be exactly that`));
  if (!isTrustworthyUrl(uri)) throw away(new Error('the issuer has its keys at an address without https'));
  return uri;
}

/** Whether an issuer may be asked there: over https, or on this machine. */
export function isTrustworthyUrl(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { protocol, hostname } = new URL(text);
  return protocol === 'https:' || (protocol === 'http:' && isLoopback(hostname.replaceAll(/[[\]]/g, '')));
}

async function fetchFromIssuer(url: string, options: RequestInit): Promise<Response> {
  const response = await fetch(url, options).catch((error: unknown) => {
    throw away(error);
  });
  if (response.status === 200) return withinBytes(response, MAX_ISSUER_DOCUMENT_BYTES);
  await response.body?.cancel();
  throw away(new Error(`the issuer answered ${response.status} at ${url}`));
}

function away(cause: unknown): AppError {
  return new AppError(
    'unavailable',
    'The issuer of this token cannot be asked for its keys right now; try again shortly.',
    { cause },
  );
}

async function within<T>(ms: number, work: Promise<T>): Promise<T> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => late.reject(away(new Error(`no answer within ${ms} ms`))), ms);
  try {
    return await Promise.race([work, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}

/** What a failure of checking means for the caller. */
function toRefusal(error: unknown): AppError {
  if (error instanceof AppError) return error;
  const refuse = (sentence: string) => new AppError('unauthenticated', sentence, { cause: error });
  if (error instanceof errors.JWTExpired) {
    const at = new Date(Number(error.payload.exp) * 1000);
    // A number may be no time that there is.
    const when = Number.isNaN(at.getTime()) ? 'long ago' : `at ${at.toISOString()}`;
    return new AppError('token_expired', `The token expired ${when}.`);
  }
  if (error instanceof errors.JWTClaimValidationFailed) return refuse(claimSentence(error));
  if (error instanceof errors.JOSEAlgNotAllowed)
    return refuse(`The token is not signed in a way that is taken: ${ALGORITHMS.join(', ')}.`);
  if (error instanceof errors.JWKSNoMatchingKey || error instanceof errors.JWKSMultipleMatchingKeys)
    return refuse('The token is signed with a key that its issuer does not have now.');
  if (error instanceof errors.JWSSignatureVerificationFailed) return refuse("The token's signature is wrong.");
  const keysAreBad =
    error instanceof errors.JWKSInvalid ||
    error instanceof errors.JWKSTimeout ||
    (error instanceof errors.JOSEError && error.code === 'ERR_JOSE_GENERIC');
  return keysAreBad ? away(error) : refuse('The token is malformed.');
}

function claimSentence({ claim, reason }: errors.JWTClaimValidationFailed): string {
  if (reason === 'missing') return `The token lacks the claim ${claim}.`;
  switch (claim) {
    case 'iss':
      return 'The token is from another issuer than the one that is trusted here.';
    case 'aud':
      return 'The token is for another audience than Tidemark.';
    case 'nbf':
      return 'The token is not valid yet.';
    default:
      return `The token's claim ${claim} cannot be used.`;
  }
}

function toProof(payload: JWTPayload, config: IssuerConfig): Proof {
  const role = roleOf(claimOf(payload, config.roleClaim));
  if (!role)
    throw new AppError(
      'unauthenticated',
      `The token's claim ${config.roleClaim} names no role: ${ROLES.join(', ')} are known.`,
    );
  const clusters = Grant.clusters.safeParse(listOf(claimOf(payload, config.clustersClaim)));
  const labels = Grant.labels.safeParse(claimOf(payload, config.labelsClaim) ?? undefined);
  if (!clusters.success) throw unusable(config.clustersClaim, 'must be a list of ids of clusters, or "*"');
  if (!labels.success) throw unusable(config.labelsClaim, 'must be an object such as {"env":"prod"}');
  const problem = scopeProblem(clusters.data, labels.data);
  if (problem) throw unusable(config.clustersClaim, problem);
  return {
    tokenId: `jwt:${payload.sub}`,
    name: nameOf(payload),
    role,
    clusters: clusters.data,
    labels: labels.data,
  };
}

function unusable(claim: string, why: string): AppError {
  return new AppError('unauthenticated', `The token's claim ${claim} ${why}.`);
}

/** A claim by its whole name, which may have dots (as URLs have), else by its path. */
function claimOf(payload: object, name: string): unknown {
  const own = (value: unknown, key: string): unknown =>
    typeof value === 'object' && value !== null && Object.hasOwn(value, key)
      ? (value as Record<string, unknown>)[key]
      : undefined;
  return own(payload, name) ?? name.split('.').reduce<unknown>(own, payload);
}

/** The highest of the roles that are named; issuers send one, or a list with words of others in it. */
function roleOf(claim: unknown) {
  const named = [claim].flat();
  return ROLES.findLast((role) => named.includes(role));
}

/** `["a","b"]`, or `"a,b"`, as issuers that have texts only send it. */
function listOf(claim: unknown): unknown {
  if (claim === null) return undefined;
  return typeof claim === 'string' ? claim.split(/[\s,]+/).filter(Boolean) : claim;
}

function nameOf(payload: JWTPayload): string {
  const names = [payload.preferred_username, payload.email, payload.sub];
  const fits = (name: unknown) => typeof name === 'string' && NAME.test(name) && !RESERVED_NAMES.includes(name);
  const name = names.find(fits);
  if (name === undefined) throw unusable('sub', 'is no name that can be shown');
  return String(name);
}
