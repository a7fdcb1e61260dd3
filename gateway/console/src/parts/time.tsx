import type { Timestamp } from '@bufbuild/protobuf/wkt';
import { timestampMs } from '@bufbuild/protobuf/wkt';
import { now } from '../clock.ts';
import { duration, fromNow } from '../quantities.ts';

const DATE = new Intl.DateTimeFormat(undefined, { weekday: 'short', day: 'numeric', month: 'short' });
const WEEKDAY = new Intl.DateTimeFormat(undefined, { weekday: 'short' });
const TIME = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit' });
const DAY_MS = 86_400_000;
/** Within so many days a weekday names one day. */
const WEEK_DAYS = 6;

/** A moment in the reader's zone: the day only where it is not of about now, the date only where the weekday would not do. */
export function localTime(ms: number): string {
  const distance = Math.abs(ms - now.value);
  if (distance < DAY_MS / 2 || DATE.format(ms) === DATE.format(now.value)) return TIME.format(ms);
  return `${(distance < WEEK_DAYS * DAY_MS ? WEEKDAY : DATE).format(ms)}, ${TIME.format(ms)}`;
}

/** As in "2026-12-01 21:04:07 UTC". */
export function utcTime(ms: number): string {
  return new Date(ms)
    .toISOString()
    .replace('T', ' ')
    .replace(/\.\d+Z$/, ' UTC');
}

interface TimeProps {
  readonly at: Timestamp | undefined;
}

/** A moment as its distance from now; the exact one in UTC is its title. */
export function Ago({ at }: TimeProps) {
  if (!at) return <span class="muted">–</span>;
  const ms = timestampMs(at);
  return (
    <time dateTime={new Date(ms).toISOString()} title={utcTime(ms)}>
      {fromNow(ms, now.value)}
    </time>
  );
}

/** A moment in the reader's zone; in UTC as its title. */
export function At({ at }: TimeProps) {
  if (!at) return <span class="muted">–</span>;
  const ms = timestampMs(at);
  return (
    <time dateTime={new Date(ms).toISOString()} title={utcTime(ms)}>
      {localTime(ms)}
    </time>
  );
}

/** How long something took, or has taken by now. */
export function Took({ from, to }: { readonly from: Timestamp | undefined; readonly to: Timestamp | undefined }) {
  if (!from) return <span class="muted">–</span>;
  return <>{duration(((to ? timestampMs(to) : now.value) - timestampMs(from)) / 1_000)}</>;
}
