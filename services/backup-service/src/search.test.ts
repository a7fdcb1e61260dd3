import {
  Cluster,
  SearchKind,
  SearchRequest,
  Storage,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/registry_service';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { runningService, type TestService, wishFor } from './testing/running-service.ts';

const ALL = [
  SearchKind.SEARCH_KIND_CLUSTER,
  SearchKind.SEARCH_KIND_STORAGE,
  SearchKind.SEARCH_KIND_BACKUP,
  SearchKind.SEARCH_KIND_RESTORE,
];

let service: TestService;
beforeAll(async () => {
  service = await runningService();
  const put = (id: string, name = '') =>
    service.registry.putCluster({ cluster: Cluster.create({ id, name, pd: [`${id}:2379`], storageId: 'local' }) });
  for (const [id, name] of [
    ['orders', 'shop'],
    ['orders-dr', 'shop of Rome'],
    ['stock', 'orders of all'],
  ] as const)
    await put(id, name);
  for (let number = 0; number < 12; number += 1) await put(`many-${number}`);
  const location = { $case: 'local' as const, value: { path: '/mnt/orders' } };
  await service.registry.putStorage({ storage: Storage.create({ id: 'orders-nfs', location }) });
}, 60_000);
afterAll(() => service?.[Symbol.asyncDispose]());

const search = (text: string, clusterIds: string[] = [], kinds: SearchKind[] = ALL) =>
  service.registry.search(SearchRequest.create({ text, clusterIds, kinds }));
const idsOf = async (...asked: Parameters<typeof search>) => (await search(...asked)).hits.map(({ id }) => id);

it('finds clusters by id and by name, what is the text itself first, and storages by id', async () => {
  const { hits, more } = await search('orders');
  expect(hits.map(({ id, title, exact }) => [id, title, exact])).toEqual([
    ['orders', 'shop', true],
    ['orders-dr', 'shop of Rome', false],
    ['stock', 'orders of all', false],
    ['orders-nfs', '/mnt/orders', false],
  ]);
  expect(more).toBe(false);
  expect((await search('shop')).hits.map(({ id, exact }) => [id, exact])).toEqual([
    ['orders', true],
    ['orders-dr', false],
  ]);
});

it('finds clusters whatever the case, and those of an earlier version once a copy gave them keys', async () => {
  expect(await idsOf('OrderS')).toEqual(['orders', 'orders-dr', 'stock']);
  expect((await search('SHOP')).hits[0]).toMatchObject({ id: 'orders', exact: true });
  const clusters = service.db.collection<{ _id: string }>('clusters');
  await clusters.updateMany({ _id: { $in: ['orders', 'stock'] } }, { $unset: { searchKeys: '' } });
  expect(await idsOf('orders', [], [SearchKind.SEARCH_KIND_CLUSTER])).toEqual(['orders-dr']);
  await using _ = await service.another();
  await vi.waitFor(async () =>
    expect(await idsOf('orders', [], [SearchKind.SEARCH_KIND_CLUSTER])).toEqual(['orders', 'orders-dr', 'stock']),
  );
});

it('finds of some clusters only what is theirs, and only what was asked for', async () => {
  expect(await idsOf('orders', ['stock', 'orders-dr'], [SearchKind.SEARCH_KIND_CLUSTER])).toEqual([
    'orders-dr',
    'stock',
  ]);
});

it('finds backups and restores by the beginning of their ids, for those who see their clusters', async () => {
  const { backup } = await service.backups.startBackup(wishFor('orders'));
  const id = backup?.id ?? '';
  const part = id.slice(0, 6);
  const { hits } = await search(part);
  expect(hits).toEqual([expect.objectContaining({ id, clusterId: 'orders', title: 'Queued', exact: false })]);
  expect((await search(id)).hits).toEqual([expect.objectContaining({ id, exact: true })]);
  expect(await idsOf(part, ['stock'])).toEqual([]);

  // Of one that runs in a storage with a limit.
  const runs = service.db.collection<{ _id: string }>('backups');
  await runs.updateOne({ _id: id }, { $set: { slotKey: 'storage:local:1' } });
  expect(await idsOf(part)).toEqual([id]);
  await runs.updateOne({ _id: id }, { $set: { slotKey: `backup:${id}` } });

  const restore = `${part}-restore`;
  const [source, target] = [{ clusterId: 'orders' }, { clusterId: 'orders-dr' }];
  const record = { state: 'Failed', targetState: 'Partial', source, target, startTime: new Date() };
  const own = `restore:${restore}`;
  const keys = { activeKey: own, slotKey: own, basePath: own };
  await runs.insertOne({ _id: restore, kind: 'restore', ...keys, restore: record } as never);
  await runs.insertOne({
    _id: `${part}-damaged`,
    kind: 'restore',
    ...Object.fromEntries(Object.entries(keys).map(([name]) => [name, `restore:${part}-damaged`])),
  } as never);
  expect(await idsOf(part)).toEqual([id, restore]);
  expect(await idsOf(part, ['orders', 'orders-dr'])).toEqual([id, restore]);
  expect(await idsOf(part, ['orders'])).toEqual([id]);
});

it('tells ten of a kind, and that there are more', async () => {
  const { hits, more } = await search('many-');
  expect([hits.length, more]).toEqual([10, true]);
});

it.each([
  '.*',
  '$ne',
  'orders$',
  'or.ers',
  '"',
  "'",
  '\\',
  '../',
  '{"$gt":""}',
  '\n\n',
  '\u{10ffff}x',
  'órders',
  '%00',
])('finds nothing for the odd text %j, and takes it for nothing but a text', async (text) =>
  expect(await search(text)).toEqual({ hits: [], more: false, incomplete: [] }),
);
