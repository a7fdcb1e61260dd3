/**
 * REST and the other protocols are one API.
 *
 * 1. The same wish reaches the services as the same request, from the same caller, under the same request id.
 * 2. What comes back is the same data.
 * 3. An error of a service is told with its code, its sentence and its details.
 * 4. A mutation leaves the same audit line.
 */
import { type DescMethod, type Message, toJson } from '@bufbuild/protobuf';
import { AppError, invalidArgument } from '@tidemark/errors/app-error';
import { ERRORS, type ErrorCode } from '@tidemark/errors/codes';
import { BackupService } from '@tidemark/protocol/connect/tidemark/backup/v1/backup_service';
import { RegistryService } from '@tidemark/protocol/connect/tidemark/backup/v1/registry_service';
import { StrategyService } from '@tidemark/protocol/connect/tidemark/strategy/v1/strategy_service';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { log } from '../logger.ts';
import { toLegacyRecord } from '../rest/legacy-record.ts';
import { toLegacyStrategy } from '../rest/strategy-view.ts';
import { BACKUP, CLUSTER } from '../testing/programmable-backends.ts';
import { as, outcomeOf, PROTOCOLS, type RpcGateway, startRpcGateway } from '../testing/rpc-clients.ts';
import { OWN, SAMPLES, type ServedSample } from '../testing/rpc-samples.ts';

let gateway: RpcGateway;
beforeAll(async () => {
  gateway = await startRpcGateway();
});
beforeEach(() => {
  for (const level of ['info', 'warn', 'error'] as const) vi.spyOn(log, level).mockImplementation(() => undefined);
});
afterEach(() => {
  gateway.reset();
  vi.restoreAllMocks();
});
afterAll(() => gateway?.[Symbol.asyncDispose]());

/** What reached the services: the last request of the method, without the key that each start is given. */
const reached = ({ service, method }: ServedSample) => {
  const { request, headers } = gateway.received(method as 'getBackup');
  const { input } = service.methods.find(({ localName }) => localName === method) as DescMethod;
  const { key, ...json } = toJson(input, request as Message) as { readonly key?: string };
  if (method === 'startBackup') expect(key).toMatch(/^[\w-]{20,}$/);
  return { json, caller: headers.get('x-tidemark-caller'), requestId: headers.get('x-request-id') };
};
const askRest = async ({ rest }: ServedSample) => {
  const [method, path, body] = rest?.(OWN) ?? [];
  if (method === undefined || path === undefined) throw new Error('REST has no such call');
  return gateway.ask(method, path, { headers: { 'x-request-id': 'r-1' }, ...(body && { body }) });
};
const WITH_REST = SAMPLES.filter(({ rest }) => rest).map((served) => [served.method, served] as const);

it.each(WITH_REST)('%s reaches the services as over REST', async (_, served) => {
  await askRest(served);
  const wanted = reached(served);
  expect(wanted).toMatchObject({ caller: 'token admin', requestId: 'r-1' });
  for (const protocol of PROTOCOLS) {
    gateway.calls.length = 0;
    const { service, method, request } = served;
    expect(await outcomeOf(gateway.call(protocol, service, method, request(OWN), as('admin')))).toBe('ok');
    expect(reached(served), protocol).toEqual(wanted);
  }
});

