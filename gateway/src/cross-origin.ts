/** Pages of other origins may call only where they are named (`TIDEMARK_ALLOWED_ORIGINS`). */
import type { FastifyInstance } from 'fastify';

const READABLE = 'x-request-id, em-x-trace-id, retry-after, ratelimit-limit, ratelimit-remaining, ratelimit-reset';
const SENDABLE = 'authorization, content-type, idempotency-key, x-request-id, em-x-trace-id';
const PREFLIGHT_SECONDS = 600;

/** @param methodsOf the methods that a path knows */
export function allowOrigins(
  app: FastifyInstance,
  origins: readonly string[],
  methodsOf: (path: string) => readonly string[],
): void {
  if (origins.length === 0) return;
  app.addHook('onRequest', async (request, reply) => {
    reply.header('vary', 'origin');
    const { origin } = request.headers;
    if (origin === undefined || !origins.includes(origin)) return;
    reply.header('access-control-allow-origin', origin).header('access-control-expose-headers', READABLE);
    if (request.method !== 'OPTIONS' || request.headers['access-control-request-method'] === undefined) return;
    reply
      .header('access-control-allow-methods', methodsOf(request.url.split('?')[0] ?? '').join(', '))
      .header('access-control-allow-headers', SENDABLE)
      .header('access-control-max-age', String(PREFLIGHT_SECONDS));
  });
}
