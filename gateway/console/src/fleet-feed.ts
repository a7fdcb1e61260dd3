/** The rows of the fleet, as they change. */
import type { FleetVerdict, ListFleetResponse } from '@tidemark/protocol/connect/tidemark/scheduler/v1/fleet_service';
import { fleet } from './api.ts';
import { type Live, useLive } from './live.ts';

/** Which clusters, as an address says it. */
export interface FleetFilter {
  readonly labels: Readonly<Record<string, string>>;
  readonly verdicts: readonly FleetVerdict[];
  readonly text: string;
  readonly after: string;
}

export const FLEET_PAGE = 50;
const EVERY_MS = 4_000;

export function useFleet(filter: FleetFilter): Live<ListFleetResponse> {
  return useLive(
    JSON.stringify(filter),
    (signal) => {
      const { labels, verdicts, text, after } = filter;
      return fleet.listFleet(
        { labels: { ...labels }, verdicts: [...verdicts], text, pageToken: after, pageSize: FLEET_PAGE },
        { signal },
      );
    },
    EVERY_MS,
  );
}
