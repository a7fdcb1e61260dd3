/** Test support: a gateway that listens, asked over each protocol of which Connect's own clients are the reference. */
import type { DescService } from '@bufbuild/protobuf';
import { type CallOptions, type Client, Code, ConnectError, createClient, type Transport } from '@connectrpc/connect';
import {
  createConnectTransport,
  createGrpcTransport,
  createGrpcWebTransport,
  Http2SessionManager,
} from '@connectrpc/connect-node';
import {
  BadRequestSchema,
  ErrorInfoSchema,
  RetryInfoSchema,
} from '@tidemark/protocol/connect/google/rpc/error_details';
import { type GrpcListener, startGrpcListener } from '../connect/grpc-listener.ts';
import { startTestGateway, type TestGateway, type TestGatewayOptions } from './test-gateway.ts';

export const PROTOCOLS = ['Connect with JSON', 'Connect', 'gRPC-web', 'gRPC'] as const;
export type Protocol = (typeof PROTOCOLS)[number];

export interface RpcGateway extends TestGateway {
  /** Of REST, Connect and gRPC-web. */
  readonly url: string;
  readonly grpc: GrpcListener;
  readonly transports: Readonly<Record<Protocol, Transport>>;
  client<Service extends DescService>(service: Service, protocol?: Protocol): Client<Service>;
  /** Calls any method by its local name. */
  call(protocol: Protocol, service: DescService, method: string, request: object, options?: CallOptions): unknown;
}

/** An error as a client receives it, with its details. */
export interface Told {
  readonly code: string;
  readonly message: string;
  readonly reason: string | undefined;
  readonly info: Readonly<Record<string, string>>;
  readonly fields: readonly string[];
  readonly retryMs: number | undefined;
}

export const as = (token: string | null) => ({
  headers: { ...(token !== null && { authorization: `Bearer ${token}` }), 'x-request-id': 'r-1' },
});

export async function startRpcGateway(options: TestGatewayOptions = {}): Promise<RpcGateway> {
  const gateway = await startTestGateway(options);
  const url = `http://127.0.0.1:${await gateway.listen()}`;
  const grpc = await startGrpcListener({ ...gateway.edge, host: '127.0.0.1', port: 0 });
  const grpcUrl = `http://127.0.0.1:${grpc.port}`;
  const sessionManager = new Http2SessionManager(grpcUrl);
  const http1 = { baseUrl: url, httpVersion: '1.1' } as const;
  const transports = {
    'Connect with JSON': createConnectTransport({ ...http1, useBinaryFormat: false }),
    Connect: createConnectTransport({ ...http1, useBinaryFormat: true }),
    'gRPC-web': createGrpcWebTransport(http1),
    gRPC: createGrpcTransport({ baseUrl: grpcUrl, sessionManager }),
  };
  return {
    ...gateway,
    url,
    grpc,
    transports,
    client: (service, protocol = 'Connect') => createClient(service, transports[protocol]),
    call(protocol, service, method, request, options) {
      const client = createClient(service, transports[protocol]) as unknown as Readonly<Record<string, AnyCall>>;
      return client[method]?.(request, options);
    },
    async [Symbol.asyncDispose]() {
      sessionManager.abort();
      await grpc[Symbol.asyncDispose]();
      await gateway[Symbol.asyncDispose]();
    },
  };
}

type AnyCall = (request: object, options?: CallOptions) => unknown;

/** What a call came to: "ok", or the error that the client received. A stream is read to its end. */
export async function outcomeOf(call: unknown): Promise<'ok' | Told> {
  try {
    if (isStream(call)) for await (const _ of call);
    else await call;
    return 'ok';
  } catch (error) {
    return toldBy(error);
  }
}

export function toldBy(thrown: unknown): Told {
  const error = ConnectError.from(thrown);
  const info = error.findDetails(ErrorInfoSchema)[0];
  const delay = error.findDetails(RetryInfoSchema)[0]?.retryDelay;
  return {
    code: Code[error.code],
    message: error.rawMessage,
    reason: info && `${info.domain}/${info.reason}`,
    info: info?.metadata ?? {},
    fields: error
      .findDetails(BadRequestSchema)
      .flatMap(({ fieldViolations }) => fieldViolations.map(({ field }) => field)),
    retryMs: delay && Number(delay.seconds) * 1000 + delay.nanos / 1e6,
  };
}

function isStream(call: unknown): call is AsyncIterable<unknown> {
  return typeof call === 'object' && call !== null && Symbol.asyncIterator in call;
}
