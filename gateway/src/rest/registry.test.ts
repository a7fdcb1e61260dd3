/** Clusters, storages and occurrences: what goes beyond the document. */
import { timestampFromDate } from '@bufbuild/protobuf/wkt';
import { AppError } from '@tidemark/errors/app-error';
import { RegistryService } from '@tidemark/protocol/connect/tidemark/backup/v1/registry_service';
import { OccurrenceState } from '@tidemark/protocol/connect/tidemark/scheduler/v1/occurrence_service';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { CLUSTER } from '../testing/programmable-backends.ts';
import { as, PROTOCOLS, startRpcGateway } from '../testing/rpc-clients.ts';
import { badFields, expectFailure, startTestGateway, type TestGateway } from '../testing/test-gateway.ts';

let gateway: TestGateway;
beforeAll(async () => {
  gateway = await startTestGateway();
});
afterEach(() => gateway.reset());
afterAll(() => gateway?.[Symbol.asyncDispose]());

it('registers a cluster with all that the API tells of it, and shows it so', async () => {
  const cluster = {
    name: 'shop',
    pd: ['pd-1:2379', 'pd-0:2379'],
    version: '8.5.0',
    pool: 'default',
    storageId: 'nfs',
    timeZone: 'Asia/Shanghai',
    labels: { team: 'shop' },
    tls: { ca: '/tls/ca.pem', cert: '/tls/cert.pem', key: '/tls/key.pem' },
    brOptions: { rateLimit: 128, concurrency: 4, compression: 'zstd', filters: ['shop.*'], checksum: false },
    purpose: 'dr',
    restore: { strictLoss: true },
  };
  const answer = await gateway.ask('PUT', `/clusters/${CLUSTER}`, { body: cluster });
  expect(answer.status).toBe(200);
  expect(answer.body.data.cluster).toMatchObject({ id: CLUSTER, ...cluster });
});

const PD = ['10.0.0.1:2379'];

it('registers a cluster from what a generated client sends for nothing', async () => {
  const nothing = { name: '', version: null, labels: null, tls: null, brOptions: null, purpose: '', restore: null };
  const answer = await gateway.ask('PUT', `/clusters/${CLUSTER}`, { body: { ...nothing, pd: PD, storageId: 'nfs' } });
  expect(answer.status).toBe(200);
  expect(answer.body.data.cluster).toMatchObject({ purpose: 'production', restore: { strictLoss: false } });
  expect(gateway.received('putCluster').request.cluster).toMatchObject({ name: '', pd: PD, storageId: 'nfs' });
});

it.each([
  [{}, ['pd', 'storageId']],
  [{ pd: [], storageId: '' }, ['pd', 'storageId']],
  [{ pd: Array.from({ length: 33 }, () => 'pd:2379'), storageId: 'nfs' }, ['pd']],
  [{ storageId: 'nfs', pd: 'pd:2379', labels: { a: 1 } }, ['pd', 'labels.a']],
  [
    { pd: PD, storageId: 'nfs', tls: 'x', brOptions: { rateLimit: -1, concurrency: 1.5 } },
    ['tls', 'brOptions.rateLimit', 'brOptions.concurrency'],
  ],
  [
    { pd: PD, storageId: 'nfs', purpose: 'test', restore: { strictLoss: 'perhaps' } },
    ['purpose', 'restore.strictLoss'],
  ],
  [{ pd: PD, storageId: 'nfs', restore: { strictloss: true } }, ['restore']],
])('registers no cluster from %j and names the bad fields', async (body, fields) => {
  const answer = await gateway.ask('PUT', `/clusters/${CLUSTER}`, { body });
  expectFailure(answer, 400, 10001);
  expect(badFields(answer)).toEqual(fields);
});

it('shows how labels are written where they are no object', async () => {
  const answer = await gateway.ask('PUT', `/clusters/${CLUSTER}`, {
    body: { pd: PD, storageId: 'nfs', labels: 'env=prod' },
  });
  expectFailure(answer, 400, 10001);
  expect(answer.body.message).toContain('such as {"env":"prod"}');
});

