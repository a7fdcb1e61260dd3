import type { Timestamp } from '@bufbuild/protobuf/wkt';
import { timestampMs } from '@bufbuild/protobuf/wkt';
import { computed, type ReadonlySignal } from '@preact/signals';
import { createContext } from 'preact';
import { useContext, useMemo } from 'preact/hooks';
import { clock, now } from '../clock.ts';
import type { Freshness } from '../live.ts';
import { coarse, duration, fromNow } from '../quantities.ts';
import { type Task, taskTimeOf } from '../task-time.ts';

const DATE = new Intl.DateTimeFormat(undefined, { weekday: 'short', day: 'numeric', month: 'short' });
const DATE_OF_YEAR = new Intl.DateTimeFormat(undefined, { day: 'numeric', month: 'short', year: 'numeric' });
const WEEKDAY = new Intl.DateTimeFormat(undefined, { weekday: 'short' });
const TIME = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit' });
const EXACT = new Intl.DateTimeFormat(undefined, {
  ...{ weekday: 'short', day: 'numeric', month: 'short', year: 'numeric' },
  ...{ hour: '2-digit', minute: '2-digit', second: '2-digit', timeZoneName: 'short' },
});
const DAY_MS = 86_400_000;
/** Within so many days a weekday names one day. */
const WEEK_DAYS = 6;

/** A moment in the reader's zone: the day only where it is not of about now, the date only where the weekday would not do, and so the year. */
export function localTime(ms: number): string {
  const distance = Math.abs(ms - now.value);
  if (distance < DAY_MS / 2 || DATE.format(ms) === DATE.format(now.value)) return TIME.format(ms);
  const isOfYear = new Date(ms).getFullYear() === new Date(now.value).getFullYear();
  const day = distance < WEEK_DAYS * DAY_MS ? WEEKDAY : isOfYear ? DATE : DATE_OF_YEAR;
  return `${day.format(ms)}, ${TIME.format(ms)}`;
}

/** In the reader's zone, to the second, with its year and the name of the zone. */
export function exactTime(ms: number): string {
  return EXACT.format(ms);
}

/** As in "2026-12-01 21:04:07 UTC". */
export function utcTime(ms: number): string {
  return new Date(ms)
    .toISOString()
    .replace('T', ' ')
    .replace(/\.\d+Z$/, ' UTC');
}

const Moment = createContext<ReadonlySignal<number>>(now);

/** Sets the moment of which is what stands within. */
export const MomentOf = Moment.Provider;

/** The moment of which is what stands here, in milliseconds: of now, or of the last answer where none follows. */
export function useMoment(): number {
  return useContext(Moment).value;
}

/** The moment of which is what is asked for again and again. */
export function useMomentOf({ asOf }: Pick<Freshness, 'asOf'>): ReadonlySignal<number> {
  return useMemo(() => computed(() => Math.min(now.value, asOf.value ?? now.value)), [asOf]);
}

/** How long ago a moment was, which goes on growing whatever stands still. */
export function Age({ of }: { readonly of: number }) {
  return <>{coarse(Math.max(0, clock.value - of) / 1_000)}</>;
}

interface TimeProps {
  readonly at: Timestamp | undefined;
}

/** A moment as its distance from now; the exact one in UTC is its title. */
export function Ago({ at }: TimeProps) {
  const moment = useMoment();
  if (!at) return <span class="muted">–</span>;
  const ms = timestampMs(at);
  return (
    <time dateTime={new Date(ms).toISOString()} title={utcTime(ms)}>
      {fromNow(ms, moment)}
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

/**
 * How long a backup or a restore took, or for how long it runs; while it waits, since when.
 *
 * @param isWhole whether it says how much of that was waiting, too
 */
export function TaskTime({ of, isWhole = false }: { readonly of: Task; readonly isWhole?: boolean }) {
  const moment = useMoment();
  const time = taskTimeOf(of);
  if (!time) return <span class="muted">–</span>;
  if (time.is === 'waiting') return <>waits since {localTime(time.sinceMs)}</>;
  if (time.is === 'running') return <>for {duration((moment - time.sinceMs) / 1_000)}</>;
  const waited = isWhole && time.waitedSeconds >= 1 ? `, of which it waited ${duration(time.waitedSeconds)} first` : '';
  return (
    <>
      {duration(time.seconds)}
      {waited}
    </>
  );
}

/** For how long something has been so. */
export function For({ from }: { readonly from: Timestamp | undefined }) {
  const moment = useMoment();
  return from ? <>for {duration((moment - timestampMs(from)) / 1_000)}</> : null;
}

/** How long an attempt took, or for how long it is at work. */
export function Lasted({ from, to }: { readonly from: Timestamp | undefined; readonly to: Timestamp | undefined }) {
  if (!from) return <span class="muted">–</span>;
  if (!to) return <For from={from} />;
  return <>{duration((timestampMs(to) - timestampMs(from)) / 1_000)}</>;
}
