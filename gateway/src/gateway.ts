/** The HTTP edge, built but not listening: every route, and what all of them have in common. */
import type { ServerResponse } from 'node:http';
import { AppError } from '@tidemark/errors/app-error';
import { counter, histogram } from '@tidemark/service-kit/metrics';
import { type FastifyInstance, type FastifyReply, type FastifyRequest, fastify } from 'fastify';
import type { Authenticator } from './authenticate.ts';
import type { Backends } from './backends.ts';
import { CALL_TIMEOUT_MS } from './backends.ts';
import { accessLog, auditLog } from './logger.ts';
import type { RateLimit } from './rate-limit.ts';
import { backupLogRoutes } from './rest/backup-log.ts';
import { backupRoutes } from './rest/backups.ts';
import { clusterRoutes } from './rest/clusters.ts';
import { answerClientError, answerError } from './rest/error-response.ts';
import { fleetStrategyRoutes } from './rest/fleet-strategies.ts';
import { occurrenceRoutes } from './rest/occurrences.ts';
import { collectOperations } from './rest/openapi.ts';
import { pinRoutes } from './rest/pins.ts';
import { referenceRoutes } from './rest/reference.ts';
import { REQUEST_ID_HEADERS, requestIdOf } from './rest/request-id.ts';
import { retentionRoutes } from './rest/retention.ts';
import type { RouteDependencies } from './rest/route.ts';
import { storageCheckRoutes } from './rest/storage-checks.ts';
import { storageRoutes } from './rest/storages.ts';
import { strategyRoutes } from './rest/strategies.ts';
import { strategyPreviewRoutes } from './rest/strategy-preview.ts';
import { strategyRuleRoutes } from './rest/strategy-rules.ts';

export interface GatewayDependencies {
  readonly backends: Backends;
  readonly authenticator: Authenticator;
  readonly rateLimit: RateLimit;
  readonly serviceToken: string | undefined;
}

const PREFIX = '/api/v1';
const BODY_LIMIT = 1024 * 1024;
const REQUEST_TIMEOUT_MS = 30_000;

const duration = histogram('tidemark_http_seconds', 'How long HTTP requests took, by route, method and status.', [
  'route',
  'method',
  'status',
]);
const refused = counter('tidemark_http_refused_total', 'Requests that were refused before they reached a route.', [
  'reason',
]);

export function buildGateway({
  backends,
  authenticator,
  rateLimit,
  serviceToken,
}: GatewayDependencies): FastifyInstance {
  const app = fastify({
    bodyLimit: BODY_LIMIT,
    requestTimeout: REQUEST_TIMEOUT_MS,
    genReqId: ({ headers }) => requestIdOf(headers),
    requestIdHeader: false,
    // Fastify's own 503 has no envelope; what still comes while closing is answered and its connection closed.
    return503OnClosing: false,
    clientErrorHandler: answerClientError,
    routerOptions: { ignoreTrailingSlash: true, maxParamLength: 1_024 },
    // Raised by the router, before any hook: a path that cannot be decoded, or an endless id.
    frameworkErrors: (error, request, reply) => {
      nameRequest(request, reply);
      answerError(error, request, reply);
    },
  });
  readAnyJson(app);
  const methodsOf = collectRoutes(app);
  const operations = collectOperations(app, PREFIX);

  app.addHook('onRequest', async (request, reply) => {
    // Every body is JSON here, also one whose content type is none that HTTP knows.
    // A QUERY without one would be refused for that, and not because no route takes it.
    if (request.raw.headers['content-type'] !== undefined || request.method === 'QUERY')
      request.raw.headers['content-type'] = 'application/json';
    request.audited = {};
    request.gone = goneSignal(reply.raw);
    nameRequest(request, reply);
  });
  // From when the body is there: a slow client does not spend the time of the services.
  app.addHook('preHandler', async (request) => {
    request.answerBy = performance.now() + (request.routeOptions.config?.answerMs ?? CALL_TIMEOUT_MS);
  });
  app.addHook('onResponse', async (request, reply) => report(request, reply.statusCode, reply.elapsedTime));
  app.setErrorHandler((error, request, reply) => void answerError(error, request, reply));
  app.setNotFoundHandler((request, reply) => {
    const path = request.url.split('?')[0] ?? '';
    const allowed = methodsOf(path);
    if (allowed.length === 0) throw new AppError('route_not_found', `There is nothing at ${path.slice(0, 200)}.`);
    reply.header('allow', allowed.join(', '));
    if (request.method === 'OPTIONS') return reply.code(204).send();
    throw new AppError(
      'method_not_allowed',
      `${request.method} is not possible here; possible: ${allowed.join(', ')}.`,
    );
  });

  const stopping = new AbortController();
  app.addHook('preClose', async () => stopping.abort(new AppError('unavailable', 'The gateway is stopping.')));
  const dependencies: RouteDependencies = {
    backends,
    stopping: stopping.signal,
    serviceHeaders: serviceToken === undefined ? {} : { authorization: `Bearer ${serviceToken}` },
  };
  void app.register(
    async (api) => {
      api.addHook('onRequest', async (request) => {
        request.caller = await authenticator.authenticate(request.headers.authorization).catch((error: unknown) => {
          refused.inc({ reason: 'token' });
          throw error;
        });
        rateLimit.take(request.caller.tokenId);
      });
      strategyRoutes(api, dependencies);
      strategyRuleRoutes(api, dependencies);
      fleetStrategyRoutes(api, dependencies);
      backupRoutes(api, dependencies);
      pinRoutes(api, dependencies);
      backupLogRoutes(api, dependencies);
      clusterRoutes(api, dependencies);
      storageRoutes(api, dependencies);
      storageCheckRoutes(api, dependencies);
      occurrenceRoutes(api, dependencies);
      strategyPreviewRoutes(api, dependencies);
      retentionRoutes(api, dependencies);
    },
    { prefix: PREFIX },
  );
  // Also where people would look for it.
  for (const prefix of [PREFIX, '/'])
    void app.register(async (open) => referenceRoutes(open, operations, PREFIX), { prefix });
  return app;
}

