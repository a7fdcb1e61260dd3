/** The HTTP edge, built but not listening: every route, and what all of them have in common. */

import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { CALLS } from '@tidemark/contract/calls';
import { AppError, invalidArgument } from '@tidemark/errors/app-error';
import { ERRORS } from '@tidemark/errors/codes';
import { MAX_QUOTED, MAX_SMALL_BODY_BYTES } from '@tidemark/limits/limits';
import { histogram } from '@tidemark/service-kit/metrics';
import { type FastifyInstance, type FastifyReply, type FastifyRequest, fastify } from 'fastify';
import { type AuditTrail, auditLineOf, createAuditTrail } from './audit.ts';
import type { Backends } from './backends.ts';
import { CALL_TIMEOUT_MS, serviceHeaders } from './backends.ts';
import type { CallDependencies } from './calls/scope.ts';
import { compressAnswers } from './compress.ts';
import { createRpcHandler } from './connect/rpc-handler.ts';
import { rpcRoutes } from './connect/rpc-routes.ts';
import { type ConsoleDependencies, consoleRoutes } from './console/routes.ts';
import { allowOrigins } from './cross-origin.ts';
import type { Admission } from './edge/admission.ts';
import { boundConnections } from './edge/connections.ts';
import { DEFAULT_LIMITS, type Limits, seeTooManyHeaders, serverOptions } from './edge/limits.ts';
import { refused } from './edge/refused.ts';
import { cutSlowReader } from './edge/slow-readers.ts';
import type { HttpsOptions } from './https-options.ts';
import { readAnyJson } from './json-body.ts';
import { accessLog } from './logger.ts';
import { matcherOf } from './networks.ts';
import { REQUEST_ID_HEADERS, requestIdOf } from './request-id.ts';
import { auditRoutes } from './rest/audit.ts';
import { backupLogRoutes } from './rest/backup-log.ts';
import { backupRoutes } from './rest/backups.ts';
import { clusterRoutes } from './rest/clusters.ts';
import { drillRoutes } from './rest/drills.ts';
import { answerClientError, answerError, noteRequest } from './rest/error-response.ts';
import { fleetRoutes, fleetStreamRoutes } from './rest/fleet.ts';
import { fleetStrategyRoutes } from './rest/fleet-strategies.ts';
import { logBackupRoutes } from './rest/log-backups.ts';
import { notificationRoutes } from './rest/notifications.ts';
import { occurrenceRoutes } from './rest/occurrences.ts';
import { collectOperations } from './rest/openapi.ts';
import { pinRoutes } from './rest/pins.ts';
import { referenceRoutes, rootRoute } from './rest/reference.ts';
import { restoreRoutes, restoreStreamRoutes } from './rest/restores.ts';
import { retentionRoutes } from './rest/retention.ts';
import { searchRoutes } from './rest/search.ts';
import { storageCheckRoutes } from './rest/storage-checks.ts';
import { storageRoutes } from './rest/storages.ts';
import { strategyRoutes } from './rest/strategies.ts';
import { strategyPreviewRoutes } from './rest/strategy-preview.ts';
import { strategyRuleRoutes } from './rest/strategy-rules.ts';
import { tokenRoutes } from './rest/tokens.ts';
import { verificationRoutes } from './rest/verifications.ts';
import { workerRoutes } from './rest/workers.ts';

export interface GatewayDependencies {
  readonly backends: Backends;
  readonly serviceToken: string | undefined;
  readonly admission: Admission;
  readonly limits?: Limits;
  /** Proxies whose `X-Forwarded-For` is believed: addresses or networks. */
  readonly trustedProxies?: readonly string[];
  /** Origins of pages that may call. */
  readonly allowedOrigins?: readonly string[];
  /** With them the listener speaks HTTPS. */
  readonly https?: HttpsOptions | undefined;
  /** Where audit lines go; left out, to the log only. */
  readonly audit?: AuditTrail;
  /** Left out, the address itself answers with a page that points to the reference. */
  readonly console?: ConsoleDependencies | undefined;
}

const PREFIX = '/api/v1';
/** How much of the time for the services may be gone before a request comes to them. */
const MOST_SPENT_MS = 250;