it('forgets a backup for an admin alone, over every protocol, and adopts a storage for one', async () => {
  const path = `/backups/${BACKUP}?forget=true`;
  expect((await gateway.ask('DELETE', path, { token: 'operator' })).status).toBe(403);
  expect((await gateway.ask('DELETE', path, { token: 'admin' })).status).toBe(200);
  expect(gateway.received('deleteBackup').request).toMatchObject({ id: BACKUP, clusterId: CLUSTER, forget: true });
  expect((await gateway.ask('DELETE', `/backups/${BACKUP}?forget=perhaps`)).status).toBe(400);
  expect((await gateway.ask('POST', '/storages/nfs/check?adopt=true')).status).toBe(200);
  expect(gateway.received('checkStorage').request).toMatchObject({ storageId: 'nfs', adopt: true });
  for (const protocol of PROTOCOLS) {
    gateway.calls.length = 0;
    const request = { id: BACKUP, forget: true };
    const forget = (token: string) =>
      outcomeOf(gateway.call(protocol, BackupService, 'deleteBackup', request, as(token)));
    expect(await forget('operator'), protocol).not.toBe('ok');
    expect(gateway.calls.map(({ method }) => method)).not.toContain('deleteBackup');
    expect(await forget('admin'), protocol).toBe('ok');
    expect(gateway.received('deleteBackup').request).toMatchObject({ clusterId: CLUSTER, forget: true });
    const adopt = { storageId: 'nfs', adopt: true };
    await outcomeOf(gateway.call(protocol, RegistryService, 'checkStorage', adopt, as('admin')));
    expect(gateway.received('checkStorage').request).toMatchObject(adopt);
  }
});

it('says for an admin of all clusters alone that a storage was moved, over every protocol', async () => {
  const moved = { storageId: 'nfs', moved: true, adopt: false };
  for (const [path, body] of [
    ['/storages/nfs/check', { moved: true }],
    ['/storages/nfs/check?moved=true', undefined],
  ] as const) {
    gateway.calls.length = 0;
    const ask = (token: string) => gateway.ask('POST', path, { token, ...(body && { body }) });
    for (const token of ['operator', 'one-cluster-admin', 'labelled-admin'])
      expect((await ask(token)).status, token).toBe(403);
    expect(gateway.calls.map(({ method }) => method)).not.toContain('checkStorage');
    expect((await ask('admin')).status).toBe(200);
    expect(gateway.received('checkStorage').request).toMatchObject(moved);
  }
  expect((await gateway.ask('POST', '/storages/nfs/check', { body: { moved: 'perhaps' } })).status).toBe(400);
  for (const protocol of PROTOCOLS) {
    gateway.calls.length = 0;
    const declare = (token: string) =>
      outcomeOf(gateway.call(protocol, RegistryService, 'checkStorage', moved, as(token)));
    for (const token of ['operator', 'one-cluster-admin', 'labelled-admin'])
      expect(await declare(token), protocol).not.toBe('ok');
    expect(gateway.calls.map(({ method }) => method)).not.toContain('checkStorage');
    expect(await declare('admin'), protocol).toBe('ok');
    expect(gateway.received('checkStorage').request).toMatchObject(moved);
  }
});

it('tells why a storage cannot be adopted and moved at once as the service says it, over every protocol', async () => {
  gateway.answers.checkStorage = async () => {
    throw invalidArgument([{ field: 'moved', description: 'must not be sent together with adopt' }]);
  };
  const both = { storageId: 'nfs', moved: true, adopt: true };
  expect((await gateway.ask('POST', '/storages/nfs/check', { body: both })).status).toBe(400);
  expect(gateway.received('checkStorage').request).toMatchObject(both);
  for (const protocol of PROTOCOLS)
    expect(await outcomeOf(gateway.call(protocol, RegistryService, 'checkStorage', both, as('admin')))).toMatchObject({
      code: 'InvalidArgument',
      fields: ['moved'],
    });
});

it('declares a storage gone, and shows it', async () => {
  gateway.answers.putStorage = async ({ storage }) => ({ storage: storage ?? {} });
  const put = (more: object) =>
    gateway.ask('PUT', '/storages/nfs', { body: { type: 'local', path: '/mnt/nfs', ...more } });
  expect((await put({ gone: true })).body.data.storage.gone).toBe(true);
  expect((await put({})).body.data.storage.gone).toBe(false);
  expect((await put({ gone: 'yes' })).status).toBe(400);
});