it('removes the registration of a cluster and its strategies, never a backup', async () => {
  expect((await gateway.ask('DELETE', `/clusters/${CLUSTER}`)).status).toBe(200);
  expect(gateway.calls.map(({ method }) => method)).toEqual([
    'doubtCluster',
    'deleteCluster',
    'deleteStrategy',
    'deleteDrill',
  ]);
  expect(gateway.received('deleteStrategy').request).toMatchObject({ clusterId: CLUSTER, rule: '' });
});

it('keeps the strategies of a cluster that may not be removed', async () => {
  gateway.answers.deleteCluster = async () => {
    throw new AppError('cluster_in_use', 'A backup of it is active.');
  };
  expectFailure(await gateway.ask('DELETE', `/clusters/${CLUSTER}`), 409, 20114);
  expect(gateway.calls.map(({ method }) => method)).toEqual(['doubtCluster', 'deleteCluster']);
});

it('removes the strategies of a cluster on a repeat, when the first try came only half the way', async () => {
  gateway.answers.deleteStrategy = async () => {
    throw new AppError('unavailable', 'The database does not answer.');
  };
  expectFailure(await gateway.ask('DELETE', `/clusters/${CLUSTER}`), 503, 10000);
  gateway.answers.deleteCluster = async () => {
    throw new AppError('cluster_not_found', 'It is gone.');
  };
  gateway.answers.deleteStrategy = async () => ({});
  gateway.calls.length = 0;
  expectFailure(await gateway.ask('DELETE', `/clusters/${CLUSTER}`), 404, 10003);
  expect(gateway.calls.map(({ method }) => method)).toEqual([
    'doubtCluster',
    'deleteCluster',
    'deleteStrategy',
    'deleteDrill',
  ]);
});

it('registers a storage and shows it', async () => {
  const body = { type: 'local', path: '/mnt/nfs', root: 'nfs/em/backup', maxConcurrent: '2' };
  const answer = await gateway.ask('PUT', '/storages/nfs', { body });
  expect(answer.body.data.storage).toMatchObject({ id: 'nfs', ...body, maxConcurrent: 2 });
  expect((await gateway.ask('GET', '/storages')).body.data.storages).toMatchObject([{ id: 'nfs', path: '/mnt/nfs' }]);
});

it.each([
  [{}, ['type']],
  [{ type: 'ftp', path: '/x' }, ['type']],
  [{ type: 'local', path: 7, maxConcurrent: -1 }, ['maxConcurrent', 'path']],
  [{ type: 's3', prefix: 7 }, ['bucket', 'prefix']],
  [{ type: 's3', bucket: 'b', credentials: { accessKey: 'hush' } }, ['credentials']],
  [{ type: 's3', bucket: 'b', accessKey: 'id', secretAccessKey: 'hush' }, ['accessKey', 'secretAccessKey']],
  [
    { type: 's3', bucket: 'b', 'secret-access-key': 'hush', Session_Token: 'hush' },
    ['secret-access-key', 'Session_Token'],
  ],
  [{ url: 'hdfs://namenode/backups' }, ['url']],
  [{ url: 7 }, ['url']],
])('registers no storage from %j', async (body, fields) => {
  const answer = await gateway.ask('PUT', '/storages/nfs', { body });
  expectFailure(answer, 400, 10001);
  expect(badFields(answer)).toEqual(fields);
  expect(JSON.stringify(answer.body)).not.toContain('hush');
  expect(gateway.calls).toEqual([]);
});

