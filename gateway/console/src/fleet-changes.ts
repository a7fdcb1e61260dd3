/** What a message of the fleet's stream makes of a page of it. Pure. */
import type {
  FleetRow,
  ListFleetResponse,
  WatchFleetResponse,
} from '@tidemark/protocol/connect/tidemark/scheduler/v1/fleet_service';

type Page = Pick<ListFleetResponse, 'rows' | 'counts' | 'asOf'>;
type Message = Pick<WatchFleetResponse, 'restart' | 'rows' | 'goneClusterIds' | 'counts' | 'asOf'>;

/** The page with the changes in it; nothing where others may belong on it, or in another order: then it is asked for anew. */
export function changed<P extends Page>(page: P, message: Message): P | undefined {
  if (message.restart || message.goneClusterIds.length > 0) return undefined;
  if (message.counts.length > 0 && !sameCounts(page, message)) return undefined;
  const news = new Map(message.rows.map((row) => [row.clusterId, row]));
  const rows: FleetRow[] = [];
  for (const row of page.rows) {
    const now = news.get(row.clusterId) ?? row;
    if (now.verdict !== row.verdict) return undefined;
    rows.push(now);
  }
  return { ...page, rows, asOf: message.asOf ?? page.asOf };
}

function sameCounts(page: Page, message: Message): boolean {
  const told = new Map(page.counts.map(({ verdict, count }) => [verdict, count]));
  return message.counts.every(({ verdict, count }) => (told.get(verdict) ?? 0) === count);
}
