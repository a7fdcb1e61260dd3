/** The one place where an error becomes an answer of REST. */
import { randomUUID } from 'node:crypto';
import { type IncomingMessage, type ServerResponse, STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import { AppError, isOutage } from '@tidemark/errors/app-error';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { refused } from '../edge/refused.ts';
import { log } from '../logger.ts';
import { REQUEST_ID_HEADERS } from '../request-id.ts';
import { toError } from '../to-error.ts';
import { failure } from './envelope.ts';

const RETRY_MS = 1_000;

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
  // What went wrong inside is answered with the number of the operation that failed.
  const operationFailed = error.code === 'internal' || isOutage(error);
  const { operation, failureNumber } = request.routeOptions.config ?? {};
  const answered = operation?.numbers?.[error.code] ?? ((operationFailed && failureNumber) || number);
  return reply
    .code(http)
    .type('application/json; charset=utf-8')
    .send(failure(error, answered, request.id));
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