it.each([
  [
    { type: 's3', bucket: 'backups', prefix: 'team/a', region: 'eu-1', credentials: { envPrefix: 'PROD_' } },
    { sendCredentialsToTikv: true },
  ],
  [
    {
      type: 's3',
      bucket: 'backups',
      endpoint: 'https://minio:9000',
      forcePathStyle: false,
      sendCredentialsToTikv: false,
    },
    {},
  ],
  [{ type: 'azure', container: 'backups', accountName: 'acc', credentials: { file: '/etc/tidemark/azure.env' } }, {}],
  [{ type: 'gcs', bucket: 'backups', storageClass: 'NEARLINE' }, {}],
])('registers the storage %j and shows it as it is', async (body, more) => {
  const answer = await gateway.ask('PUT', '/storages/cloud', {
    body: { ...body, region: (body as { region?: string }).region ?? '' },
  });
  expect(answer.status).toBe(200);
  expect(answer.body.data.storage).toMatchObject({ id: 'cloud', ...body, ...more });
});

it('registers a storage that is written as BR writes it', async () => {
  const url = 's3://backups/team/a/?region=eu-1&Storage_Class=STANDARD_IA&force-path-style=0&external-id=a+b';
  const { body } = await gateway.ask('PUT', '/storages/cloud', { body: { url, maxConcurrent: 2 } });
  expect(body.data.storage).toMatchObject({
    type: 's3',
    bucket: 'backups',
    prefix: 'team/a',
    region: 'eu-1',
    storageClass: 'STANDARD_IA',
    forcePathStyle: false,
    externalId: 'a+b',
    maxConcurrent: 2,
  });
});

it('sends the options of br with a cluster, and with a single backup', async () => {
  const brOptions = {
    rateLimit: 50,
    filters: ['shop.*'],
    checksum: true,
    crypterMethod: 'aes256-ctr',
    crypterKeyFile: '/key',
    extra: { gcttl: 3600, 'ignore-stats': false },
  };
  const extra = { gcttl: '3600', 'ignore-stats': 'false' };
  const put = await gateway.ask('PUT', `/clusters/${CLUSTER}`, { body: { pd: PD, storageId: 'nfs', brOptions } });
  expect(put.body.data.cluster.brOptions).toMatchObject({ ...brOptions, extra });
  await gateway.ask('POST', '/backups', { body: { clusterId: CLUSTER, brOptions } });
  expect(gateway.received('startBackup').request.brOptions).toMatchObject({ ...brOptions, extra });
  const bad = await gateway.ask('POST', '/backups', {
    body: { clusterId: CLUSTER, brOptions: { extra: { gcttl: {} } } },
  });
  expect(badFields(bad)).toEqual(['brOptions.extra.gcttl']);
});

it.each([
  ['PUT', `/clusters/${CLUSTER}`, { pd: PD, storageId: 'nfs' }],
  ['POST', '/backups', { clusterId: CLUSTER }],
] as const)('takes no option of br that it would not use: %s %s', async (method, path, body) => {
  const answer = await gateway.ask(method, path, { body: { ...body, brOptions: { ratelimit: 50, rateLimit: -1 } } });
  expectFailure(answer, 400, 10001);
  expect(badFields(answer)).toEqual(['brOptions.rateLimit', 'brOptions']);
  expect(answer.body.message).toContain('has no ratelimit: it has rateLimit, concurrency');
  expect(gateway.calls).toEqual([]);
});

it('shows what became of each window, in pages', async () => {
  gateway.answers.listOccurrences = async () => ({
    occurrences: [
      { id: 'o1', clusterId: CLUSTER, rule: 'default', state: OccurrenceState.MISSED, reason: 'the cluster was busy' },
      {
        id: 'o2',
        opensAt: timestampFromDate(new Date('2026-01-05T23:00:00Z')),
        state: OccurrenceState.STARTED,
        backupId: 'b',
      },
    ],
    total: 12n,
  });
  const { body } = await gateway.ask('GET', `/clusters/${CLUSTER}/occurrences?page=2&pageSize=2`);
  expect(body).toMatchObject({
    data: {
      occurrences: [
        { id: 'o1', state: 'Missed', reason: 'the cluster was busy', decidedAt: '0001-01-01T00:00:00Z' },
        { id: 'o2', state: 'Started', opensAt: '2026-01-05T23:00:00.000Z', backupId: 'b' },
      ],
    },
    page: { page: 2, pageSize: 2, total: 12 },
  });
  for (const path of ['/occurrences', `/clusters/${CLUSTER}/occurrences`])
    expect((await gateway.ask('GET', `${path}?page=0&pageSize=0`)).body.page).toMatchObject({ page: 1, pageSize: 10 });
  expectFailure(await gateway.ask('GET', '/occurrences?page=-1'), 400, 10001);
});

