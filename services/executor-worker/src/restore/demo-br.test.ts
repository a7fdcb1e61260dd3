/** A whole restore by a worker, of a backup with rows, into a cluster whose rows can be looked at. */
import { execFile } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { verifyBackup } from '@tidemark/backupmeta/backupmeta';
import { type DemoCluster, demoCluster } from '@tidemark/demo-br/demo-cluster';
import { performTask } from '@tidemark/demo-br/demo-cluster-task';
import { openBackupFiles } from '@tidemark/storage/backup-files';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { RestoreGrant } from './task.ts';
import { openTestWorker, type TestWorker } from './testing/test-worker.ts';

const DEMO_BR = join(import.meta.dirname, '..', '..', '..', '..', 'tools', 'demo-br', 'bin', 'demo-br');
const SIZE = { regions: 6, bytesPerFile: 200 };
const signal = AbortSignal.timeout(60_000);

let worker: TestWorker;
let source: DemoCluster;
let target: DemoCluster;
let chosen: Pick<RestoreGrant, 'tso' | 'tidbClusterId'>;

/** Says how `br` behaves from now on. */
const script = (fields: object) =>
  writeFileSync(
    join(worker.root, 'storage', 'demo-br.json'),
    JSON.stringify({ seconds: 0.1, flushSeconds: 0, ...SIZE, ...fields }),
  );
