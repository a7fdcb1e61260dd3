/**
 * Reads that many ask for at once.
 *
 * SR1. Of one key one read is under way at a time. Whoever asks meanwhile gets the answer of the next, which begins once all of
 *      them have asked: nobody is told what was before they asked.
 * SR2. A read belongs to nobody who asks: it ends in its own time, and who goes away stops waiting.
 */
import { raceAbort } from './abort.ts';

export type Read<Answer> = (signal: AbortSignal) => Promise<Answer>;

export type SharedReads<Answer> = (key: string, signal: AbortSignal, read: Read<Answer>) => Promise<Answer>;

interface Reading<Answer> {
  readonly now: Promise<Answer>;
  next: Promise<Answer> | undefined;
}

const LIMIT_MS = 5_000;

/**
 * Reads of one kind; `read` is that of one of those who ask for the key.
 *
 * @param limitMs how long a read may take
 */
export function shareReads<Answer>(limitMs = LIMIT_MS): SharedReads<Answer> {
  const readings = new Map<string, Reading<Answer>>();

  function begin(key: string, read: Read<Answer>): Promise<Answer> {
    const reading: Reading<Answer> = { now: read(AbortSignal.timeout(limitMs)), next: undefined };
    readings.set(key, reading);
    const end = () => {
      // The next one has taken its place already where somebody waits for it.
      if (readings.get(key) === reading && !reading.next) readings.delete(key);
    };
    reading.now.then(end, end);
    return reading.now;
  }

  function ask(key: string, read: Read<Answer>): Promise<Answer> {
    const reading = readings.get(key);
    if (!reading) return begin(key, read);
    const next = () => begin(key, read);
    reading.next ??= reading.now.then(next, next);
    return reading.next;
  }

  return (key, signal, read) => raceAbort(ask(key, read), signal);
}
