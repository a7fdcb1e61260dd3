/** A log backup of a cluster, as people ask for it, and as it goes when others are at work in the cluster too. */

import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { performTask } from '@tidemark/demo-br/demo-cluster-task';
import type { LogTask } from '@tidemark/demo-br/log-state';
import { afterAll, afterEach, beforeAll, expect, it, vi } from 'vitest';
import { type Answer, startTidemark, type Tidemark } from './tidemark.ts';

const WAIT = { timeout: 60_000, interval: 200 };
const MAIN = join(import.meta.dirname, '../../cli/src/main.ts');
const TASK = /^tidemark_[a-z_0-9]+_\d+_[a-z0-9]{8}$/;

interface LogBackup {
  readonly wanted: string;
  readonly state: string;
  readonly reached: boolean;
  readonly healthy: boolean;
  readonly checkpointTime: string;
  readonly lagSeconds: number;
  readonly alarms: readonly { readonly name: string; readonly message: string }[];
  readonly generations: readonly {
    readonly number: number;
    readonly taskName: string;
    readonly path: string;
    readonly minTso: string;
    readonly maxTso: string;
    readonly open: boolean;
    readonly endedWhy: string;
    readonly truncating?: { readonly until: string; readonly activity: string };
    readonly keepReasons: readonly string[];
  }[];
  readonly cleanup: readonly { readonly taskName: string }[];
}

let tidemark: Tidemark;
const begun: string[] = [];
beforeAll(async () => {
  tidemark = await startTidemark({ env: { all: { TIDEMARK_RING_SECONDS: '2', DEMO_BR_TRUNCATE_SECONDS: '2' } } });
}, 120_000);
afterAll(() => tidemark[Symbol.asyncDispose]());
// Looks at the logs of other tests would keep the worker busy.
afterEach(async () => {
  for (const id of begun.splice(0)) await ask('DELETE', of(id));
});

const of = (clusterId: string) => `/clusters/${clusterId}/log-backup`;
const ask = async (method: string, path: string, body?: unknown): Promise<LogBackup> => {
  const answer: Answer<{ logBackup: LogBackup }> = await tidemark.patiently(method, path, body);
  expect(answer).toMatchObject({ status: 200 });
  return answer.data.logBackup;
};
const get = (clusterId: string) => ask('GET', of(clusterId));

async function until(clusterId: string, wanted: Partial<LogBackup>): Promise<LogBackup> {
  return vi.waitFor(async () => {
    const log = await get(clusterId);
    expect(log).toMatchObject(wanted);
    return log;
  }, WAIT);
}

async function running(name: string, pd: string): Promise<string> {
  const id = await tidemark.cluster(name, { pd: [pd] });
  begun.push(id);
  await ask('PUT', of(id), { storageId: 'local' });
  await until(id, { state: 'Running', reached: true, healthy: true });
  return id;
}

const taskOf = async (pd: string) => (await tidemark.demoCluster(pd).readState()).logTask;
const byHand = (pd: string, change: object | null) =>
  tidemark
    .demoCluster(pd)
    .alone(AbortSignal.timeout(10_000), () =>
      tidemark
        .demoCluster(pd)
        .changeState(({ logTask }) => ({ logTask: change && logTask && { ...logTask, ...change } })),
    );

it('is started under a name of its own, and what it promises grows with what lies in the storage', async () => {
  const pd = '10.2.0.1:2379';
  const id = await running('grows', pd);
  const [first] = (await get(id)).generations;
  expect(first).toMatchObject({ number: 1, open: true, taskName: expect.stringMatching(TASK) });
  expect((await taskOf(pd))?.name).toBe(first?.taskName);
  await vi.waitFor(async () => {
    const [now] = (await get(id)).generations;
    expect(BigInt(now?.maxTso ?? 0)).toBeGreaterThan(BigInt(first?.maxTso ?? 0));
  }, WAIT);
  expect(tidemark.files(first?.path ?? '')).toContain('backupmeta');
});

interface Plan {
  readonly planHash: string;
  readonly checks: readonly { readonly name: string; readonly result: string }[];
}

interface Recovery {
  readonly ranges: readonly { readonly from: string; readonly to: string; readonly baseBackupId: string }[];
  readonly holes: readonly { readonly why: string }[];
  readonly newestTime: string;
  readonly rpoSeconds: number;
}

