import { status as grpcStatus, Server } from '@grpc/grpc-js';
import { AppError } from '@tidemark/errors/app-error';
import { HealthService } from '@tidemark/protocol/grpc/grpc/health/v1/health';
import type { Logger } from '../logging.ts';
import type { ServiceBinding } from './bind-service.ts';
import { tokenInterceptor } from './credentials.ts';
import { healthOf } from './health.ts';
import { addReflection } from './reflection.ts';
import { type ProcessCertificate, serverCredentials } from './transport-security.ts';

export interface GrpcServer extends AsyncDisposable {
  readonly port: number;
  /** From now on health says NOT_SERVING, so that nothing new is sent here. */
  stopping(): void;
}

export interface GrpcServerOptions {
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
  /** Service token that callers must show; without one, whoever can connect may call. */
  readonly token: string | undefined;
  /** With one, everything is encrypted, and only who has a certificate of the same authority can connect. */
  readonly certificate?: ProcessCertificate | undefined;
  readonly log: Logger;
  readonly services: readonly ServiceBinding[];
}

const MAX_MESSAGE_BYTES = 4 * 1024 * 1024;
/** Clients learn of new copies when their connections end. */
const MAX_CONNECTION_AGE_MS = 10 * 60_000;
const CONNECTION_GRACE_MS = 60_000;
/** How long calls under way may go on once the server was told to stop, and then once they were aborted. */
const DRAIN_MS = 5_000;
const ABORT_MS = 2_000;

/**
 * Starts a gRPC server with health and reflection.
 *
 * @throws Error with the address in it when the port is taken
 */
export async function startGrpcServer({
  host,
  port,
  token,
  certificate,
  log,
  services,
}: GrpcServerOptions): Promise<GrpcServer> {
  const leaving = new AbortController();
  const drain = new AbortController();
  const stop = new AbortController();
  const server = new Server({
    interceptors: [tokenInterceptor(token)],
    'grpc.max_receive_message_length': MAX_MESSAGE_BYTES,
    'grpc.max_connection_age_ms': MAX_CONNECTION_AGE_MS,
    'grpc.max_connection_age_grace_ms': CONNECTION_GRACE_MS,
  });
  for (const service of services)
    server.addService(
      service.definition,
      service.implementation({ log, draining: drain.signal, stopping: stop.signal }),
    );

  const names = services.map(({ name }) => name);
  server.addService(HealthService, healthOf(names, leaving.signal));
  addReflection(server, [...names, 'grpc.health.v1.Health'], drain.signal);

  const bound = await new Promise<number>((resolve, reject) =>
    server.bindAsync(
      `${host.includes(':') ? `[${host}]` : host}:${port}`,
      serverCredentials(certificate),
      (error, boundPort) =>
        error
          ? reject(new Error(`${host}:${port} cannot be listened on: ${error.message}`, { cause: error }))
          : resolve(boundPort),
    ),
  );
  return {
    port: bound,
    stopping: () => leaving.abort(),
    async [Symbol.asyncDispose]() {
      leaving.abort();
      drain.abort(
        new AppError('unavailable', 'This copy of the service is stopping; call again.', { retryAfterMs: 200 }),
      );
      const drained = new Promise<void>((resolve) => server.tryShutdown(() => resolve()));
      if (await within(drained, DRAIN_MS)) return;
      stop.abort(new AppError('unavailable', 'This copy of the service has stopped.', { retryAfterMs: 200 }));
      if (await within(drained, ABORT_MS)) return;
      log.warn({ code: grpcStatus.CANCELLED }, 'calls were still under way at the end: ended by force');
      server.forceShutdown();
    },
  };
}

async function within(promise: Promise<void>, ms: number): Promise<boolean> {
  const { promise: late, resolve } = Promise.withResolvers<boolean>();
  const timer = setTimeout(resolve, ms, false);
  try {
    return await Promise.race([promise.then(() => true), late]);
  } finally {
    clearTimeout(timer);
  }
}