const duration = histogram('tidemark_http_seconds', 'How long HTTP requests took, by route, method and status.', [
  'route',
  'method',
  'status',
]);

export function buildGateway({
  backends,
  serviceToken,
  admission,
  limits = DEFAULT_LIMITS,
  trustedProxies = [],
  allowedOrigins = [],
  https,
  audit = createAuditTrail(),
  console,
}: GatewayDependencies): FastifyInstance {
  const trusted = matcherOf(trustedProxies);
  const app = fastify({
    bodyLimit: limits.bodyBytes,
    requestTimeout: limits.requestMs,
    keepAliveTimeout: limits.keepAliveMs,
    // Fastify's types know the two kinds of servers apart; nothing here does.
    ...((https ? { https: { ...serverOptions(limits), ...https } } : { http: serverOptions(limits) }) as object),
    trustProxy: trusted,
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
  seeTooManyHeaders(app.server, limits);
  boundConnections(app.server, limits, trusted);
  // Whatever else was expected than "100-continue", which Node knows, is not waited for.
  app.server.on('checkExpectation', (request, response) => app.server.emit('request', request, response));
  app.server.on('connect', (_, socket) =>
    answerClientError(Object.assign(new Error('CONNECT'), { code: 'CONNECT' }), socket as Socket),
  );
  readAnyJson(app);
  compressAnswers(app);
  const methodsOf = collectRoutes(app);
  const operations = collectOperations(app, PREFIX);
  app.addHook('onRoute', (route) => {
    if (!route.config?.operation?.body) route.bodyLimit = Math.min(MAX_SMALL_BODY_BYTES, limits.bodyBytes);
  });

  app.addHook('onRequest', async (request, reply) => {
    // Every body is JSON here, also one whose content type is none that HTTP knows.
    // A QUERY without one would be refused for that, and not because no route takes it.
    const typed = request.raw.headers['content-type'] !== undefined || request.method === 'QUERY';
    if (!request.routeOptions.config?.rpc && typed) request.raw.headers['content-type'] = 'application/json';
    request.audited = {};
    request.gone = goneSignal(reply.raw);
    if (!request.routeOptions.config?.rpc) reportLeft(request, reply);
    noteRequest(request.raw, reply.raw);
    nameRequest(request, reply);
    cutSlowReader(reply.raw, limits.stalledMs);
    checkHeaders(request, limits);
    if (!request.routeOptions.config?.rpc) request.place = admission.enter(reply.raw);
  });
  allowOrigins(app, allowedOrigins, methodsOf);
  // From the arrival of the request, where a busy gateway took its time; a slow client does not spend that of the services.
  app.addHook('preHandler', async (request, reply) => {
    const spent = Math.min(reply.elapsedTime, MOST_SPENT_MS);
    request.answerBy = performance.now() + (request.routeOptions.config?.answerMs ?? CALL_TIMEOUT_MS) - spent;
  });
  app.addHook('onResponse', async (request, reply) => {
    if (!request.routeOptions.config?.rpc) report(request, request.ip, reply.statusCode, reply.elapsedTime);
  });
  // Not onResponse, which never comes where the client went away before the answer.
  const audited = new WeakSet<FastifyRequest>();
  app.addHook('onSend', async (request, reply) => {
    const line = audited.has(request) ? undefined : auditLineOf(request, reply.statusCode);
    audited.add(request);
    if (line) audit.write(line);
  });
  app.setErrorHandler((error, request, reply) => void answerError(error, request, reply));
  app.setNotFoundHandler((request, reply) => {
    const path = request.url.split('?')[0] ?? '';
    const allowed = methodsOf(path);
    if (allowed.length === 0)
      throw new AppError('route_not_found', `There is nothing at ${path.slice(0, MAX_QUOTED)}.`);
    reply.header('allow', allowed.join(', '));
    if (request.method === 'OPTIONS') return reply.code(204).send();
    throw new AppError(
      'method_not_allowed',
      `${request.method} is not possible here; possible: ${allowed.join(', ')}.`,
    );
  });

  const stopping = new AbortController();
  app.addHook('preClose', async () => stopping.abort(new AppError('unavailable', 'The gateway is stopping.')));
  const dependencies: CallDependencies = {
    backends,
    stopping: stopping.signal,
    streams: admission.streams,
    serviceHeaders: serviceHeaders(serviceToken),
  };
  void app.register(
    async (api) => {
      api.addHook('onRequest', async (request, reply) => {
        const { authorization } = request.headers;
        request.authenticateAgain = () => admission.authenticate(authorization);
        const call = request.routeOptions.config?.operation?.call;
        await admission.admit({
          address: request.ip,
          authorization,
          place: request.place,
          call: call && CALLS[call],
          identified: (caller) => {
            request.caller = caller;
          },
          answerWith: (headers) => void reply.headers(headers),
        });
      });
      strategyRoutes(api, dependencies);
      strategyRuleRoutes(api, dependencies);
      fleetStrategyRoutes(api, dependencies);
      backupRoutes(api, dependencies);
      pinRoutes(api, dependencies);
      restoreRoutes(api, dependencies);
      logBackupRoutes(api, dependencies);
      drillRoutes(api, dependencies);
      restoreStreamRoutes(api, dependencies);
      fleetStreamRoutes(api, dependencies);
      verificationRoutes(api, dependencies);
      backupLogRoutes(api, dependencies);
      clusterRoutes(api, dependencies);
      storageRoutes(api, dependencies);
      storageCheckRoutes(api, dependencies);
      fleetRoutes(api, dependencies);
      workerRoutes(api, dependencies);
      searchRoutes(api, dependencies);
      tokenRoutes(api, dependencies);
      auditRoutes(api, dependencies);
      notificationRoutes(api, dependencies);
      occurrenceRoutes(api, dependencies);
      strategyPreviewRoutes(api, dependencies);
      retentionRoutes(api, dependencies);
    },
    { prefix: PREFIX },
  );
  rpcRoutes(app, createRpcHandler({ ...dependencies, admission, limits, audit }));
  if (console) consoleRoutes(app, console, admission);
  else rootRoute(app);
  // Also where people would look for it.
  for (const prefix of [PREFIX, '/'])
    void app.register(async (open) => referenceRoutes(open, operations, PREFIX), { prefix });
  return app;
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

/** What the parser lets through and no server should. @throws AppError */
function checkHeaders({ raw }: FastifyRequest, { headers }: Limits): void {
  if (raw.rawHeaders.length / 2 > headers) {
    refused.inc({ reason: 'headers' });
    throw new AppError('headers_too_large', `The request has too many headers: at most ${headers} are taken.`);
  }
  const hosts = raw.rawHeaders.filter((name, index) => index % 2 === 0 && name.toLowerCase() === 'host').length;
  if (raw.httpVersion === '1.1' && (hosts !== 1 || !raw.headers.host?.trim()))
    throw invalidArgument([{ field: 'Host', description: 'must be sent once, with a name' }]);
}

/** One for all: at the end of each request there is nothing to say about it, and a stack takes time. */
const GONE = new AppError('canceled', 'The client went away.');

/** Aborts when nobody waits for the answer any more: it was sent (to HEAD, without its body), or the client went away. */
function goneSignal(response: ServerResponse): AbortSignal {
  const gone = new AbortController();
  response.once('close', () => gone.abort(GONE));
  return gone.signal;
}

function report(request: FastifyRequest, from: string, status: number, ms: number, how = 'request answered'): void {
  const route = request.routeOptions.url ?? 'unknown';
  duration.observe({ route, method: request.method, status: String(status) }, ms / 1000);
  const caller: string | undefined = request.caller?.name;
  const line = { requestId: request.id, method: request.method, route, status, ms: Math.round(ms), caller, from };
  accessLog.info(line, how);
}

/** Reports a request whose client went away before it had the whole answer: then onResponse never comes. */
function reportLeft(request: FastifyRequest, reply: FastifyReply): void {
  const { ip } = request; // a closed socket has none any more
  let finished = false;
  reply.raw.once('finish', () => (finished = true));
  reply.raw.once('close', () => {
    if (finished) return;
    report(request, ip, ERRORS.canceled.http, reply.elapsedTime, 'client went away before the end of its answer');
  });
}
