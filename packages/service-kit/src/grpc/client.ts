import { randomUUID } from 'node:crypto';
import {
  Client,
  type CallOptions as GrpcCallOptions,
  type handleServerStreamingCall,
  type handleUnaryCall,
  type Metadata,
  type MethodDefinition,
  type ServiceDefinition,
} from '@grpc/grpc-js';
import { METHODS } from '@tidemark/protocol/contract';
import { traceHeaders } from '@tidemark/tracing/trace';
import { serviceMetadata } from './credentials.ts';
import { CALL_ID, CALLER, encodeCaller, REQUEST_ID } from './metadata-names.ts';
import { fromServiceError } from './status.ts';
import { channelCredentials, type ProcessCertificate } from './transport-security.ts';

export interface CallOptions {
  readonly signal?: AbortSignal | undefined;
  /** Deadline of the call; 5 s by default. Streams have none unless one is given. */
  readonly timeoutMs?: number | undefined;
  readonly requestId?: string | undefined;
  readonly caller?: string | undefined;
}

/** The methods of a service as promises and async iterables; every error is an `AppError`. */
export type ServiceClient<Server> = {
  [Method in keyof Server as string extends Method ? never : Method]: Server[Method] extends handleUnaryCall<
    infer Request,
    infer Response
  >
    ? (request: Request, options?: CallOptions) => Promise<Response>
    : Server[Method] extends handleServerStreamingCall<infer Request, infer Response>
      ? (request: Request, options?: CallOptions) => AsyncIterable<Response>
      : never;
} & Disposable & {
    /** Resolves when the service can be reached; rejects with `unavailable` when `timeoutMs` pass first. */
    waitForReady(timeoutMs: number): Promise<void>;
  };

const DEFAULT_TIMEOUT_MS = 5_000;

const REPEATABLE = [
  { service: 'grpc.health.v1.Health' },
  ...Object.entries(METHODS).flatMap(([fullName, { repeatable }]) => {
    const [service, method] = fullName.split('/');
    return repeatable ? [{ service, method }] : [];
  }),
];

/**
 * Channel options for every connection between Tidemark's processes: spread over all copies behind a name, notice dead
 * peers, and repeat what the connection lost, of the methods that their protos mark as reads or idempotent.
 */
const CHANNEL_OPTIONS = {
  'grpc.service_config': JSON.stringify({
    loadBalancingConfig: [{ round_robin: {} }],
    methodConfig: [
      {
        name: REPEATABLE,
        retryPolicy: {
          maxAttempts: 3,
          initialBackoff: '0.1s',
          maxBackoff: '1s',
          backoffMultiplier: 2,
          retryableStatusCodes: ['UNAVAILABLE'],
        },
      },
    ],
  }),
  'grpc.service_config_disable_resolution': 1,
  // A proxy is for what is outside; it could not reach the processes of a private network, nor those of this machine.
  'grpc.enable_http_proxy': 0,
  'grpc.keepalive_time_ms': 30_000,
  'grpc.keepalive_timeout_ms': 10_000,
  // By itself it looks a name up only every 30 s: a roll-out may have replaced every copy by then (stack-findings 3.3).
  'grpc.dns_min_time_between_resolutions_ms': 5_000,
  'grpc.initial_reconnect_backoff_ms': 200,
  'grpc.max_reconnect_backoff_ms': 2_000,
} as const;

/** A channel to another process; it connects when first used, and again by itself. */
export function openChannel(address: string, certificate: ProcessCertificate | undefined): Client {
  return new Client(address, channelCredentials(certificate), { ...CHANNEL_OPTIONS, ...certificate?.channelOptions });
}

/** A client of a service: `createServiceClient<BackupServiceServer>(BackupServiceService, { address, token })`. */
export function createServiceClient<Server>(
  definition: ServiceDefinition,
  {
    address,
    token,
    certificate,
  }: {
    readonly address: string;
    readonly token: string | undefined;
    readonly certificate?: ProcessCertificate | undefined;
  },
): ServiceClient<Server> {
  const client = openChannel(address, certificate);
  const methods = Object.entries(definition).map(([name, method]) => [
    name,
    method.responseStream
      ? (request: unknown, options: CallOptions = {}) => stream(client, method, request, token, options)
      : (request: unknown, options: CallOptions = {}) => unary(client, method, request, token, options),
  ]);
  return {
    ...Object.fromEntries(methods),
    waitForReady: (timeoutMs: number) =>
      new Promise<void>((resolve, reject) =>
        client.waitForReady(Date.now() + timeoutMs, (error) =>
          error ? reject(fromServiceError({ code: 14, details: error.message })) : resolve(),
        ),
      ),
    [Symbol.dispose]: () => client.close(),
  } as ServiceClient<Server>;
}

type AnyMethod = MethodDefinition<unknown, unknown>;

function toMetadata(token: string | undefined, { requestId, caller }: CallOptions): Metadata {
  const metadata = serviceMetadata(token);
  metadata.set(CALL_ID, randomUUID());
  if (requestId) metadata.set(REQUEST_ID, requestId);
  if (caller) metadata.set(CALLER, encodeCaller(caller));
  for (const [name, value] of Object.entries(traceHeaders())) metadata.set(name, value);
  return metadata;
}

function toDeadline(timeoutMs: number | undefined): GrpcCallOptions {
  return timeoutMs === undefined ? {} : { deadline: Date.now() + timeoutMs };
}

function unary(
  client: Client,
  method: AnyMethod,
  request: unknown,
  token: string | undefined,
  options: CallOptions,
): Promise<unknown> {
  const { signal, timeoutMs = DEFAULT_TIMEOUT_MS } = options;
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted();
    const call = client.makeUnaryRequest(
      method.path,
      method.requestSerialize,
      method.responseDeserialize,
      request,
      toMetadata(token, options),
      toDeadline(timeoutMs),
      (error, response) => {
        signal?.removeEventListener('abort', cancel);
        if (error) reject(fromServiceError(error));
        else resolve(response);
      },
    );
    const cancel = () => call.cancel();
    signal?.addEventListener('abort', cancel, { once: true });
  });
}

async function* stream(
  client: Client,
  method: AnyMethod,
  request: unknown,
  token: string | undefined,
  options: CallOptions,
): AsyncGenerator<unknown> {
  const { signal, timeoutMs } = options;
  signal?.throwIfAborted();
  const call = client.makeServerStreamRequest(
    method.path,
    method.requestSerialize,
    method.responseDeserialize,
    request,
    toMetadata(token, options),
    toDeadline(timeoutMs),
  );
  const cancel = () => call.cancel();
  signal?.addEventListener('abort', cancel, { once: true });
  try {
    yield* call;
  } catch (error) {
    throw fromServiceError(error);
  } finally {
    signal?.removeEventListener('abort', cancel);
    call.cancel();
  }
}
