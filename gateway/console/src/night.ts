/** Windows and runs of a while, as they lie on an axis of time. Pure. */
import { type Timestamp, timestampMs } from '@bufbuild/protobuf/wkt';
import type { Backup } from '@tidemark/protocol/connect/tidemark/backup/v1/backup';
import type { Occurrence } from '@tidemark/protocol/connect/tidemark/scheduler/v1/occurrence_service';
import { runStartMs } from './task-time.ts';
import { BACKUP_STATES, OCCURRENCE_STATES, type Word, wordOf } from './words.ts';

export interface Axis {
  readonly fromMs: number;
  readonly toMs: number;
}

/** A piece of the axis, in parts of it from 0 to 1. */
export interface Span {
  readonly from: number;
  readonly to: number;
}

export interface WindowSpan extends Span {
  readonly id: string;
  readonly word: Word;
  readonly reason: string;
  readonly opensMs: number;
  readonly closesMs: number;
}

export interface RunSpan extends Span {
  readonly id: string;
  readonly word: Word;
  readonly startMs: number;
  readonly endMs: number;
}

const HOUR_MS = 3_600_000;

/** The last day and the next hours. */
export function nightAxis(nowMs: number): Axis {
  return { fromMs: nowMs - 24 * HOUR_MS, toMs: nowMs + 6 * HOUR_MS };
}

/** Nothing where the whole piece lies beside the axis. */
export function spanOf({ fromMs, toMs }: Axis, startMs: number, endMs: number): Span | undefined {
  if (endMs < fromMs || startMs > toMs) return undefined;
  const part = (ms: number) => Math.min(1, Math.max(0, (ms - fromMs) / (toMs - fromMs)));
  return { from: part(startMs), to: part(endMs) };
}

export function windowsOn(axis: Axis, windows: readonly Occurrence[]): WindowSpan[] {
  return windows.flatMap(({ id, state, reason, opensAt, closesAt }) => {
    if (!opensAt || !closesAt) return [];
    const [opensMs, closesMs] = [timestampMs(opensAt), timestampMs(closesAt)];
    const span = spanOf(axis, opensMs, closesMs);
    return span ? [{ ...span, id, word: wordOf(OCCURRENCE_STATES, state), reason, opensMs, closesMs }] : [];
  });
}

export function runsOn(
  axis: Axis,
  runs: readonly Pick<Backup, 'id' | 'state' | 'startTime' | 'endTime' | 'attempts'>[],
  nowMs: number,
): RunSpan[] {
  return runs.flatMap(({ id, state, startTime, endTime, attempts }) => {
    // What no worker has taken did not run.
    if (attempts.length === 0 && !endTime) return [];
    const [startMs, endMs] = [runStartMs({ startTime, attempts }), endTime ? timestampMs(endTime) : nowMs];
    const span = spanOf(axis, startMs, endMs);
    return span ? [{ ...span, id, word: wordOf(BACKUP_STATES, state), startMs, endMs }] : [];
  });
}

/** Full hours of the reader's zone, so many apart. */
export function hoursOn({ fromMs, toMs }: Axis, everyHours: number): { readonly at: number; readonly ms: number }[] {
  const first = new Date(fromMs);
  first.setMinutes(0, 0, 0);
  const hours = Array.from({ length: Math.ceil((toMs - fromMs) / HOUR_MS) + 1 }, (_, index) => {
    const hour = new Date(first);
    hour.setHours(first.getHours() + index);
    return hour;
  });
  return hours
    .filter((hour) => hour.getHours() % everyHours === 0 && hour.getTime() >= fromMs && hour.getTime() <= toMs)
    .map((hour) => ({ ms: hour.getTime(), at: (hour.getTime() - fromMs) / (toMs - fromMs) }));
}

export function placeOn(axis: Axis, at: Timestamp | undefined): number | undefined {
  if (!at) return undefined;
  const ms = timestampMs(at);
  return spanOf(axis, ms, ms)?.from;
}
