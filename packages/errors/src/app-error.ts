import { MAX_FIELD_NAME, MAX_TEXT, MAX_VIOLATIONS } from '@tidemark/limits/limits';
import { ERRORS, type ErrorCode, type ErrorRow } from './codes.ts';

/** A bad field of a request: its path in the request, what was wrong and what would be right. */
export interface FieldViolation {
  readonly field: string;
  readonly description: string;
}

/** What a caller may know beyond the message. */
export interface ErrorDetails {
  /** Every bad field, for `invalid_argument`. */
  readonly fields?: readonly FieldViolation[];
  /** Facts by name, such as the id of the backup that keeps a cluster busy. Never a secret. */
  readonly info?: Readonly<Record<string, string>>;
  /** When a repeat makes sense, in milliseconds. */
  readonly retryAfterMs?: number;
}

export interface AppErrorOptions extends ErrorDetails {
  /** What really happened; goes to the log and never to the caller. */
  readonly cause?: unknown;
}

/**
 * The only error that business code throws. Its message is a sentence for the caller;
 * what went wrong inside belongs into `cause`, which stays in the log.
 */
export class AppError extends Error {
  override readonly name = 'AppError';
  readonly code: ErrorCode;
  readonly details: ErrorDetails;

  constructor(code: ErrorCode, message: string, options: AppErrorOptions = {}) {
    const { cause, ...details } = options;
    super(message, cause === undefined ? undefined : { cause });
    this.code = code;
    this.details = details;
  }

  /** The error's row in the table. */
  get row(): ErrorRow {
    return ERRORS[this.code];
  }
}

/**
 * A validation error that names every bad field at once, the first twenty where there are more; names and descriptions may
 * hold what the caller wrote, and are cut.
 *
 * @param violations at least one
 */
export function invalidArgument(violations: readonly FieldViolation[]): AppError {
  const fields = violations.slice(0, MAX_VIOLATIONS).map(({ field, description }) => ({
    field: field.slice(0, MAX_FIELD_NAME),
    description: description.slice(0, MAX_TEXT),
  }));
  const more = violations.length > fields.length ? [`and ${violations.length - fields.length} more`] : [];
  const sentences = fields.map(({ field, description }) => `${field}: ${description}`);
  return new AppError('invalid_argument', [...sentences, ...more].join('; '), { fields });
}

/** Turns anything thrown into an `AppError`: what is not one already is a bug of ours, whose text stays in the log. */
export function toAppError(thrown: unknown): AppError {
  return thrown instanceof AppError
    ? thrown
    : new AppError('internal', 'Something went wrong inside Tidemark; its log tells more under this request id.', {
        cause: thrown,
      });
}

/** Whether a part of Tidemark, or what it needs, could not answer: the same for whatever else is asked just now. */
export function isOutage(thrown: unknown): boolean {
  return thrown instanceof AppError && OUTAGES.includes(thrown.code);
}

const OUTAGES: readonly ErrorCode[] = ['overloaded', 'deadline_exceeded', 'unavailable'];

/** The errors behind `thrown`, outermost first, each once: `cause` chains of drivers can be circular. */
export function* causes(thrown: unknown): Generator<unknown> {
  const seen = new Set<unknown>();
  for (
    let error = thrown;
    error !== undefined && error !== null && !seen.has(error);
    error = (error as { cause?: unknown }).cause
  ) {
    seen.add(error);
    yield error;
  }
}