describe('the same data', () => {
  it('of a backup', async () => {
    const { body } = await gateway.ask('GET', `/backups/${BACKUP}`);
    const { keepReasons: _, ...record } = body.data.backup;
    const list = await gateway.ask('GET', '/backups');
    for (const protocol of PROTOCOLS) {
      const client = gateway.client(BackupService, protocol);
      const { backup } = await client.getBackup({ id: BACKUP }, as('viewer'));
      expect(backup && toLegacyRecord(backup), protocol).toEqual(record);
      const found = await client.listBackups({}, as('viewer'));
      expect(found.backups.map(toLegacyRecord), protocol).toEqual(list.body.data.backupRecords);
      expect(Number(found.total)).toBe(list.body.page.total);
      for await (const change of client.watchBackup({ id: BACKUP }, as('viewer')))
        expect(change.backup && toLegacyRecord(change.backup), protocol).toEqual(record);
    }
  });

  it('of a strategy, also of one that was never saved', async () => {
    const { body } = await gateway.ask('GET', `/clusters/${CLUSTER}/strategy`);
    for (const protocol of PROTOCOLS) {
      const { strategy } = await gateway
        .client(StrategyService, protocol)
        .getStrategy({ clusterId: CLUSTER }, as('viewer'));
      expect(toLegacyStrategy(strategy, CLUSTER), protocol).toEqual(body.data.strategy);
    }
  });
});

it('a page without its total is answered alike, and asks for no cluster', async () => {
  const { listBackups } = gateway.answers;
  gateway.answers.listBackups = async (...call) => ({ ...(await listBackups(...call)), total: 0n, totalLeftOut: true });
  const rested = await gateway.ask('GET', `/backups?clusterId=${CLUSTER}&withoutTotal=true`);
  expect(rested.body.page).toEqual({ page: 1, pageSize: 10 });
  for (const protocol of PROTOCOLS) {
    gateway.calls.length = 0;
    const found = await gateway
      .client(BackupService, protocol)
      .listBackups({ clusterIds: [CLUSTER], withoutTotal: true }, as('viewer'));
    expect(found, protocol).toMatchObject({ total: 0n, totalLeftOut: true });
    expect(gateway.received('listBackups').request.withoutTotal).toBe(true);
    expect(
      gateway.calls.map(({ method }) => method),
      protocol,
    ).toEqual(['listBackups']);
  }
});

it('where a list goes on, and that its total is not exact, is answered alike', async () => {
  const { listBackups } = gateway.answers;
  gateway.answers.listBackups = async (...call) => ({
    ...(await listBackups(...call)),
    ...{ total: 10_000n, totalIsAtLeast: true, followingPageToken: 'YjEx', offset: 10n },
  });
  const rested = await gateway.ask('GET', `/backups?clusterId=${CLUSTER}&pageToken=YjEg`);
  expect(rested.body.page).toEqual({ page: 2, pageSize: 10, total: 10_000, totalIsAtLeast: true, pageToken: 'YjEx' });
  for (const protocol of PROTOCOLS) {
    const backups = gateway.client(BackupService, protocol);
    gateway.calls.length = 0;
    const found = await backups.listBackups({ clusterIds: [CLUSTER], pageToken: 'YjEg' }, as('viewer'));
    expect(found, protocol).toMatchObject({ total: 10_000n, totalIsAtLeast: true, nextPageToken: 'YjEx', offset: 10n });
    expect(found.followingPageToken).toBe('');
    expect(gateway.received('listBackups').request.pageToken).toBe('YjEg');
    for (const pageToken of ['3_1651104041697_abc', 'a+b', 'a'.repeat(513), 'a'.repeat(2_000)])
      await expect(backups.listBackups({ pageToken }, as('viewer')), protocol).rejects.toThrow(/pageToken/);
  }
});

it('a backup of a rule is started with what the rule has, as by REST’s run', async () => {
  gateway.answers.getStrategy = async ({ clusterId, rule }) => ({
    strategy: { clusterId, rule, revision: 1n, storageId: 's3', brOptions: { rateLimit: 7 } },
  });
  const start = SAMPLES.find(({ method }) => method === 'startBackup') as ServedSample;
  await gateway.ask('POST', `/clusters/${CLUSTER}/strategies/nightly/run`, { headers: { 'x-request-id': 'r-1' } });
  const wanted = reached(start);
  await gateway.client(BackupService).startBackup({ clusterId: CLUSTER, rule: 'nightly' }, as('admin'));
  expect(reached(start)).toEqual(wanted);
  gateway.answers.getStrategy = async ({ clusterId, rule }) => ({ strategy: { clusterId, rule } });
  const unknown = gateway.client(BackupService).startBackup({ clusterId: CLUSTER, rule: 'nightly' }, as('admin'));
  expect(await outcomeOf(unknown)).toMatchObject({ reason: 'tidemark/strategy_not_found' });
});

