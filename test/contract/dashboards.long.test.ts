/** Every panel of the dashboards, asked of a Prometheus that scrapes a whole stack in which something happens. */
import { dashboards } from '@tidemark/dashboards/dashboards';
import { performTask } from '@tidemark/demo-br/demo-cluster-task';
import { expect, it, vi } from 'vitest';
import { opensLater, startTidemark } from '../e2e/tidemark.ts';
import { findMonitoring, startPrometheus } from '../prometheus.ts';
import { queriesOf } from './dashboard-queries.ts';

const programs = await findMonitoring().catch((error: Error) => {
  console.error(`The dashboards are not asked of a Prometheus: ${error.message}`);
  return undefined;
});

/** Of questions that have no answer where nothing went wrong, nothing had to wait, and no certificate is in use. */
const EMPTY_WHEN_WELL = [
  'status=~"5.."',
  'state!="Started"',
  'tidemark_http_refused_total',
  'tidemark_grpc_server_refused_total',
  'tidemark_grpc_server_waiting',
  'tidemark_certificate_expiry_timestamp_seconds',
];
const RATHER_SOON = { timeout: 30_000, interval: 500 };
/** All good backups are looked through the more seldom the longer that took, which it does while a stack starts. */
const ONCE_COUNTED = { timeout: 120_000, interval: 1_000 };

it.skipIf(programs === undefined)(
  'every question has an answer from a stack that backs up, verifies and restores',
  async () => {
    await using tidemark = await startTidemark();
    const targets = Map.groupBy(tidemark.stack.processes, ({ kind }) => kind);
    await using prometheus = await startPrometheus(programs?.prometheus ?? '', {
      targets: Object.fromEntries(
        [...targets].map(([kind, processes]) => [kind, processes.map(({ operations }) => operations)]),
      ),
    });
    const cluster = await tidemark.cluster('seen');
    await tidemark.saveRule(cluster, 'default', { ...opensLater(), verify: { every: 'P1D' } });
    const backupId = await tidemark.start(cluster);
    await tidemark.untilState(backupId, 'Succeeded');
    await tidemark.call('POST', `/backups/${backupId}/verify`);
    await tidemark.until(backupId, ({ verification }) => verification?.state === 'Good');
    const pd = '10.0.7.2:2379';
    const target = await tidemark.cluster('target', { pd: [pd], purpose: 'scratch' });
    await performTask(tidemark.demoCluster(pd), { verb: 'empty' }, AbortSignal.timeout(10_000));
    const wish = { backupId, targetClusterId: target, confirm: target };
    const { data, code, message } = await tidemark.call<{ restoreId: string }>('POST', '/restores', wish);
    expect(code, message).toBe(0);
    await vi.waitFor(async () => {
      const answer = await tidemark.call<{ restore: { state: string } }>('GET', `/restores/${data.restoreId}`);
      expect(answer.data.restore.state).toBe('Succeeded');
    }, RATHER_SOON);
    const rpc = `${tidemark.stack.url}/tidemark.backup.v1.BackupService/ListBackups`;
    const headers = { authorization: `Bearer ${tidemark.stack.token}`, 'content-type': 'application/json' };
    expect((await fetch(rpc, { method: 'POST', headers, body: '{}' })).status).toBe(200);

    const queries = queriesOf(dashboards());
    await vi.waitFor(async () => {
      const empty: string[] = [];
      for (const { expr, where } of queries) if ((await prometheus.ask(expr)).length === 0) empty.push(where);
      expect(empty.filter((where) => !EMPTY_WHEN_WELL.some((part) => where.includes(part)))).toEqual([]);
    }, ONCE_COUNTED);
  },
  300_000,
);
