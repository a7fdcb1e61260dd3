import type { FastifyInstance } from 'fastify';
import type { RpcHandler } from './rpc-handler.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** A route that is not REST's: its requests are read, answered and reported elsewhere. */
    rpc?: boolean;
  }
}

/**
 * What begins like a method of ours, also of a service that is not served, or one that a newer gateway has. A route for each
 * method, under every verb of HTTP, would take a quarter of the time in which a gateway is built.
 */
const OURS = ['/tidemark.:service/:method', '/grpc.:service/:method'];

/** Connect and gRPC-web beside REST, on the same port. */
export function rpcRoutes(app: FastifyInstance, { handle }: RpcHandler): void {
  void app.register(async (scope) => {
    scope.removeAllContentTypeParsers();
    scope.addContentTypeParser('*', (_request, _payload, done) => done(null));
    for (const path of OURS)
      scope.all(path, { config: { rpc: true } }, (request, reply) => {
        reply.hijack();
        handle(request.raw, reply.raw, request.ip);
      });
  });
}