/** Existing clients send JSON under any content type, on any method, or an empty body: an empty body is an empty object. */
function readAnyJson(app: FastifyInstance): void {
  app.addHttpMethod('GET', { hasBody: true, overrideExisting: true });
  const parseJson = app.getDefaultJsonParser('error', 'error');
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', { parseAs: 'string' }, (request, body, done) => {
    const text = String(body);
    if (text.trim() === '') done(null, {});
    else
      void parseJson(request, text, (error, value) =>
        error
          ? done(
              new AppError('invalid_argument', 'The body is not JSON.', {
                fields: [{ field: 'body', description: 'must be JSON' }],
                cause: error,
              }),
            )
          : done(null, value),
      );
  });
}

/** Which methods a path knows, for the answer to one that it does not. */
function collectRoutes(app: FastifyInstance): (path: string) => string[] {
  const routes = new Map<string, { pattern: RegExp; methods: Set<string> }>();
  app.addHook('onRoute', ({ url, method }) => {
    const pattern = new RegExp(`^${url.replaceAll(/:[A-Za-z]+/g, '[^/]+')}/?$`);
    const known = routes.get(url) ?? { pattern, methods: new Set<string>() };
    for (const one of [method].flat()) known.methods.add(one);
    routes.set(url, known);
  });
  return (path) => {
    const methods = [...routes.values()]
      .filter(({ pattern }) => pattern.test(path))
      .flatMap((route) => [...route.methods]);
    return methods.length === 0 ? [] : [...new Set([...methods, 'OPTIONS'])].sort();
  };
}

/** What every answer has. */
function nameRequest(request: FastifyRequest, reply: FastifyReply): void {
  for (const name of REQUEST_ID_HEADERS) reply.header(name, request.id);
  reply.header('x-content-type-options', 'nosniff');
}

/** Aborts when nobody waits for the answer any more: it was sent (to HEAD, without its body), or the client went away. */
function goneSignal(response: ServerResponse): AbortSignal {
  const gone = new AbortController();
  response.once('close', () => gone.abort(new AppError('canceled', 'The client went away.')));
  return gone.signal;
}

function report(request: FastifyRequest, status: number, ms: number): void {
  const route = request.routeOptions.url ?? 'unknown';
  duration.observe({ route, method: request.method, status: String(status) }, ms / 1000);
  const caller: string | undefined = request.caller?.name;
  const line = { requestId: request.id, method: request.method, route, status, ms: Math.round(ms), caller };
  accessLog.info(line, 'request answered');
  const what = request.routeOptions.config?.audit;
  if (what)
    auditLog.info({ what, ...request.audited, caller, from: request.ip, status, requestId: request.id }, 'audit');
}
