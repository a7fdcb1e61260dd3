/** Reads what `br log truncate` prints and how it ends (br-contract 11). It prints for people: no summary, and exit 0 with files left. */
import { StringDecoder } from 'node:string_decoder';
import { MAX_TRUNCATE_LINE, MAX_TRUNCATE_LINES, MAX_WORKER_SENTENCE } from '@tidemark/limits/limits';
import type { Reason } from '@tidemark/protocol/grpc/tidemark/backup/v1/backup';
import type { BrExit } from '../br/process.ts';

export type TruncateEnd =
  /** Nothing was left to remove. */
  | { readonly kind: 'clean' }
  /** Files were removed, or could not be: only another run tells whether some are left. */
  | { readonly kind: 'again'; readonly left: number }
  | { readonly kind: 'failed'; readonly reason: Reason };

/** What `br` says of a log that another run has, or a killed one had. */
export const LOCKED = 'TRUNCATE_LOCKED';

const LOG_LINE = /^\[\d{4}\/\d\d\/\d\d /;
/** The other word is that of versions before 8. */
const TO_TRUNCATE = /We are going to (?:truncate|remove) (\d+) files/;
const NOT_DELETED = 'Files below are not deleted due to error';
const TOTAL_LEFT = /^- Total (\d+) items/;

interface Row {
  readonly says: RegExp;
  readonly code: string;
  readonly message: string;
}

/** The first row that fits. */
const ROWS: readonly Row[] = [
  {
    says: /locked, meta = Locked\(|truncating\.lock/,
    code: LOCKED,
    message: 'Another br log truncate has this log, or left its lock there.',
  },
  {
    says: /AccessDenied|InvalidAccessKeyId|SignatureDoesNotMatch|status code: 403|permission denied/,
    code: 'STORAGE_DENIED',
    message: 'br may not remove files from the storage of the log.',
  },
  {
    says: /the storage has been used for full backup/,
    code: 'NO_LOG',
    message: 'In the path of the log lies a full backup.',
  },
  {
    says: /unknown (?:flag|command)|required flag/,
    code: 'CALLED_WRONGLY',
    message: 'This br does not take the command that Tidemark gave it.',
  },
];

/** What was printed, as far as it is for people. */
export interface TruncateReader {
  stdout(chunk: Buffer): void;
  stderr(chunk: Buffer): void;
  end(exit: BrExit): TruncateEnd;
}

export function createTruncateReader(): TruncateReader {
  const lines: string[] = [];
  const reader = () => {
    const decoder = new StringDecoder('utf8');
    let rest = '';
    return (chunk: Buffer) => {
      const parts = `${rest}${decoder.write(chunk)}`.split('\n');
      rest = (parts.pop() ?? '').slice(0, MAX_TRUNCATE_LINE);
      const said = parts.filter((line) => !LOG_LINE.test(line)).map((line) => line.slice(0, MAX_TRUNCATE_LINE));
      lines.push(...said.slice(0, MAX_TRUNCATE_LINES - lines.length));
    };
  };
  return {
    stdout: reader(),
    stderr: reader(),
    end: (exit) => readTruncateEnd(exit, lines),
  };
}

/** @param lines that are no lines of a log */
export function readTruncateEnd({ code, signal, silenced, error }: BrExit, lines: readonly string[]): TruncateEnd {
  const detail = lines.join('\n').slice(0, MAX_WORKER_SENTENCE);
  const failed = (reason: Omit<Reason, 'detail'>): TruncateEnd => ({ kind: 'failed', reason: { ...reason, detail } });
  if (error !== undefined) return failed({ code: 'NOT_STARTED', message: `br could not be started: ${error}.` });
  if (code === undefined)
    return failed({
      code: 'UNKNOWN_END',
      message: silenced
        ? 'br was ended, as its worker was not heard any more.'
        : `br was killed by ${signal ?? 'nobody knows whom'}.`,
    });
  if (code !== 0) {
    const row = ROWS.find(({ says }) => lines.some((line) => says.test(line)));
    return failed(row ?? { code: 'BR_FAILED', message: 'br log truncate failed.' });
  }
  // A command that this br does not have prints its help, and calls that a success (br-contract 14.1).
  if (lines.some((line) => line.startsWith('Usage:')))
    return failed({ code: 'CALLED_WRONGLY', message: 'This br cannot truncate a log.' });
  const found = lines.map((line) => TO_TRUNCATE.exec(line)?.[1]).find((count) => count !== undefined);
  const isLeft = lines.some((line) => line.includes(NOT_DELETED));
  if (!isLeft && Number(found ?? 0) === 0) return { kind: 'clean' };
  const total = lines.map((line) => TOTAL_LEFT.exec(line)?.[1]).find((count) => count !== undefined);
  return { kind: 'again', left: isLeft ? Number(total ?? 1) : 0 };
}
