/**
 * Promise: an upgrade interrupts nothing, and neither does going back on it (docs/operations.md). A copy of every process of the version before
 * runs beside one of today, over one database and one broker; each asks whichever of the others comes. What people do every day works by
 * both gateways, then without the copies of the version before, and in the end without those of today; and no `br` is ended.
 */
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { StackProcess } from '@tidemark/local-stack/stack-process';
import { expect, it, vi } from 'vitest';
import { type BackupRecord, opensLater, type StrategyView, startTidemark, type Tidemark } from './tidemark.ts';
import { checkOut, hasHistory } from './version-before.ts';

/** Landed before there were notifications, traces and what scheduler-service keeps of running backups. */
const BEFORE = '3811cd305bce6ab2d624044fb0c645db6b6be6c8';
const PLACES = {
  gateway: 'gateway',
  'strategy-service': 'services/strategy-service',
  'backup-service': 'services/backup-service',
  'scheduler-service': 'services/scheduler-service',
  'executor-worker': 'services/executor-worker',
} as const;
const KINDS = Object.keys(PLACES) as (keyof typeof PLACES)[];
const WAIT = { timeout: 60_000, interval: 200 };
const TRIES = 20;

/** Calls by one gateway, asked again where a process that is replaced could not answer, as scripts do. */
function callsBy({ address }: StackProcess, token: string) {
  return async <T>(method: string, path: string, body?: object): Promise<T> => {
    const headers = {
      authorization: `Bearer ${token}`,
      'content-type': 'application/json',
      ...(method === 'POST' && { 'idempotency-key': randomUUID() }),
    };
    for (let tries = TRIES; ; tries -= 1) {
      const response = await fetch(`http://${address}/api/v1${path}`, {
        method,
        headers,
        ...(body && { body: JSON.stringify(body) }),
        signal: AbortSignal.timeout(15_000),
      });
      const text = await response.text();
      if (response.status === 200) return (JSON.parse(text) as { data: T }).data;
      if (response.status !== 503 || tries === 1)
        throw new Error(`${method} ${path} was answered with ${response.status}: ${text}`);
      await sleep(500);
    }
  };
}

/** What people do with one cluster every day. @returns its id, and that of the backup that is left */
async function everyDay(tidemark: Tidemark, gateway: StackProcess, pd: string) {
  const call = callsBy(gateway, tidemark.stack.token);
  const clusterId = `day-${randomUUID().slice(0, 8)}`;
  const until = async (id: string, wanted: (one: BackupRecord) => boolean) =>
    await vi.waitFor(async () => {
      const { backup } = await call<{ backup: BackupRecord }>('GET', `/backups/${id}`);
      if (!wanted(backup)) throw new Error(`${id} is not as wanted yet: ${JSON.stringify(backup)}`);
      return backup;
    }, WAIT);
  const start = async () => (await call<{ backupId: string }>('POST', '/backups', { clusterId })).backupId;

  await call('PUT', `/clusters/${clusterId}`, {
    pd: [pd],
    version: '8.5.0',
    storageId: 'local',
    labels: { day: 'yes' },
  });
  const path = `/clusters/${clusterId}/strategies/nightly`;
  await call('PUT', path, { strategy: { ...opensLater(), retention: { keepLast: 7 } } });
  const { strategy } = await call<{ strategy: StrategyView }>('GET', path);
  expect(strategy).toMatchObject({ rule: 'nightly', paused: false });

  const kept = await start();
  await until(kept, ({ state }) => state === 'Succeeded');
  const canceled = await start();
  await call('POST', '/backups/cancel', { clusterId, backupId: canceled });
  await until(canceled, ({ state }) => state === 'Canceled' || state === 'Succeeded');
  const removed = await start();
  await until(removed, ({ state }) => state === 'Succeeded');
  await call('DELETE', `/backups/${removed}`, {});
  await until(removed, ({ deletion }) => deletion.state === 'Deleted');

  const { backupRecords } = await call<{ backupRecords: BackupRecord[] }>(
    'GET',
    `/backups?clusterId=${clusterId}&pageSize=100`,
  );
  expect(backupRecords.map(({ id }) => id)).toEqual(expect.arrayContaining([kept]));
  await vi.waitFor(async () => {
    const { clusters } = await call<{ clusters: { clusterId: string; verdict: string }[] }>(
      'GET',
      `/fleet?text=${clusterId}`,
    );
    expect(clusters).toMatchObject([{ clusterId, verdict: 'inTime' }]);
  }, WAIT);
  return { clusterId, kept };
}

