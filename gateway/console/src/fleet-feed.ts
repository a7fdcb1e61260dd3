/**
 * A page of the fleet, as it changes.
 *
 * 1. What is shown was a page of the server, with later changes in it that move no row: whatever may move one has the page asked for anew.
 * 2. One stream, and none while the tab is hidden. Where there is none, the page is asked for every few seconds.
 * 3. A stream that began before the gateway was away is not waited for: it may be cut without a word.
 */
import { effect } from '@preact/signals';
import type { FleetVerdict, ListFleetResponse } from '@tidemark/protocol/connect/tidemark/scheduler/v1/fleet_service';
import { useEffect, useMemo } from 'preact/hooks';
import { fleet, NO_DEADLINE } from './api.ts';
import { isAway, noteAnswer } from './connection.ts';
import { changed } from './fleet-changes.ts';
import { createKnown, type Live } from './live.ts';
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

export function useFleet(filter: FleetFilter): Omit<Live<ListFleetResponse>, 'refresh'> {
  const key = JSON.stringify(filter);
  const feed = useMemo(() => createFeed(filter), [key]);
  useEffect(() => feed.start(), [feed]);
  return feed;
}

function createFeed({ labels, verdicts, text, after }: FleetFilter) {
  const known = createKnown<ListFleetResponse>();

  async function run(stop: AbortSignal): Promise<void> {
    for (;;) {
      await untilLookedAt(stop);
      if (stop.aborted) return;
      const began = Date.now();
      let cursor: string;
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
        known.answer(page);
        if (page.withoutActivity) {
          await pause(PROBLEM_MS, stop);
          continue;
        }
        cursor = page.cursor;
      } catch (error) {
        if (stop.aborted) return;
        known.fail(error);
        await pause(PROBLEM_MS, stop);
        continue;
      }
      // What ends a stream says nothing of the page: that is asked for again, and says whether anything is wrong.
      if (!(await follow(cursor, stop))) await pause(PROBLEM_MS, stop);
      await pause(Math.max(0, began + AGAIN_MS - Date.now()), stop);
    }
  }

  /** Until the page must be asked for anew. @returns false where the stream broke off */
  async function follow(cursor: string, stop: AbortSignal): Promise<boolean> {
    const hidden = untilHidden();
    const silent = new AbortController();
    let watch = setTimeout(() => silent.abort(), SILENT_MS);
    const unwatch = effect(() => {
      if (isAway.value) silent.abort();
    });
    try {
      const ends = AbortSignal.any([stop, hidden.signal, silent.signal]);
      const request = { labels: { ...labels }, text, cursor };
      for await (const message of fleet.watchFleet(request, { signal: ends, ...NO_DEADLINE })) {
        clearTimeout(watch);
        watch = setTimeout(() => silent.abort(), SILENT_MS);
        noteAnswer();
        const page = known.data.peek();
        const next = page && changed(page, message);
        if (!next) return true;
        known.answer(next);
      }
      return true;
    } catch {
      return hidden.signal.aborted || silent.signal.aborted;
    } finally {
      unwatch();
      hidden.end();
      clearTimeout(watch);
    }
  }

  return {
    data: known.data,
    problem: known.problem,
    asOf: known.asOf,
    /** @returns what ends it */
    start(): () => void {
      const stop = new AbortController();
      void run(stop.signal);
      return () => stop.abort();
    },
  };
}
