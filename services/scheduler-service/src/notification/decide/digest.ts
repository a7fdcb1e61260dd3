/** What receivers are told once a day. */
import type { DigestTime } from './receiver.ts';

/** The latest time at which a digest was due, and the date there: there is one for each. */
export interface DueDigest {
  readonly at: Date;
  /** Such as 2026-03-08. */
  readonly date: string;
}

/** A digest that is later than this is left out: the next one says more. */
const LATEST_MS = 12 * 3_600_000;

/**
 * The digest that is due; undefined where none is.
 *
 * @param since from when on digests are wanted: none is sent for a morning before it
 */
export function dueDigest({ hour, timeZone }: DigestTime, since: Date, now: Date): DueDigest | undefined {
  const here = Temporal.Instant.fromEpochMilliseconds(now.getTime()).toZonedDateTimeISO(timeZone);
  for (const date of [here.toPlainDate(), here.toPlainDate().subtract({ days: 1 })]) {
    const { epochMilliseconds } = date.toPlainDateTime(new Temporal.PlainTime(hour)).toZonedDateTime(timeZone);
    if (epochMilliseconds > now.getTime()) continue;
    const at = new Date(epochMilliseconds);
    const isWanted = at >= since && now.getTime() - epochMilliseconds <= LATEST_MS;
    return isWanted ? { at, date: date.toString() } : undefined;
  }
  return undefined;
}

/** What stands about the clusters of a receiver. */
export interface Standing {
  readonly clusters: number;
  /** By verdict, in words, the worst first. */
  readonly counts: readonly (readonly [verdict: string, count: number])[];
  /** How much is bad now. */
  readonly badCount: number;
  /** Of that as much as a digest names, as it was told; the most urgent first. */
  readonly bad: readonly string[];
  /** Deliveries of this receiver that were given up in the last day. */
  readonly givenUp: number;
  /** When what is told was known; undefined where nothing is. */
  readonly asOf: Date | undefined;
}

const OLD_MS = 15 * 60_000;

/** The digest as text. It says so where what it tells is old, or not known. */
export function digestText({ clusters, counts, badCount, bad, givenUp, asOf }: Standing, now: Date): string {
  const listed = counts.filter(([, count]) => count > 0).map(([verdict, count]) => `${count} ${verdict}`);
  const more = badCount - bad.length;
  const isOld = asOf && now.getTime() - asOf.getTime() > OLD_MS;
  return [
    ...(asOf ? [] : ['Tidemark cannot tell how the clusters are: it could not read its records.']),
    ...(isOld ? [`What follows is as of ${asOf.toISOString()}: Tidemark could not read its records since.`] : []),
    asOf ? `${clusters} ${clusters === 1 ? 'cluster' : 'clusters'}: ${listed.join(', ') || 'none'}.` : '',
    badCount === 0 ? 'Nothing is known to be bad.' : `${badCount} to look at:`,
    ...bad.map((line) => `- ${line}`),
    ...(more > 0 ? [`and ${more} more.`] : []),
    ...(givenUp > 0
      ? [`${givenUp} notifications could not be delivered here in the last day, and were given up.`]
      : []),
  ]
    .filter((line) => line !== '')
    .join('\n');
}
