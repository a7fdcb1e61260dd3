/**
 * Keeps one damaged record from stopping the others that are worked on in the same loop, or returned in the same list.
 *
 * Q1. A record that failed is left alone for a pause that doubles with each failure; one that works again is as before.
 * Q2. Each failure is counted; the first in each pause is logged at level error, with the id and the cause.
 * Q3. What says nothing of the record is thrown as it is: an outage, or the end of whoever asks. A conflict is left to the
 *     next round.
 * Q4. Memory is bounded: of very many records the one that failed longest ago is forgotten, and tried again.
 */
import { AppError, isOutage } from '@tidemark/errors/app-error';
import { MAX_QUARANTINED } from '@tidemark/limits/limits';
import { backoffMs } from './backoff.ts';
import type { Codec } from './grpc/fitting.ts';
import type { Logger } from './logging.ts';
import { counter, gauge } from './metrics.ts';

/** The damaged records of one kind, as one process knows them. */
export interface Quarantine {
  /** How many there are; whoever reads a batch by its oldest reads so many more. */
  readonly size: number;
  /** Whether the record may be tried: it never failed, or its pause is over. */
  admits(id: string): boolean;
  /**
   * Works on a record, unless it is in quarantine; undefined where it is, or where the work fails for the record's sake.
   *
   * @throws what `act` throws where that says nothing of the record, such as an outage
   */
  attempt<R>(id: string, act: () => Promise<R>, signal: AbortSignal): Promise<R | undefined>;
  /** Reads a record that is in memory; undefined where it cannot be read. It is tried each time, in quarantine or not. */
  read<R>(id: string, read: () => R): R | undefined;
}

export interface QuarantineOptions {
  /** What the records are, in the metrics and the log: few values, such as `backup`. */
  readonly kind: string;
  readonly log: Logger;
  /** The first pause and the longest, in milliseconds, give or take a half. */
  readonly firstMs?: number;
  readonly longestMs?: number;
}

interface Entry {
  readonly failures: number;
  /** By `performance.now()`. */
  readonly until: number;
  readonly forgetting: NodeJS.Timeout;
}

const FIRST_MS = 1_000;
const LONGEST_MS = 600_000;
/** So long after its pause a record that did not fail again is forgotten: it was removed, or nobody asks for it. */
const FORGET_MS = 600_000;

const failed = counter('tidemark_quarantine_failures_total', 'How often damaged records failed, by what they are.', [
  'kind',
]);
const held = gauge('tidemark_quarantined_records', 'Damaged records that are set aside now, by what they are.', [
  'kind',
]);

/** A quarantine for one kind of records; the metrics are those of all of a kind together. */
export function createQuarantine({
  kind,
  log,
  firstMs = FIRST_MS,
  longestMs = LONGEST_MS,
}: QuarantineOptions): Quarantine {
  const entries = new Map<string, Entry>();
  // There from the start: what begins at 1 never grew.
  failed.inc({ kind }, 0);
  held.inc({ kind }, 0);

  const forget = (id: string): void => {
    const entry = entries.get(id);
    if (!entry) return;
    clearTimeout(entry.forgetting);
    entries.delete(id);
    held.dec({ kind });
  };
  const admits = (id: string): boolean => (entries.get(id)?.until ?? 0) <= performance.now();
  const setAside = (id: string, error: unknown): void => {
    failed.inc({ kind });
    if (!admits(id)) return;
    const failures = (entries.get(id)?.failures ?? 0) + 1;
    forget(id);
    const [oldest] = entries.keys();
    if (oldest !== undefined && entries.size >= MAX_QUARANTINED) forget(oldest);
    const pauseMs = backoffMs(failures, { baseMs: firstMs, maxMs: longestMs });
    const forgetting = setTimeout(() => forget(id), pauseMs + FORGET_MS).unref();
    entries.set(id, { failures, until: performance.now() + pauseMs, forgetting });
    held.inc({ kind });
    log.error({ kind, id, failures, pauseMs: Math.round(pauseMs), error }, `a ${kind} is damaged and was set aside`);
  };

  return {
    get size() {
      return entries.size;
    },
    admits,
    async attempt(id, act, signal) {
      if (!admits(id)) return undefined;
      try {
        const result = await act();
        forget(id);
        return result;
      } catch (error) {
        if (isOfAnother(error, signal)) throw error;
        if (!(error instanceof AppError && error.code === 'conflict')) setAside(id, error);
        return undefined;
      }
    },
    read(id, read) {
      try {
        const result = read();
        forget(id);
        return result;
      } catch (error) {
        setAside(id, error);
        return undefined;
      }
    },
  };
}

/** Whether a failure says nothing of the record. */
function isOfAnother(error: unknown, signal: AbortSignal): boolean {
  return signal.aborted || isOutage(error) || (error instanceof AppError && error.code === 'canceled');
}

/** A record, and its message. */
export interface Readable<T, Message> {
  readonly record: T;
  readonly message: Message;
}

/** Those records of a list that can be read, each with its message; the others are in quarantine. */
export function readable<T extends { readonly _id: string }, Message>(
  quarantine: Quarantine,
  records: readonly T[],
  toMessage: (record: T) => Message,
  codec: Codec<Message>,
): Readable<T, Message>[] {
  return records.flatMap((record) => {
    const message = quarantine.read(record._id, () => encodable(toMessage(record), codec));
    return message === undefined ? [] : [{ record, message }];
  });
}

/** The message of one record. @throws AppError `internal`, whose cause names the record, where it is damaged */
export function readOne<T extends { readonly _id: string }, Message>(
  kind: string,
  record: T,
  toMessage: (record: T) => Message,
  codec: Codec<Message>,
): Message {
  try {
    return encodable(toMessage(record), codec);
  } catch (error) {
    throw new AppError('internal', `This ${kind} cannot be read: its record is damaged. The log tells more.`, {
      cause: new Error(`the record of ${kind} ${record._id} is damaged`, { cause: error }),
    });
  }
}

/** What is no time, or no number, is found out only where the message is written. */
function encodable<Message>(message: Message, codec: Codec<Message>): Message {
  codec.encode(message).finish();
  return message;
}
