import { closeSync, mkdirSync, openSync, statSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { type GivenFlags, textFlag } from './arguments.ts';
import { BrError } from './br-error.ts';
import { type Fields, jsonLine, type LogLevel, type LogRecord, logTime, textLine } from './log-line.ts';

/** Where BR's log lines go. */
export interface Log extends Disposable {
  /** Whether lines go to a file, not to stdout. */
  readonly isFile: boolean;
  info(caller: string, message: string, fields?: Fields): void;
  warn(caller: string, message: string, fields?: Fields): void;
  /** Adds `error`, `errorVerbose` and `stack`, as every ERROR line has them. */
  error(caller: string, message: string, error: Error): void;
  /** An ERROR line that is about no error: of the usual fields it has the stack alone. */
  errorLine(caller: string, message: string, fields: Fields): void;
  /** The summary of a command such as `Full Backup`: in the log, and on stdout in text format where the log is a file. */
  summary(command: string, end: 'success' | 'failed', fields: Fields): void;
}

export interface LogOptions {
  /** What `--log-level` says. */
  readonly level: string;
  /** What `--log-format` says. */
  readonly format: string;
  /** Lines go to this file, or to stdout without one. */
  readonly file: string | undefined;
}

/** Of lines that tell how a command ended; that of a log's restore has one of its own. */
const CALLERS = { success: 'collector.go:264', failed: 'collector.go:225' } as const;

const RANK: Readonly<Record<string, number>> = { debug: 0, info: 1, warn: 2, error: 3 };

/** Prints to stdout; Node.js writes to files and pipes before it returns. */
export function printLine(line: string): void {
  process.stdout.write(`${line}\n`);
}

const STACK = 'main.runCommand\n\tdemo-br/main.go:1';

/** The fields of every ERROR line. Where the real program prints stacks of Go functions, here is one made-up frame. */
export function errorFields(error: Error): Fields {
  return [
    ['error', error.message],
    ['errorVerbose', `${error.message}\n${STACK}`],
    ['stack', STACK],
  ];
}

/**
 * The log file of a run: `--log-file`, or a new one in the folder for temporary files; undefined for stdout, which
 * BR_LOG_TO_TERM (with any value) or an empty `--log-file` asks for (br-contract 1.2, 3.1).
 */
export function logFile(given: string | undefined, env: Readonly<Record<string, string | undefined>>, now: Date) {
  if (env.BR_LOG_TO_TERM !== undefined || given === '') return undefined;
  const [, day, clock, zone] = /^(\S+) (\S+)\.\d+ (\S+)$/.exec(logTime(now)) ?? [];
  const offset = zone === '+00:00' ? 'Z' : zone?.replace(':', '');
  return resolve(
    given ?? join(tmpdir(), `br.log.${day?.replaceAll('/', '-')}T${clock?.replaceAll(':', '.')}${offset}`),
  );
}

/**
 * Opens the log that the flags ask for, and says on stderr where it is if it is a file.
 *
 * @throws BrError if the file is a folder or cannot be opened
 */
export function openCommandLog(flags: GivenFlags, env: Readonly<Record<string, string | undefined>>): Log {
  const file = logFile(flags.get('log-file')?.at(-1), env, new Date());
  const log = openLog({ level: textFlag(flags, 'log-level'), format: textFlag(flags, 'log-format'), file });
  if (file !== undefined) process.stderr.write(`Detail BR log in ${file} \n`);
  return log;
}

/**
 * Opens the log.
 *
 * @throws BrError if the file is a folder or cannot be opened
 */
export function openLog({ level, format, file }: LogOptions): Log {
  const lineOf = format === 'json' ? jsonLine : textLine;
  const least = RANK[level.toLowerCase()] ?? 1;
  const descriptor = file === undefined ? undefined : openLogFile(file);

  const write = (severity: LogLevel, caller: string, message: string, fields: Fields) => {
    if ((RANK[severity.toLowerCase()] ?? 0) < least) return;
    const record: LogRecord = { time: new Date(), level: severity, caller, message, fields };
    if (descriptor === undefined) printLine(lineOf(record));
    else writeSync(descriptor, `${lineOf(record)}\n`);
  };

  return {
    isFile: file !== undefined,
    info: (caller, message, fields = []) => write('INFO', caller, message, fields),
    warn: (caller, message, fields = []) => write('WARN', caller, message, fields),
    error: (caller, message, error) => write('ERROR', caller, message, errorFields(error)),
    errorLine: (caller, message, fields) => write('ERROR', caller, message, [...fields, ['stack', STACK]]),
    summary(command, end, fields) {
      const message = `${command} ${end} summary`;
      write('INFO', command === 'restore log' ? 'collector.go:268' : CALLERS[end], message, fields);
      if (descriptor === undefined) return;
      printLine(textLine({ time: new Date(), level: 'INFO', caller: 'collector.go:77', message, fields }));
    },
    [Symbol.dispose]() {
      if (descriptor !== undefined) closeSync(descriptor);
    },
  };
}

function openLogFile(file: string): number {
  if (statSync(file, { throwIfNoEntry: false })?.isDirectory()) {
    throw new BrError("can't use directory as log file name");
  }
  try {
    mkdirSync(dirname(file), { recursive: true });
    return openSync(file, 'a', 0o644);
  } catch (error) {
    throw new BrError(`open ${file}: ${(error as Error).message}`);
  }
}
