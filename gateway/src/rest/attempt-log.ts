import { log } from '../logger.ts';

export const PLAIN_TEXT = 'text/plain; charset=utf-8';

/** A piece of what an attempt printed. */
export interface LogPiece {
  readonly attempt: number;
  readonly data: Uint8Array;
  /** How many bytes before it were not kept. */
  readonly skippedBytes: bigint;
  readonly worker: string;
  readonly brVersion: string;
}

/**
 * What `br` printed, as plain text: a heading for each attempt, then its lines as they came.
 *
 * @param gone aborts when nobody reads it any more
 */
export async function* logText(pieces: AsyncIterable<LogPiece>, gone: AbortSignal): AsyncGenerator<Uint8Array> {
  const line = (text: string) => Buffer.from(`${text}\n`);
  let current = 0;
  try {
    for await (const { attempt, data, skippedBytes, worker, brVersion } of pieces) {
      if (attempt !== current)
        yield line(`${current ? '\n' : ''}==> attempt ${attempt}, br ${brVersion}, worker ${worker} <==`);
      current = attempt;
      if (skippedBytes > 0n) yield line(`\n[… ${skippedBytes} bytes were not kept …]`);
      yield data;
    }
  } catch (error) {
    if (gone.aborted) return;
    // Thrown on, it would cut the connection, and this line with it.
    log.warn({ error }, 'a log broke off');
    yield line('\n[the log broke off here; ask again]');
  }
}
