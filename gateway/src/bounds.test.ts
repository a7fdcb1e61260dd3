/** What a single request may ask of the gateway, over each of its protocols: refused at once, in few words. */
import { create, type DescService, toBinary } from '@bufbuild/protobuf';
import { MAX_ENTRIES } from '@tidemark/limits/limits';
import { BackupService, GetBackupRequestSchema } from '@tidemark/protocol/connect/tidemark/backup/v1/backup_service';
import { RegistryService } from '@tidemark/protocol/connect/tidemark/backup/v1/registry_service';
import { OccurrenceService } from '@tidemark/protocol/connect/tidemark/scheduler/v1/occurrence_service';
import { RetentionService } from '@tidemark/protocol/connect/tidemark/scheduler/v1/retention_service';
import { StrategyService } from '@tidemark/protocol/connect/tidemark/strategy/v1/strategy_service';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { log } from './logger.ts';
import { CLUSTER, sampleBackup } from './testing/programmable-backends.ts';
import { as, outcomeOf, PROTOCOLS, type RpcGateway, startRpcGateway } from './testing/rpc-clients.ts';
import { badFields } from './testing/test-gateway.ts';

const BODY_BYTES = 262_144;

let gateway: RpcGateway;
beforeAll(async () => {
  gateway = await startRpcGateway();
});
afterAll(() => gateway[Symbol.asyncDispose]());
afterEach(() => void vi.restoreAllMocks());

const ids = (count: number) => Array.from({ length: count }, () => CLUSTER);

describe.each(PROTOCOLS)('over %s', (protocol) => {
  it.each([
    [BackupService, 'listBackups', 'clusterIds'],
    [RegistryService, 'listClusters', 'ids'],
    [StrategyService, 'listStrategies', 'clusterIds'],
    [OccurrenceService, 'listOccurrences', 'clusterIds'],
  ] as const)('%o.%s takes a thousand clusters, and says so of one more', async (service, method, field) => {
    const ask = (count: number) =>
      outcomeOf(gateway.call(protocol, service as DescService, method, { [field]: ids(count) }, as('viewer')));
    expect(await ask(MAX_ENTRIES - 1)).toBe('ok');
    expect(await ask(MAX_ENTRIES)).toBe('ok');
    expect(await ask(MAX_ENTRIES + 1)).toMatchObject({ reason: 'tidemark/invalid_argument', fields: [field] });
  });

  it('80,000 ids of clusters by a viewer are refused at once, in one short line', async () => {
    const said = vi.spyOn(log, 'info');
    const client = gateway.client(BackupService, protocol);
    const told = await outcomeOf(client.listBackups({ clusterIds: Array<string>(80_000).fill('') }, as('viewer')));
    expect(told).toMatchObject({ code: 'InvalidArgument', fields: ['clusterIds'] });
    expect(Math.max(...said.mock.calls.map((call) => JSON.stringify(call).length))).toBeLessThan(5_000);
  });

  it('a token whose role does not allow the call hears that, whatever is in the message', async () => {
    const bad = { storage: { id: 'no id', root: 'x'.repeat(2_000) } };
    for (const token of ['viewer', 'one-cluster-admin'])
      expect(await outcomeOf(gateway.client(RegistryService, protocol).putStorage(bad, as(token)))).toMatchObject({
        reason: 'tidemark/permission_denied',
        fields: [],
      });
  });
});

describe.each([
  ['application/json', '{"id":""}'.length, (id: string) => JSON.stringify({ id })],
  ['application/proto', 4, (id: string) => toBinary(GetBackupRequestSchema, create(GetBackupRequestSchema, { id }))],
] as const)('a message as %s', (type, overhead, encode) => {
  const ask = async (bytes: number) => {
    const response = await fetch(`${gateway.url}/${BackupService.typeName}/GetBackup`, {
      method: 'POST',
      // Connect's own client stops sending, and then asks again on the same connection.
      headers: { 'content-type': type, authorization: 'Bearer viewer', connection: 'close' },
      body: encode('x'.repeat(bytes - overhead)),
    });
    return ((await response.json()) as { code: string }).code;
  };

  it('is taken up to the bound of a body, and no byte more, as over REST', async () => {
    expect(await ask(BODY_BYTES - 1)).toBe('invalid_argument');
    expect(await ask(BODY_BYTES)).toBe('invalid_argument');
    expect(await ask(BODY_BYTES + 1)).toBe('resource_exhausted');
  });
});

