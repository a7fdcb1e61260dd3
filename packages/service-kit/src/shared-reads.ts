/**
 * Reads that many ask for at once.
 *
 * SR1. Of one key one read is under way at a time. Whoever asks meanwhile gets the answer of the next, which begins once all of
 *      them have asked: nobody is told what was before they asked.
 * SR2. A read belongs to nobody who asks: it ends in its own time, and who goes away stops waiting.
 */
import { raceAbort } from './abort.ts';

export type SharedReads<Answer> = (key: string, signal: AbortSignal) => Promise<Answer>;

interface Reading<Answer> {
  readonly now: Promise<Answer>;
  next: Promise<Answer> | undefined;
}

/** How long a read may take, in milliseconds. */
const LIMIT_MS = 5_000;

export function shareReads<Answer>(read: (key: string, signal: AbortSignal) => Promise<Answer>): SharedReads<Answer> {
  const readings = new Map<string, Reading<Answer>>();

  function begin(key: string): Promise<Answer> {
    const reading: Reading<Answer> = { now: read(key, AbortSignal.timeout(LIMIT_MS)), next: undefined };
    readings.set(key, reading);
    const end = () => {
      // The next one has taken its place already where somebody waits for it.
      if (readings.get(key) === reading && !reading.next) readings.delete(key);
    };
    reading.now.then(end, end);
    return reading.now;
  }

  function ask(key: string): Promise<Answer> {
    const reading = readings.get(key);
    if (!reading) return begin(key);
    reading.next ??= reading.now.then(
      () => begin(key),
      () => begin(key),
    );
    return reading.next;
  }

  return (key, signal) => raceAbort(ask(key), signal);
}
