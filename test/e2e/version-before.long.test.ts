/**
 * A copy of backup-service of the version before restores, beside one of today: it neither rings for restores nor lists them, and keeps
 * backups out of a cluster that is restored into (R1).
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { performTask } from '@tidemark/demo-br/demo-cluster-task';
import {
  type BackupServiceServer,
  BackupServiceService,
  ListBackupsRequest,
  StartBackupRequest,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/backup_service';
import { createServiceClient } from '@tidemark/service-kit/grpc/client';
import { MongoClient } from 'mongodb';
import { expect, inject, it, vi } from 'vitest';
import { startTidemark } from './tidemark.ts';
import { checkOut, hasHistory } from './version-before.ts';

/** The last commit before there were restores. */
const BEFORE = 'f9cf23a21c68247e484face93512ad4d63f8d9d0';
const SERVICE = join('services', 'backup-service');
const OLD = 'backup-service-2';
const WAIT = { timeout: 30_000, interval: 100 };

it('a copy of the version before neither rings for restores nor lists them, and keeps backups out of their targets', async ({
  skip,
}) => {
  if (!hasHistory(BEFORE)) return skip(`the history of git does not reach back to ${BEFORE.slice(0, 7)} here`);
  using before = checkOut(BEFORE, [SERVICE]);
  let today: string | undefined;
  await using tidemark = await startTidemark({
    copies: { 'backup-service': 2, 'executor-worker': 1 },
    runnerOfCopy: { [OLD]: before.runner(SERVICE) },
    // All others talk to the copy of today.
    async route(_, to, address) {
      if (to !== 'backup-service') return undefined;
      today ??= address;
      return today;
    },
  });
  const { stack } = tidemark;
  const copyOf = (name: string) => stack.processes.find((one) => one.name === name) ?? stack.process('gateway');
  const token = readFileSync(join(stack.dataDir, 'secrets', 'service-token'), 'utf8').trim();
  using old = createServiceClient<BackupServiceServer>(BackupServiceService, { address: copyOf(OLD).address, token });
  const mongo = new MongoClient(inject('mongodbUrl'));
  await using _ = { [Symbol.asyncDispose]: () => mongo.close() };
  const records = mongo.db(tidemark.database).collection<{ _id: string }>('backups');
  const record = (_id: string) => records.findOne({ _id });

  const [source, other] = [
    await tidemark.cluster('source', { pd: ['10.1.0.1:2379'] }),
    await tidemark.cluster('other'),
  ];
  const target = await tidemark.cluster('target', { pd: ['10.1.0.2:2379'] });
  await performTask(tidemark.demoCluster('10.1.0.2:2379'), { verb: 'empty' }, AbortSignal.timeout(10_000));
  const backupId = await tidemark.start(source);
  await tidemark.untilState(backupId, 'Succeeded');

  // Without a worker the restore waits, and only a copy that knows of it rings.
  await stack.process('executor-worker').stop();
  const wish = { backupId, targetClusterId: target };
  const planned = await tidemark.call<{ plan: { planHash: string } }>('POST', '/restores/plan', wish);
  const asked = { ...wish, planHash: planned.data.plan?.planHash, confirm: target };
  const started = await tidemark.call<{ restoreId: string }>('POST', '/restores', asked);
  expect(started.code, started.message).toBe(0);
  const { restoreId } = started.data;
  await vi.waitFor(async () => expect(await record(restoreId)).toMatchObject({ restore: { held: true } }), WAIT);
  await copyOf('backup-service-1').stop();
  const waiting = await record(restoreId);

  const wishFor = (clusterId: string) => StartBackupRequest.create({ clusterId });
  await expect(old.startBackup(wishFor(target))).rejects.toMatchObject({ code: 'cluster_busy' });
  const { backup } = await old.startBackup(wishFor(other));
  // It rings for its own again and again meanwhile.
  await vi.waitFor(async () => {
    const rings = ((await record(backup?.id ?? '')) as { task?: { rings: number } } | null)?.task?.rings;
    expect(rings).toBeGreaterThan(2);
  }, WAIT);
  expect(await record(restoreId)).toEqual(waiting);

  // Asked for it by its id, it says that the record is damaged, and shows nothing of it.
  await expect(old.getBackup({ id: restoreId })).rejects.toThrow('cannot be read');
  const { backups } = await old.listBackups(ListBackupsRequest.create({ page: 1, pageSize: 100 }));
  expect(backups.map(({ id }) => id).sort()).toEqual([backupId, backup?.id].sort());

  await copyOf('backup-service-1').start();
  await stack.process('executor-worker').start();
  await vi.waitFor(async () => {
    const { data } = await tidemark.call<{ restore: object }>('GET', `/restores/${restoreId}`);
    expect(data.restore).toMatchObject({ state: 'Succeeded', targetState: 'Restored' });
  }, WAIT);
}, 180_000);
