/**
 * Data of a page that are asked for again and again while somebody looks at them.
 *
 * 1. One question at a time, and none while the tab is hidden or the token was refused.
 * 2. What was known stays on the screen when a question fails; the problem stands beside it.
 * 3. A page that is left asks nothing more, and an answer that comes later is dropped.
 */
import { type Signal, signal } from '@preact/signals';
import { useEffect, useMemo } from 'preact/hooks';
import { type Problem, toProblem } from './api.ts';
import { untilLookedAt } from './waiting.ts';

export interface Live<T> {
  readonly data: Signal<T | undefined>;
  readonly problem: Signal<Problem | undefined>;
  /** Asks at once. */
  refresh(): void;
}

export type Load<T> = (signal: AbortSignal) => Promise<T>;

/** @param everyMs how long after an answer it is asked again, which may depend on that */
export function createLive<T>(load: Load<T>, everyMs: (known: T | undefined) => number) {
  const data = signal<T | undefined>(undefined);
  const problem = signal<Problem | undefined>(undefined);
  let wake = (): void => undefined;
  let isWanted = false;

  async function ask(stop: AbortSignal): Promise<void> {
    try {
      const answer = await load(stop);
      if (stop.aborted) return;
      data.value = answer;
      problem.value = undefined;
    } catch (error) {
      if (!stop.aborted) problem.value = toProblem(error);
    }
  }

  /** Until it is time to ask again, somebody wants to know, or the page is left. */
  async function pause(stop: AbortSignal): Promise<void> {
    await new Promise<void>((resolve) => {
      const end = () => {
        clearTimeout(timer);
        stop.removeEventListener('abort', end);
        resolve();
      };
      const timer = setTimeout(end, isWanted ? 0 : everyMs(data.value));
      stop.addEventListener('abort', end);
      wake = end;
    });
    wake = () => undefined;
    isWanted = false;
  }

  async function run(stop: AbortSignal): Promise<void> {
    while (!stop.aborted) {
      await untilLookedAt(stop);
      if (stop.aborted) return;
      await ask(stop);
      if (!stop.aborted) await pause(stop);
    }
  }

  function refresh(): void {
    isWanted = true;
    wake();
  }

  return {
    live: { data, problem, refresh } satisfies Live<T>,
    /** @returns what ends it */
    start(): () => void {
      const stop = new AbortController();
      void run(stop.signal);
      return () => stop.abort();
    },
  };
}

/** @param key what the question depends on: with another one it begins anew */
export function useLive<T>(key: string, load: Load<T>, everyMs: number | ((known: T | undefined) => number)): Live<T> {
  const one = useMemo(() => createLive(load, typeof everyMs === 'number' ? () => everyMs : everyMs), [key]);
  useEffect(() => one.start(), [one]);
  return one.live;
}
