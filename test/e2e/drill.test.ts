/** A drill through the API: a real worker restores into a demo cluster that a hook on the wire empties before. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { clusterDigests } from '@tidemark/demo-br/cluster-digests';
import { demoCluster } from '@tidemark/demo-br/demo-cluster';
import { performTask } from '@tidemark/demo-br/demo-cluster-task';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { startTidemark, type Tidemark } from './tidemark.ts';

const SIZE = { regions: 3, bytesPerFile: 200 };
const SECRET = `whsec_${Buffer.alloc(32, 7).toString('base64')}`;
const LONG = { timeout: 90_000, interval: 200 };
const signal = AbortSignal.timeout(300_000);

interface Drilled {
  readonly latest?: {
    readonly state: string;
    readonly code?: string;
    readonly reason?: string;
    readonly backupId?: string;
    readonly pointTime?: string;
  };
  readonly proof?: { readonly seconds: number; readonly restoreId: string };
}

let tidemark: Tidemark;
beforeAll(async () => {
  tidemark = await startTidemark({
    env: {
      all: {
        ...{ TIDEMARK_NOTIFICATION_NETWORKS: '127.0.0.0/8', DRILL_WEBHOOK_SECRET: SECRET },
        TIDEMARK_RING_SECONDS: '2',
      },
    },
  });
}, 120_000);
afterAll(() => tidemark?.[Symbol.asyncDispose]());

it('proves a cluster twice, since a hook empties the scratch cluster before each run', async () => {
  const rowsOf = (pd: string) => demoCluster(join(tidemark.stack.dataDir, 'demo-clusters'), [pd], SIZE);
  const source = await tidemark.cluster('drilled', { pd: ['10.0.7.1:2379'] });
  const target = await tidemark.cluster('scratch', { pd: ['10.0.7.2:2379'], purpose: 'scratch' });
  const rows = rowsOf('10.0.7.2:2379');
  let emptied = 0;
  await using stack = new AsyncDisposableStack();
  const http = createServer((request, response) => {
    request.resume();
    performTask(rows, { verb: 'empty' }, signal).then(
      () => {
        emptied += 1;
        response.writeHead(204).end();
      },
      () => response.writeHead(500).end(),
    );
  });
  await new Promise<void>((listening) => http.listen(0, '127.0.0.1', listening));
  stack.defer(() => {
    http.closeAllConnections();
    http.close();
  });
  const url = `http://127.0.0.1:${(http.address() as AddressInfo).port}/`;
  tidemark.demo({ seconds: 0.3, progressIntervalSeconds: 0.1, ...SIZE }, source);
  const backupId = await tidemark.start(source);
  await tidemark.untilState(backupId, 'Succeeded');

  const body = { targetClusterId: target, emptyHook: { url, secrets: { envPrefix: 'DRILL_' } } };
  const saved = await tidemark.patiently('PUT', `/clusters/${source}/drill`, body);
  expect(saved.code, saved.message).toBe(0);
  const proofs = new Set<string>();
  for (const round of [1, 2]) {
    await tidemark.patiently('POST', `/clusters/${source}/drill/run`, {});
    await vi.waitFor(
      async () => {
        const { data } = await tidemark.patiently<Drilled>('GET', `/clusters/${source}/drill`);
        expect(data.latest).toMatchObject({ state: 'Succeeded', backupId });
        proofs.add(data.proof?.restoreId ?? '');
        expect(proofs.size).toBe(round);
      },
      { timeout: 60_000, interval: 200 },
    );
    expect(emptied).toBe(round);
  }
}, 180_000);

it('proves a moment of the log: the scratch cluster holds exactly the rows of then', async () => {
  const [sourcePd, targetPd] = ['10.0.7.3:2379', '10.0.7.4:2379'];
  const source = await tidemark.cluster('logged', { pd: [sourcePd] });
  const target = await tidemark.cluster('scratch', { pd: [targetPd], purpose: 'scratch' });
  const rows = tidemark.demoCluster(sourcePd);
  await rows.touch();
  await rows.changeState(() => ({ writes: { db: 'shop', table: 'ticks', everyMs: 50, since: Date.now() } }));
  const body = { targetClusterId: target, choose: 'pointInTime' };
  const refused = await tidemark.patiently('PUT', `/clusters/${source}/drill`, body);
  expect(refused).toMatchObject({ status: 400, details: { fields: [{ field: 'choose' }] } });
  await tidemark.patiently('PUT', `/clusters/${source}/log-backup`, { storageId: 'local' });
  await vi.waitFor(async () => {
    const { data } = await tidemark.patiently<{ ranges: { from: string; to: string }[] }>(
      ...(['GET', `/clusters/${source}/recovery-points`] as const),
    );
    const [range] = data.ranges;
    if (!range || Date.parse(range.to) - Date.parse(range.from) < 2_000) throw new Error('the log is not far enough');
  }, LONG);
  expect((await tidemark.patiently('PUT', `/clusters/${source}/drill`, body)).status).toBe(200);
  await performTask(tidemark.demoCluster(targetPd), { verb: 'empty' }, signal);
  await tidemark.patiently('POST', `/clusters/${source}/drill/run`, {});
  const latest = await vi.waitFor(async () => {
    const { data } = await tidemark.patiently<Drilled>('GET', `/clusters/${source}/drill`);
    expect(data.latest?.state, data.latest?.reason).toBe('Succeeded');
    return data.latest;
  }, LONG);
  const at = BigInt(Date.parse(latest?.pointTime ?? '')) << 18n;
  expect(await clusterDigests(tidemark.demoCluster(targetPd))).toEqual(await clusterDigests(rows, at));
}, 300_000);
