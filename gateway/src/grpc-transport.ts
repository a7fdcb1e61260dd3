/**
 * A Connect transport over a grpc-js channel: the gateway speaks protobuf-es and Connect's API, and gets what only
 * grpc-js has: load balancing over copies, retries, keepalive (stack-findings 4.3 and 4.4).
 */
import type { DescMessage, DescMethodStreaming, DescMethodUnary, MessageShape } from '@bufbuild/protobuf';
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { Code, ConnectError, createContextValues, type Transport } from '@connectrpc/connect';
import { runStreamingCall } from '@connectrpc/connect/protocol';
import { type Client, Metadata, type ServiceError, status } from '@grpc/grpc-js';
import { StatusSchema } from '@tidemark/protocol/connect/google/rpc/status';
import { isLostConnection } from '@tidemark/service-kit/grpc/status';

const DETAILS_KEY = 'grpc-status-details-bin';
const DETAILS_PREFIX = 'type.googleapis.com/';

/**
 * @param name of the process behind the channel, for the log
 * @param defaultTimeoutMs deadline of unary calls that bring none
 */
export function createGrpcTransport(
  client: Client,
  { name, defaultTimeoutMs }: { readonly name: string; readonly defaultTimeoutMs: number },
): Transport {
  return {
    // Without Connect's runUnaryCall: at the end of each call it aborts a signal of its own, with an error and its stack.
    unary: (method, signal, timeoutMs, header, input) =>
      new Promise((resolve, reject) => {
        const canceled = () => ConnectError.from(signal?.reason, Code.Canceled);
        if (signal?.aborted) {
          reject(canceled());
          return;
        }
        let head: Metadata | undefined;
        let message: MessageShape<typeof method.output>;
        const abort = () => call.cancel();
        const toConnectError = errorsOf(name, method);
        const call = client.makeUnaryRequest(
          pathOf(method),
          serialize(method.input),
          deserialize(method.output),
          create(method.input, input),
          toMetadata(new Headers(header)),
          { deadline: Date.now() + (timeoutMs ?? defaultTimeoutMs) },
          (error, response) => {
            signal?.removeEventListener('abort', abort);
            if (error) reject(signal?.aborted ? canceled() : toConnectError(error));
            else if (response !== undefined) message = response;
          },
        );
        call.on('metadata', (metadata: Metadata) => {
          head = metadata;
        });
        call.on('status', ({ code, metadata }) => {
          if (code === status.OK)
            resolve({
              stream: false,
              service: method.parent,
              method,
              header: toHeaders(head),
              trailer: toHeaders(metadata),
              message,
            });
        });
        signal?.addEventListener('abort', abort, { once: true });
      }),

    stream: (method, signal, timeoutMs, header, input, contextValues) =>
      runStreamingCall({
        ...(signal && { signal }),
        interceptors: [],
        req: {
          stream: true,
          service: method.parent,
          method,
          requestMethod: 'POST',
          url: pathOf(method),
          header: new Headers(header),
          contextValues: contextValues ?? createContextValues(),
          message: input,
        },
        next: async (request) => {
          const toConnectError = errorsOf(name, method);
          const call = client.makeBidiStreamRequest(
            pathOf(method),
            serialize(method.input),
            deserialize(method.output),
            toMetadata(request.header),
            timeoutMs ? { deadline: Date.now() + timeoutMs } : {},
          );
          const abort = () => call.cancel();
          request.signal.addEventListener('abort', abort, { once: true });
          if (request.signal.aborted) abort();
          const responseHeader = new Headers();
          const trailer = new Headers();
          call.on('metadata', (metadata: Metadata) => append(responseHeader, metadata));
          call.on('status', ({ metadata }) => append(trailer, metadata));
          void send(call, request.message);
          async function* messages() {
            try {
              yield* call as AsyncIterable<MessageShape<typeof method.output>>;
            } catch (error) {
              throw toConnectError(error);
            } finally {
              request.signal.removeEventListener('abort', abort);
              call.cancel();
            }
          }
          return {
            stream: true as const,
            service: method.parent,
            method,
            header: responseHeader,
            trailer,
            message: messages(),
          };
        },
      }),
  };
}

interface Sink {
  write(message: unknown): boolean;
  end(): unknown;
  cancel(): void;
  once(event: 'drain' | 'close', listener: () => void): unknown;
}

async function send(call: Sink, messages: AsyncIterable<unknown>): Promise<void> {
  try {
    for await (const message of messages)
      if (!call.write(message))
        await new Promise<void>((resolve) => {
          call.once('drain', resolve);
          call.once('close', resolve);
        });
    call.end();
  } catch {
    call.cancel(); // the sender failed, and its error reaches whoever reads the answers
  }
}

function pathOf({ parent, name }: DescMethodUnary | DescMethodStreaming): string {
  return `/${parent.typeName}/${name}`;
}

function serialize<T extends DescMessage>(schema: T) {
  return (message: MessageShape<T>): Buffer => {
    const { buffer, byteOffset, byteLength } = toBinary(schema, message);
    return Buffer.from(buffer, byteOffset, byteLength);
  };
}

function deserialize<T extends DescMessage>(schema: T) {
  return (bytes: Buffer): MessageShape<T> => fromBinary(schema, bytes);
}

function toMetadata(headers: Headers): Metadata {
  const metadata = new Metadata();
  headers.forEach((value, name) => {
    metadata.add(name, name.endsWith('-bin') ? Buffer.from(value, 'base64') : value);
  });
  return metadata;
}

function toHeaders(metadata: Metadata | undefined): Headers {
  const headers = new Headers();
  if (metadata) append(headers, metadata);
  return headers;
}

function append(headers: Headers, metadata: Metadata): void {
  for (const [name, values] of Object.entries(metadata.toHttp2Headers()))
    for (const value of [values].flat()) headers.append(name, String(value));
}

/**
 * Turns the errors of a call that begins now into Connect's. What a service said itself stays as it is; of a connection
 * that broke, or a deadline, the error says which process and which call it was, and how long it took.
 */
function errorsOf(name: string, method: DescMethodUnary | DescMethodStreaming): (thrown: unknown) => ConnectError {
  const startedAt = performance.now();
  return (thrown) => {
    const error = thrown as Partial<ServiceError>;
    if (typeof error.code !== 'number') return ConnectError.from(thrown);
    // gRPC and Connect number their codes alike.
    const code = isLostConnection(error) ? Code.Unavailable : (error.code as number as Code);
    const said = error.details ?? error.message ?? '';
    const bytes = error.metadata?.get(DETAILS_KEY)[0];
    if (!Buffer.isBuffer(bytes)) {
      const ms = Math.round(performance.now() - startedAt);
      const what = `${name} failed to answer ${method.parent.typeName}/${method.name} in ${ms} ms: ${said}`;
      return new ConnectError(what, code, toHeaders(error.metadata));
    }
    const connectError = new ConnectError(said, code, toHeaders(error.metadata), undefined, thrown);
    connectError.details = fromBinary(StatusSchema, bytes).details.map(({ typeUrl, value }) => ({
      type: typeUrl.replace(DETAILS_PREFIX, ''),
      value,
    }));
    return connectError;
  };
}