describe('an error of a service', () => {
  // Any error of any call, also those that the document of REST does not promise of this one.
  let gateway: RpcGateway;
  beforeAll(async () => {
    gateway = await startRpcGateway({ anyAnswer: true });
  });
  afterEach(() => gateway.reset());
  afterAll(() => gateway?.[Symbol.asyncDispose]());

  /** Those that services throw; the others are of HTTP. */
  const CODES = (Object.keys(ERRORS) as ErrorCode[]).filter(
    (code) => !['route_not_found', 'method_not_allowed', 'payload_too_large', 'canceled'].includes(code),
  );
  it.each(CODES)('%s is told with its code, sentence and details over every protocol', async (code) => {
    gateway.answers.cancelBackup = async () => {
      throw new AppError(code, 'The sentence.', { info: { backupId: BACKUP }, retryAfterMs: 4_000 });
    };
    const rested = await gateway.ask('POST', '/backups/cancel', { body: { clusterId: CLUSTER, backupId: BACKUP } });
    expect(rested).toMatchObject({ status: ERRORS[code].http, body: { message: 'The sentence.' } });
    const pascal = ERRORS[code].grpc
      .toLowerCase()
      .replaceAll(/(^|_)(.)/g, (_, __, letter: string) => letter.toUpperCase());
    for (const protocol of PROTOCOLS)
      expect(
        await outcomeOf(gateway.client(BackupService, protocol).cancelBackup({ id: BACKUP }, as('admin'))),
        protocol,
      ).toEqual({
        code: pascal === 'Cancelled' ? 'Canceled' : pascal,
        message: 'The sentence.',
        reason: `tidemark/${code}`,
        info: { backupId: BACKUP },
        fields: [],
        retryMs: 4_000,
      });
  });

  it('names every bad field', async () => {
    gateway.answers.startBackup = async () => {
      throw invalidArgument([
        { field: 'brOptions.extra.pd', description: 'is set by Tidemark' },
        { field: 'brOptions.concurrency', description: 'must be at most 256' },
      ]);
    };
    for (const protocol of PROTOCOLS)
      expect(
        await outcomeOf(gateway.client(BackupService, protocol).startBackup({ clusterId: CLUSTER }, as('admin'))),
        protocol,
      ).toMatchObject({ code: 'InvalidArgument', fields: ['brOptions.extra.pd', 'brOptions.concurrency'] });
  });

  it('that nobody foresaw says nothing of the inside', async () => {
    gateway.answers.getBackup = async () => {
      throw new Error('connect ECONNREFUSED mongodb://me:hunter2@db');
    };
    for (const protocol of PROTOCOLS)
      expect(
        await outcomeOf(gateway.client(BackupService, protocol).getBackup({ id: BACKUP }, as('admin'))),
        protocol,
      ).toEqual({
        code: 'Internal',
        message: 'Something went wrong inside Tidemark; its log tells more under this request id.',
        reason: 'tidemark/internal',
        info: {},
        fields: [],
        retryMs: undefined,
      });
  });

  it('is told in a stream as in a call', async () => {
    gateway.answers.watchBackup = async function* () {
      yield {};
      throw new AppError('unavailable', 'The database is away.');
    };
    for (const protocol of PROTOCOLS)
      expect(
        await outcomeOf(gateway.client(BackupService, protocol).watchBackup({ id: BACKUP }, as('admin'))),
      ).toMatchObject({
        code: 'Unavailable',
        message: 'The database is away.',
        reason: 'tidemark/unavailable',
        retryMs: 1_000,
      });
  });
});

