/**
 * Brings what `br` prints to backup-service, piece by piece.
 *
 * U1. `br` never waits for it: what cannot be sent yet is kept here, up to a limit; beyond it the oldest goes first,
 *     but for the beginning of the run.
 * U2. Pieces are sent one after the other. Each has its number and its place before it is first sent and keeps both,
 *     so that a repeat after a lost answer is recognised.
 * U3. What was printed is sent within `everyMs`, and the rest at the end, since a log without its end is worth little; but
 *     the end of a task waits for it only while a piece gets through every `lastWordsMs`.
 */
import { MAX_OUTPUT_FIRST_BYTES, MAX_OUTPUT_LAST_BYTES, MAX_OUTPUT_PIECE_BYTES } from '@tidemark/limits/limits';
import {
  type ExecutorServiceServer,
  type TaskRef,
  TaskStanding,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/executor_service';
import { pause, sleep } from '@tidemark/service-kit/backoff';
import type { ServiceClient } from '@tidemark/service-kit/grpc/client';
import { outputNotTold, type RestoreTaskFacts, type TaskFacts } from './events.ts';

export interface OutputRecorder {
  push(chunk: Buffer): void;
  /** Reports what is left; resolves when that is done or no longer gets through. Never rejects. */
  finish(): Promise<void>;
}

export interface RecorderOptions {
  readonly client: Pick<ServiceClient<ExecutorServiceServer>, 'reportOutput'>;
  readonly task: TaskRef;
  readonly facts: TaskFacts | RestoreTaskFacts;
  /** Deadline of one call. */
  readonly callMs: number;
  readonly everyMs?: number;
  readonly lastWordsMs?: number;
}

interface Piece {
  readonly offset: number;
  readonly buffer: Buffer;
  bytes: number;
}

/** Pieces that are kept until they can be sent. */
const MOST_WAITING = (MAX_OUTPUT_FIRST_BYTES + MAX_OUTPUT_LAST_BYTES) / MAX_OUTPUT_PIECE_BYTES;
const EVERY_MS = 1_000;
const LAST_WORDS_MS = 5_000;

const newPiece = (offset: number): Piece => ({
  offset,
  buffer: Buffer.allocUnsafeSlow(MAX_OUTPUT_PIECE_BYTES),
  bytes: 0,
});

/** Starts sending. */
export function startOutputRecorder(options: RecorderOptions): OutputRecorder {
  const { client, task, facts, callMs, everyMs = EVERY_MS, lastWordsMs = LAST_WORDS_MS } = options;
  const finishing = new AbortController();
  const giveUp = new AbortController();
  const full: Piece[] = [];
  let open = newPiece(0);
  let sequence = 0;
  let late: NodeJS.Timeout | undefined;

  /** The next piece to send: the oldest that is full, else what there is of the open one. */
  const take = (): Piece | undefined => {
    const oldest = full.shift();
    if (oldest || open.bytes === 0) return oldest;
    const piece = open;
    open = newPiece(piece.offset + piece.bytes);
    return piece;
  };

  const send = async ({ offset, buffer, bytes }: Piece): Promise<void> => {
    const data = buffer.subarray(0, bytes);
    for (;;) {
      try {
        const { standing } = await client.reportOutput(
          { task, sequence, offset: BigInt(offset), data },
          { timeoutMs: callMs, requestId: facts.requestId, signal: giveUp.signal },
        );
        if (standing !== TaskStanding.TASK_STANDING_HELD) giveUp.abort(new Error('the attempt is not known'));
        sequence += 1;
        late?.refresh();
        return;
      } catch (error) {
        giveUp.signal.throwIfAborted();
        outputNotTold(facts, error);
        await sleep(everyMs, giveUp.signal);
      }
    }
  };

  const run = async (): Promise<void> => {
    for (let last = false; !giveUp.signal.aborted; ) {
      for (let piece = take(); piece; piece = take()) await send(piece);
      if (last) return;
      last = finishing.signal.aborted;
      if (!last) await pause(everyMs, finishing.signal);
    }
  };

  const done = run().catch(() => undefined); // given up
  return {
    push(chunk) {
      if (giveUp.signal.aborted) return;
      // Copied, since a chunk of a pipe may be a few bytes that keep a large buffer alive.
      for (let from = 0; from < chunk.length; ) {
        const copied = chunk.copy(open.buffer, open.bytes, from);
        open.bytes += copied;
        from += copied;
        if (open.bytes < MAX_OUTPUT_PIECE_BYTES) continue;
        full.push(open);
        open = newPiece(open.offset + open.bytes);
      }
      while (full.length > MOST_WAITING) {
        const oldest = full.findIndex(({ offset }) => offset >= MAX_OUTPUT_FIRST_BYTES);
        full.splice(oldest, 1);
      }
    },
    async finish() {
      late = setTimeout(() => giveUp.abort(new Error('it took too long')), lastWordsMs);
      finishing.abort();
      await done;
      clearTimeout(late);
    },
  };
}
