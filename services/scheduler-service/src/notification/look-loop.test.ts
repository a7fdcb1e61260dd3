/** What the records of other services and of this one are made into (LL1 to LL3, RD1), over a real database. */
import { randomUUID } from 'node:crypto';
import { dropTestDatabase } from '@tidemark/mongo/testing/drop-test-database';
import { Backup, BackupState, DeletionState } from '@tidemark/protocol/grpc/tidemark/backup/v1/backup';
import { ChangedBackup } from '@tidemark/protocol/grpc/tidemark/backup/v1/backup_service';
import { type LogAlarm, LogStanding, LogWish } from '@tidemark/protocol/grpc/tidemark/backup/v1/log_backup';
import { Cluster } from '@tidemark/protocol/grpc/tidemark/backup/v1/registry_service';
import { Restore, RestoreState } from '@tidemark/protocol/grpc/tidemark/backup/v1/restore';
import { type Db, MongoClient } from 'mongodb';
import { afterAll, beforeAll, beforeEach, describe, expect, inject, it, vi } from 'vitest';
import type { Backends } from '../backends.ts';
import { because, type Occurrence } from '../catch-up.ts';
import { createFleet, type Fleet } from '../fleet.ts';
import { createOccurrenceStore } from '../occurrence-store.ts';
import { createQuarantines } from '../quarantines.ts';
import { everyDay, goodBackup, Neighbours, type NeighboursServer, serveNeighbours } from '../testing/neighbours.ts';
import { createConditionStore } from './condition-store.ts';
import type { Delivery } from './decide/delivery.ts';
import type { Receiver } from './decide/receiver.ts';
import { createDeliveryStore } from './delivery-store.ts';
import { look } from './look-loop.ts';
import { createOutbox } from './outbox.ts';
import { createReceiverStore } from './receiver-store.ts';
import { createRoundStore } from './round-store.ts';

const DAY_MS = 86_400_000;
const signal = new AbortController().signal;
const client = new MongoClient(inject('mongodbUrl'));
let db: Db;
let neighbours: Neighbours;
let server: NeighboursServer;
let backends: Backends;
let fleet: Fleet;
/** How far the time of the database is ahead: each look is a minute after the one before. */
let aheadMs = 0;
const now = () => new Date(Date.now() + aheadMs);
const ago = (ms: number) => new Date(now().getTime() - ms);

beforeAll(async () => {
  server = await serveNeighbours(() => neighbours);
  backends = server.backends();
});
afterAll(async () => {
  backends[Symbol.dispose]();
  await server[Symbol.asyncDispose]();
  await dropTestDatabase(db);
  await client.close();
});
beforeEach(async () => {
  if (db) await dropTestDatabase(db);
  db = client.db(`test-${randomUUID()}`);
  aheadMs = 0;
  neighbours = new Neighbours();
  neighbours.clusters = [Cluster.create({ id: 'orders', labels: { env: 'prod' }, createTime: ago(30 * DAY_MS) })];
  neighbours.backups = [goodBackup({ id: 'good', clusterId: 'orders', endTime: ago(3_600_000) })];
  neighbours.strategies = [everyDay('orders', 'nightly', ago(-DAY_MS), ago(-2 * DAY_MS))];
  fleet = createFleet({ backends, quarantines: createQuarantines(), now });
  const receiver: Receiver = {
    ...{ _id: 'ops', kind: 'webhook', paused: false, selector: [['env', 'prod']], leastSeverity: 'info', topics: [] },
    ...{ template: '', digest: null, url: 'https://example.com/', mail: null, secrets: null, everySeconds: 0 },
    ...{ createTime: now(), updateTime: now(), updatedBy: 'test', revision: 1, savedIn: 'call' },
  };
  await createReceiverStore(db).change('ops', () => receiver, signal);
  // From here on what changes is told.
  await lookAgain();
});

/** One look of a copy, a minute after the one before. */
async function lookAgain(worker = 'one'): Promise<void> {
  aheadMs += 60_000;
  await fleet.rebuild(signal);
  const quarantines = createQuarantines();
  const conditions = createConditionStore(db);
  const deliveries = createDeliveryStore(db, now);
  const outbox = createOutbox({ conditions, deliveries, receivers: createReceiverStore(db), quarantines, now });
  const rounds = createRoundStore(db, now);
  const occurrences = createOccurrenceStore(db);
  const notifyMs = 1_000;
  await look({ rounds, outbox, conditions, occurrences, backends, fleet, quarantines, now, worker, notifyMs }, signal);
}