it('every process of the version before works beside one of today, and either without the other', async ({ skip }) => {
  if (!hasHistory(BEFORE)) return skip(`the history of git does not reach back to ${BEFORE.slice(0, 7)} here`);
  using before = checkOut(BEFORE, Object.values(PLACES));
  await using tidemark = await startTidemark({
    copies: Object.fromEntries(KINDS.map((kind) => [kind, 2])),
    runnerOfCopy: Object.fromEntries(KINDS.map((kind) => [`${kind}-2`, before.runner(PLACES[kind])])),
    env: { 'executor-worker': { TIDEMARK_DRAIN_SECONDS: '60' } },
  });
  const copies = (number: number) => tidemark.stack.processes.filter(({ name }) => name.endsWith(`-${number}`));
  const [today, old] = [copies(1), copies(2)];
  expect([today.length, old.length]).toEqual([KINDS.length, KINDS.length]);
  const gatewayOf = (some: readonly StackProcess[]) => some.find(({ kind }) => kind === 'gateway') as StackProcess;
  const call = callsBy(gatewayOf(today), tidemark.stack.token);
  // What only one of them knows tells them apart.
  await call('GET', '/notifications');
  await expect(callsBy(gatewayOf(old), tidemark.stack.token)('GET', '/notifications')).rejects.toThrow('with 404');

  /** Services first, workers among them, and the gateway last; its `br` goes on to its end. */
  const replace = async (some: readonly StackProcess[], others: readonly StackProcess[]) => {
    for (const one of others) if (!one.running) await one.start();
    const running = await Promise.all(
      ['left', 'right'].map(async (name) => {
        const id = await tidemark.cluster(name);
        tidemark.demo({ seconds: 10, progressIntervalSeconds: 0.2 }, id);
        const { backupId } = await callsBy(gatewayOf(others), tidemark.stack.token)<{ backupId: string }>(
          'POST',
          '/backups',
          { clusterId: id },
        );
        await tidemark.brStarted(id);
        return backupId;
      }),
    );
    for (const kind of KINDS.toReversed()) await some.find((one) => one.kind === kind)?.stop();
    return running;
  };

  const days = [
    ...(await Promise.all(
      [gatewayOf(today), gatewayOf(old)].map((gateway, index) => everyDay(tidemark, gateway, `10.1.0.${index}:2379`)),
    )),
    await everyDay(tidemark, gatewayOf(today), '10.1.1.1:2379'),
    await everyDay(tidemark, gatewayOf(old), '10.1.1.2:2379'),
  ];
  const running = await replace(old, today);
  days.push(await everyDay(tidemark, gatewayOf(today), '10.1.2.1:2379'));
  for (const id of running) await tidemark.untilState(id, 'Succeeded');

  const goneBack = await replace(today, old);
  days.push(await everyDay(tidemark, gatewayOf(old), '10.1.3.1:2379'));
  const callBefore = callsBy(gatewayOf(old), tidemark.stack.token);
  for (const id of [...running, ...goneBack])
    await vi.waitFor(async () => {
      const { backup } = await callBefore<{ backup: BackupRecord }>('GET', `/backups/${id}`);
      expect(backup).toMatchObject({ state: 'Succeeded' });
      expect(backup.attempts).toHaveLength(1);
    }, WAIT);

  // And forward again: nothing of what was made meanwhile is lost.
  for (const one of today) await one.start();
  for (const { kept } of days) {
    const { backup } = await call<{ backup: BackupRecord }>('GET', `/backups/${kept}`);
    expect(backup).toMatchObject({ state: 'Succeeded', deletion: { state: 'None' } });
  }
}, 600_000);
