/** Restores through the API, by real workers, into demo clusters whose rows can be looked at. */
import { execFile } from 'node:child_process';
import { readdirSync, readFileSync, unlinkSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { type DemoCluster, demoCluster } from '@tidemark/demo-br/demo-cluster';
import { performTask } from '@tidemark/demo-br/demo-cluster-task';
import { restoreLines } from '@tidemark/local-stack/restore-lines';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { startTidemark, type Tidemark } from './tidemark.ts';

const SIZE = { regions: 6, bytesPerFile: 200 };
const signal = AbortSignal.timeout(600_000);
/** The end of a run at any of its steps is tried with demo-br alone; of a worker once, and early and late where long tests are asked for. */
const KILLED_AT = process.env.TIDEMARK_LONG_TESTS === '1' ? [0.1, 0.5, 0.9] : [];

/** A restore as REST shows it, as far as this file looks at it. */
interface RestoreView {
  readonly id: string;
  readonly state: string;
  readonly targetState: string;
  readonly brVersion?: string;
  readonly argv: readonly string[];
  readonly progress?: { readonly percent: number };
  readonly attempts: readonly { readonly worker: string; readonly outcome: string; readonly end?: string }[];
  readonly result?: { readonly sizeBytes: number; readonly checksums: string };
  readonly reason?: { readonly code: string; readonly message: string };
  readonly resumable: boolean;
  readonly needsConfirm: boolean;
  readonly cleanup: readonly { readonly what: string }[];
}

/** A cluster with a backup. */
interface Source {
  readonly source: { readonly id: string; readonly rows: DemoCluster };
  readonly backupId: string;
}

/** The texts of all tables of users, by name. */
const contentOf = ({ folder }: DemoCluster) =>
  Object.fromEntries(
    readdirSync(folder, { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.tsv') && !name.startsWith('mysql/'))
      .map((name) => [name, readFileSync(join(folder, name), 'utf8')]),
  );

describe('a restore', () => {
  let tidemark: Tidemark;
  let clusters = 0;
  /** A backup that no test changes, nor its cluster. */
  let sound: Source;
  beforeAll(async () => {
    tidemark = await startTidemark({ copies: { 'executor-worker': 2 } });
    sound = await backedUp();
  }, 120_000);
  afterAll(() => tidemark?.[Symbol.asyncDispose]());
  afterEach(() => startDeadWorkers());

  async function startDeadWorkers(): Promise<void> {
    for (const one of tidemark.stack.processes) if (!one.running) await one.start();
  }

  /** Registers a cluster of its own, and answers its rows too. */
  async function cluster(name: string) {
    clusters += 1;
    const pd = [`10.0.0.${clusters}:2379`];
    const id = await tidemark.cluster(name, { pd });
    return { id, rows: demoCluster(join(tidemark.stack.dataDir, 'demo-clusters'), pd, SIZE) };
  }
  /** A good backup of a cluster with a row of ours. */
  async function backedUp(): Promise<Source> {
    const source = await cluster('source');
    tidemark.demo({ seconds: 0.3, ...SIZE }, source.id);
    const name = { db: 'shop', table: 'orders' };
    await performTask(source.rows, { verb: 'insert', name, handle: 7, value: 'a row of ours' }, signal);
    const backupId = await tidemark.start(source.id);
    await tidemark.untilState(backupId, 'Succeeded');
    return { source, backupId };
  }
  /** An empty cluster for a backup, whose restores do as the script says. */
  async function prepare(script: Record<string, unknown> = {}, { source, backupId } = sound) {
    const target = await cluster('target');
    await performTask(target.rows, { verb: 'empty' }, signal);
    tidemark.demo({ seconds: 0.3, progressIntervalSeconds: 0.1, ...SIZE, restore: script }, source.id);
    return { source, target, backupId };
  }
  async function start(backupId: string, targetClusterId: string): Promise<string> {
    const wish = { backupId, targetClusterId };
    const planned = await tidemark.patiently<{ plan: { planHash: string } }>('POST', '/restores/plan', wish);
    expect(planned.code, planned.message).toBe(0);
    const { planHash } = planned.data.plan;
    const started = await tidemark.patiently<{ restoreId: string }>('POST', '/restores', {
      ...wish,
      planHash,
      confirm: targetClusterId,
    });
    expect(started.code, started.message).toBe(0);
    return started.data.restoreId;
  }
  const get = async (id: string) =>
    (await tidemark.patiently<{ restore: RestoreView }>('GET', `/restores/${id}`)).data.restore;
  /** Waits until a restore is as wanted; fails with the restore as it is. */
  async function until(id: string, wanted: (restore: RestoreView) => boolean, seconds = 40): Promise<RestoreView> {
    let last: RestoreView | undefined;
    try {
      return await vi.waitFor(
        async () => {
          last = await get(id);
          if (!wanted(last)) throw new Error('not yet');
          return last;
        },
        { timeout: seconds * 1000, interval: 100 },
      );
    } catch (error) {
      throw new Error(`the restore did not become what was wanted: ${JSON.stringify(last)}`, { cause: error });
    }
  }
  const isEnded = ({ state }: RestoreView) => ['Succeeded', 'Failed', 'Canceled'].includes(state);

  it('brings every row back, byte for byte, into an empty cluster', async () => {
    const { source, target, backupId } = await prepare();
    const restore = await until(await start(backupId, target.id), isEnded);
    expect(restore).toMatchObject({
      state: 'Succeeded',
      targetState: 'Restored',
      brVersion: 'v8.5.0',
      result: { checksums: 'proven' },
      attempts: [{ outcome: 'ended', end: 'succeeded' }],
      cleanup: [],
    });
    expect(restore.argv.slice(0, 2)).toEqual(['restore', 'full']);
    expect(contentOf(target.rows)).toEqual(contentOf(source.rows));
    expect(contentOf(target.rows)['shop/orders.tsv']).toContain('a row of ours');
  });

  it('is followed by its events, and shows what its br printed, attempt by attempt', async () => {
    const { target, backupId } = await prepare({ seconds: 1 });
    const id = await start(backupId, target.id);
    const { url, token } = tidemark.stack;
    const follow = async (path: string) => {
      const response = await fetch(`${url}/api/v1/restores/${id}${path}`, {
        headers: { authorization: `Bearer ${token}` },
        signal,
      });
      expect(response.status).toBe(200);
      return response.text();
    };
    const [events, log] = await Promise.all([follow('/events'), follow('/log?follow=true')]);
    const states = [...events.matchAll(/"state":"(\w+)"/g)].map(([, state]) => state);
    expect(states.at(-1)).toBe('Succeeded');
    expect(events).toMatch(/event: end\ndata: \{\}\n\n$/);
    expect(log).toMatch(/^==> attempt 1, br v8\.5\.0, worker executor-worker-\d+ <==\n/);
    expect(log).toContain('Full Restore success summary');
    expect(await follow('/log?attempt=1')).toBe(log);
  });

  it('of one table brings back that alone, into the very cluster that lost it, and leaves all others as they are', async () => {
    const { source, backupId } = await backedUp();
    const orders = contentOf(source.rows)['shop/orders.tsv'];
    await performTask(source.rows, { verb: 'drop', db: 'shop', table: 'orders' }, signal);
    const name = { db: 'shop', table: 'customers' };
    await performTask(source.rows, { verb: 'insert', name, handle: 8, value: 'since the backup' }, signal);
    const before = contentOf(source.rows);
    const wish = { backupId, targetClusterId: source.id, filter: ['shop.orders'] };
    const planned = await tidemark.patiently<{
      plan: { planHash: string; needs: string[]; filter: string[]; argv: string[] };
    }>('POST', '/restores/plan', wish);
    const { planHash, needs, filter, argv } = planned.data.plan;
    expect({ needs, filter }).toEqual({ needs: ['confirm', 'sameCluster', 'existingTables'], filter: wish.filter });
    const confirmed = { ...wish, planHash, confirm: source.id };
    expect(await tidemark.patiently('POST', '/restores', { ...confirmed, acknowledge: ['sameCluster'] })).toMatchObject(
      {
        message: expect.stringContaining('does not look whether the target has tables that the filter chooses'),
      },
    );
    const acknowledge = ['sameCluster', 'existingTables'];
    // What the plan says of another filter is not what was looked at.
    const other = { ...confirmed, acknowledge, filter: ['shop.*'] };
    expect(await tidemark.patiently('POST', '/restores', other)).toMatchObject({
      message: expect.stringContaining('plan'),
    });
    const started = await tidemark.patiently<{ restoreId: string }>('POST', '/restores', { ...confirmed, acknowledge });
    expect(started.code, started.message).toBe(0);
    const restore = await until(started.data.restoreId, isEnded);
    expect(restore).toMatchObject({ state: 'Succeeded', targetState: 'Restored', result: { checksums: 'proven' } });
    expect(restore.argv.join(' ')).toContain('--filter shop.orders --filter !');
    expect(restore.argv, 'as the plan said').toEqual(argv);
    expect(contentOf(source.rows)).toEqual({ ...before, 'shop/orders.tsv': orders });
  });

  it('of a table that the backup does not hold is refused before anything is changed', async () => {
    const { target, backupId } = await prepare();
    const wish = { backupId, targetClusterId: target.id, filter: ['shop.orders', 'shop.nosuch'] };
    const { data } = await tidemark.patiently<{ plan: { planHash: string } }>('POST', '/restores/plan', wish);
    const confirmed = { planHash: data.plan.planHash, confirm: target.id, acknowledge: ['existingTables'] };
    const started = await tidemark.patiently<{ restoreId: string }>('POST', '/restores', { ...wish, ...confirmed });
    expect(await until(started.data.restoreId, isEnded)).toMatchObject({
      state: 'Failed',
      targetState: 'Untouched',
      reason: { code: 'NOT_IN_BACKUP', message: expect.stringContaining('shop.nosuch') },
    });
    expect(contentOf(target.rows)).toEqual({});
  });

  it('is started by a client of TiUniManager too, into the cluster that it names and not into the one that was backed up', async () => {
    const { source, target, backupId } = await prepare();
    const before = contentOf(source.rows);
    const asThere = { backupId, clusterId: source.id, clusterName: 'restored', copies: 1 };
    const refused = await tidemark.call('POST', '/clusters/restore', asThere);
    expect(refused).toMatchObject({ code: 10001, message: expect.stringContaining('register the new cluster') });
    const wish = { backupId, targetClusterId: target.id };
    const { data } = await tidemark.patiently<{ plan: { planHash: string } }>('POST', '/restores/plan', wish);
    const confirmed = { ...asThere, ...wish, planHash: data.plan.planHash, confirm: target.id };
    const started = await tidemark.call<Record<string, string>>('POST', '/clusters/restore', confirmed);
    const { restoreId = '' } = started.data;
    expect(started.data).toEqual({ workFlowId: restoreId, clusterID: target.id, restoreId });
    expect(await until(restoreId, isEnded)).toMatchObject({ state: 'Succeeded', targetState: 'Restored' });
    expect(contentOf(target.rows)).toEqual(contentOf(source.rows));
    expect(contentOf(source.rows)).toEqual(before);
  });

  it('is refused by a cluster with tables, which stays as it was', async () => {
    const { target, backupId } = await prepare();
    const name = { db: 'crm', table: 'people' };
    await performTask(target.rows, { verb: 'insert', name, handle: 1, value: 'theirs' }, signal);
    const before = contentOf(target.rows);
    expect(await until(await start(backupId, target.id), isEnded)).toMatchObject({
      state: 'Failed',
      targetState: 'Untouched',
      reason: { code: 'TARGET_NOT_EMPTY', message: expect.stringContaining('crm.people') },
    });
    expect(contentOf(target.rows)).toEqual(before);
  });

  it('of a backup that lost a file leaves the target as it was, and the backup is known to be damaged from then on', async () => {
    const { source, target, backupId } = await prepare({}, await backedUp());
    const before = contentOf(target.rows);
    const [backup] = await tidemark.backups(source.id);
    const folder = join(tidemark.stack.storage, backup?.filePath ?? '');
    const files = readdirSync(folder, { recursive: true, encoding: 'utf8' });
    unlinkSync(join(folder, files.find((name) => name.endsWith('.sst')) ?? ''));
    expect(await until(await start(backupId, target.id), isEnded)).toMatchObject({
      state: 'Failed',
      targetState: 'Untouched',
      reason: { code: 'SOURCE_DAMAGED' },
    });
    expect(contentOf(target.rows)).toEqual(before);
    // Which is written down behind the end of the restore.
    await vi.waitFor(async () => {
      const damaged = await tidemark.backups(source.id, '&damaged=true');
      expect(damaged.map(({ id, verification }) => [id, verification?.state])).toEqual([[backupId, 'Damaged']]);
    });
    const wish = { backupId, targetClusterId: target.id };
    const { data } = await tidemark.patiently<{ plan: { needs: string[] } }>('POST', '/restores/plan', wish);
    expect(data.plan.needs).toContain('sourceSound');
  });

  it('that is canceled in the middle says what is left, and is resumed to its end', async () => {
    const { source, target, backupId } = await prepare({ seconds: 6 });
    const id = await start(backupId, target.id);
    await until(id, ({ progress }) => (progress?.percent ?? 0) > 0);
    await tidemark.call('POST', `/restores/${id}/cancel`, {});
    const canceled = await until(id, isEnded);
    expect(canceled).toMatchObject({ state: 'Canceled', targetState: 'Partial', resumable: true });
    expect(canceled.cleanup.map(({ what }) => what)).toContain('checkpointDatabases');
    tidemark.demo({ seconds: 0.3, ...SIZE }, source.id);
    const resumed = await tidemark.call('POST', `/restores/${id}/resume`, {});
    expect(resumed.code, resumed.message).toBe(0);
    expect(await until(id, isEnded)).toMatchObject({ state: 'Succeeded', targetState: 'Restored' });
    expect(contentOf(target.rows)).toEqual(contentOf(source.rows));
  });

  const workerOf = (name: string | undefined) => {
    const worker = tidemark.stack.processes.find((one) => one.name === name);
    if (!worker) throw new Error(`there is no worker ${name}`);
    return worker;
  };

  it('goes on by itself on another worker where its own is killed in the middle', async () => {
    const { source, target, backupId } = await prepare({ seconds: 6 });
    const id = await start(backupId, target.id);
    const { attempts } = await until(id, ({ progress }) => (progress?.percent ?? 0) > 0);
    tidemark.demo({ seconds: 0.3, ...SIZE }, source.id);
    const worker = workerOf(attempts[0]?.worker);
    worker.kill('SIGKILL');
    const restore = await until(id, isEnded);
    expect(restore).toMatchObject({ state: 'Succeeded', targetState: 'Restored' });
    expect(restore.attempts.map(({ outcome }) => outcome)).toEqual(['lost', 'ended']);
    expect(contentOf(target.rows)).toEqual(contentOf(source.rows));
    // The target is free for backups of its own.
    const backup = tidemark.start(target.id);
    await worker.start();
    // What its guard wrote down of the first br is known now.
    await until(id, (one) => one.attempts[0]?.end === 'stopped');
    await tidemark.untilState(await backup, 'Succeeded');
  });

  it('into a cluster that is strict about losses waits for a person who says that the host is dead', async () => {
    const { source, target, backupId } = await prepare({ seconds: 6 });
    const { data } = await tidemark.patiently<{ cluster: object }>('GET', `/clusters/${target.id}`);
    const strict = { ...data.cluster, purpose: 'scratch', restore: { strictLoss: true } };
    expect((await tidemark.patiently('PUT', `/clusters/${target.id}`, strict)).code).toBe(0);
    const wish = { backupId, targetClusterId: target.id };
    const started = await tidemark.patiently<{ restoreId: string }>('POST', '/restores', wish);
    expect(started.code, started.message).toBe(0);
    const id = started.data.restoreId;
    const { attempts } = await until(id, ({ progress }) => (progress?.percent ?? 0) > 0);
    const moved = await tidemark.patiently('PUT', `/clusters/${target.id}`, { ...strict, pd: ['10.9.9.9:2379'] });
    expect(moved).toMatchObject({ code: 20114, message: expect.stringContaining(id) });
    workerOf(attempts[0]?.worker).kill('SIGKILL');
    expect(await until(id, isEnded)).toMatchObject({
      state: 'Failed',
      targetState: 'Partial',
      needsConfirm: true,
      resumable: true,
    });
    const unsaid = await tidemark.call('POST', `/restores/${id}/resume`, {});
    expect(unsaid).toMatchObject({ message: expect.stringContaining('hostDead') });
    tidemark.demo({ seconds: 0.3, ...SIZE }, source.id);
    expect((await tidemark.call('POST', `/restores/${id}/resume`, { hostDead: true })).code).toBe(0);
    expect(await until(id, isEnded)).toMatchObject({ state: 'Succeeded', targetState: 'Restored' });
    expect(contentOf(target.rows)).toEqual(contentOf(source.rows));
  });

  it.each(KILLED_AT)('whose worker is killed at %d of its files loses nothing', async (at) => {
    const killed = { kind: 'kill-parent', thenHangs: true, at, times: 1 };
    const { source, target, backupId } = await prepare({ seconds: 1, outcome: killed }, await backedUp());
    const restore = await until(await start(backupId, target.id), isEnded);
    expect(restore.attempts.map(({ outcome }) => outcome)).toEqual(['lost', 'ended']);
    expect(restore).toMatchObject({ state: 'Succeeded', targetState: 'Restored' });
    expect(contentOf(target.rows)).toEqual(contentOf(source.rows));
  });

  it('is given back by a worker that stops, and goes on elsewhere', async () => {
    const { source, target, backupId } = await prepare({ seconds: 6 });
    const id = await start(backupId, target.id);
    const { attempts } = await until(id, ({ progress }) => (progress?.percent ?? 0) > 0);
    tidemark.demo({ seconds: 0.3, ...SIZE }, source.id);
    const worker = workerOf(attempts[0]?.worker);
    await worker.stop();
    const restore = await until(id, isEnded);
    expect(restore).toMatchObject({ state: 'Succeeded', result: { checksums: 'proven' } });
    expect(restore.attempts.map(({ outcome }) => outcome)).toEqual(['released', 'ended']);
    expect(contentOf(target.rows)).toEqual(contentOf(source.rows));
  });

  it('whose br finished while its worker was dead is a success once a worker of that host is back', async () => {
    const killed = { kind: 'kill-parent', step: 'summary', times: 1 };
    const { source, target, backupId } = await prepare({ outcome: killed }, await backedUp());
    const id = await start(backupId, target.id);
    const dead = await vi.waitFor(
      () => {
        const found = tidemark.stack.processes.find((one) => one.kind === 'executor-worker' && !one.running);
        if (!found) throw new Error('no worker has died');
        return found;
      },
      { timeout: 20_000 },
    );
    await dead.start();
    const restore = await until(id, isEnded);
    expect(restore).toMatchObject({ state: 'Succeeded', targetState: 'Restored' });
    expect(contentOf(target.rows)).toEqual(contentOf(source.rows));
    expect(restore.attempts[0]).toMatchObject({ end: 'succeeded' });
  });

  it('is shown to a newcomer by the lines that npm start prints', async () => {
    const { url, token, dataDir } = tidemark.stack;
    const lines = restoreLines({ url, token, dataDir });
    const cwd = join(import.meta.dirname, '..', '..');
    const { stdout } = await promisify(execFile)('sh', ['-euc', lines.join('\n')], { cwd, timeout: 60_000 });
    expect(stdout).toMatch(/restore [\w-]{22}/);
    expect(stdout.split('restore ').at(-1)).toContain('shop.orders');
  });
});
