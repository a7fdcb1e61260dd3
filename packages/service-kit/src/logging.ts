import { AppError } from '@tidemark/errors/app-error';
import { MAX_LOG_DEPTH, MAX_LOG_ENTRIES, MAX_LOG_TEXT } from '@tidemark/limits/limits';
import { traceId } from '@tidemark/tracing/trace';
import { pino } from 'pino';
import { readEnv } from './env.ts';

/** What Tidemark's code logs to: facts first, then a sentence. */
export interface Logger {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
  /** A logger that adds `fields` to each line. */
  child(fields: object): Logger;
}

const SECRETS = ['authorization', 'token', 'password', 'secret', 'url', 'cookie'];

/**
 * Hides the password of every `scheme://user:password@host` in a text, in time that grows with its length alone: clients
 * choose what stands in some of these texts, so no pattern may try the same stretch from each of its characters.
 */
export function withoutPasswords(text: string): string {
  return text.replaceAll(/[^\s@]+@?/g, (stretch) =>
    stretch.endsWith('@') ? stretch.replace(/(:\/\/[^:/]*):.*@/, '$1:***@') : stretch,
  );
}

/** A text as the log has it: what people send ends up in some, and one line must not push out a thousand others. */
function cut(text: string): string {
  return text.length > MAX_LOG_TEXT ? `${text.slice(0, MAX_LOG_TEXT)}… (${text.length} characters)` : text;
}

/** The same of everything in a line; what is within its bounds stays as it is. */
export function cutAll(value: unknown, depth = 0): unknown {
  if (typeof value === 'string') return cut(value);
  if (typeof value !== 'object' || value === null || value instanceof Error || depth > MAX_LOG_DEPTH) return value;
  if (Array.isArray(value)) return value.slice(0, MAX_LOG_ENTRIES).map((item) => cutAll(item, depth + 1));
  if (Object.getPrototypeOf(value) !== Object.prototype) return value;
  const entries = Object.entries(value).slice(0, MAX_LOG_ENTRIES);
  return Object.fromEntries(entries.map(([name, item]) => [name, cutAll(item, depth + 1)]));
}

/** An error as the log has it. */
export interface PlainError {
  type: string;
  message: string;
  code?: unknown;
  stack?: string | undefined;
  cause?: PlainError;
}

/** What nobody throws on purpose, wherever it stands in a chain; `fetch` has a cause where it says that a peer is away. */
function isFault(error: Error): boolean {
  if (error instanceof TypeError) return error.cause === undefined;
  return error instanceof RangeError || error instanceof ReferenceError;
}

/**
 * An error with its causes. A refusal or an outage is logged by their sentences alone, however many callers hear of it;
 * where something is our fault, or may be, stands the stack.
 */
export function plainError(error: unknown, depth = 0, expected = false): PlainError {
  if (!(error instanceof Error)) return { type: typeof error, message: withoutPasswords(cut(String(error))) };
  const code = (error as { code?: unknown }).code;
  const told = expected || (error instanceof AppError && error.row.log !== 'error');
  // An AppError is thrown on purpose and its sentence says it all; where things really broke stands in its cause.
  const hasStack = error.name !== 'AppError' && (!told || isFault(error));
  return {
    type: error.name,
    message: withoutPasswords(cut(error.message)),
    ...(code !== undefined && { code }),
    ...(hasStack && { stack: error.stack && withoutPasswords(cut(error.stack)) }),
    ...(error.cause !== undefined && depth < 5 && { cause: plainError(error.cause, depth + 1, told) }),
  };
}

/**
 * A logger that writes a JSON line each to standard output. Errors go under the name `error`, with their causes;
 * fields whose name is that of a secret are blotted out. `TIDEMARK_LOG_LEVEL` sets the level (info).
 */
export function createLogger(name: string): Logger {
  return pino({
    name,
    level: readEnv().TIDEMARK_LOG_LEVEL ?? 'info',
    base: { pid: process.pid },
    timestamp: pino.stdTimeFunctions.isoTime,
    mixin() {
      const id = traceId();
      return id === undefined ? {} : { trace_id: id };
    },
    formatters: { level: (level) => ({ level }), log: (fields) => cutAll(fields) as Record<string, unknown> },
    serializers: { error: (error: unknown) => plainError(error) },
    redact: { paths: SECRETS.flatMap((secret) => [secret, `*.${secret}`]), censor: '***' },
  });
}