it('keeps a storage that only strategies name, and says which, over REST and RPC alike', async () => {
  await using rpc = await startRpcGateway();
  rpc.answers.listStorageUsers = async () => ({
    users: [{ clusterId: CLUSTER, rule: 'weekly' }, { fleetStrategy: 'prod-nightly' }],
  });
  const names = `rule weekly of cluster ${CLUSTER}, strategy prod-nightly for labels`;
  const answer = await rpc.ask('DELETE', '/storages/nfs');
  expectFailure(answer, 409, 20601);
  expect(answer.body.message).toContain(names);
  for (const protocol of PROTOCOLS)
    await expect(rpc.call(protocol, RegistryService, 'deleteStorage', { id: 'nfs' }, as('admin'))).rejects.toThrow(
      names,
    );
  expect(rpc.calls.map(({ method }) => method)).not.toContain('deleteStorage');
});

it('lets no admin of some clusters choose to whom br hands the keys of a storage, and says who may', async () => {
  await using rpc = await startRpcGateway();
  const kept = { id: CLUSTER, pd: ['10.0.0.1:2379'], storageId: 'cloud' };
  rpc.answers.getCluster = async () => ({ cluster: kept });
  rpc.answers.getStorage = async ({ id }) => ({
    storage:
      id === 'cloud'
        ? { id, location: { case: 's3', value: { bucket: 'b' } } }
        : { id, location: { case: 'local', value: { path: '/mnt' } } },
  });
  const put = (body: object, token: string) => rpc.ask('PUT', `/clusters/${CLUSTER}`, { token, body });
  const own = { pd: ['6.6.6.6:2379'], storageId: 'cloud' };
  for (const body of [own, { ...kept, tls: { ca: '/a.pem' } }, { ...kept, storageId: 'nfs' }]) {
    const answer = await put(body, 'one-cluster-admin');
    expectFailure(answer, 403, 70650);
    expect(answer.body.message).toContain('are set by admins of all clusters');
  }
  for (const protocol of PROTOCOLS)
    await expect(
      rpc.call(protocol, RegistryService, 'putCluster', { cluster: { ...own, id: CLUSTER } }, as('one-cluster-admin')),
    ).rejects.toThrow('are set by admins of all clusters');
  expect(rpc.calls.map(({ method }) => method)).not.toContain('putCluster');

  // What touches neither is theirs, and an admin of all may do all of it.
  const labelled = { ...kept, pd: ['http://10.0.0.1:2379'], labels: { team: 'shop' } };
  expect((await put(labelled, 'one-cluster-admin')).status).toBe(200);
  expect((await put(own, 'admin')).status).toBe(200);
  // A cluster that is not there yet, with a PD of one's own and somebody's storage, is the same.
  rpc.answers.getCluster = async () => {
    throw new AppError('cluster_not_found', 'There is none.');
  };
  expectFailure(await put(own, 'one-cluster-admin'), 403, 70650);
  expect((await put({ ...own, storageId: 'nfs' }, 'one-cluster-admin')).status).toBe(200);
});