it('a message of gRPC is taken up to the bound of a body, and no byte more', async () => {
  const ask = (bytes: number) =>
    outcomeOf(gateway.client(BackupService, 'gRPC').getBackup({ id: 'x'.repeat(bytes - 4) }, as('viewer')));
  expect(await ask(BODY_BYTES - 1)).toMatchObject({ code: 'InvalidArgument' });
  expect(await ask(BODY_BYTES)).toMatchObject({ code: 'InvalidArgument' });
  expect(await ask(BODY_BYTES + 1)).toMatchObject({ code: 'ResourceExhausted' });
});

describe('over REST', () => {
  const put = (body: unknown, token = 'admin') => gateway.ask('PUT', `/clusters/${CLUSTER}`, { body, token });
  const cluster = (more: object) => ({ pd: ['pd:2379'], storageId: 'nfs', ...more });

  it('250,000 bad filters are refused at once, and 50,000 with one violation', async () => {
    const said = vi.spyOn(log, 'info');
    expect((await put(cluster({ brOptions: { filters: Array<string>(250_000).fill('') } }))).status).toBe(413);
    const many = await put(cluster({ brOptions: { filters: Array<number>(50_000).fill(1) } }));
    expect([many.status, badFields(many)]).toEqual([400, ['brOptions.filters']]);
    expect(Math.max(...said.mock.calls.map((call) => JSON.stringify(call).length))).toBeLessThan(5_000);
  });

  it('no more than twenty bad fields are told, and how many more there are', async () => {
    const labels = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, at) => [`l${at}`, 1]));
    expect(badFields(await put(cluster({ labels: labels(19) })))).toHaveLength(19);
    expect(badFields(await put(cluster({ labels: labels(20) })))).toHaveLength(20);
    const above = await put(cluster({ labels: labels(21) }));
    expect(badFields(above)).toHaveLength(20);
    expect(above.body.message).toContain('; and 1 more');
  });

  it('a list or map of a thousand entries is looked into, and one of more is not', async () => {
    const labels = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, at) => [`l${at}`, '']));
    expect((await put(cluster({ labels: labels(999) }))).status).toBe(200);
    expect((await put(cluster({ labels: labels(1_000) }))).status).toBe(200);
    const above = await put(cluster({ labels: labels(1_001) }));
    expect([above.status, badFields(above)]).toEqual([400, ['labels']]);
  });

  it('a body has the room that its call needs, and not more', async () => {
    const filled = (bytes: number, body: object) =>
      `${JSON.stringify(body).slice(0, -1)},"x":"${'x'.repeat(bytes - JSON.stringify(body).length - 7)}"}`;
    for (const [bytes, status] of [
      [BODY_BYTES - 1, 200],
      [BODY_BYTES, 200],
      [BODY_BYTES + 1, 413],
    ] as const)
      expect((await put(filled(bytes, cluster({})))).status, `${bytes}`).toBe(status);
    for (const [bytes, status] of [
      [65_535, 200],
      [65_536, 200],
      [65_537, 413],
    ] as const)
      expect((await gateway.ask('GET', '/backups', { body: filled(bytes, { page: 1 }) })).status).toBe(status);
  });

  it('a token whose role does not allow the call hears that before its body is read', async () => {
    const large = 'x'.repeat(BODY_BYTES + 1);
    expect((await put(large, 'viewer')).status).toBe(403);
    expect((await gateway.ask('PUT', '/storages/nfs', { body: large, token: 'one-cluster-admin' })).status).toBe(403);
    expect((await put(large, 'admin')).status).toBe(413);
  });
});

