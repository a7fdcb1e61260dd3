/** Lists of what an older version let become too large for one message: told in pieces, whole, and each record once. */
import { MAX_MESSAGE_BYTES } from '@tidemark/limits/limits';
import {
  type ChangedBackup,
  ListBackupsRequest,
  ListBackupsResponse,
  ListChangedClustersResponse,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/backup_service';
import {
  Cluster,
  ListClustersRequest,
  type Storage,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/registry_service';
import { plus } from '@tidemark/task/time';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Backup } from './backup.ts';
import { start } from './decide/start.ts';
import { ownKey } from './decide/vocabulary.ts';
import type { ClusterDocument, StorageDocument } from './registry-store.ts';
import { runningService, type TestService } from './testing/running-service.ts';

const LONG_AGO = new Date('2026-01-01T00:00:00Z');
const BACKUPS = 60;
const FILTERS = Array.from({ length: 100 }, () => `${'ä'.repeat(500)}.*`);

let service: TestService;
beforeAll(async () => {
  service = await runningService();
  await service.db.collection<Backup>('backups').insertMany(Array.from({ length: BACKUPS }, (_, at) => backup(at)));
  await service.db
    .collection<ClusterDocument>('clusters')
    .insertMany(Array.from({ length: 8 }, (_, at) => cluster(at)));
  await service.db
    .collection<StorageDocument>('storages')
    .insertMany(Array.from({ length: 8 }, (_, at) => storage(at)));
});
afterAll(() => service[Symbol.asyncDispose]());

/** Of 120 KB: a long command line, and a long reason. Three of them began at each instant. */
function backup(at: number): Backup {
  const _id = `backup-${String(at).padStart(15, '0')}`;
  const acceptedAt = plus(LONG_AGO, Math.floor(at / 3) * 1_000);
  const accepted = start({
    _id,
    request: { hash: 'h', id: _id },
    createdBy: 'scheduler',
    clusterId: 'large',
    mode: 'auto',
    origin: 'schedule',
    target: {
      pd: ['127.0.0.1:2379'],
      version: '8.5.0',
      pool: 'default',
      brOptions: { rateLimit: 0, concurrency: 0, compression: '', filters: FILTERS },
    },
    storage: { id: 'local', local: { path: '/tmp/storage' }, maxConcurrent: 0 },
    path: `root/large/${_id}`,
    acceptedAt,
    deadlineMs: 86_400_000,
  });
  return {
    ...accepted,
    state: 'Failed',
    activeKey: ownKey(accepted),
    slotKey: ownKey(accepted),
    task: null,
    endTime: acceptedAt,
    reason: { code: 'LARGE', message: 'x'.repeat(120_000) },
    attempts: [
      {
        claim: 'c',
        fence: 1,
        path: accepted.path,
        mayRun: true,
        worker: 'w',
        argv: ['br', ...FILTERS],
        startedAt: acceptedAt,
        endedAt: acceptedAt,
        outcome: 'failed',
        reason: { code: 'LARGE', message: 'large' },
      },
    ],
  };
}

/** A good one, long after its end. */
function finished(clusterId: string, _id: string, at: number): Backup {
  const { attempts: _, reason: __, ...rest } = backup(at);
  return {
    ...rest,
    _id,
    clusterId,
    state: 'Succeeded',
    attempts: [],
    reason: null,
    path: `root/${_id.slice(0, 60)}`,
    basePath: `root/${_id.slice(0, 60)}`,
    activeKey: `own:${_id}`,
    slotKey: `own:${_id}`,
  } as Backup;
}

const cluster = (at: number): ClusterDocument => ({
  _id: `cluster-${at}`,
  name: 'large',
  pd: ['127.0.0.1:2379'],
  version: '',
  pool: 'default',
  storageId: 'local',
  timeZone: '',
  labels: { note: 'x'.repeat(1_000_000) },
  createTime: LONG_AGO,
  updateTime: LONG_AGO,
});
const storage = (at: number): StorageDocument => ({
  _id: `storage-${at}`,
  local: { path: `/${'x'.repeat(1_000_000)}` },
  root: 'root',
  maxConcurrent: 0,
  createTime: LONG_AGO,
  updateTime: LONG_AGO,
});

/** Every piece of a list, each of which fits into a message. */
async function pieces<Piece extends { nextPageToken: string }>(ask: (pageToken: string) => Promise<Piece>) {
  const found: Piece[] = [];
  for (let pageToken = ''; ; ) {
    const piece = await ask(pageToken);
    found.push(piece);
    pageToken = piece.nextPageToken;
    if (pageToken === '') return found;
  }
}

it('a page of backups is told whole, newest first, without the command lines, which the single record has', async () => {
  for (const pageSize of [BACKUPS + 1, 50]) {
    const request = ListBackupsRequest.create({ clusterIds: ['large'], page: 1, pageSize });
    const found = await pieces((pageToken) => service.backups.listBackups({ ...request, pageToken }));
    expect(found.length).toBeGreaterThan(1);
    for (const piece of found)
      expect(ListBackupsResponse.encode(piece).finish().length).toBeLessThan(MAX_MESSAGE_BYTES);
    const backups = found.flatMap((piece) => piece.backups);
    const ids = Array.from({ length: BACKUPS }, (_, at) => backup(BACKUPS - 1 - at)._id);
    expect(backups.map(({ id }) => id)).toEqual(ids.slice(0, pageSize));
    expect(found[0]?.total).toBe(BigInt(BACKUPS));
    expect(backups[0]?.attempts).toMatchObject([{ number: 1, outcome: 'failed', reason: { code: 'LARGE' }, argv: [] }]);
  }
  const one = await service.backups.getBackup({ id: backup(0)._id });
  expect(one.backup?.attempts[0]?.argv).toHaveLength(101);
});

it('the pieces of a page hold what its filters let through, also over the whole fleet', async () => {
  const startedAtOrAfter = plus(LONG_AGO, 5_000);
  for (const fields of [{ clusterIds: ['large'] }, { clusterIds: [] }, { endedAtOrBefore: plus(LONG_AGO, 60_000) }]) {
    const request = ListBackupsRequest.create({ page: 1, pageSize: 100, startedAtOrAfter, ...fields });
    const found = await pieces((pageToken) => service.backups.listBackups({ ...request, pageToken }));
    expect(found.length).toBeGreaterThan(1);
    expect(found.flatMap(({ backups }) => backups)).toHaveLength(BACKUPS - 15);
  }
  await expect(
    service.backups.listBackups(ListBackupsRequest.create({ page: 1, pageSize: 10, pageToken: 'x' })),
  ).rejects.toMatchObject({ code: 'invalid_argument', details: { fields: [{ field: 'pageToken' }] } });
});

it('clusters with labels of 1 MB each are listed and scanned whole, and can be read and deleted', async () => {
  const ids = Array.from({ length: 8 }, (_, at) => `cluster-${at}`);
  for (const fields of [{}, { ids }, { pageSize: 100 }]) {
    const request = ListClustersRequest.create(fields);
    const found = await pieces((pageToken) => service.registry.listClusters({ ...request, pageToken }));
    expect(found.flatMap(({ clusters }) => clusters.map(({ id }) => id)).sort()).toEqual(ids);
  }
  const scanned: Cluster[] = [];
  for await (const { clusters } of service.registry.scanClusters({})) scanned.push(...clusters);
  expect(scanned.map(({ id }) => id).sort()).toEqual(ids);
  expect((await service.registry.getCluster({ id: 'cluster-7' })).cluster?.labels.note).toHaveLength(1_000_000);
  await service.registry.deleteCluster({ id: 'cluster-7' });
});

it('storages that are too many for one message are listed whole', async () => {
  const found = await pieces((pageToken) => service.registry.listStorages({ pageToken }));
  expect(found.length).toBeGreaterThan(1);
  expect(found.flatMap(({ storages }) => storages)).toHaveLength(9);
  expect(found.flatMap(({ storages }) => storages)[1]).toMatchObject({ id: 'storage-0' } satisfies Partial<Storage>);
});

it('the newest good backups of clusters are told whole, however large their ids are', async () => {
  const ids = Array.from({ length: 8 }, (_, at) => `good-${at}`);
  await service.db
    .collection<Backup>('backups')
    .insertMany(ids.map((clusterId, at) => ({ ...finished(clusterId, `${clusterId}-${'x'.repeat(1_000_000)}`, at) })));
  const clusterIds = ['none', ...ids, 'none-either'];
  const found = await pieces((pageToken) => service.backups.listNewestGood({ clusterIds, pageToken }));
  expect(found.length).toBeGreaterThan(1);
  expect(found.flatMap(({ backups }) => backups.map(({ clusterId }) => clusterId)).sort()).toEqual(ids);
  await expect(service.backups.listNewestGood({ clusterIds, pageToken: 'x' })).rejects.toMatchObject({
    code: 'invalid_argument',
    details: { fields: [{ field: 'pageToken' }] },
  });
});

it.each([
  ['at one instant', () => 0],
  ['one after the other', (at: number) => at],
])('backups that changed %s are told whole, however large they are', async (when, second) => {
  const longAgo = when === 'at one instant' ? '2020-01-01T00:00:00Z' : '2021-01-01T00:00:00Z';
  const begin = new Date(longAgo);
  const ids = Array.from({ length: 12 }, (_, at) => `${when.replaceAll(' ', '-')}-${at}`);
  await service.db.collection<Backup>('backups').insertMany(
    ids.map((id, at) => ({
      ...finished(`${at}-${'x'.repeat(600_000)}`, id, at),
      updateTime: plus(begin, second(at) * 1_000),
    })),
  );
  const told: ChangedBackup[] = [];
  let answers = 0;
  for (let after = plus(begin, 10_000), pageToken = ''; told.length < ids.length; ) {
    const answer = await service.backups.listChangedClusters({ after, limit: 1_000, pageToken, active: false });
    expect(ListChangedClustersResponse.encode(answer).finish().length).toBeLessThan(MAX_MESSAGE_BYTES);
    told.push(...answer.backups.filter(({ backupId }) => ids.includes(backupId)));
    answers += 1;
    pageToken = answer.nextPageToken;
    expect(pageToken !== '' || answer.more).toBe(true);
    if (pageToken === '') after = answer.nextAfter as Date;
  }
  expect(answers).toBeGreaterThan(1);
  expect(told.map(({ backupId }) => backupId).sort()).toEqual(ids.sort());
});

it('a cluster has at most 50 labels and 4 KiB of them, and filters of at most 8 KiB', async () => {
  const put = (fields: Partial<Cluster>) =>
    service.registry
      .putCluster({ cluster: Cluster.create({ id: 'c', pd: ['a:1'], storageId: 'local', ...fields }) })
      .then(() => [])
      .catch(({ details }) => details.fields.map(({ field }: { field: string }) => field));
  const labels = (count: number, bytes: number) =>
    Object.fromEntries(Array.from({ length: count }, (_, at) => [`l${at}`.padEnd(4), 'x'.repeat(bytes / count - 4)]));
  expect(await put({ labels: labels(49, 490) })).toEqual([]);
  expect(await put({ labels: labels(50, 500) })).toEqual([]);
  expect(await put({ labels: labels(51, 510) })).toEqual(['labels']);
  expect(await put({ labels: labels(32, 4_064) })).toEqual([]);
  expect(await put({ labels: labels(32, 4_096) })).toEqual([]);
  expect(await put({ labels: labels(32, 4_128) })).toEqual(['labels']);
});
