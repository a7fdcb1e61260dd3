import { status as grpcStatus, Server } from '@grpc/grpc-js';
import { AppError } from '@tidemark/errors/app-error';
import {
  DEFAULT_CALLS_AT_ONCE,
  DEFAULT_CALLS_WAITING,
  MAX_CALLS_AT_ONCE,
  MAX_CALLS_WAITING,
  MAX_MESSAGE_BYTES,
} from '@tidemark/limits/limits';
import type { ConfigReader } from '../env.ts';
import type { Logger } from '../logging.ts';
import type { ReadyCheck } from '../operations-listener.ts';
import { type AdmissionLimits, createAdmission } from './admission.ts';
import type { ServiceBinding } from './bind-service.ts';
import { tokenInterceptor } from './credentials.ts';
import { endOnDrain } from './end-on-drain.ts';
import { addHealth } from './health.ts';
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
  /** What the process needs to answer calls, for its health; nothing by default. */
  readonly ready?: Readonly<Record<string, ReadyCheck>>;
  /** Awaited by each call before it is answered; one for which it throws is refused so. */
  readonly beforeCalls?: (signal: AbortSignal) => Promise<void>;
  /** Of each group of services. */
  readonly admission?: AdmissionLimits;
}

/** Reads `TIDEMARK_CALLS_AT_ONCE` and `TIDEMARK_CALLS_WAITING`. */
export function readAdmissionLimits(reader: ConfigReader): AdmissionLimits {
  return {
    atOnce: reader.integer('TIDEMARK_CALLS_AT_ONCE', {
      about: 'Calls that a group of services answers at once.',
      default: DEFAULT_CALLS_AT_ONCE,
      min: 1,
      max: MAX_CALLS_AT_ONCE,
    }),
    waiting: reader.integer('TIDEMARK_CALLS_WAITING', {
      about: 'Calls that may wait for their turn; what comes beyond is refused as overloaded.',
      default: DEFAULT_CALLS_WAITING,
      max: MAX_CALLS_WAITING,
    }),
  };
}

const ADMISSION: AdmissionLimits = { atOnce: DEFAULT_CALLS_AT_ONCE, waiting: DEFAULT_CALLS_WAITING };

/** Clients learn of new copies when their connections end. */
const MAX_CONNECTION_AGE_MS = 10 * 60_000;
const CONNECTION_GRACE_MS = 60_000;
/** How long calls under way may go on once the server stops, and then once they were aborted. */
const DRAIN_MS = 5_000;
const ABORT_MS = 2_000;
/** By when the process must know of all that it needs: who asks for its health waits for a second. */
const HEALTH_MS = 800;

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
  ready = {},
  beforeCalls = async () => {},
  admission = ADMISSION,
}: GrpcServerOptions): Promise<GrpcServer> {
  const leaving = new AbortController();
  const drain = new AbortController();
  const stop = new AbortController();
  const server = new Server({
    interceptors: [tokenInterceptor(token), endOnDrain(drain.signal, '/grpc.')],
    'grpc.max_receive_message_length': MAX_MESSAGE_BYTES,
    'grpc.max_connection_age_ms': MAX_CONNECTION_AGE_MS,
    'grpc.max_connection_age_grace_ms': CONNECTION_GRACE_MS,
  });
  const groups = new Set(services.map(({ group }) => group));
  const admissions = new Map([...groups].map((group) => [group, createAdmission(group, admission)]));
  for (const { group, definition, implementation } of services) {
    const own = admissions.get(group) ?? createAdmission(group, admission);
    server.addService(
      definition,
      implementation({ log, admission: own, beforeCalls, draining: drain.signal, stopping: stop.signal }),
    );
  }

  const names = services.map(({ name }) => name);
  await using undo = new AsyncDisposableStack();
  undo.use(addHealth(server, { services: names, ready: () => allPass(ready), leaving: leaving.signal, log }));
  addReflection(server, [...names, 'grpc.health.v1.Health']);

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
  const health = undo.move();
  return {
    port: bound,
    stopping: () => leaving.abort(),
    async [Symbol.asyncDispose]() {
      leaving.abort();
      await health.disposeAsync();
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

async function allPass(checks: Readonly<Record<string, ReadyCheck>>): Promise<boolean> {
  const signal = AbortSignal.timeout(HEALTH_MS);
  const verdicts = await Promise.allSettled(Object.values(checks).map(async (check) => check(signal)));
  return verdicts.every(({ status }) => status === 'fulfilled');
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
