/** Since when a backup or a restore waits or runs, and how long it took. Pure. */
import type { Timestamp } from '@bufbuild/protobuf/wkt';
import { timestampMs } from '@bufbuild/protobuf/wkt';

interface Span {
  readonly startTime?: Timestamp | undefined;
  readonly endTime?: Timestamp | undefined;
}

export interface Task extends Span {
  readonly attempts: readonly Span[];
}

export type TaskTime =
  | { readonly is: 'waiting'; readonly sinceMs: number }
  | { readonly is: 'running'; readonly sinceMs: number }
  | { readonly is: 'over'; readonly seconds: number; readonly waitedSeconds: number };

/** It waits until a worker takes it, and again between two attempts; it took the time from its request to its end. Nothing where no time is known. */
export function taskTimeOf({ startTime, endTime, attempts }: Task): TaskTime | undefined {
  if (!startTime) return undefined;
  const startMs = timestampMs(startTime);
  if (endTime)
    return {
      is: 'over',
      seconds: (timestampMs(endTime) - startMs) / 1_000,
      waitedSeconds: (runStartMs({ startTime, attempts }) - startMs) / 1_000,
    };
  const last = attempts.at(-1);
  if (last?.startTime && !last.endTime) return { is: 'running', sinceMs: timestampMs(last.startTime) };
  return { is: 'waiting', sinceMs: last?.endTime ? timestampMs(last.endTime) : startMs };
}

/** When a worker first took it; the time of the request where none has, or none is on record. */
export function runStartMs({ startTime, attempts }: Pick<Task, 'startTime' | 'attempts'>): number {
  const first = attempts[0]?.startTime ?? startTime;
  return first ? timestampMs(first) : 0;
}
