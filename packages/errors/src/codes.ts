/**
 * The one table of errors (architecture 5). Business code throws an `AppError` with a code;
 * nothing else in Tidemark chooses a status.
 */

/** How loud a log line about the error is: a caller's mistake is `info`, our own fault is `error`. */
export type LogLevel = 'debug' | 'info' | 'warn' | 'error';

/** One row of the table: what an error code means on each of the wires. */
export interface ErrorRow {
  /** Name of the gRPC status, as in `grpc.status`. */
  readonly grpc:
    | 'CANCELLED'
    | 'INVALID_ARGUMENT'
    | 'DEADLINE_EXCEEDED'
    | 'NOT_FOUND'
    | 'ALREADY_EXISTS'
    | 'PERMISSION_DENIED'
    | 'RESOURCE_EXHAUSTED'
    | 'FAILED_PRECONDITION'
    | 'ABORTED'
    | 'OUT_OF_RANGE'
    | 'UNIMPLEMENTED'
    | 'INTERNAL'
    | 'UNAVAILABLE'
    | 'UNAUTHENTICATED';
  /** HTTP status of the REST answer. */
  readonly http: number;
  /** Number in the envelope of the documented API (docs/api-contract.md). */
  readonly number: number;
  /** Whether the same call may succeed when it is simply repeated later. */
  readonly retryable: boolean;
  readonly log: LogLevel;
}

