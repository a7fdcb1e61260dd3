import { AppError } from '@tidemark/errors/app-error';
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
 * An error with its causes. A refusal or an outage is told by their sentences alone, however many callers hear of it;
 * where something is our fault, or may be, stands the stack.
 */
export function plainError(error: unknown, depth = 0, expected = false): PlainError {
  if (!(error instanceof Error)) return { type: typeof error, message: withoutPasswords(String(error)) };
  const code = (error as { code?: unknown }).code;
  const told = expected || (error instanceof AppError && error.row.log !== 'error');
  // An AppError is thrown on purpose and its sentence says it all; where things really broke stands in its cause.
  const hasStack = error.name !== 'AppError' && (!told || isFault(error));
  return {
    type: error.name,
    message: withoutPasswords(error.message),
    ...(code !== undefined && { code }),
    ...(hasStack && { stack: error.stack && withoutPasswords(error.stack) }),
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
    formatters: { level: (level) => ({ level }) },
    serializers: { error: (error: unknown) => plainError(error) },
    redact: { paths: SECRETS.flatMap((secret) => [secret, `*.${secret}`]), censor: '***' },
  });
}
