/** A cluster that writes rows all the time, and whose log is backed up, for the console's tests. */
import { performTask } from '@tidemark/demo-br/demo-cluster-task';
import { expect, vi } from 'vitest';
import { startTidemark, type Tidemark } from './tidemark.ts';

const WAIT = { timeout: 120_000, interval: 200 };
export const LOGGED_PD = '10.4.0.1:2379';

/** Every second between the two can be restored. */
export interface Range {
  readonly from: string;
  readonly to: string;
}

/** A stack with the console, and the cluster, whose log leads two seconds beyond its base. */
export interface LoggedShop {
  readonly tidemark: Tidemark;
  readonly source: string;
  /** As it was then; it goes on. */
  readonly range: Range;
  /** In the middle of that. */
  readonly moment: string;
}

export async function startLoggedShop(): Promise<LoggedShop> {
  const tidemark = await startTidemark({ console: true, env: { all: { TIDEMARK_RING_SECONDS: '2' } } });
  const source = await tidemark.cluster('shop', { pd: [LOGGED_PD] });
  await tidemark.demoCluster(LOGGED_PD).touch();
  const writes = { db: 'shop', table: 'ticks', everyMs: 50, since: Date.now() };
  await tidemark.demoCluster(LOGGED_PD).changeState(() => ({ writes }));
  const started = await tidemark.patiently('PUT', `/clusters/${source}/log-backup`, { storageId: 'local' });
  expect(started).toMatchObject({ status: 200 });
  const range = await vi.waitFor(async () => {
    const [last] = await rangesOf(tidemark, source);
    if (!last || Date.parse(last.to) - Date.parse(last.from) < 2_000) throw new Error('the log is not far enough');
    return last;
  }, WAIT);
  const moment = new Date((Date.parse(range.from) + Date.parse(range.to)) / 2).toISOString();
  return { tidemark, source, range, moment };
}

/** The newest first. */
export async function rangesOf(tidemark: Tidemark, clusterId: string): Promise<Range[]> {
  const path = `/clusters/${clusterId}/recovery-points`;
  return (await tidemark.patiently<{ ranges: Range[] }>('GET', path)).data.ranges;
}

/** A scratch cluster without tables. */
export async function emptyCluster(tidemark: Tidemark, pd: string): Promise<string> {
  const id = await tidemark.cluster('scratch', { pd: [pd], purpose: 'scratch' });
  await performTask(tidemark.demoCluster(pd), { verb: 'empty' }, AbortSignal.timeout(10_000));
  return id;
}
