/** One damaged record among good ones: the others are worked on and told as if it were not there. */
import { randomUUID } from 'node:crypto';
import { BackupMode, BackupOrigin } from '@tidemark/protocol/grpc/tidemark/backup/v1/backup';
import { ListBackupsRequest } from '@tidemark/protocol/grpc/tidemark/backup/v1/backup_service';
import { ClaimTaskRequest, ReportPresenceRequest } from '@tidemark/protocol/grpc/tidemark/backup/v1/executor_service';
import { ListClustersRequest, Storage } from '@tidemark/protocol/grpc/tidemark/backup/v1/registry_service';
import type { Collection } from 'mongodb';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Backup } from './backup.ts';
import { runningService, type TestService, wishFor } from './testing/running-service.ts';

const PAST = new Date('2026-01-01T00:00:00Z');
const WAIT = { timeout: 20_000, interval: 50 };

describe('a damaged record', () => {
  let service: TestService;
  let documents: Collection<Backup>;
  let clusterId: string;

  beforeAll(async () => {
    service = await runningService({ TIDEMARK_REAPER_HEALTHY_SECONDS: '0.1' });
    documents = service.db.collection<Backup>('backups');
  });
  afterAll(() => service[Symbol.asyncDispose]());
  beforeEach(async () => {
    await documents.deleteMany({});
    clusterId = await service.newCluster();
  });

  const start = async (ofCluster = clusterId) => {
    const { backup } = await service.backups.startBackup(wishFor(ofCluster));
    return backup?.id ?? '';
  };
  /** A backup whose worker was last heard of long ago. */
  const ofDeadWorker = async (ofCluster: string) => {
    const backupId = await start(ofCluster);
    const claim = randomUUID();
    await service.executor.claimTask(ClaimTaskRequest.create({ backupId, claim, worker: 'w1', pool: 'default' }));
    return backupId;
  };
  const letLeasesEnd = () =>
    documents.updateMany(
      { 'task.claim': { $exists: true } },
      { $set: { 'task.leaseUntil': PAST, 'task.ringAt': PAST } },
    );
  const damage = (id: string, ...fields: string[]) =>
    documents.updateOne({ _id: id }, { $unset: Object.fromEntries(fields.map((field) => [field, ''])) });
  const metric = async (name: string, labels: string) => {
    const body = await (await fetch(`http://${service.operations}/metrics`)).text();
    return Number(
      body
        .split('\n')
        .find((line) => line.startsWith(`${name}{${labels}} `))
        ?.split(' ')
        .at(-1),
    );
  };
  const list = (fields: Partial<ListBackupsRequest> = {}) =>
    service.backups.listBackups(
      ListBackupsRequest.create({
        mode: BackupMode.BACKUP_MODE_UNSPECIFIED,
        origin: BackupOrigin.BACKUP_ORIGIN_UNSPECIFIED,
        page: 1,
        pageSize: 10,
        ...fields,
      }),
    );

  it('keeps no backup of a dead worker from being taken back, and is counted', async () => {
    const bad = await ofDeadWorker(clusterId);
    const good = await ofDeadWorker(await service.newCluster());
    await damage(bad, 'attempts');
    await letLeasesEnd();
    await vi.waitFor(async () => expect((await documents.findOne({ _id: good }))?.state).toBe('Queued'), WAIT);
    expect((await documents.findOne({ _id: bad }))?.state).toBe('Running');
    expect(await metric('tidemark_quarantined_records', 'kind="backup"')).toBeGreaterThan(0);
    expect(await metric('tidemark_quarantine_failures_total', 'kind="backup"')).toBeGreaterThan(0);
  });

  it('is worked on again once it was mended', async () => {
    const bad = await ofDeadWorker(clusterId);
    const { attempts = [] } = (await documents.findOne({ _id: bad })) ?? {};
    await damage(bad, 'attempts');
    await letLeasesEnd();
    await vi.waitFor(
      async () => expect(await metric('tidemark_quarantined_records', 'kind="backup"')).toBeGreaterThan(0),
      WAIT,
    );
    await documents.updateOne({ _id: bad }, { $set: { attempts } });
    await vi.waitFor(async () => expect((await documents.findOne({ _id: bad }))?.state).toBe('Queued'), WAIT);
  });

  it('keeps nobody waiting where there are more than are looked at in one round, and they are the longest due', async () => {
    const bad = await ofDeadWorker(clusterId);
    await damage(bad, 'attempts');
    const good = await ofDeadWorker(await service.newCluster());
    await letLeasesEnd();
    const { _id, ...rest } = (await documents.findOne({ _id: bad })) as Backup;
    const task = { ...rest.task, ringAt: new Date(PAST.getTime() - 1_000) };
    const copies = Array.from({ length: 250 }, (_, at) => {
      const id = `${bad}-${at}`;
      return { ...rest, _id: id, task, activeKey: `active:${id}`, slotKey: `slot:${id}`, basePath: `a/b/${id}` };
    });
    await documents.insertMany(copies as unknown as Backup[]);
    await vi.waitFor(async () => expect((await documents.findOne({ _id: good }))?.state).toBe('Queued'), WAIT);
  }, 60_000);

  it.each([
    ['no attempts', { $unset: { attempts: '' as const } }],
    ['no deletion', { $unset: { deletion: '' as const } }],
    ['no storage', { $unset: { storage: '' as const, target: '' as const } }],
    ['a time that is none', { $set: { createTime: 'never' as unknown as Date } }],
  ])(
    'is left out of lists where a backup has %s, and others are told; alone it is an internal error',
    async (_, update) => {
      const other = await service.newCluster();
      const [bad, good] = [await start(), await start(other)];
      await documents.updateMany({}, { $unset: { task: '' } });
      await documents.updateOne({ _id: bad }, update);
      const { backups } = await list({ clusterIds: [clusterId, other] });
      expect(backups.map(({ id }) => id)).toEqual([good]);
      await expect(service.backups.getBackup({ id: bad })).rejects.toMatchObject({ code: 'internal' });
      expect((await service.backups.getBackup({ id: good })).backup?.id).toBe(good);
    },
  );

  it('hides no newest good backup and no change of another cluster', async () => {
    const other = await service.newCluster();
    const [bad, good] = [await start(), await start(other)];
    const now = new Date();
    await documents.updateMany(
      {},
      { $set: { state: 'Succeeded', endTime: now, updateTime: now }, $unset: { task: '' } },
    );
    await documents.updateOne({ _id: bad }, { $set: { endTime: 'yesterday' } as unknown as Partial<Backup> });
    const newest = await service.backups.listNewestGood({ clusterIds: [clusterId, other], pageToken: '' });
    expect(newest.backups.map(({ backupId }) => backupId)).toEqual([good]);
    await damage(bad, 'deletion');
    const after = new Date(now.getTime() - 5_000);
    const changed = await service.backups.listChangedClusters({ after, limit: 10, pageToken: '', active: false });
    expect(changed.backups.map(({ backupId }) => backupId)).toEqual([good]);
    expect(changed.clusterIds).toEqual([other]);
  });

  it('is counted in no pool, and the others are', async () => {
    const [bad] = [await start(), await start(await service.newCluster())];
    const queued = () => metric('tidemark_pool_tasks_queued', 'pool="default",task="backup"');
    await vi.waitFor(async () => expect(await queued()).toBe(2), WAIT);
    await damage(bad, 'target');
    await vi.waitFor(async () => expect(await queued()).toBe(1), WAIT);
  });

  it('of a worker keeps nobody from being counted', async () => {
    const report = (worker: string) =>
      service.executor.reportPresence(
        ReportPresenceRequest.create({
          worker,
          instance: `${worker}-${'0'.repeat(20)}`,
          pool: 'default',
          slots: 2,
          freeSlots: 2,
        }),
      );
    await report('whole');
    await report('damaged');
    await service.db
      .collection<{ worker: string }>('workers')
      .updateOne({ worker: 'damaged' }, { $unset: { running: '', outOfReach: '' }, $set: { draining: true } });
    await vi.waitFor(async () => expect(await metric('tidemark_pool_workers', 'pool="default"')).toBe(1), WAIT);
    expect(await metric('tidemark_quarantined_records', 'kind="worker"')).toBe(1);
  });

  it('takes no place from those that wait for a storage with few', async () => {
    await service.registry.putStorage({
      storage: Storage.create({
        id: 'narrow',
        maxConcurrent: 1,
        location: { $case: 'local', value: { path: '/tmp/narrow' } },
      }),
    });
    const clusters = service.db.collection('clusters');
    const ids = [clusterId, await service.newCluster(), await service.newCluster()];
    await clusters.updateMany({}, { $set: { storageId: 'narrow' } });
    const [first = '', bad = '', last = ''] = [await start(ids[0]), await start(ids[1]), await start(ids[2])];
    await damage(bad, 'target', 'attempts');
    const claim = randomUUID();
    await service.executor.claimTask(ClaimTaskRequest.create({ backupId: first, claim, worker: 'w', pool: 'default' }));
    await documents.updateOne({ _id: last }, { $set: { 'task.ringAt': new Date(Date.now() + 600_000) } });
    await service.backups.cancelBackup({ id: first, clusterId: '', reason: '', reasonCode: '' });
    await documents.updateOne({ _id: first }, { $set: { 'task.leaseUntil': PAST, 'task.ringAt': PAST } });
    await vi.waitFor(
      async () =>
        expect(+((await documents.findOne({ _id: last }))?.task?.ringAt ?? 0)).toBeLessThan(Date.now() + 120_000),
      WAIT,
    );
  });

  it('is left out of lists of clusters and of storages, and alone it is an internal error', async () => {
    const other = await service.newCluster();
    const clusters = service.db.collection<{ _id: string }>('clusters');
    const storages = service.db.collection<{ _id: string }>('storages');
    await clusters.updateOne({ _id: clusterId }, { $unset: { pd: '' } });
    await storages.insertOne({ _id: 'aaa-damaged', createTime: 'never' } as never);
    const { clusters: listed } = await service.registry.listClusters(ListClustersRequest.create({}));
    const ids = listed.map(({ id }) => id);
    expect(ids).toContain(other);
    expect(ids).not.toContain(clusterId);
    const scanned: string[] = [];
    for await (const page of service.registry.scanClusters({})) scanned.push(...page.clusters.map(({ id }) => id));
    expect(scanned.sort()).toEqual(ids.sort());
    await expect(service.registry.getCluster({ id: clusterId })).rejects.toMatchObject({ code: 'internal' });
    const { storages: told } = await service.registry.listStorages({ pageToken: '' });
    expect(told.map(({ id }) => id)).toContain('local');
    expect(told.map(({ id }) => id)).not.toContain('aaa-damaged');
    await expect(service.registry.getStorage({ id: 'aaa-damaged', clusterId: '' })).rejects.toMatchObject({
      code: 'internal',
    });
    await storages.deleteOne({ _id: 'aaa-damaged' });
  });

  it('lets pages of clusters go on behind it, also where it is the last of one', async () => {
    const clusters = service.db.collection<{ _id: string }>('clusters');
    await clusters.deleteMany({});
    const ids = [await service.newCluster(), await service.newCluster(), await service.newCluster()].sort();
    await clusters.updateOne({ _id: ids[1] ?? '' }, { $unset: { pd: '' } });
    const found: string[] = [];
    for (let pageToken = ''; ; ) {
      const page = await service.registry.listClusters(ListClustersRequest.create({ pageSize: 2, pageToken }));
      found.push(...page.clusters.map(({ id }) => id));
      pageToken = page.nextPageToken;
      if (pageToken === '') break;
    }
    expect(found).toEqual([ids[0], ids[2]]);
  });
});