it('has a full backup taken by itself, and from that on every second can be restored', async () => {
  const id = await running('based', '10.2.0.8:2379');
  const recovery = async () => (await tidemark.patiently<Recovery>('GET', `/clusters/${id}/recovery-points`)).data;
  const { ranges, newestTime } = await vi.waitFor(async () => {
    const found = await recovery();
    expect(found.ranges).toHaveLength(1);
    return found;
  }, WAIT);
  const [base] = await tidemark.backups(id);
  expect(ranges[0]?.baseBackupId).toBe(base?.id);
  expect(base).toMatchObject({ createdBy: 'log backup', state: 'Succeeded' });
  await vi.waitFor(async () => {
    const now = await recovery();
    expect(Date.parse(now.newestTime)).toBeGreaterThan(Date.parse(newestTime));
    expect(now.ranges[0]?.from).toBe(ranges[0]?.from);
  }, WAIT);
  await ask('DELETE', of(id));
  await until(id, { state: 'Off', reached: true });
  expect((await recovery()).holes[0]?.why).toBe('stopped');
  // It was asked for once.
  expect(await tidemark.backups(id)).toHaveLength(1);
});

it('has nobody delete the backup that its points are restored from unseen, over REST and the command line', async () => {
  const id = await running('deleted', '10.2.0.9:2379');
  const base = await vi.waitFor(async () => {
    const [one] = (await tidemark.patiently<Recovery>('GET', `/clusters/${id}/recovery-points`)).data.ranges;
    if (!one) throw new Error('no point can be restored yet');
    return one;
  }, WAIT);
  const path = `/backups/${base.baseBackupId}`;
  const refused = await tidemark.call('DELETE', path);
  expect(refused).toMatchObject({
    status: 409,
    details: { lost: expect.stringMatching(/^2.*Z\/\.\.$/), lastGood: 'true' },
  });
  const token = join(tidemark.stack.dataDir, 'token');
  writeFileSync(token, tidemark.stack.token, { mode: 0o600 });
  const env = { ...process.env, TIDEMARK_TOKEN_FILE: token, TIDEMARK_URL: tidemark.stack.url };
  const remove = (...args: string[]) =>
    promisify(execFile)(process.execPath, [MAIN, 'backup', 'delete', base.baseBackupId, '--yes', ...args], { env });
  const { stderr } = await remove().then(
    () => expect.fail('it was deleted'),
    (error) => error,
  );
  expect(stderr).toContain('can be restored only from backup');
  expect((await tidemark.backups(id))[0]).toMatchObject({ deletion: { state: 'None' } });
  const [, acknowledge = ''] = /--acknowledge ([0-9a-f]{64})/.exec(stderr) ?? [];
  await remove('--acknowledge', acknowledge);
  // Another full backup is taken in its place, by itself and once.
  const next = await vi.waitFor(async () => {
    const { data } = await tidemark.patiently<Recovery>('GET', `/clusters/${id}/recovery-points`);
    const bases = data.ranges.map(({ baseBackupId }) => baseBackupId);
    expect(bases).toEqual([expect.not.stringContaining(base.baseBackupId)]);
    return bases[0];
  }, WAIT);
  const good = (await tidemark.backups(id)).filter(({ deletion }) => deletion.state === 'None');
  expect(good).toMatchObject([{ id: next, createdBy: 'log backup', state: 'Succeeded' }]);
});

it('takes out what came before a moment once it is known what that loses, also where the worker is killed at it', {
  timeout: 120_000,
}, async () => {
  const pd = '10.2.0.12:2379';
  const id = await running('truncated', pd);
  const ranges = async () => (await tidemark.patiently<Recovery>('GET', `/clusters/${id}/recovery-points`)).data.ranges;
  const change = (handle: number) => {
    const task = { verb: 'insert', name: { db: 'shop', table: 'orders' }, handle, value: 'a row' } as const;
    return performTask(tidemark.demoCluster(pd), task, AbortSignal.timeout(10_000));
  };
  const { path = '' } = (await get(id)).generations[0] ?? {};
  const files = () => tidemark.files(path);
  const logs = () => files().flatMap((name) => /(\d+)\.log$/.exec(name)?.[1] ?? []);
  await change(1);
  await vi.waitFor(
    async () => expect([await ranges(), logs()]).toEqual([[expect.anything()], [expect.anything()]]),
    WAIT,
  );
  const backupId = await tidemark.start(id);
  await tidemark.untilState(backupId, 'Succeeded');
  const base = BigInt((await tidemark.backups(id)).find((one) => one.id === backupId)?.backupTso ?? 0);
  await change(2);
  const end = async () => BigInt((await get(id)).generations[0]?.maxTso ?? 0);
  await vi.waitFor(async () => expect(await end()).toBeGreaterThan(base), WAIT);
  const moment = new Date(Number(base >> 18n)).toISOString();
  const truncate = (body: object) => tidemark.call('POST', `${of(id)}/truncate`, { until: moment, ...body });
  const refused = await truncate({});
  const [first] = await ranges();
  expect(refused).toMatchObject({ status: 409, details: { lost: expect.stringContaining(`${first?.from}/`) } });
  expect(await truncate({ until: new Date(Date.now() + 3_600_000).toISOString() })).toMatchObject({ status: 400 });
  const old = logs().filter((ts) => BigInt(ts) < base);
  expect(old.length).toBeGreaterThan(0);
  expect(await truncate({ acknowledge: refused.details?.acknowledge })).toMatchObject({ status: 200 });
  expect((await ranges())[0]?.baseBackupId).toBe(backupId);
  const [worker] = tidemark.stack.processes.filter(({ kind }) => kind === 'executor-worker');
  await vi.waitFor(() => expect(files()).toContain('truncating.lock'), WAIT);
  await worker?.kill('SIGKILL');
  await vi.waitFor(() => expect(worker?.running).toBe(false), WAIT);
  await worker?.start();
  await vi.waitFor(async () => expect((await get(id)).generations[0]?.truncating).toBeUndefined(), WAIT);
  expect(files()).not.toContain('truncating.lock');
  expect(logs().filter((ts) => old.includes(ts))).toEqual([]);
});