it('answers with the request id, made where the client sent none that is sane', async () => {
  for (const protocol of PROTOCOLS) {
    for (const sent of ['r-1', 'not a sane id']) {
      const seen: string[] = [];
      await gateway.client(BackupService, protocol).getBackup(
        { id: BACKUP },
        {
          headers: { authorization: 'Bearer viewer', 'x-request-id': sent },
          onHeader: (headers) => seen.push(headers.get('x-request-id') ?? ''),
        },
      );
      expect(seen, protocol).toEqual([gateway.received('getBackup').headers.get('x-request-id')]);
      if (sent === 'r-1') expect(seen).toEqual(['r-1']);
      else expect(seen[0]).toMatch(/^[0-9a-f-]{36}$/);
    }
  }
});

it('counts against the rate of the token, whichever way it comes', async () => {
  await using limited = await startRpcGateway({ rate: { perSecond: 0.001, burst: PROTOCOLS.length + 1 } });
  const ask = (protocol: (typeof PROTOCOLS)[number], token: string) =>
    outcomeOf(limited.client(BackupService, protocol).listBackups({}, as(token)));
  for (const protocol of PROTOCOLS) expect(await ask(protocol, 'viewer')).toBe('ok');
  expect((await limited.ask('GET', '/backups', { token: 'viewer' })).status).toBe(200);
  expect((await limited.ask('GET', '/backups', { token: 'viewer' })).status).toBe(429);
  for (const protocol of PROTOCOLS)
    expect(await ask(protocol, 'viewer'), protocol).toMatchObject({
      code: 'ResourceExhausted',
      reason: 'tidemark/too_many_requests',
      retryMs: expect.any(Number),
    });
  expect(await ask('gRPC', 'operator')).toBe('ok');
});

describe('the audit line', () => {
  const AUDITED = WITH_REST.filter(([, { call }]) => call.audit !== undefined);
  // All loggers are children of one, so that one spy sees what any of them writes.
  const said = (message: string) =>
    vi.mocked(log.info).mock.calls.flatMap((call: readonly unknown[]) => (call[1] === message ? [call[0]] : []));
  const lines = () => said('audit');

  it.each(AUDITED)('of %s is the one that REST leaves', async (_, served) => {
    await askRest(served);
    await vi.waitFor(() => expect(lines()).toHaveLength(1));
    const [wanted] = lines();
    for (const protocol of PROTOCOLS) {
      vi.mocked(log.info).mockClear();
      await outcomeOf(gateway.call(protocol, served.service, served.method, served.request(OWN), as('admin')));
      await vi.waitFor(() => expect(lines(), protocol).toEqual([wanted]));
    }
  });

  it('is left of what was refused too, and not of what only reads', async () => {
    for (const protocol of PROTOCOLS) {
      vi.mocked(log.info).mockClear();
      const client = gateway.client(BackupService, protocol);
      await outcomeOf(client.listBackups({}, as('admin')));
      await outcomeOf(client.startBackup({ clusterId: CLUSTER }, as('viewer')));
      await outcomeOf(client.startBackup({ clusterId: CLUSTER }, as(null)));
      const [strategies, registry] = [
        gateway.client(StrategyService, protocol),
        gateway.client(RegistryService, protocol),
      ];
      const dryRuns = [
        strategies.saveStrategy({ clusterId: CLUSTER, validateOnly: true }, as('admin')),
        strategies.saveFleetStrategy({ name: 'prod', validateOnly: true }, as('admin')),
        registry.putCluster({ cluster: { id: CLUSTER, storageId: 'nfs' }, validateOnly: true }, as('admin')),
        registry.putStorage({ storage: { id: 'nfs' }, validateOnly: true }, as('admin')),
      ];
      for (const dryRun of dryRuns) await outcomeOf(dryRun);
      await vi.waitFor(() => expect(said('call answered')).toHaveLength(3 + dryRuns.length));
      const of = { what: 'start backup', from: '127.0.0.1', requestId: 'r-1' };
      expect(lines(), protocol).toEqual([
        // Nothing of the body was read: the token alone decided.
        {
          ...of,
          caller: 'token viewer',
          callerId: 'viewer',
          status: 403,
          code: 'permission_denied',
        },
        { ...of, status: 401, code: 'unauthenticated' },
      ]);
    }
  });
});
