import { Metadata, type ServiceError, status } from '@grpc/grpc-js';
import { AppError, type ErrorDetails } from '@tidemark/errors/app-error';
import { isErrorCode } from '@tidemark/errors/codes';
import { BadRequest, ErrorInfo, RetryInfo } from '@tidemark/protocol/grpc/google/rpc/error_details';
import { Status } from '@tidemark/protocol/grpc/google/rpc/status';

/** Domain of our codes in `google.rpc.ErrorInfo`. */
export const ERROR_DOMAIN = 'tidemark';

const DETAILS_KEY = 'grpc-status-details-bin';
const TYPE_PREFIX = 'type.googleapis.com/google.rpc.';

const any = (type: string, bytes: Uint8Array) => ({ typeUrl: TYPE_PREFIX + type, value: Buffer.from(bytes) });

/** What a gRPC server answers for an error: its status, its sentence, and its details as `google.rpc.Status`. */
export function toServiceError(error: AppError): ServiceError {
  const { fields, info, retryAfterMs } = error.details;
  const details = [
    any('ErrorInfo', ErrorInfo.encode({ reason: error.code, domain: ERROR_DOMAIN, metadata: { ...info } }).finish()),
  ];
  if (fields) details.push(any('BadRequest', BadRequest.encode({ fieldViolations: [...fields] }).finish()));
  if (retryAfterMs !== undefined) {
    const retryDelay = {
      seconds: BigInt(Math.floor(retryAfterMs / 1000)),
      nanos: Math.round((retryAfterMs % 1000) * 1e6),
    };
    details.push(any('RetryInfo', RetryInfo.encode({ retryDelay }).finish()));
  }
  const code = status[error.row.grpc];
  const metadata = new Metadata();
  metadata.set(DETAILS_KEY, Buffer.from(Status.encode({ code, message: error.message, details }).finish()));
  return Object.assign(new Error(error.message), { code, details: error.message, metadata });
}

/** The `AppError` that a gRPC client's error was on the server; a broken connection is `unavailable`. */
export function fromServiceError(thrown: unknown): AppError {
  if (thrown instanceof AppError) return thrown;
  const error = thrown as Partial<ServiceError>;
  if (typeof error.code !== 'number')
    return new AppError('internal', 'A call between services failed.', { cause: thrown });
  const told = readDetails(error.metadata);
  if (told) return new AppError(told.code, error.details ?? '', { ...told.details, cause: thrown });
  if (error.code === status.RESOURCE_EXHAUSTED && isTooLarge(error.details))
    return new AppError('internal', 'A message between parts of Tidemark is too large; its log tells more.', {
      cause: thrown,
    });
  switch (error.code) {
    case status.UNAVAILABLE:
    case status.RESOURCE_EXHAUSTED:
      return new AppError('unavailable', 'A part of Tidemark cannot be reached right now; try again shortly.', {
        cause: thrown,
        retryAfterMs: 1_000,
      });
    case status.DEADLINE_EXCEEDED:
      return new AppError('deadline_exceeded', 'A part of Tidemark did not answer in time; try again shortly.', {
        cause: thrown,
        retryAfterMs: 1_000,
      });
    case status.CANCELLED:
      return new AppError('canceled', 'The call was canceled.', { cause: thrown });
    case status.UNAUTHENTICATED:
      return new AppError('internal', 'A service refused the token of another.', { cause: thrown });
    default:
      if (isLostConnection(error))
        return new AppError('unavailable', 'A part of Tidemark cannot be reached right now; try again shortly.', {
          cause: thrown,
          retryAfterMs: 1_000,
        });
      return new AppError('internal', 'A call between services failed.', { cause: thrown });
  }
}

/**
 * Whether a client's error came from its connection and not from the server's code: grpc-js says INTERNAL of a stream
 * that HTTP/2 reset or never opened, such as when the server closed the whole session.
 */
export function isLostConnection({ code, details }: Partial<ServiceError>): boolean {
  return code === status.INTERNAL && /RST_STREAM|session|stream|http2|HTTP\/2|socket|ECONN|GOAWAY/i.test(details ?? '');
}

/** Whether a call was refused for the size of its message, as grpc-js and Connect say it: the next try would be, too. */
export function isTooLarge(told = ''): boolean {
  return /\blarger than\b/.test(told);
}

function readDetails(metadata: Metadata | undefined): { code: AppError['code']; details: ErrorDetails } | undefined {
  const bytes = metadata?.get(DETAILS_KEY)[0];
  if (!Buffer.isBuffer(bytes)) return undefined;
  const details = new Map(Status.decode(bytes).details.map(({ typeUrl, value }) => [typeUrl, value]));
  const info = details.get(`${TYPE_PREFIX}ErrorInfo`);
  if (!info) return undefined;
  const { reason, domain, metadata: facts } = ErrorInfo.decode(info);
  if (domain !== ERROR_DOMAIN || !isErrorCode(reason)) return undefined;
  const badRequest = details.get(`${TYPE_PREFIX}BadRequest`);
  const retry = details.get(`${TYPE_PREFIX}RetryInfo`);
  const delay = retry && RetryInfo.decode(retry).retryDelay;
  return {
    code: reason,
    details: {
      ...(badRequest && { fields: BadRequest.decode(badRequest).fieldViolations }),
      ...(Object.keys(facts).length > 0 && { info: facts }),
      ...(delay && { retryAfterMs: Number(delay.seconds) * 1000 + delay.nanos / 1e6 }),
    },
  };
}
