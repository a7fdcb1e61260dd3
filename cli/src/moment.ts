import { InvalidArgumentError } from '@commander-js/extra-typings';
import { casual } from 'chrono-node/en';
import { readDate } from './date.ts';

const ISO = /^\d{4}-\d\d-\d\dT/;
/** Of which nobody knows whether the day or the month comes first. */
const AMBIGUOUS = /\d\s*[/.]\s*\d+\s*[/.]/;

/**
 * A moment as a person says it: `2026-01-31T10:15:00+01:00`, `2026-01-31 10:15`, `yesterday 10:15`, `2 hours ago`. Without a zone it
 * is meant in that of this machine. A day alone is none.
 *
 * @throws InvalidArgumentError
 */
export function toMoment(text: string): Date {
  const said = text.trim();
  const at = ISO.test(said) ? new Date(readDate(said)) : inWords(said);
  if (at === undefined || Number.isNaN(at.getTime()))
    throw new InvalidArgumentError(
      'It must be a moment with its time of day, such as 2026-01-31T10:15:00+01:00, "2026-01-31 10:15", "yesterday 10:15" or "2 hours ago".',
    );
  return at;
}

function inWords(said: string): Date | undefined {
  if (AMBIGUOUS.test(said)) return undefined;
  const [found, ...others] = casual.parse(said);
  // What it did not understand of a text, it passes over.
  if (found?.text !== said || others.length > 0 || found.end || !found.start.isCertain('hour')) return undefined;
  return found.start.date();
}
