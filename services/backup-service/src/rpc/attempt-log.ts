import { sleep } from '@tidemark/service-kit/backoff';
import type { AttemptOutputStore, OutputPosition } from '../attempt-output-store.ts';
import { validation } from '../validate.ts';

/** A backup or a restore, as far as the log of its attempts needs it. */
export interface Printing {
  readonly attempts: readonly { readonly worker: string; readonly brVersion: string; readonly isOver: boolean }[];
  /** More may come, of an attempt or by another one. */
  readonly isActive: boolean;
}

export interface WantedLog {
  readonly id: string;
  /** From 1; 0 is all of them. */
  readonly attempt: number;
  /** Goes on for as long as more may come. */
  readonly follow: boolean;
}

/** A piece of a log; what lies between it and the one before of the same attempt was not kept. */
export interface LogPiece {
  readonly attempt: number;
  readonly data: Buffer;
  readonly skippedBytes: bigint;
  readonly worker: string;
  readonly brVersion: string;
}

const FOLLOW_MS = 500;
const BATCH = 16;

/**
 * What the attempts printed, one after the other.
 *
 * @param read the record as it is now; what it throws is thrown
 * @throws AppError `invalid_argument` for an attempt that was never made, unless it is followed and may still come
 */
export async function* readAttemptLog(
  read: () => Promise<Printing>,
  output: Pick<AttemptOutputStore, 'readAfter'>,
  { id, attempt: wanted, follow }: WantedLog,
  signal: AbortSignal,
): AsyncGenerator<LogPiece> {
  const known = await read();
  const last = known.attempts.length;
  const check = validation();
  check.require(wanted <= last || (follow && known.isActive), 'attempt', `must be one of the ${last} that there were`);
  check.finish();

  let position: OutputPosition = { attempt: wanted || 1, sequence: -1 };
  let end = 0;
  for (;;) {
    // Read before the pieces: when it was over by then, no piece can come after them.
    const printing = await read();
    for (let pieces = await output.readAfter(id, position, BATCH, signal); pieces.length > 0; ) {
      for (const { attempt, sequence, offset, data } of pieces) {
        if (wanted > 0 && attempt !== wanted) return;
        if (attempt !== position.attempt) end = 0;
        const { worker = '', brVersion = '' } = printing.attempts[attempt - 1] ?? {};
        const skippedBytes = BigInt(Math.max(0, offset - end));
        yield { attempt, data: Buffer.from(data), skippedBytes, worker, brVersion };
        end = offset + data.length;
        position = { attempt, sequence };
      }
      pieces = await output.readAfter(id, position, BATCH, signal);
    }
    if (!follow || isComplete(printing, wanted)) return;
    await sleep(FOLLOW_MS, signal);
  }
}

/** Whether nothing of what is wanted can be printed any more. */
function isComplete({ attempts, isActive }: Printing, wanted: number): boolean {
  return !isActive || (wanted > 0 && attempts[wanted - 1]?.isOver === true);
}