/** The same, once how log backups stand was asked for again. */
async function lookedAtLogs(worker = 'one'): Promise<void> {
  const { logsAsOf } = fleet;
  await vi.waitFor(
    async () => {
      await fleet.rebuild(signal);
      expect(fleet.logsAsOf).not.toBe(logsAsOf);
    },
    { timeout: 10_000 },
  );
  await lookAgain(worker);
}

/** What was accepted for the receiver, oldest first. */
async function told(): Promise<string[]> {
  const all = await db.collection<Delivery>('notification_deliveries').find().sort({ createTime: 1 }).toArray();
  return all.map(({ event }) => event.type);
}

const changed = (fields: Partial<ChangedBackup>) =>
  ChangedBackup.create({
    ...{ backupId: 'b1', clusterId: 'orders', storageId: 's3', revision: 1n, updateTime: now(), endTime: now() },
    ...{ state: BackupState.BACKUP_STATE_SUCCEEDED, deletion: DeletionState.DELETION_STATE_NONE },
    ...fields,
  });
const reason = (code: string) => ({ code, message: `It was ${code}.`, detail: '' });
const failed = () =>
  changed({ backupId: 'b2', state: BackupState.BACKUP_STATE_FAILED, reason: reason('BR_FAILED'), endTime: ago(1_000) });

describe('a backup', () => {
  it('that fails is told, and the next that succeeds, however often they are told of', async () => {
    neighbours.changedBackups = [failed()];
    await lookAgain();
    await lookAgain('other');
    expect(await told()).toEqual(['backup.failed']);
    neighbours.changedBackups = [failed(), changed({ backupId: 'b3' })];
    await lookAgain();
    await lookAgain();
    expect(await told()).toEqual(['backup.failed', 'backup.recovered']);
  });

  it('that waits for its storage is told of the storage, until it does no more', async () => {
    const waits = { state: BackupState.BACKUP_STATE_QUEUED, endTime: undefined, reason: reason('STORAGE_AWAY') };
    neighbours.changedBackups = [changed(waits)];
    await lookAgain();
    expect(await told()).toEqual(['storage.unreachable']);
    neighbours.changedBackups = [changed({ ...waits, state: BackupState.BACKUP_STATE_RUNNING, revision: 2n })];
    await lookAgain();
    expect(await told()).toEqual(['storage.unreachable', 'storage.recovered']);
  });

  it('that was damaged, and is gone unseen, is over with the next review', async () => {
    neighbours.changedBackups = [changed({ damaged: true })];
    await lookAgain();
    expect(await told()).toEqual(['backup.damaged']);
    neighbours.changedBackups = [];
    aheadMs += 600_000;
    await lookAgain();
    expect(await told()).toEqual(['backup.damaged', 'damage.recovered']);
  });

  it('that is damaged still stays so with a review', async () => {
    neighbours.changedBackups = [changed({ damaged: true })];
    await lookAgain();
    neighbours.changedBackups = [];
    neighbours.backups.push(
      Backup.create({
        ...{ id: 'b1', clusterId: 'orders', storageId: 's3', state: BackupState.BACKUP_STATE_SUCCEEDED },
        ...{ startTime: new Date(0), endTime: new Date(0), verification: { damaged: true } },
      } as Partial<Backup>),
    );
    aheadMs += 600_000;
    await lookAgain();
    expect(await told()).toEqual(['backup.damaged']);
  });

  it('of an earlier version of backup-service, which does not tell enough, says nothing', async () => {
    neighbours.changedBackups = [changed({ state: BackupState.BACKUP_STATE_UNSPECIFIED, good: true })];
    await lookAgain();
    expect(await told()).toEqual([]);
  });
});

const window = (state: Occurrence['state']): Occurrence => ({
  ...{ _id: `o-${state}`, clusterId: 'orders', rule: 'nightly', opensAt: ago(DAY_MS), closesAt: ago(3_600_000) },
  ...{ startAt: ago(DAY_MS), late: false, lastGoodAt: ago(DAY_MS), state, backupId: null, stopAt: null },
  ...{ windowEnd: 'letRun', nextTryAt: now(), decidedAt: now(), createTime: ago(DAY_MS) },
  ...because('CLUSTER_BUSY'),
});