describe('a list that a service tells in pieces', () => {
  /** Answers with two items at a time; the token is how many were told. */
  const inPieces = (all: readonly string[], pageToken: string, most: number) => {
    const from = Number(pageToken || 0);
    const ids = all.slice(from, from + Math.min(2, most));
    const next = from + ids.length;
    return { ids, nextPageToken: next < all.length ? String(next) : '' };
  };
  const seven = Array.from({ length: 7 }, (_, at) => `id-${at}`);

  it('is whole for people, over REST and over each protocol', async () => {
    gateway.answers.listBackups = async ({ pageToken, pageSize = 0 }) => {
      const { ids, nextPageToken } = inPieces(seven.slice(0, pageSize), pageToken ?? '', 1_000);
      return { backups: ids.map((id) => sampleBackup({ id })), total: 7n, nextPageToken };
    };
    gateway.answers.listClusters = async ({ pageToken, pageSize }) => {
      const { ids, nextPageToken } = inPieces(seven, pageToken ?? '', pageSize || 1_000);
      return { clusters: ids.map((id) => ({ id })), nextPageToken };
    };
    gateway.answers.listStorages = async ({ pageToken }) => {
      const { ids, nextPageToken } = inPieces(seven, pageToken ?? '', 1_000);
      return { storages: ids.map((id) => ({ id, location: { case: 'local', value: { path: '/b' } } })), nextPageToken };
    };
    gateway.answers.listFleetStrategies = async ({ pageToken }) => {
      const { ids, nextPageToken } = inPieces(seven, pageToken ?? '', 1_000);
      return { fleetStrategies: ids.map((name) => ({ name })), nextPageToken };
    };
    gateway.answers.listOccurrences = async ({ pageToken, pageSize = 0 }) => {
      const { ids, nextPageToken } = inPieces(seven.slice(0, pageSize), pageToken ?? '', 1_000);
      return { occurrences: ids.map((id) => ({ id })), total: pageToken ? 0n : 7n, nextPageToken };
    };
    gateway.answers.evaluateRetention = async ({ pageToken }) => {
      const { ids, nextPageToken } = inPieces(seven, pageToken ?? '', 1_000);
      const verdicts = ids.map((backupId) => ({ backupId, keepReasons: backupId === 'id-6' ? [] : ['last 6'] }));
      return { verdicts, bytesToFree: 9n, nextPageToken };
    };
    const data = async (path: string) => (await gateway.ask('GET', path)).body.data;
    expect((await data('/backups?pageSize=5')).backupRecords).toHaveLength(5);
    expect((await data('/backups?pageSize=20')).backupRecords).toHaveLength(7);
    expect((await data('/clusters')).clusters).toHaveLength(7);
    expect((await data('/storages')).storages).toHaveLength(7);
    expect((await data('/strategies')).strategies).toHaveLength(7);
    expect((await data('/occurrences?pageSize=5')).occurrences).toHaveLength(5);
    const occurrences = await gateway.ask('GET', '/occurrences?pageSize=20');
    expect(occurrences.body).toMatchObject({ data: { occurrences: { length: 7 } }, page: { total: 7 } });
    const simulated = await gateway.ask('POST', `/clusters/${CLUSTER}/retention/simulate`, { body: {} });
    const judged = { removed: [{ backupId: 'id-6' }], kept: { length: 6 }, bytesToFree: 9 };
    expect(simulated.body.data).toMatchObject(judged);
    for (const protocol of PROTOCOLS) {
      const registry = gateway.client(RegistryService, protocol);
      const page = await gateway.client(BackupService, protocol).listBackups({ pageSize: 5 }, as('admin'));
      expect(page).toMatchObject({ backups: { length: 5 }, total: 7n, nextPageToken: '' });
      expect(await registry.listClusters({}, as('admin'))).toMatchObject({
        clusters: { length: 7 },
        nextPageToken: '',
      });
      const first = await registry.listClusters({ pageSize: 3 }, as('admin'));
      expect(first.clusters).toHaveLength(3);
      const { nextPageToken: pageToken } = first;
      const second = await registry.listClusters({ pageSize: 3, pageToken }, as('admin'));
      expect(second.clusters.map(({ id }) => id)).toEqual(seven.slice(3, 6));
      expect((await registry.listStorages({}, as('admin'))).storages).toHaveLength(7);
      const fleet = await gateway.client(StrategyService, protocol).listFleetStrategies({}, as('admin'));
      expect(fleet.fleetStrategies).toHaveLength(7);
      const windows = await gateway.client(OccurrenceService, protocol).listOccurrences({ pageSize: 5 }, as('admin'));
      expect(windows).toMatchObject({ occurrences: { length: 5 }, total: 7n, nextPageToken: '' });
      const retention = gateway.client(RetentionService, protocol);
      const all = await retention.evaluateRetention({ clusterId: CLUSTER }, as('admin'));
      expect(all).toMatchObject({ verdicts: { length: 7 }, bytesToFree: 9n, nextPageToken: '' });
    }
  });
});
