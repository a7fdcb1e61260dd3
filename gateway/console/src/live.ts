/**
 * Data of a page that are asked for again and again while somebody looks at them.
 *
 * 1. One question at a time, and none while the tab is hidden or the token was refused.
 * 2. What was known stays on the screen when a question fails; the problem stands beside it, and of when the rest is.
 * 3. A page that is left asks nothing more, and an answer that comes later is dropped.
 * 4. While the gateway is away it is asked often, whatever the page; once it is back, at once.
 */
import { effect, type ReadonlySignal, signal } from '@preact/signals';
import { useEffect, useMemo } from 'preact/hooks';
import { type Problem, toProblem } from './api.ts';
import { isAway } from './connection.ts';
import { untilLookedAt } from './waiting.ts';

/** How new something is that is asked for again and again. */
export interface Freshness {
  /** What went wrong with the last question. */
  readonly problem: ReadonlySignal<Problem | undefined>;
  /** When what is known was answered, where a later question was not; in milliseconds. Nothing while it is of now. */
  readonly asOf: ReadonlySignal<number | undefined>;
}

export interface Live<T> extends Freshness {
  readonly data: ReadonlySignal<T | undefined>;
  /** Asks at once. */
  refresh(): void;
}

export type Load<T> = (signal: AbortSignal) => Promise<T>;

/** How long at most until it is asked again while the gateway is away. */
const AWAY_MS = 3_000;

/** What is known, and how new it is, as answers and failures come. */
export function createKnown<T>() {
  const data = signal<T | undefined>(undefined);
  const problem = signal<Problem | undefined>(undefined);
  const asOf = signal<number | undefined>(undefined);
  let answeredMs: number | undefined;
  return {
    data,
    problem,
    asOf,
    answer(known: T): void {
      data.value = known;
      problem.value = undefined;
      asOf.value = undefined;
      answeredMs = Date.now();
    },
    fail(error: unknown): void {
      problem.value = toProblem(error);
      asOf.value = answeredMs;
    },
  };
}

/** @param everyMs how long after an answer it is asked again, which may depend on that */
export function createLive<T>(load: Load<T>, everyMs: (known: T | undefined) => number) {
  const known = createKnown<T>();
  let wake = (): void => undefined;
  let isWanted = false;

  async function ask(stop: AbortSignal): Promise<void> {
    try {
      const answer = await load(stop);
      if (!stop.aborted) known.answer(answer);
    } catch (error) {
      if (!stop.aborted) known.fail(error);
    }
  }

  /** Until it is time to ask again, somebody wants to know, the network or the gateway comes or goes, or the page is left. */
  async function pause(stop: AbortSignal): Promise<void> {
    const wasAway = isAway.peek();
    const usual = everyMs(known.data.peek());
    await new Promise<void>((resolve) => {
      const ended = new AbortController();
      const end = () => {
        ended.abort();
        resolve();
      };
      const timer = setTimeout(end, isWanted ? 0 : wasAway ? Math.min(usual, AWAY_MS) : usual);
      const unwatch = effect(() => {
        if (isAway.value !== wasAway) queueMicrotask(end);
      });
      ended.signal.addEventListener('abort', () => {
        clearTimeout(timer);
        unwatch();
      });
      for (const event of ['online', 'offline']) addEventListener(event, end, { signal: ended.signal });
      stop.addEventListener('abort', end, { signal: ended.signal });
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
    live: { data: known.data, problem: known.problem, asOf: known.asOf, refresh } satisfies Live<T>,
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
