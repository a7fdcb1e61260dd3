import { type Code, ConnectError } from '@connectrpc/connect';
import { status } from '@grpc/grpc-js';
import type { AppError } from '@tidemark/errors/app-error';
import {
  BadRequestSchema,
  ErrorInfoSchema,
  RetryInfoSchema,
} from '@tidemark/protocol/connect/google/rpc/error_details';
import { ERROR_DOMAIN } from '@tidemark/service-kit/grpc/status';

const RETRY_MS = 1_000;

/**
 * What clients receive of an error over Connect, gRPC-web and gRPC: the status of its row, its sentence, and the same
 * details as from a service. An error that may pass says when to try again, as REST's `Retry-After` does.
 */
export function toConnectError(error: AppError): ConnectError {
  const { fields, info, retryAfterMs: given } = error.details;
  const { grpc, http } = error.row;
  const retryAfterMs = given ?? (http === 503 || http === 429 ? RETRY_MS : undefined);
  // gRPC and Connect number their codes alike.
  return new ConnectError(error.message, status[grpc] as number as Code, headersOf(http, retryAfterMs), [
    { desc: ErrorInfoSchema, value: { reason: error.code, domain: ERROR_DOMAIN, metadata: { ...info } } },
    ...(fields ? [{ desc: BadRequestSchema, value: { fieldViolations: [...fields] } }] : []),
    ...(retryAfterMs === undefined ? [] : [{ desc: RetryInfoSchema, value: { retryDelay: toDuration(retryAfterMs) } }]),
  ]);
}

function headersOf(http: number, retryAfterMs: number | undefined): Record<string, string> {
  return {
    ...(http === 401 && { 'www-authenticate': 'Bearer' }),
    ...(retryAfterMs !== undefined && { 'retry-after': String(Math.max(1, Math.ceil(retryAfterMs / 1000))) }),
  };
}

function toDuration(ms: number) {
  return { seconds: BigInt(Math.floor(ms / 1000)), nanos: Math.round((ms % 1000) * 1e6) };
}
