/** A log backup while workers die, its history goes, and a restore has its cluster. */
import { performTask } from '@tidemark/demo-br/demo-cluster-task';
import { afterAll, afterEach, beforeAll, expect, it, vi } from 'vitest';
import { type LogStack, type Recovery, startLogStack, WAIT } from './log-stack.ts';

let stack: LogStack;
beforeAll(async () => {
  stack = await startLogStack();
}, 120_000);
afterAll(() => stack[Symbol.asyncDispose]());
afterEach(() => stack.stopAll());

interface Plan {
  readonly planHash: string;
  readonly checks: readonly { readonly name: string; readonly result: string }[];
}

it('takes out what came before a moment once it is known what that loses, also where the worker is killed at it', {
  timeout: 120_000,
}, async () => {
  const { tidemark, of, get, running } = stack;
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

it('a history that is gone ends the log, and another begins by itself', async () => {
  const { of, ask, until, running, byHand } = stack;
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
  const { tidemark, of, ask, until, running } = stack;
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
  const { tidemark, of, ask, get, until, taskOf } = stack;
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
