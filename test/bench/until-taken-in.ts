import { setTimeout as sleep } from 'node:timers/promises';
import type { HttpClient } from './http-client.ts';

/** How many clusters have each verdict. */
export type FleetCounts = Readonly<Record<string, number>>;

/** The embedded database takes in some sixty clusters a second, and more where strategy-service knows them already. */
const LIMIT_MS = 600_000;
const LOOK_MS = 500;

/** Waits until the scheduler has taken the fleet in; it is asked, so that the database has nothing more to do. */
export async function untilTakenIn(
  api: HttpClient,
  isAll: (counts: FleetCounts) => boolean,
  signal: AbortSignal,
): Promise<void> {
  for (const until = performance.now() + LIMIT_MS; ; await sleep(LOOK_MS, undefined, { signal })) {
    const { status, text } = await api.call('GET', '/fleet?pageSize=1');
    const counts = status === 200 ? (JSON.parse(text) as { data: { counts: FleetCounts } }).data.counts : {};
    if (isAll(counts)) return;
    if (performance.now() > until)
      throw new Error(`The scheduler has not taken the fleet in: ${JSON.stringify(counts)}`);
  }
}
