/** Test support: a gateway with faked services behind it and real tokens in a file of its own. */

import { createHash } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { FastifyInstance, onRouteHookHandler } from 'fastify';
import { expect } from 'vitest';
import { createAdmission } from '../edge/admission.ts';
import { DEFAULT_LIMITS, type Limits } from '../edge/limits.ts';
import { buildGateway, type GatewayDependencies } from '../gateway.ts';
import { type Authenticator, createAuthenticator } from '../identity/authenticate.ts';
import type { Role, SignedTokens } from '../identity/caller.ts';
import { createClusterLabels, type LabelAges } from '../identity/cluster-labels.ts';
import { createStoredTokens } from '../identity/stored-tokens.ts';
import { checkAnswers } from './check-answers.ts';
import { CLUSTER, type ProgrammableBackends, programmableBackends } from './programmable-backends.ts';

export interface TokenEntry {
  readonly role: Role;
  readonly clusters?: readonly string[];
  readonly labels?: Readonly<Record<string, string>>;
  readonly expiresAt?: string;
}

/** The word that a client sends, and whose it is. */
const TOKENS: Readonly<Record<string, TokenEntry>> = {
  viewer: { role: 'viewer', clusters: ['*'] },
  operator: { role: 'operator', clusters: ['*'] },
  admin: { role: 'admin', clusters: ['*'] },
  'one-cluster': { role: 'operator', clusters: [CLUSTER] },
  'one-cluster-viewer': { role: 'viewer', clusters: [CLUSTER] },
  'one-cluster-admin': { role: 'admin', clusters: [CLUSTER] },
  'labelled-viewer': { role: 'viewer', labels: { env: 'prod' } },
  labelled: { role: 'operator', labels: { env: 'prod' } },
  'labelled-admin': { role: 'admin', labels: { env: 'prod' } },
  'labelled-nothing': { role: 'admin', labels: { env: 'prod', team: 'none' } },
  expired: { role: 'admin', clusters: ['*'], expiresAt: '2020-01-01T00:00:00Z' },
};

export interface Ask {
  /** Which token to send (admin); null sends none. */
  readonly token?: string | null;
  /** An object is sent as JSON, a text as it is. */
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, unknown>>;
  // biome-ignore lint/suspicious/noExplicitAny: a test knows what it asked for
  readonly body: any;
}

export interface TestGateway extends ProgrammableBackends, AsyncDisposable {
  readonly app: FastifyInstance;
  /** What it was built from, for a second listener. */
  readonly edge: GatewayDependencies;
  readonly authenticator: Authenticator;
  /** Asks without a socket; the path lies below /api/v1 unless it begins with that. */
  ask(method: string, path: string, options?: Ask): Promise<Answer>;
  /** Listens on a free port of this machine. */
  listen(): Promise<number>;
  writeTokens(tokens: Readonly<Record<string, TokenEntry>>): Promise<void>;
}

export interface TestGatewayOptions {
  readonly rate?: { readonly perSecond: number; readonly burst: number };
  readonly serviceToken?: string;
  readonly limits?: Partial<Limits>;
  readonly trustedProxies?: readonly string[];
  readonly allowedOrigins?: readonly string[];
  readonly signedTokens?: SignedTokens;
  readonly labelAges?: LabelAges;
  /** Answers that the API's reference does not promise are fine here. */
  readonly anyAnswer?: boolean;
  /** Called with every route. */
  readonly onRoute?: onRouteHookHandler;
}

export async function startTestGateway({
  rate = { perSecond: 100_000, burst: 100_000 },
  serviceToken,
  limits,
  signedTokens,
  labelAges,
  onRoute,
  anyAnswer = false,
  ...lists
}: TestGatewayOptions = {}): Promise<TestGateway> {
  const folder = await mkdtemp(join(tmpdir(), 'tidemark-gateway-'));
  const tokensFile = join(folder, 'tokens.json');
  const writeTokens = (tokens: Readonly<Record<string, TokenEntry>>) =>
    writeFile(tokensFile, JSON.stringify({ tokens: Object.entries(tokens).map(toEntry) }));
  await writeTokens(TOKENS);
  const fakes = programmableBackends();
  const authenticator = createAuthenticator(tokensFile, {
    clusterLabels: createClusterLabels(fakes.backends.registry, {}, labelAges),
    signedTokens,
    storedTokens: createStoredTokens(fakes.backends.registry, {}),
  });
  // Nothing here depends on how busy the machine is, unless a test says so.
  const calm = { delayMs: 600_000, badTokens: { perSecond: 100_000, burst: 100_000 } };
  const bounds = { ...DEFAULT_LIMITS, ...calm, ...limits };
  const admission = createAdmission(authenticator, bounds, rate);
  const edge: GatewayDependencies = {
    backends: fakes.backends,
    serviceToken,
    admission,
    limits: bounds,
    ...lists,
  };
  const app = buildGateway(edge);
  if (onRoute) app.addHook('onRoute', onRoute);
  const wrong = anyAnswer ? { throwAny() {} } : checkAnswers(app);
  const send = app.inject.bind(app);
  return {
    ...fakes,
    reset() {
      fakes.reset();
      wrong.throwAny();
    },
    app,
    edge,
    authenticator,
    writeTokens,
    async ask(method, path, { token = 'admin', body, headers } = {}) {
      const response = await send({
        method: method as 'GET',
        url: path.startsWith('/api/') ? path : `/api/v1${path}`,
        headers: {
          'content-type': 'application/json',
          ...(token !== null && { authorization: `Bearer ${token}` }),
          ...headers,
        },
        ...(body !== undefined && { payload: typeof body === 'string' ? body : JSON.stringify(body) }),
      });
      wrong.throwAny();
      return { status: response.statusCode, headers: response.headers, body: parseOne(response.body) };
    },
    async listen() {
      await app.listen({ host: '127.0.0.1', port: 0 });
      return (app.server.address() as AddressInfo).port;
    },
    async [Symbol.asyncDispose]() {
      app.server.closeAllConnections();
      await app.close();
      admission[Symbol.dispose]();
      await rm(folder, { recursive: true });
      wrong.throwAny();
    },
  };
}

/** That an answer is a failure in the envelope. */
export function expectFailure(answer: Answer, status: number, code: number): void {
  expect(answer).toMatchObject({
    status,
    body: { code, message: expect.stringMatching(/\S/), data: {}, requestId: expect.stringMatching(/\S/) },
  });
  expect(answer.headers['content-type']).toBe('application/json; charset=utf-8');
  expect(answer.headers['x-request-id']).toBe(answer.body.requestId);
  expect(answer.headers['em-x-trace-id']).toBe(answer.body.requestId);
}

/** The bad fields that a failure names. */
export function badFields({ body }: Answer): string[] {
  return (body.details?.fields ?? []).map(({ field }: { field: string }) => field);
}

function toEntry([word, entry]: [string, TokenEntry]): object {
  return { id: word, name: `token ${word}`, sha256: createHash('sha256').update(word).digest('hex'), ...entry };
}

function parseOne(text: string): unknown {
  return text.startsWith('{') ? JSON.parse(text) : text;
}