it('a window that started nothing is told, with its rule, and one that does again', async () => {
  const occurrences = createOccurrenceStore(db);
  await occurrences.insert(window('Skipped'));
  await lookAgain();
  await lookAgain('other');
  expect(await told()).toEqual(['window.missed']);
  await occurrences.insert(window('Started'));
  await lookAgain();
  expect(await told()).toEqual(['window.missed', 'window.recovered']);
});

it('a cluster whose promise is broken is told by each grade, and nothing more once it is registered no longer', async () => {
  neighbours.backups = [];
  await lookAgain();
  // The picture of the fleet keeps what it knew of newest backups until something changes.
  fleet = createFleet({ backends, quarantines: createQuarantines(), now });
  await lookAgain();
  await lookAgain('other');
  expect(await told()).toEqual(['cluster.late']);
  neighbours.clusters = [];
  aheadMs += 2 * 3_600_000;
  await lookAgain();
  expect(await told()).toEqual(['cluster.late']);
  expect(await db.collection('notification_conditions').countDocuments()).toBe(0);
});

it('an alarm of a log backup is told once, again when it is another or worse, and when it is over', async () => {
  const alarm = (name: string, critical: boolean) => ({ name, critical, message: 'It is to be resumed.' });
  const logged = (...alarms: LogAlarm[]) => {
    neighbours.logs = [LogStanding.create({ clusterId: 'orders', wanted: LogWish.LOG_WISH_ON, alarms })];
  };
  logged(alarm('logPausedByHand', false));
  await lookedAtLogs();
  await lookedAtLogs('other');
  expect(await told()).toEqual(['log.alarm']);
  logged(alarm('logPausedByHand', false), alarm('logLagging', false));
  await lookedAtLogs();
  expect(await told()).toEqual(['log.alarm']);
  logged(alarm('logPausedByHand', true), alarm('logLagging', true));
  await lookedAtLogs();
  expect(await told()).toEqual(['log.alarm', 'log.alarm']);
  logged();
  await lookedAtLogs();
  await lookedAtLogs('other');
  expect(await told()).toEqual(['log.alarm', 'log.alarm', 'log.recovered']);
  const [event] = await db.collection<Delivery>('notification_deliveries').find().sort({ createTime: 1 }).toArray();
  expect(event?.event).toMatchObject({ severity: 'warning', clusterId: 'orders', code: 'logPausedByHand' });
});

it('a log backup of which nothing can be told stays as bad as it was told', async () => {
  const alarms = [{ name: 'logMissing', critical: true, message: 'Its task is gone.' }];
  neighbours.logs = [LogStanding.create({ clusterId: 'orders', wanted: LogWish.LOG_WISH_ON, alarms })];
  await lookedAtLogs();
  neighbours.logs = undefined;
  await lookAgain();
  aheadMs += 600_000;
  await lookAgain();
  expect(await told()).toEqual(['log.alarm']);
});

it('each restore that ended is told once, those that were open at the last look and those that began since', async () => {
  const restore = (id: string, state: RestoreState, startTime: Date) =>
    Restore.create({
      ...{ id, state, startTime, endTime: now(), source: { backupId: 'good', clusterId: 'stock' } },
      target: { clusterId: 'orders' },
    } as Partial<Restore>);
  neighbours.restores = [restore('r1', RestoreState.RESTORE_STATE_RUNNING, ago(30 * DAY_MS))];
  await lookAgain();
  neighbours.restores = [
    restore('r2', RestoreState.RESTORE_STATE_SUCCEEDED, now()),
    restore('r1', RestoreState.RESTORE_STATE_FAILED, ago(30 * DAY_MS)),
    restore('r0', RestoreState.RESTORE_STATE_FAILED, ago(31 * DAY_MS)),
  ];
  await lookAgain();
  await lookAgain('other');
  expect((await told()).sort()).toEqual(['restore.failed', 'restore.succeeded']);
});

it('what other services cannot tell stops nothing that needs them not, and is told later', async () => {
  neighbours.refusals = 1_000;
  neighbours.changedBackups = [failed()];
  await createOccurrenceStore(db).insert(window('Skipped'));
  await expect(lookAgain()).rejects.toThrow();
  expect(await told()).toEqual(['window.missed']);
  neighbours.refusals = 0;
  await lookAgain('other');
  expect(await told()).toEqual(['window.missed', 'backup.failed']);
});
