/** Changes of a record as server-sent events. */
import { log } from '../logger.ts';

export const EVENT_STREAM = 'text/event-stream; charset=utf-8';
/** A comment: clients skip it, and proxies see that the connection lives. */
export const BEAT = ': still here\n\n';

export interface ServerSentEvent {
  readonly event: string;
  /** The revision of the record, or where the stream goes on; left out, that of the event before. */
  readonly id?: bigint | string;
  /** Sent as JSON. */
  readonly data: object;
}

/**
 * An event for each change, then one that says whether it is over or broke off.
 *
 * @param gone aborts when nobody reads it any more
 */
export async function* eventsOf<Change>(
  changes: AsyncIterable<Change>,
  toEvent: (change: Change) => ServerSentEvent | undefined,
  gone: AbortSignal,
): AsyncGenerator<string> {
  try {
    for await (const change of changes) {
      const told = toEvent(change);
      if (!told) continue;
      const id = told.id === undefined ? '' : `id: ${told.id}\n`;
      yield `event: ${told.event}\n${id}data: ${JSON.stringify(told.data)}\n\n`;
    }
    yield 'event: end\ndata: {}\n\n';
  } catch (error) {
    if (gone.aborted) return;
    // Thrown on, it would cut the connection, and this event with it.
    log.warn({ error }, 'a stream of events broke off');
    yield `event: error\ndata: ${JSON.stringify({ message: 'The stream ended; connect again.' })}\n\n`;
  }
}
