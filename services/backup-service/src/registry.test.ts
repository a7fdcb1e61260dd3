/** Clusters and storages, as they are registered and listed. */
import {
  Cluster,
  ClusterPurpose,
  ListClustersRequest,
  RegistryServiceService,
  S3Location,
  Storage,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/registry_service';
import { beforeEach, expect, it } from 'vitest';
import { type LogBackup, type LogState, type LogWish, newLogBackup } from './log/log-backup.ts';
import { backupCalls } from './testing/backup-calls.ts';
import { callWithSight } from './testing/call-with-sight.ts';

const { service, cluster, start } = backupCalls();
const registry = () => service().registry;
let clusterId: string;
beforeEach(() => {
  clusterId = cluster();
});

it('takes a version, PD addresses, an endpoint and a prefix as BR takes them, and no zone that Temporal does not know', async () => {
  const asked = Cluster.create({
    id: 'as-br',
    pd: ['http://pd-0:2379', 'https://10.0.0.1:2379/', 'pd_0:2379', '[fe80::1]:2379'],
    version: 'v8.5.0',
    storageId: 'local',
  });
  const { cluster } = await registry().putCluster({ cluster: asked });
  expect(cluster).toMatchObject({
    version: '8.5.0',
    pd: ['pd-0:2379', '10.0.0.1:2379', 'pd_0:2379', '[fe80::1]:2379'],
  });
  await expect(registry().putCluster({ cluster: { ...asked, timeZone: 'US/Pacific-New' } })).rejects.toMatchObject({
    details: { fields: [{ field: 'timeZone' }] },
  });

  const value = S3Location.create({
    bucket: 'backups',
    endpoint: 'https://minio.example:9000/',
    prefix: '/team ä/a+b%20c/',
  });
  const { storage } = await registry().putStorage({
    storage: Storage.create({ id: 'as-br', location: { $case: 's3', value } }),
  });
  expect(storage?.location?.value).toMatchObject({
    endpoint: 'https://minio.example:9000',
    prefix: 'team ä/a+b%20c',
  });
});

it('takes no PD of a cluster that an admin of some clusters does not see, and lets him save what is there', async () => {
  const [OK, PERMISSION_DENIED] = [0, 7];
  const [own, foreign] = [`${clusterId}-own`, `${clusterId}-foreign`];
  const register = async (id: string, pd: string, sight?: string) => {
    const request = { cluster: Cluster.create({ id, pd: [pd], storageId: 'local' }), limitedCaller: sight !== '*' };
    const { putCluster } = RegistryServiceService;
    return (await callWithSight(service().address, putCluster, request, sight ?? own)).code;
  };
  expect(await register(foreign, 'shared.example:2379', '*')).toBe(OK);
  for (const pd of ['shared.example:2379', 'https://SHARED.example:2379'])
    expect(await register(own, pd), pd).toBe(PERMISSION_DENIED);
  await expect(registry().getCluster({ id: own })).rejects.toMatchObject({ code: 'cluster_not_found' });
  expect(await register(own, 'own.example:2379')).toBe(OK);
  expect(await register(own, 'shared.example:2379')).toBe(PERMISSION_DENIED);
  expect(await register(own, 'shared.example:2379', `${own},${foreign}`)).toBe(OK);
  expect(await register(own, 'shared.example:2379')).toBe(OK);
});

it('keeps what a cluster is for and how strict its restores are, until a registration leaves it out', async () => {
  const asked = Cluster.create({ id: 'for-tests', pd: ['pd-0:2379'], storageId: 'local' });
  const scratch = { ...asked, purpose: ClusterPurpose.CLUSTER_PURPOSE_SCRATCH, restore: { strictLoss: true } };
  await registry().putCluster({ cluster: scratch });
  const read = async () => (await registry().getCluster({ id: asked.id })).cluster;
  expect(await read()).toMatchObject({ purpose: scratch.purpose, restore: { strictLoss: true } });
  await registry().putCluster({ cluster: asked });
  expect(await read()).toMatchObject({
    purpose: ClusterPurpose.CLUSTER_PURPOSE_PRODUCTION,
    restore: undefined,
  });
});

it('names every bad field of a cluster and of a storage', async () => {
  const cluster = Cluster.create({
    id: 'bad',
    pd: ['nowhere'],
    version: 'new',
    pool: 'A B',
    storageId: 'local',
    timeZone: '+05:30',
    purpose: 99 as ClusterPurpose,
  });
  const refused = await registry()
    .putCluster({ cluster })
    .catch((error: { details?: { fields?: { field: string }[] } }) => error);
  const fields = 'details' in refused ? refused.details?.fields?.map(({ field }) => field) : [];
  expect(fields).toEqual(['pd[0]', 'version', 'pool', 'timeZone', 'purpose']);
  await expect(registry().putCluster({ cluster: { ...cluster, id: '../x' } })).rejects.toMatchObject({
    details: { fields: [{ field: 'cluster.id' }] },
  });
  for (const path of ['relative', '/', '/a/../b', '/a//b', '/a/'])
    await expect(
      registry().putStorage({ storage: Storage.create({ id: 's', location: { $case: 'local', value: { path } } }) }),
      path,
    ).rejects.toMatchObject({ code: 'invalid_argument', details: { fields: [{ field: 'path' }] } });
});

it('answers a dry run as it would a registration, and registers nothing', async () => {
  const dryRun = { validateOnly: true };
  const id = `${clusterId}-new`;
  const cluster = Cluster.create({ id, pd: ['http://pd-0:2379'], version: 'v8.5.0', storageId: 'local' });
  expect((await registry().putCluster({ cluster, ...dryRun })).cluster).toMatchObject({
    ...{ id, name: id, pd: ['pd-0:2379'], version: '8.5.0', pool: 'default' },
  });
  await expect(registry().getCluster({ id })).rejects.toMatchObject({ code: 'cluster_not_found' });
  const badly = { ...cluster, pd: ['nowhere'], storageId: 'none' };
  await expect(registry().putCluster({ cluster: badly, ...dryRun })).rejects.toMatchObject({
    details: { fields: [{ field: 'pd[0]' }] },
  });
  const elsewhere = { ...cluster, storageId: 'none' };
  await expect(registry().putCluster({ cluster: elsewhere, ...dryRun })).rejects.toMatchObject({
    code: 'storage_not_found',
  });

  const { cluster: stored } = await registry().getCluster({ id: clusterId });
  const changed = Cluster.create({ ...stored, labels: { env: 'prod' } });
  expect((await registry().putCluster({ cluster: changed, ...dryRun })).cluster).toMatchObject({
    ...{ labels: { env: 'prod' }, createTime: stored?.createTime },
  });
  expect((await registry().getCluster({ id: clusterId })).cluster).toEqual(stored);

  const { storage: local } = await registry().getStorage({ id: 'local', clusterId: '' });
  const closed = Storage.create({ ...local, usableBy: { clusters: ['another'], labels: {} } });
  await expect(registry().putStorage({ storage: closed, ...dryRun })).rejects.toMatchObject({ code: 'storage_in_use' });
  const limited = Storage.create({ ...local, maxConcurrent: 7 });
  expect((await registry().putStorage({ storage: limited, ...dryRun })).storage?.maxConcurrent).toBe(7);
  expect((await registry().getStorage({ id: 'local', clusterId: '' })).storage).toEqual(local);
});

it('saves only what is at the revision that the save names: of two that edit one state, one is told', async () => {
  const CHANGED = { code: 'revision_changed' };
  const known = (await registry().getCluster({ id: clusterId })).cluster;
  expect(known?.revision).toBe(1n);
  const put = (name: string, revision?: bigint) =>
    registry().putCluster({ cluster: Cluster.create({ ...known, name }), ...(revision !== undefined && { revision }) });
  const both = await Promise.allSettled([put('hers', 1n), put('his', 1n)]);
  expect(both.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
  expect(both.find(({ status }) => status === 'rejected')).toMatchObject({
    reason: { ...CHANGED, details: { info: { revision: '2' } } },
  });
  await expect(put('new', 0n)).rejects.toMatchObject(CHANGED);
  await expect(registry().putCluster({ cluster: known, revision: 1n, validateOnly: true })).rejects.toMatchObject(
    CHANGED,
  );
  expect((await put('anybody')).cluster?.revision).toBe(3n);
  expect((await put('hers', 3n)).cluster).toMatchObject({ name: 'hers', revision: 4n });
  expect((await registry().getCluster({ id: clusterId })).cluster).toMatchObject({ name: 'hers', revision: 4n });

  // A record of an earlier version has no revision.
  const stored = service().db.collection<{ _id: string }>('clusters');
  await stored.updateOne({ _id: clusterId }, { $unset: { revision: '' } });
  const [kept, lost] = await Promise.allSettled([put('older', 1n), put('late', 3n)]);
  expect([kept, lost]).toMatchObject([{ value: { cluster: { revision: 2n } } }, { reason: CHANGED }]);

  const storage = Storage.create({ id: clusterId, location: { $case: 'local', value: { path: '/mnt/other' } } });
  await expect(registry().putStorage({ storage, revision: 1n })).rejects.toMatchObject(CHANGED);
  expect((await registry().putStorage({ storage, revision: 0n })).storage?.revision).toBe(1n);
  await expect(registry().putStorage({ storage, revision: 0n })).rejects.toMatchObject(CHANGED);
  expect((await registry().putStorage({ storage, revision: 1n })).storage?.revision).toBe(2n);
});

it('keeps a cluster with an active backup and a storage that is used, and knows unknown ones', async () => {
  await start();
  await expect(registry().deleteCluster({ id: clusterId })).rejects.toMatchObject({ code: 'cluster_in_use' });
  await expect(registry().deleteStorage({ id: 'local' })).rejects.toMatchObject({ code: 'storage_in_use' });
  await expect(registry().getCluster({ id: 'none' })).rejects.toMatchObject({ code: 'cluster_not_found' });
  await expect(start({ clusterId: 'none' })).rejects.toMatchObject({ code: 'cluster_not_found' });
});

it('lets a cluster go whose log backup is not wanted and that answers no more, and keeps one whose log runs', async () => {
  const logs = service().db.collection<LogBackup>('logBackups');
  const log = newLogBackup(clusterId, new Date());
  const seen = (state: LogState, wanted: LogWish) => ({ $set: { wanted, observed: { ...log.observed, state } } });
  await logs.insertOne(log);
  for (const [state, wanted] of [
    ['Running', 'on'],
    ['Running', 'off'],
    ['Unknown', 'on'],
  ] as const) {
    await logs.updateOne({ _id: clusterId }, seen(state, wanted));
    await expect(registry().deleteCluster({ id: clusterId })).rejects.toMatchObject({ code: 'cluster_in_use' });
  }
  await logs.updateOne({ _id: clusterId }, seen('Unknown', 'off'));
  await registry().deleteCluster({ id: clusterId });
});

it('lists clusters page by page, and only those that changed', async () => {
  const ids = ['a', 'B', '_c', '-d'].map((suffix) => `${clusterId}${suffix}`);
  for (const id of ids)
    await registry().putCluster({ cluster: Cluster.create({ id, pd: ['127.0.0.1:2379'], storageId: 'local' }) });
  const all = ListClustersRequest.create({});
  const everything = (await registry().listClusters(all)).clusters.map(({ id }) => id);
  expect(everything).toEqual(expect.arrayContaining(ids));
  const paged: string[] = [];
  for (let pageToken: string | undefined; pageToken !== ''; ) {
    const page = await registry().listClusters({ ...all, pageSize: 2, pageToken: pageToken ?? '' });
    expect(page.clusters.length).toBeLessThanOrEqual(2);
    paged.push(...page.clusters.map(({ id }) => id));
    pageToken = page.nextPageToken;
  }
  expect(paged).toEqual(everything);
  const named = await registry().listClusters({ ...all, ids, pageSize: 3 });
  expect(named.clusters).toHaveLength(3);
  const rest = await registry().listClusters({ ...all, ids, pageSize: 3, pageToken: named.nextPageToken });
  expect([...named.clusters, ...rest.clusters].map(({ id }) => id)).toEqual([...ids].sort());
  expect(rest.nextPageToken).toBe('');

  // The newest need not be the last: the clock of the machine may be set back while tests run.
  const { clusters } = await registry().listClusters(all);
  const timeOf = ({ updateTime }: Cluster) => Number(updateTime);
  const newest = Math.max(...clusters.map(timeOf));
  const changed = await registry().listClusters({ ...all, updatedAfter: new Date(newest) });
  expect(changed.clusters).toEqual(clusters.filter((cluster) => timeOf(cluster) === newest));
  expect(changed.clusters.length).toBeLessThan(clusters.length);
  const [first = '', second = '', third = ''] = ids;
  for (const id of [first, second])
    await registry().putCluster({
      cluster: Cluster.create({
        id,
        name: 'Shop',
        pd: ['127.0.0.1:2379'],
        storageId: 'local',
        labels: { only: third },
      }),
    });
  const narrowed = async (fields: Partial<ListClustersRequest>) => {
    const page = await registry().listClusters({ ...all, labels: { only: third }, ...fields });
    return [page.clusters.map(({ id }) => id), page.nextPageToken];
  };
  const found = [first, second].sort();
  expect(await narrowed({})).toEqual([found, '']);
  expect(await narrowed({ pageSize: 1, text: 'sHOP' })).toEqual([found.slice(0, 1), found[0]]);
  expect(await narrowed({ pageToken: found[0] ?? '' })).toEqual([found.slice(1), '']);
  expect(await narrowed({ text: first })).toEqual([[first], '']);
  expect(await narrowed({ ids: [third, second] })).toEqual([[second], '']);
  expect(await narrowed({ labels: { only: 'another' } })).toEqual([[], '']);

  await expect(registry().listClusters({ ...all, pageSize: -1 })).rejects.toMatchObject({ code: 'invalid_argument' });
  await expect(registry().listClusters({ ...all, pageToken: '~' })).rejects.toMatchObject({
    code: 'invalid_argument',
  });
});