it('lists all clusters unless a page is asked for, and names the parameters that it does not know', async () => {
  const ids = ['c1', 'c2', 'c3', 'c4', 'c5'];
  gateway.answers.listClusters = async () => ({ clusters: ids.map((id) => ({ id })) });
  const listed = async (query: string) => {
    const { body } = await gateway.ask('GET', `/clusters${query}`);
    return { ids: body.data.clusters.map(({ id }: { id: string }) => id), page: body.page };
  };
  expect(await listed('')).toEqual({ ids, page: undefined });
  expect(await listed('?page=0&pageSize=0')).toEqual({ ids, page: undefined });
  expect(await listed('?page=2&pageSize=2')).toEqual({ ids: ['c3', 'c4'], page: { page: 2, pageSize: 2, total: 5 } });
  expect(await listed('?page=1')).toEqual({ ids, page: { page: 1, pageSize: 10, total: 5 } });
  expect(await listed('?page=9&pageSize=2')).toEqual({ ids: [], page: { page: 9, pageSize: 2, total: 5 } });
  for (const [query, fields] of [
    ['?label=env&page=1', ['label.0']],
    ['?page=1&pageToken=c1', ['page']],
    ['?pageToken=no.id', ['pageToken']],
    ['?pageToken=c3', ['pageToken']],
    ['?pageToken=YzEgYzIgYWFhYWFhYWFhYWE', ['pageToken']],
    ['?clusterId=c1&limit=3', ['clusterId', 'limit']],
    ['?page=-1', ['page']],
  ] as const) {
    const answer = await gateway.ask('GET', `/clusters${query}`);
    expectFailure(answer, 400, 10001);
    expect(badFields(answer)).toEqual(fields);
  }
});

it('narrows clusters to labels and a text, and goes on behind a token without a count', async () => {
  await using gateway = await startTestGateway();
  gateway.answers.listClusters = async ({ pageToken }) =>
    pageToken === '' ? { clusters: [{ id: 'c1' }, { id: 'c2' }, { id: 'c3' }] } : { clusters: [{ id: 'c3' }] };
  const first = await gateway.ask('GET', '/clusters?pageSize=2&label=env=prod&label=a=b=c&text=Shop');
  expect(gateway.received('listClusters').request).toMatchObject({
    labels: { env: 'prod', a: 'b=c' },
    text: 'Shop',
    pageToken: '',
  });
  const { clusters, pageToken } = first.body.data;
  expect(clusters).toMatchObject([{ id: 'c1' }, { id: 'c2' }]);
  const same = '/clusters?pageSize=2&label=a=b=c&label=env=prod&text=Shop';
  const rest = await gateway.ask('GET', `${same}&pageToken=${pageToken}`, { token: 'one-cluster' });
  expect(gateway.received('listClusters').request).toMatchObject({ ids: [CLUSTER], pageSize: 2, pageToken: 'c2' });
  expect(rest.body).toEqual({ code: 0, message: 'OK', data: { clusters: [expect.objectContaining({ id: 'c3' })] } });
  const other = await gateway.ask('GET', `/clusters?pageSize=2&label=env=prod&pageToken=${pageToken}`);
  expect(badFields(other)).toEqual(['pageToken']);
});

it('lists all storages unless a page is asked for, and names the parameters that it does not know', async () => {
  await using gateway = await startTestGateway();
  const storages = ['s1', 's2', 's3'].map((id) => ({
    id,
    location: { case: 'local' as const, value: { path: '/a' } },
  }));
  gateway.answers.listStorages = async () => ({ storages });
  const listed = async (query: string) => {
    const { body } = await gateway.ask('GET', `/storages${query}`);
    return { ids: body.data.storages.map(({ id }: { id: string }) => id), page: body.page };
  };
  expect(await listed('')).toEqual({ ids: ['s1', 's2', 's3'], page: undefined });
  expect(await listed('?page=2&pageSize=2')).toEqual({ ids: ['s3'], page: { page: 2, pageSize: 2, total: 3 } });
  expect(badFields(await gateway.ask('GET', '/storages?type=s3'))).toEqual(['type']);
});