export const ERRORS = {
  invalid_argument: { grpc: 'INVALID_ARGUMENT', http: 400, number: 10001, retryable: false, log: 'info' },
  payload_too_large: { grpc: 'INVALID_ARGUMENT', http: 413, number: 10001, retryable: false, log: 'info' },
  headers_too_large: { grpc: 'INVALID_ARGUMENT', http: 431, number: 10001, retryable: false, log: 'info' },
  route_not_found: { grpc: 'UNIMPLEMENTED', http: 404, number: 10001, retryable: false, log: 'info' },
  method_not_allowed: { grpc: 'UNIMPLEMENTED', http: 405, number: 10001, retryable: false, log: 'info' },
  unauthenticated: { grpc: 'UNAUTHENTICATED', http: 401, number: 70600, retryable: false, log: 'info' },
  token_expired: { grpc: 'UNAUTHENTICATED', http: 401, number: 70602, retryable: false, log: 'info' },
  permission_denied: { grpc: 'PERMISSION_DENIED', http: 403, number: 70650, retryable: false, log: 'info' },
  too_many_requests: { grpc: 'RESOURCE_EXHAUSTED', http: 429, number: 10000, retryable: true, log: 'info' },
  cluster_not_found: { grpc: 'NOT_FOUND', http: 404, number: 10003, retryable: false, log: 'info' },
  cluster_busy: { grpc: 'ALREADY_EXISTS', http: 409, number: 20114, retryable: true, log: 'info' },
  cluster_in_use: { grpc: 'FAILED_PRECONDITION', http: 409, number: 20114, retryable: false, log: 'info' },
  storage_not_found: { grpc: 'NOT_FOUND', http: 404, number: 20600, retryable: false, log: 'info' },
  storage_unusable: { grpc: 'FAILED_PRECONDITION', http: 400, number: 20601, retryable: false, log: 'info' },
  storage_in_use: { grpc: 'FAILED_PRECONDITION', http: 409, number: 20601, retryable: false, log: 'info' },
  check_not_found: { grpc: 'NOT_FOUND', http: 404, number: 10001, retryable: false, log: 'info' },
  start_expired: { grpc: 'FAILED_PRECONDITION', http: 409, number: 20602, retryable: false, log: 'info' },
  backup_in_use: { grpc: 'FAILED_PRECONDITION', http: 409, number: 20603, retryable: false, log: 'info' },
  points_would_be_lost: { grpc: 'FAILED_PRECONDITION', http: 409, number: 20603, retryable: false, log: 'info' },
  backup_not_good: { grpc: 'FAILED_PRECONDITION', http: 409, number: 10001, retryable: false, log: 'info' },
  backup_not_in_bin: { grpc: 'FAILED_PRECONDITION', http: 409, number: 10001, retryable: false, log: 'info' },
  strategy_not_found: { grpc: 'NOT_FOUND', http: 404, number: 20606, retryable: false, log: 'info' },
  strategy_inherited: { grpc: 'FAILED_PRECONDITION', http: 409, number: 20607, retryable: false, log: 'info' },
  backup_not_found: { grpc: 'NOT_FOUND', http: 404, number: 20610, retryable: false, log: 'info' },
  verification_over: { grpc: 'FAILED_PRECONDITION', http: 409, number: 10001, retryable: false, log: 'info' },
  backup_over: { grpc: 'FAILED_PRECONDITION', http: 409, number: 20611, retryable: false, log: 'info' },
  restore_not_found: { grpc: 'NOT_FOUND', http: 404, number: 10001, retryable: false, log: 'info' },
  log_backup_not_set: { grpc: 'FAILED_PRECONDITION', http: 409, number: 10001, retryable: false, log: 'info' },
  log_in_use: { grpc: 'FAILED_PRECONDITION', http: 409, number: 10001, retryable: false, log: 'info' },
  log_backup_active: { grpc: 'FAILED_PRECONDITION', http: 409, number: 10001, retryable: false, log: 'info' },
  restore_over: { grpc: 'FAILED_PRECONDITION', http: 409, number: 10001, retryable: false, log: 'info' },
  restore_active: { grpc: 'FAILED_PRECONDITION', http: 409, number: 10001, retryable: false, log: 'info' },
  point_not_restorable: { grpc: 'FAILED_PRECONDITION', http: 400, number: 10001, retryable: false, log: 'info' },
  restore_quiet: { grpc: 'FAILED_PRECONDITION', http: 409, number: 10001, retryable: true, log: 'info' },
  not_resumable: { grpc: 'FAILED_PRECONDITION', http: 409, number: 10001, retryable: false, log: 'info' },
  target_needs_cleaning: { grpc: 'FAILED_PRECONDITION', http: 409, number: 10001, retryable: false, log: 'info' },
  plan_stale: { grpc: 'ABORTED', http: 409, number: 10001, retryable: false, log: 'info' },
  plan_blocked: { grpc: 'FAILED_PRECONDITION', http: 400, number: 10001, retryable: false, log: 'info' },
  drill_not_found: { grpc: 'NOT_FOUND', http: 404, number: 10001, retryable: false, log: 'info' },
  drill_target_refused: { grpc: 'FAILED_PRECONDITION', http: 409, number: 10001, retryable: false, log: 'info' },
  receiver_not_found: { grpc: 'NOT_FOUND', http: 404, number: 10001, retryable: false, log: 'info' },
  token_not_found: { grpc: 'NOT_FOUND', http: 404, number: 10001, retryable: false, log: 'info' },
  cursor_too_old: { grpc: 'OUT_OF_RANGE', http: 410, number: 10001, retryable: false, log: 'info' },
  revision_changed: { grpc: 'ABORTED', http: 409, number: 10001, retryable: false, log: 'info' },
  wrong_state: { grpc: 'FAILED_PRECONDITION', http: 409, number: 10001, retryable: false, log: 'error' },
  conflict: { grpc: 'ABORTED', http: 409, number: 10001, retryable: true, log: 'info' },
  canceled: { grpc: 'CANCELLED', http: 499, number: 10000, retryable: false, log: 'info' },
  deadline_exceeded: { grpc: 'DEADLINE_EXCEEDED', http: 503, number: 10000, retryable: true, log: 'warn' },
  overloaded: { grpc: 'RESOURCE_EXHAUSTED', http: 503, number: 10000, retryable: true, log: 'debug' },
  unavailable: { grpc: 'UNAVAILABLE', http: 503, number: 10000, retryable: true, log: 'warn' },
  internal: { grpc: 'INTERNAL', http: 500, number: 10000, retryable: false, log: 'error' },
} as const satisfies Record<string, ErrorRow>;

/** Every way in which a call can fail. */
export type ErrorCode = keyof typeof ERRORS;

/** Whether `text` names a row of the table: a newer peer may send a code that this process does not know. */
export function isErrorCode(text: string): text is ErrorCode {
  return Object.hasOwn(ERRORS, text);
}