it('is paused, resumed and stopped as is wanted, and begins anew under another name', async () => {
  const pd = '10.2.0.2:2379';
  const id = await running('paused', pd);
  await ask('POST', `${of(id)}/pause`, { reason: 'maintenance' });
  const paused = await until(id, { wanted: 'paused', state: 'Paused', reached: true });
  expect(await taskOf(pd)).toMatchObject({ state: 'PAUSE' });
  await ask('POST', `${of(id)}/resume`, {});
  await until(id, { wanted: 'on', state: 'Running', reached: true });
  await ask('DELETE', of(id));
  const stopped = await until(id, { wanted: 'off', state: 'Off', reached: true });
  expect(stopped.generations).toMatchObject([{ open: false, endedWhy: 'stopped' }]);
  expect(stopped.cleanup).toMatchObject([{ taskName: paused.generations[0]?.taskName }]);
  expect(await taskOf(pd)).toBeNull();
  await ask('POST', `${of(id)}/resume`, {});
  const again = await until(id, { state: 'Running', reached: true });
  expect(again.generations.map(({ number, open }) => [number, open])).toEqual([
    [2, true],
    [1, false],
  ]);
  expect(again.generations[0]?.path).not.toBe(again.generations[1]?.path);
});

it('stays as somebody left it who stopped it by hand, with an alarm, until it is wanted again', async () => {
  const pd = '10.2.0.3:2379';
  const id = await running('by-hand', pd);
  await byHand(pd, null);
  const missing = await until(id, { state: 'Missing', healthy: false });
  expect(missing.alarms.map(({ name }) => name)).toContain('logMissing');
  expect(await taskOf(pd)).toBeNull();
  await ask('POST', `${of(id)}/resume`, {});
  const again = await until(id, { state: 'Running' });
  expect(again.generations.map(({ endedWhy }) => endedWhy)).toEqual(['', 'vanished']);
});

it('never touches the task of others', async () => {
  const pd = '10.2.0.4:2379';
  const id = await running('foreign', pd);
  await ask('DELETE', of(id));
  await until(id, { state: 'Off', reached: true });
  const foreign: LogTask = {
    ...{
      name: 'theirs',
      storage: 'local:///theirs',
      flags: {},
      printed: 'local:///theirs',
      startTs: '1',
      checkpoint: '1',
    },
    ...{ state: 'NORMAL', severity: '', keptUntil: 0, errors: [], standsStill: true },
  };
  await tidemark.demoCluster(pd).changeState(() => ({ logTask: foreign }));
  await ask('POST', `${of(id)}/resume`, {});
  const log = await until(id, { state: 'Foreign' });
  const [alarm] = log.alarms.filter(({ name }) => name === 'logForeign');
  expect(alarm?.message).toContain('theirs');
  await ask('DELETE', of(id));
  await until(id, { wanted: 'off', state: 'Foreign' });
  expect(await taskOf(pd)).toEqual(foreign);
});

