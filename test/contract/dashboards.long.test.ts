/** Every panel of the dashboards, asked of a Prometheus that scrapes a whole stack in which something happens. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { dashboards } from '@tidemark/dashboards/dashboards';
import { performTask } from '@tidemark/demo-br/demo-cluster-task';
import { findOnPath } from '@tidemark/local-stack/find-program';
import { freePort } from '@tidemark/local-stack/ports';
import { expect, it, vi } from 'vitest';
import { stringify } from 'yaml';
import { opensLater, startTidemark } from '../e2e/tidemark.ts';
import { queriesOf } from './dashboard-queries.ts';

const program = findOnPath('prometheus');

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

/** A Prometheus that scrapes these addresses every second, by their jobs. */
async function startPrometheus(program: string, targets: Readonly<Record<string, readonly string[]>>) {
  const folder = mkdtempSync(join(tmpdir(), 'tidemark-prometheus-'));
  const config = {
    global: { scrape_interval: '1s' },
    scrape_configs: Object.entries(targets).map(([job, addresses]) => ({
      job_name: job,
      static_configs: [{ targets: addresses }],
    })),
  };
  writeFileSync(join(folder, 'prometheus.yml'), stringify(config));
  const address = `127.0.0.1:${await freePort()}`;
  const args = ['--config.file', join(folder, 'prometheus.yml'), '--storage.tsdb.path', join(folder, 'data')];
  const child = spawn(program, [...args, '--web.listen-address', address], { cwd: folder, stdio: 'ignore' });
  const ended = once(child, 'exit');
  return {
    async ask(expr: string): Promise<readonly unknown[]> {
      const response = await fetch(`http://${address}/api/v1/query?${new URLSearchParams({ query: expr })}`);
      const { data, error } = (await response.json()) as { data?: { result: readonly unknown[] }; error?: string };
      if (data === undefined) throw new Error(`${expr}: ${error}`);
      return data.result;
    },
    async [Symbol.asyncDispose]() {
      child.kill('SIGTERM');
      await ended;
      rmSync(folder, { recursive: true });
    },
  };
}

it.skipIf(program === undefined)(
  'every question has an answer from a stack that backs up, verifies and restores',
  async () => {
    await using tidemark = await startTidemark();
    const targets = Map.groupBy(tidemark.stack.processes, ({ kind }) => kind);
    await using prometheus = await startPrometheus(
      program ?? '',
      Object.fromEntries(
        [...targets].map(([kind, processes]) => [kind, processes.map(({ operations }) => operations)]),
      ),
    );
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
    }, RATHER_SOON);
  },
  180_000,
);
