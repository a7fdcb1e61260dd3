/** The one place where a thrown error becomes an answer. */
import { randomUUID } from 'node:crypto';
import { type IncomingMessage, type ServerResponse, STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import { Code, ConnectError } from '@connectrpc/connect';
import { AppError, causes, toAppError } from '@tidemark/errors/app-error';
import { isErrorCode } from '@tidemark/errors/codes';
import {
  BadRequestSchema,
  ErrorInfoSchema,
  RetryInfoSchema,
} from '@tidemark/protocol/connect/google/rpc/error_details';
import { ERROR_DOMAIN } from '@tidemark/service-kit/grpc/status';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { log } from '../logger.ts';
import { refused } from '../refused.ts';
import { failure } from './envelope.ts';
import { REQUEST_ID_HEADERS } from './request-id.ts';

const RETRY_MS = 1_000;
const LONGEST_REASON = 200;

/** Answers with the envelope. */
export function answerError(thrown: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const error = toError(thrown, request.routeOptions.bodyLimit);
  const { http, number, log: level } = error.row;
  request.failedWith = error.code;
  log[level]({ requestId: request.id, code: error.code, error }, 'request failed');
  const retryAfterMs = error.details.retryAfterMs ?? (http === 503 || http === 429 ? RETRY_MS : undefined);
  if (retryAfterMs !== undefined) reply.header('retry-after', String(Math.max(1, Math.ceil(retryAfterMs / 1000))));
  // Fastify would close under the hands of a client that is still sending, which then never sees the answer.
  if (http === 413) {
    reply.removeHeader('connection');
    refused.inc({ reason: 'body' });
  }
  if (http === 401) reply.header('www-authenticate', 'Bearer');
  // What went wrong inside is told by the number of the operation that failed.
  const operationFailed =
    error.code === 'internal' || error.code === 'unavailable' || error.code === 'deadline_exceeded';
  const told = (operationFailed && request.routeOptions.config?.failureNumber) || number;
  return reply
    .code(http)
    .type('application/json; charset=utf-8')
    .send(failure(error, told, request.id));
}

interface ClientError {
  readonly status: number;
  readonly message: string;
  /** Which limit it was, where it was one. */
  readonly reason?: string;
}

const CLIENT_ERRORS: Readonly<Record<string, ClientError>> = {
  ERR_HTTP_REQUEST_TIMEOUT: { status: 408, message: 'The request did not arrive in time.', reason: 'slow' },
  HPE_HEADER_OVERFLOW: { status: 431, message: 'The headers are too large.', reason: 'headers' },
  CONNECT: { status: 405, message: 'CONNECT is not possible here: this is no proxy.' },
  HPE_CHUNK_EXTENSIONS_OVERFLOW: { status: 413, message: 'The chunk extensions of the body are too large.' },
};
const NOT_HTTP: ClientError = { status: 400, message: 'The request is not HTTP.' };

const requests = new WeakMap<Socket, Map<IncomingMessage, ServerResponse>>();

/** Remembers that a connection waits for an answer. */
export function noteRequest(request: IncomingMessage, response: ServerResponse): void {
  const { socket } = request;
  const waiting = requests.get(socket) ?? new Map<IncomingMessage, ServerResponse>();
  requests.set(socket, waiting.set(request, response));
  response.once('close', () => waiting.delete(request));
}

/** Whether bytes put on a connection now would be taken for the answer to a request that was fine. */
function isOwedAnAnswer(socket: Socket): boolean {
  return [...(requests.get(socket) ?? [])].some(([request, response]) => request.complete || response.headersSent);
}

const answered = new WeakSet<Socket>();
/** How long a client may go on sending what nobody reads: closed under its hands, it would never see the answer. */
const LINGER_MS = 1_000;

/** Answers what never became a request, with the envelope, on the bare socket. */
export function answerClientError(error: Error & { readonly code?: string }, socket: Socket): void {
  if (answered.has(socket)) return; // what comes behind an error is not read
  answered.add(socket);
  if (error.code === 'ECONNRESET' || !socket.writable || isOwedAnAnswer(socket)) {
    socket.destroy(error);
    return;
  }
  const { status, message, reason } = CLIENT_ERRORS[error.code ?? ''] ?? NOT_HTTP;
  const requestId = randomUUID();
  log.info({ requestId, status, code: error.code, from: socket.remoteAddress }, 'request could not be read');
  if (reason !== undefined) refused.inc({ reason });
  const appError = new AppError('invalid_argument', message);
  const body = JSON.stringify(failure(appError, appError.row.number, requestId));
  const head = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
    ...REQUEST_ID_HEADERS.map((name) => `${name}: ${requestId}`),
    'content-type: application/json; charset=utf-8',
    `content-length: ${Buffer.byteLength(body)}`,
    'connection: close',
  ];
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`);
  const over = setTimeout(() => socket.destroy(), LINGER_MS).unref();
  socket.once('close', () => clearTimeout(over));
}

/** The `AppError` in whatever was thrown: by a backend, by Fastify, or by a bug. */
export function toError(thrown: unknown, bodyLimit?: number): AppError {
  for (const error of causes(thrown)) {
    if (error instanceof AppError) return error;
    if (error instanceof ConnectError) return fromConnectError(error);
  }
  return fromFastifyError(thrown, bodyLimit) ?? toAppError(thrown);
}

function fromConnectError(error: ConnectError): AppError {
  const info = error.findDetails(ErrorInfoSchema).find(({ domain }) => domain === ERROR_DOMAIN);
  if (info && isErrorCode(info.reason)) {
    const fields = error.findDetails(BadRequestSchema)[0]?.fieldViolations;
    const delay = error.findDetails(RetryInfoSchema)[0]?.retryDelay;
    return new AppError(info.reason, error.rawMessage, {
      cause: error,
      ...(fields && { fields: fields.map(({ field, description }) => ({ field, description })) }),
      ...(Object.keys(info.metadata).length > 0 && { info: info.metadata }),
      ...(delay && { retryAfterMs: Number(delay.seconds) * 1000 + delay.nanos / 1e6 }),
    });
  }
  switch (error.code) {
    case Code.Unavailable:
    case Code.ResourceExhausted:
    case Code.DeadlineExceeded:
      return new AppError('unavailable', 'A part of Tidemark cannot be reached right now; try again shortly.', {
        cause: error,
        retryAfterMs: RETRY_MS,
      });
    case Code.Canceled:
      return new AppError('canceled', 'The request was canceled.', { cause: error });
    default:
      return toAppError(error);
  }
}

function fromFastifyError(thrown: unknown, bodyLimit = 0): AppError | undefined {
  const { statusCode, code, message } = thrown as { statusCode?: number; code?: string; message?: string };
  if (statusCode === undefined || statusCode >= 500) return undefined;
  if (statusCode === 413)
    return new AppError('payload_too_large', `The body is too large: at most ${bodyLimit} bytes are taken.`, {
      cause: thrown,
    });
  if (code === 'FST_ERR_BAD_URL')
    return new AppError('invalid_argument', 'The path is not properly percent-encoded.', { cause: thrown });
  if (code === 'FST_ERR_MAX_PARAM_LENGTH')
    // Its message is the whole path.
    return new AppError('invalid_argument', 'A part of the path is too long: names have at most 64 characters.');
  const why = (message ?? code ?? 'it is malformed').slice(0, LONGEST_REASON).replace(/\.+$/, '');
  return new AppError('invalid_argument', `The request cannot be read: ${why}.`, { cause: thrown });
}