it('a history that is gone ends the log, and another begins by itself', async () => {
  const pd = '10.2.0.5:2379';
  const id = await running('history', pd);
  await ask('POST', `${of(id)}/pause`, {});
  await until(id, { state: 'Paused', reached: true });
  await byHand(pd, { keptUntil: 1 });
  await ask('POST', `${of(id)}/resume`, {});
  const log = await until(id, { state: 'Running', reached: true });
  expect(log.generations.map(({ endedWhy }) => endedWhy)).toEqual(['', 'historyLost']);
});

it('is off as long as a restore has its cluster, which waits until that is so', async () => {
  const pd = '10.2.0.10:2379';
  const targetClusterId = await running('restored', pd);
  const sourceId = await tidemark.cluster('source', { pd: ['10.2.0.11:2379'] });
  const backupId = await tidemark.start(sourceId);
  await tidemark.untilState(backupId, 'Succeeded');
  await performTask(tidemark.demoCluster(pd), { verb: 'empty' }, AbortSignal.timeout(10_000));
  tidemark.demo({ restore: { seconds: 6 } }, sourceId);
  const wish = { backupId, targetClusterId };
  const { plan } = (await tidemark.patiently<{ plan: Plan }>('POST', '/restores/plan', wish)).data;
  expect(plan.checks.find(({ name }) => name === 'logBackupOnTarget')?.result).toBe('blocked');
  const start = { ...wish, planHash: plan.planHash, confirm: targetClusterId };
  expect(await tidemark.call('POST', '/restores', start)).toMatchObject({ status: 400 });
  const acknowledge = ['logBackupOnTarget'];
  const { restoreId } = (
    await tidemark.patiently<{ restoreId: string }>('POST', '/restores', { ...start, acknowledge })
  ).data;
  const untilRestore = (wanted: object) =>
    vi.waitFor(async () => {
      const { data } = await tidemark.patiently<{ restore: object }>('GET', `/restores/${restoreId}`);
      expect(data.restore).toMatchObject(wanted);
    }, WAIT);
  await untilRestore({ state: 'Queued', reason: { code: 'TARGET_LOGS' }, attempts: [] });
  await ask('DELETE', of(targetClusterId));
  await untilRestore({ state: 'Running' });
  await ask('POST', `${of(targetClusterId)}/resume`, {});
  const waiting = await until(targetClusterId, { wanted: 'on', state: 'Off' });
  expect(waiting.alarms.map(({ name }) => name)).toContain('logWaitsForRestore');
  await untilRestore({ state: 'Succeeded', targetState: 'Restored' });
  await until(targetClusterId, { state: 'Running', reached: true });
});

it('is brought where it is wanted by whoever is there, however often workers die on the way', async () => {
  const pd = '10.2.0.6:2379';
  const id = await tidemark.cluster('killed', { pd: [pd] });
  const [worker] = tidemark.stack.processes.filter(({ kind }) => kind === 'executor-worker');
  for (const [method, path, body, state] of [
    ['PUT', of(id), { storageId: 'local' }, 'Running'],
    ['POST', `${of(id)}/pause`, {}, 'Paused'],
    ['POST', `${of(id)}/resume`, {}, 'Running'],
    ['DELETE', of(id), undefined, 'Off'],
  ] as const) {
    await ask(method, path, body);
    await worker?.kill('SIGKILL');
    await vi.waitFor(() => expect(worker?.running).toBe(false), WAIT);
    await worker?.start();
    await until(id, { state, reached: true });
  }
  const { generations } = await get(id);
  expect(generations.filter(({ open }) => open)).toEqual([]);
  expect(await taskOf(pd)).toBeNull();
});

it('bad input is told by field, and writes nothing', async () => {
  const id = await tidemark.cluster('bad', { pd: ['10.2.0.7:2379'] });
  const refused = async (method: string, path: string, body: unknown, status: number, message: string) => {
    const answer = await tidemark.call(method, path, body);
    expect([answer.status, JSON.stringify(answer)]).toEqual([status, expect.stringContaining(message)]);
  };
  await refused('PUT', of(id), {}, 400, 'storageId');
  await refused('PUT', of(id), { storageId: 'local', retentionDays: -1 }, 400, 'retentionDays');
  await refused(
    'PUT',
    of(id),
    { storageId: 'local', lagWarnSeconds: 900, lagCriticalSeconds: 600 },
    400,
    'lagWarnSeconds',
  );
  await refused('PUT', of(id), { storageId: 'nowhere' }, 404, 'nowhere');
  await refused('PUT', of('nobody'), { storageId: 'local' }, 404, 'nobody');
  await refused('POST', `${of(id)}/resume`, {}, 409, 'has no log backup');
  expect(await get(id)).toMatchObject({ wanted: 'off', state: 'Off', generations: [] });
});