const env = () => ({ PATH: process.env.PATH ?? '', DEMO_BR_CLUSTERS: join(worker.root, 'clusters') });
/** The texts of all tables of users, by name. */
const contentOf = ({ folder }: DemoCluster) =>
  Object.fromEntries(
    readdirSync(folder, { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.tsv') && !name.startsWith('mysql/'))
      .map((name) => [name, readFileSync(join(folder, name), 'utf8')]),
  );

beforeEach(async () => {
  worker = await openTestWorker();
  mkdirSync(join(worker.root, 'storage'));
  script({});
  const clusters = join(worker.root, 'clusters');
  [source, target] = [demoCluster(clusters, ['10.0.0.1:2379'], SIZE), demoCluster(clusters, ['10.0.0.2:2379'], SIZE)];
  await performTask(
    source,
    { verb: 'insert', name: { db: 'shop', table: 'orders' }, handle: 7, value: 'a row of ours' },
    signal,
  );
  await performTask(target, { verb: 'empty' }, signal);
  const url = `local://${worker.root}/storage/nfs/c1/p`;
  await promisify(execFile)(DEMO_BR, ['backup', 'full', '--pd', '10.0.0.1:2379', '--storage', url], { env: env() });
  const verified = await verifyBackup(await openBackupFiles(worker.storage, 'nfs/c1/p', {}), signal);
  if (verified.kind !== 'good') throw new Error(`the backup is ${verified.kind}`);
  const { tso, tidbClusterId } = verified.result;
  chosen = { tso, tidbClusterId };
});
afterEach(() => worker[Symbol.dispose]());

const restore = (grant: Partial<RestoreGrant> = {}) =>
  worker.run({ program: DEMO_BR, grant: { ...chosen, ...grant }, env: env() });
const again = { wasPartial: true, brVersion: 'v8.5.0' };

describe('a restore by a worker', () => {
  it('brings every row back, byte for byte', async () => {
    expect(await restore()).toBe('succeeded');
    expect(contentOf(target)).toEqual(contentOf(source));
    expect(contentOf(target)['shop/orders.tsv']).toContain('a row of ours');
    expect(worker.told).toMatchObject([{ end: { summary: { backupTso: String(chosen.tso) }, checkpointLeft: false } }]);
  });

  it('is refused by a cluster with tables, which stays as it was', async () => {
    await performTask(
      target,
      { verb: 'insert', name: { db: 'crm', table: 'people' }, handle: 1, value: 'theirs' },
      signal,
    );
    const before = contentOf(target);
    expect(await restore()).toBe('notFresh: TARGET_NOT_EMPTY');
    expect(worker.told[0]?.end?.reason?.message).toContain('crm.people');
    expect(contentOf(target)).toEqual(before);
  });

  it('goes on with the same command where it was canceled in the middle', async () => {
    script({ restore: { seconds: 30 } });
    const running = restore();
    await vi.waitFor(() => expect(worker.printed()).toContain('[progress]'), { timeout: 20_000 });
    worker.canceling.abort();
    expect(await running).toBe('stopped: CANCELED');
    expect(contentOf(target)).not.toEqual(contentOf(source));
    script({});
    worker.calm();
    expect(await restore(again)).toBe('succeeded');
    expect(contentOf(target)).toEqual(contentOf(source));
  });

  it.each([
    ['a crash after the summary', { outcome: { kind: 'crash', step: 'summary' } }, 'afterSummary: ENDED_AFTER_SUMMARY'],
    ['a crash in the middle', { outcome: { kind: 'crash', at: 0.5 } }, 'stopped: BR_KILLED'],
  ])('goes on after %s', async (_, fields, ended) => {
    script({ restore: fields });
    expect(await restore()).toBe(ended);
    script({});
    expect(await restore(again)).toBe('succeeded');
    expect(contentOf(target)).toEqual(contentOf(source));
  });

  it('finds rows that are not those of the backup', async () => {
    const folder = join(worker.root, 'storage', 'nfs', 'c1', 'p');
    const [sst = ''] = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter(
      (name) => name.endsWith('.sst') && readFileSync(join(folder, name), 'utf8').includes('a row of ours'),
    );
    const rows = readFileSync(join(folder, sst), 'utf8');
    writeFileSync(join(folder, sst), rows.replace('a row of ours', 'a row of OURS'));
    expect(await restore()).toBe('dirty: ROWS_DIFFER');
    expect(worker.told[0]?.end?.reason?.message).toContain('shop.orders');
  });

  it('tells what PD shows of the target after it was stopped', async () => {
    await using pd = createServer((request, response) => {
      response.end(request.url?.includes('schedulers') ? '["balance-leader-scheduler"]' : '{}');
    });
    await new Promise<void>((resolve) => pd.listen(0, '127.0.0.1', resolve));
    const address = `127.0.0.1:${(pd.address() as AddressInfo).port}`;
    await performTask(demoCluster(join(worker.root, 'clusters'), [address], SIZE), { verb: 'empty' }, signal);
    script({ restore: { outcome: { kind: 'crash', at: 0.5 } } });
    const order = {
      source: { storage: worker.storage, path: 'nfs/c1/p', key: undefined },
      target: { pd: [address], tls: undefined },
      options: {},
    };
    expect(await restore({ order })).toBe('stopped: BR_KILLED');
    expect(worker.told[0]?.end?.look).toEqual({
      at: expect.any(Date),
      pausedSchedulers: ['balance-leader-scheduler'],
    });
  });

  const filtered = (filter: readonly string[]): Pick<RestoreGrant, 'order' | 'existingTablesAccepted'> => ({
    order: {
      source: { storage: worker.storage, path: 'nfs/c1/p', key: undefined },
      target: { pd: ['10.0.0.2:2379'], tls: undefined },
      options: { filter },
    },
    existingTablesAccepted: true,
  });

  it('of one table brings that back alone, beside what the target has', async () => {
    const theirs = { db: 'crm', table: 'people' };
    await performTask(target, { verb: 'insert', name: theirs, handle: 1, value: 'theirs' }, signal);
    const before = contentOf(target);
    expect(await restore(filtered(['SHOP.orders']))).toBe('succeeded');
    expect(contentOf(target)).toEqual({ ...before, 'shop/orders.tsv': contentOf(source)['shop/orders.tsv'] });
  });

  it('of a filter goes on with the same one where it was canceled in the middle', async () => {
    script({ restore: { seconds: 30 } });
    const running = restore(filtered(['shop.*', '!shop.products']));
    await vi.waitFor(() => expect(worker.printed()).toContain('[progress]'), { timeout: 20_000 });
    worker.canceling.abort();
    expect(await running).toBe('stopped: CANCELED');
    expect(worker.told[0]?.end?.reason?.message).toContain('drop these tables, and no others');
    script({});
    worker.calm();
    expect(await restore({ ...filtered(['shop.*', '!shop.products']), ...again })).toBe('succeeded');
    const { 'shop/orders.tsv': orders, 'shop/customers.tsv': customers } = contentOf(source);
    expect(contentOf(target)).toEqual({ 'shop/orders.tsv': orders, 'shop/customers.tsv': customers });
  });

  it('of a table that the target has already is refused by a br that looks, and leaves it as it was', async () => {
    const name = { db: 'shop', table: 'orders' };
    await performTask(target, { verb: 'insert', name, handle: 1, value: 'theirs' }, signal);
    const before = contentOf(target);
    script({ version: 'v8.5.6' });
    const grant = { ...chosen, ...filtered(['shop.*']), existingTablesAccepted: false };
    const run = worker.run({ program: DEMO_BR, version: 'v8.5.6', grant, env: env() });
    expect(await run).toBe('notFresh: TABLES_EXIST');
    expect(worker.told[0]?.end?.reason?.message).toContain('(shop.orders)');
    expect(contentOf(target)).toEqual(before);
  });

  it('waits for a PD that does not answer, and has touched nothing', async () => {
    script({ restore: { outcome: { kind: 'fail', name: 'pd-unreachable' } } });
    expect(await restore()).toBe('failedBefore: TARGET_AWAY');
  });
});
