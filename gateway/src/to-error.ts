/** The one place where a thrown error becomes an `AppError`. */
import { Code, ConnectError } from '@connectrpc/connect';
import { AppError, causes, toAppError } from '@tidemark/errors/app-error';
import { isErrorCode } from '@tidemark/errors/codes';
import { MAX_QUOTED } from '@tidemark/limits/limits';
import {
  BadRequestSchema,
  ErrorInfoSchema,
  RetryInfoSchema,
} from '@tidemark/protocol/connect/google/rpc/error_details';
import { ERROR_DOMAIN, isTooLarge } from '@tidemark/service-kit/grpc/status';

const RETRY_MS = 1_000;

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
  if (error.code === Code.ResourceExhausted && isTooLarge(error.rawMessage)) return toAppError(error);
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
  const why = (message ?? code ?? 'it is malformed').slice(0, MAX_QUOTED).replace(/\.+$/, '');
  return new AppError('invalid_argument', `The request cannot be read: ${why}.`, { cause: thrown });
}
