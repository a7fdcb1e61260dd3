/**
 * A page of the fleet, as it changes.
 *
 * 1. What is shown was a page of the server, with later changes in it that move no row: whatever may move one has the page asked for anew.
 * 2. One stream, and none while the tab is hidden. Where there is none, the page is asked for every few seconds.
 */
import { signal } from '@preact/signals';
import type { FleetVerdict, ListFleetResponse } from '@tidemark/protocol/connect/tidemark/scheduler/v1/fleet_service';
import { useEffect, useMemo } from 'preact/hooks';
import { fleet, NO_DEADLINE, type Problem, toProblem } from './api.ts';
import { changed } from './fleet-changes.ts';
import type { Live } from './live.ts';
import { pause, untilHidden, untilLookedAt } from './waiting.ts';

/** Which clusters, as an address says it. */
export interface FleetFilter {
  readonly labels: Readonly<Record<string, string>>;
  readonly verdicts: readonly FleetVerdict[];
  readonly text: string;
  readonly after: string;
}

export const FLEET_PAGE = 50;
/** Between two pages that are asked for, whatever happens. */
const AGAIN_MS = 1_000;
/** After what could not be answered. */
const PROBLEM_MS = 4_000;
/** The stream says every 15 s that it is there. */
const SILENT_MS = 40_000;

export function useFleet(filter: FleetFilter): Pick<Live<ListFleetResponse>, 'data' | 'problem'> {
  const key = JSON.stringify(filter);
  const feed = useMemo(() => createFeed(filter), [key]);
  useEffect(() => feed.start(), [feed]);
  return feed;
}

function createFeed({ labels, verdicts, text, after }: FleetFilter) {
  const data = signal<ListFleetResponse | undefined>(undefined);
  const problem = signal<Problem | undefined>(undefined);

  async function run(stop: AbortSignal): Promise<void> {
    for (;;) {
      await untilLookedAt(stop);
      if (stop.aborted) return;
      const began = Date.now();
      try {
        const request = {
          labels: { ...labels },
          verdicts: [...verdicts],
          text,
          pageToken: after,
          pageSize: FLEET_PAGE,
        };
        const page = await fleet.listFleet(request, { signal: stop });
        if (stop.aborted) return;
        data.value = page;
        problem.value = undefined;
      } catch (error) {
        if (stop.aborted) return;
        problem.value = toProblem(error);
        await pause(PROBLEM_MS, stop);
        continue;
      }
      // What ends a stream says nothing of the page: that is asked for again, and says whether anything is wrong.
      if (!(await follow(data.value.cursor, stop))) await pause(PROBLEM_MS, stop);
      await pause(Math.max(0, began + AGAIN_MS - Date.now()), stop);
    }
  }

  /** Until the page must be asked for anew. @returns false where the stream broke off */
  async function follow(cursor: string, stop: AbortSignal): Promise<boolean> {
    const hidden = untilHidden();
    const silent = new AbortController();
    let watch = setTimeout(() => silent.abort(), SILENT_MS);
    try {
      const ends = AbortSignal.any([stop, hidden.signal, silent.signal]);
      const request = { labels: { ...labels }, text, cursor };
      for await (const message of fleet.watchFleet(request, { signal: ends, ...NO_DEADLINE })) {
        clearTimeout(watch);
        watch = setTimeout(() => silent.abort(), SILENT_MS);
        const next = data.value && changed(data.value, message);
        if (!next) return true;
        data.value = next;
      }
      return true;
    } catch {
      return hidden.signal.aborted || silent.signal.aborted;
    } finally {
      hidden.end();
      clearTimeout(watch);
    }
  }

  return {
    data,
    problem,
    /** @returns what ends it */
    start(): () => void {
      const stop = new AbortController();
      void run(stop.signal);
      return () => stop.abort();
    },
  };
}
