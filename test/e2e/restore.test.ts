/** What went in comes out: restores through the whole stack, into demo clusters whose rows can be compared. */
import { join } from 'node:path';
import { type DemoCluster, demoCluster } from '@tidemark/demo-br/demo-cluster';
import { CLUSTERS_FOLDER } from '@tidemark/demo-br/demo-cluster-options';
import { tableText } from '@tidemark/demo-br/table';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { startTidemark, type Tidemark } from './tidemark.ts';

interface RestoreView {
  readonly id: string;
  readonly state: string;
  readonly targetState: string;
  readonly attempts: readonly { readonly worker: string; readonly outcome: string; readonly end?: string }[];
  readonly progress?: { readonly percent: number };
  readonly result?: { readonly checksums: string };
  readonly reason?: { readonly code: string };
  readonly outcomeUnknown: boolean;
  readonly resumable: boolean;
  readonly cleanup: readonly { readonly what: string }[];
}

describe('a restore', () => {
  let tidemark: Tidemark;
  let clusters = 0;
  beforeAll(async () => {
    tidemark = await startTidemark({ copies: { 'executor-worker': 2 } });
  }, 120_000);
  afterAll(() => tidemark?.[Symbol.asyncDispose]());

  /** A registered cluster of its own PD, with its demo cluster. */
  async function newCluster(name: string): Promise<{ readonly id: string; readonly demo: DemoCluster }> {
    clusters += 1;
    const pd = [`127.0.0.1:${20_000 + clusters}`];
    const id = await tidemark.cluster(name, { pd });
    const root = join(tidemark.stack.dataDir, CLUSTERS_FOLDER);
    return { id, demo: demoCluster(root, pd, { regions: 20, bytesPerFile: 65_536 }) };
  }

  /** An empty cluster: nobody has written a table into it. */
  async function emptyCluster(name: string) {
    const cluster = await newCluster(name);
    await cluster.demo.touch();
    for (const db of await cluster.demo.databases()) await cluster.demo.dropDatabase(db);
    return cluster;
  }

  /** A cluster with rows of its own, and a good backup of it. */
  async function backedUp(name: string) {
    const source = await newCluster(name);
    await source.demo.touch();
    const rows = new Map(Array.from({ length: 50 }, (_, index) => [index, `${name} ${index}`] as const));
    await source.demo.writeTable({ db: 'shop', table: 'orders' }, { columns: 'id\ttext', rows });
    const backupId = await tidemark.start(source.id);
    await tidemark.untilState(backupId, 'Succeeded');
    return { ...source, backupId };
  }

  /** Every table of a cluster, as text. */
  async function contentsOf(demo: DemoCluster): Promise<Record<string, string>> {
    const found: Record<string, string> = {};
    for (const db of await demo.databases())
      for (const table of await demo.tables(db)) {
        const content = await demo.readTable({ db, table });
        if (content && !db.startsWith('__') && db !== 'mysql') found[`${db}.${table}`] = tableText(content);
      }
    return found;
  }

  async function start(backupId: string, targetClusterId: string): Promise<string> {
    const wish = { backupId, targetClusterId };
    const planned = await tidemark.call<{ plan: { planHash: string } }>('POST', '/restores/plan', wish);
    expect(planned.code, planned.message).toBe(0);
    const { planHash } = planned.data.plan;
    const confirmed = { ...wish, planHash, confirm: targetClusterId };
    const started = await tidemark.call<{ restoreId: string }>('POST', '/restores', confirmed);
    expect(started.code, started.message).toBe(0);
    return started.data.restoreId;
  }

  const read = async (id: string) =>
    (await tidemark.call<{ restore: RestoreView }>('GET', `/restores/${id}`)).data.restore;
  async function until(id: string, wanted: (restore: RestoreView) => boolean): Promise<RestoreView> {
    let last: RestoreView | undefined;
    const look = async () => {
      last = await read(id);
      if (!wanted(last)) throw new Error('not yet');
      return last;
    };
    return vi.waitFor(look, { timeout: 40_000, interval: 50 }).catch((cause: unknown) => {
      throw new Error(`the restore did not become what was wanted: ${JSON.stringify(last)}`, { cause });
    });
  }
  const untilState = (id: string, state: string) => until(id, (restore) => restore.state === state);
  const act = async (id: string, verb: string, body?: object) => {
    const answer = await tidemark.call('POST', `/restores/${id}/${verb}`, body);
    expect(answer.code, answer.message).toBe(0);
  };

  it('brings every row of a backup back into another cluster, which backups may use again then', async () => {
    const source = await backedUp('round-trip');
    const target = await emptyCluster('round-trip-target');
    const before = await contentsOf(source.demo);
    expect(Object.keys(before)).toContain('shop.orders');
    await source.demo.dropTable({ db: 'shop', table: 'orders' });

    const restore = await untilState(await start(source.backupId, target.id), 'Succeeded');
    expect(restore).toMatchObject({ targetState: 'Restored', result: { checksums: 'proven' }, cleanup: [] });
    expect(await contentsOf(target.demo)).toEqual(before);
    await tidemark.untilState(await tidemark.start(target.id), 'Succeeded');
  });

  it('into a cluster that holds tables is refused, and the cluster stays as it was', async () => {
    const source = await backedUp('refused');
    const target = await newCluster('refused-target');
    await target.demo.touch();
    const before = await contentsOf(target.demo);
    const restore = await untilState(await start(source.backupId, target.id), 'Failed');
    expect(restore).toMatchObject({ targetState: 'Untouched', reason: { code: 'TARGET_NOT_EMPTY' } });
    expect(await contentsOf(target.demo)).toEqual(before);
  });

  it.each([0.1, 0.5, 0.9])(
    'whose worker is killed at %d of it goes on at another one, and loses nothing',
    async (at) => {
      const source = await backedUp(`killed-${at * 10}`);
      const target = await emptyCluster(`killed-${at * 10}-target`);
      const before = await contentsOf(source.demo);
      tidemark.demo({ restore: { seconds: 1, outcome: { kind: 'kill-parent', at, times: 1, levels: 2 } } }, source.id);
      const restore = await untilState(await start(source.backupId, target.id), 'Succeeded');
      expect(restore.attempts.map(({ outcome }) => outcome)).toEqual(['lost', 'ended']);
      expect(await contentsOf(target.demo)).toEqual(before);
      await revive();
    },
  );

  it('whose worker is killed after its success is never called failed: its guard has seen the end', async () => {
    const source = await backedUp('after-success');
    const target = await emptyCluster('after-success-target');
    const before = await contentsOf(source.demo);
    const killed = { kind: 'kill-parent', step: 'summary', times: 1, levels: 2 };
    tidemark.demo({ restore: { seconds: 0.5, outcome: killed } }, source.id);
    const id = await start(source.backupId, target.id);
    await vi.waitFor(() => expect(tidemark.stack.processes.some(({ running }) => !running)).toBe(true), {
      timeout: 30_000,
    });
    await revive();
    const restore = await until(id, ({ targetState, state }) => targetState === 'Restored' || state === 'Failed');
    if (restore.state === 'Failed') expect(restore.outcomeUnknown).toBe(true);
    expect(await contentsOf(target.demo)).toEqual(before);
  });

  it('that is canceled leaves a target that is resumed to the end', async () => {
    const source = await backedUp('canceled');
    const target = await emptyCluster('canceled-target');
    const before = await contentsOf(source.demo);
    tidemark.demo({ restore: { seconds: 20 } }, source.id);
    const id = await start(source.backupId, target.id);
    await until(id, ({ progress }) => (progress?.percent ?? 0) > 0);
    await act(id, 'cancel', { reason: 'too slow' });
    const canceled = await untilState(id, 'Canceled');
    expect(canceled).toMatchObject({ targetState: 'Partial', resumable: true });
    expect(await tidemark.call('POST', '/backups', { clusterId: target.id })).toMatchObject({ status: 409 });

    tidemark.demo({ restore: { seconds: 0.5 } }, source.id);
    await act(id, 'resume', {});
    await untilState(id, 'Succeeded');
    expect(await contentsOf(target.demo)).toEqual(before);
  });

  /** Starts every process again that was killed. */
  async function revive(): Promise<void> {
    for (const one of tidemark.stack.processes) if (!one.running) await one.start();
  }
});
