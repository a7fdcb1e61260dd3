/** A whole restore to a point in time by a worker, of a cluster that writes rows all the time, whose rows at every time are known. */
import { execFile } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { verifyBackup } from '@tidemark/backupmeta/backupmeta';
import { clusterDigests } from '@tidemark/demo-br/cluster-digests';
import { type DemoCluster, demoCluster } from '@tidemark/demo-br/demo-cluster';
import { performTask } from '@tidemark/demo-br/demo-cluster-task';
import { openBackupFiles } from '@tidemark/storage/backup-files';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { RestoreGrant } from './task.ts';
import { openTestWorker, type RunSettings, type TestWorker } from './testing/test-worker.ts';

const DEMO_BR = join(import.meta.dirname, '..', '..', '..', '..', 'tools', 'demo-br', 'bin', 'demo-br');
const SIZE = { regions: 6, bytesPerFile: 200 };
const signal = AbortSignal.timeout(120_000);

let worker: TestWorker;
let source: DemoCluster;
let target: DemoCluster;
let chosen: Pick<RestoreGrant, 'tso' | 'tidbClusterId'>;
let point: bigint;

const script = (fields: object) =>
  writeFileSync(
    join(worker.root, 'storage', 'demo-br.json'),
    JSON.stringify({ seconds: 0.1, flushSeconds: 0, logLagSeconds: 0, ...SIZE, ...fields }),
  );
const env = () => ({ PATH: process.env.PATH ?? '', DEMO_BR_CLUSTERS: join(worker.root, 'clusters') });
const br = (...argv: string[]) => promisify(execFile)(DEMO_BR, argv, { env: env() });
const url = (path: string) => `local://${worker.root}/storage/nfs/c1/${path}`;

/** A server that gives one answer to every question; its address. */
async function startJson(answer: object): Promise<AsyncDisposable & { readonly address: string }> {
  const server = createServer((_, response) => response.end(JSON.stringify(answer)));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return { address: `127.0.0.1:${port}`, [Symbol.asyncDispose]: () => server[Symbol.asyncDispose]() };
}

beforeEach(async () => {
  worker = await openTestWorker();
  mkdirSync(join(worker.root, 'storage'));
  script({});
  const clusters = join(worker.root, 'clusters');
  [source, target] = [demoCluster(clusters, ['10.0.0.1:2379'], SIZE), demoCluster(clusters, ['10.0.0.2:2379'], SIZE)];
  await performTask(target, { verb: 'empty' }, signal);
  await source.touch();
  await br('log', 'start', '--pd', '10.0.0.1:2379', '--task-name', 't', '--storage', url('log'));
  const writes = { db: 'shop', table: 'ticks', everyMs: 10, since: Date.now() };
  await source.changeState(() => ({ writes }));
  await br('backup', 'full', '--pd', '10.0.0.1:2379', '--storage', url('p'));
  const verified = await verifyBackup(await openBackupFiles(worker.storage, 'nfs/c1/p', {}), signal);
  if (verified.kind !== 'good') throw new Error(`the backup is ${verified.kind}`);
  const { tso, tidbClusterId } = verified.result;
  chosen = { tso, tidbClusterId };
  for (let looks = 0; looks < 4; looks += 1) await br('log', 'status', '--pd', '10.0.0.1:2379');
  const { logTask } = await source.readState();
  point = (tso + BigInt(logTask?.checkpoint ?? 0)) / 2n;
}, 60_000);
afterEach(() => worker[Symbol.dispose]());

const orderTo = (pd: string): RestoreGrant['order'] => ({
  source: { storage: worker.storage, path: 'nfs/c1/p', key: undefined },
  point: { tso: String(point), storage: worker.storage, path: 'nfs/c1/log' },
  target: { pd: [pd], tls: undefined },
  options: {},
});
const restore = (grant: Partial<RestoreGrant> = {}, announce?: RunSettings['announce']) =>
  worker.run({
    program: DEMO_BR,
    grant: { ...chosen, order: orderTo('10.0.0.2:2379'), ...grant },
    env: env(),
    ...(announce && { announce }),
  });
const again = { wasPartial: true, brVersion: 'v8.5.0' };
const expectThePoint = async () => expect(await clusterDigests(target)).toEqual(await clusterDigests(source, point));

describe('a restore to a point in time by a worker', () => {
  it('brings exactly the rows up to the point, and tells both summaries', async () => {
    expect(await restore()).toBe('succeeded');
    await expectThePoint();
    expect(worker.told).toMatchObject([
      {
        end: { summary: { backupTso: String(chosen.tso), pointTso: String(point) } },
      },
    ]);
    const { sizeBytes, seconds = 0, logSeconds = 0 } = worker.told[0]?.end?.summary ?? {};
    expect(sizeBytes).toBeGreaterThan(0n);
    expect(logSeconds).toBeGreaterThan(0);
    expect(seconds).toBeGreaterThan(logSeconds);
  });

  it('tells with its start what the TiKVs said before, and nothing where an attempt before may have turned it off', async () => {
    await using tikv = await startJson({ gc: { 'ratio-threshold': -1 } });
    await using pd = await startJson({ stores: [{ store: { status_address: tikv.address } }] });
    const started: unknown[] = [];
    const announce: RunSettings['announce'] = async ({ collection }) => {
      started.push(collection);
      return undefined;
    };
    const order = orderTo(pd.address);
    await restore({ order }, announce);
    await restore({ order, ...again }, announce);
    expect(started).toEqual([{ off: [tikv.address], unseen: 0 }, undefined]);
  });

  it('has not succeeded with the summary of its backup, and goes on from there to the point', async () => {
    script({ restore: { outcome: { kind: 'crash', step: 'log-files' } } });
    expect(await restore()).toMatch(/^stopped|^failed/);
    expect(worker.printed()).toContain('Full Restore success summary');
    script({});
    expect(await restore(again)).toBe('succeeded');
    await expectThePoint();
  });

  it('is refused for a point behind the end of the log, and changes nothing', async () => {
    point = BigInt(Date.now() + 3_600_000) << 18n;
    expect(await restore()).toMatch(/^refused/);
    expect(await clusterDigests(target)).toEqual({});
  });
});
