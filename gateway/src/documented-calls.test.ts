/**
 * The six calls as the document samples them, and what goes beyond it, over a socket. Each test is named by its line in
 * `docs/api-contract-tests.md`.
 */
import { CheckState } from '@tidemark/protocol/connect/tidemark/backup/v1/registry_service';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { askAt, expectFailure, type Sent } from './testing/http-client.ts';
import { BACKUP, CLUSTER, OTHER_CLUSTER, RESTORE, sampleBackup } from './testing/programmable-backends.ts';
import { startTestGateway, type TestGateway } from './testing/test-gateway.ts';

let gateway: TestGateway;
let port: number;
beforeEach(async () => {
  gateway = await startTestGateway();
  port = await gateway.listen();
});
afterEach(() => gateway[Symbol.asyncDispose]());

const ask = (method: string, path: string, sent?: Sent) => askAt(port, method, path, sent);
const STRATEGY = `/clusters/${CLUSTER}/strategy`;

describe('the six calls, as the document samples them', () => {
  it('S1 GetBackupStrategy', async () => {
    gateway.answers.getStrategy = async ({ clusterId }) => ({
      strategy: { clusterId, rule: 'default', period: '0:00-1:00', timeZone: 'UTC' },
    });
    const { text: answer, body } = await ask('GET', STRATEGY);
    expect(answer).toMatch(
      new RegExp(
        `^\\{"code":0,"message":"OK","data":\\{"strategy":\\{"clusterId":"${CLUSTER}","backupDate":"","period":"0:00-1:00",`,
      ),
    );
    expect(body.data.strategy).toMatchObject({
      timeZone: expect.any(String),
      paused: false,
      retention: null,
      revision: 0,
    });
  });

  it('S2 SaveBackupStrategy, with PUT and POST, with the cluster in the body or without', async () => {
    for (const [method, strategy] of [
      ['PUT', { clusterId: CLUSTER, backupDate: 'Tuesday,Wednesday', period: '7:00-9:00' }],
      ['POST', { backupDate: 'Monday,Tuesday', period: '00:00-01:00' }],
    ] as const) {
      const { status, body } = await ask(method, STRATEGY, { body: { strategy } });
      expect(status).toBe(200);
      expect(body.data.strategy).toMatchObject({ clusterId: CLUSTER, ...strategy });
    }
    const another = { strategy: { clusterId: OTHER_CLUSTER, backupDate: 'Monday', period: '7:00-9:00' } };
    expectFailure(await ask('PUT', STRATEGY, { body: another }), 400, 10001);
    expectFailure(await ask('PUT', STRATEGY, { body: {} }), 400, 10001);
  });

  it('S7 Backup', async () => {
    const answer = await ask('POST', '/backups/', { body: { clusterId: CLUSTER, backupMode: 'manual' } });
    expect(answer.text).toBe(`{"code":0,"message":"OK","data":{"backupId":"${BACKUP}","workFlowId":"${BACKUP}"}}`);
    for (const body of [{ backupMode: 'daily' }, { backupType: 'incremental' }, { backupType: 'FULL' }])
      expectFailure(await ask('POST', '/backups', { body: { clusterId: CLUSTER, ...body } }), 400, 10001);
    const whole = { clusterId: CLUSTER, backupMode: 'auto', backupType: 'full' };
    expect((await ask('POST', '/backups', { body: whole, headers: { 'idempotency-key': 'k1' } })).status).toBe(200);
    expect(gateway.received('startBackup').request.key).toBe('k1');
  });

  it('S9 CancelBackup', async () => {
    const body = { clusterId: CLUSTER, backupId: BACKUP };
    for (let i = 0; i < 2; i += 1)
      expect((await ask('POST', '/backups/cancel', { body })).body.data.backup).toMatchObject({
        id: BACKUP,
        state: 'Canceling',
      });
    for (const half of [{ clusterId: CLUSTER }, { backupId: BACKUP }])
      expectFailure(await ask('POST', '/backups/cancel', { body: half }), 400, 10001);
  });

  it('S10 QueryBackupRecords, and the record in the order of the document', async () => {
    const { body } = await ask('GET', `/backups/?clusterId=${CLUSTER}&page=1&pageSize=30`);
    const [record] = body.data.backupRecords;
    expect(Object.keys(record).slice(0, 14)).toEqual([
      'id',
      'clusterId',
      'backupType',
      'backupMethod',
      'backupMode',
      'filePath',
      'size',
      'backupTso',
      'status',
      'startTime',
      'endTime',
      'createTime',
      'updateTime',
      'deleteTime',
    ]);
    expect(record).toMatchObject({
      backupType: 'full',
      backupMethod: 'physical',
      backupMode: 'manual',
      filePath: `nfs/em/backup/${CLUSTER}/2022-04-28-08-00-41-full`,
      backupTso: '432834567783317505',
      status: 'Finished',
    });
    for (const query of ['page=-1', 'pageSize=-5', 'pageSize=1001', 'startTime=x', 'page=1.5'])
      expectFailure(await ask('GET', `/backups?${query}`), 400, 10001);
  });

  it('S14 DeleteBackup, with a body and without', async () => {
    for (const body of ['', '{}', `{"clusterId":"${CLUSTER}"}`])
      expect((await ask('DELETE', `/backups/${BACKUP}`, { body })).body).toMatchObject({ code: 0, message: 'OK' });
    expectFailure(await ask('DELETE', `/backups/${BACKUP}`, { body: { clusterId: OTHER_CLUSTER } }), 400, 10001);
  });
});

describe('beyond the document', () => {
  interface Described {
    readonly parameters?: readonly {
      readonly name: string;
      readonly in: string;
      readonly required?: boolean;
      readonly example?: string;
    }[];
    readonly requestBody?: {
      readonly content: Record<string, { readonly examples: Record<string, { value: object }> }>;
    };
    readonly responses: Record<string, { readonly content: Record<string, object> }>;
    /** Of what needs no token: the reference. */
    readonly security?: readonly object[];
  }

  it('X1 every route but the reference answers with the same envelope, unless it streams, and lets nobody in without a token', async () => {
    gateway.answers.getBackup = async ({ id }) => ({ backup: sampleBackup({ id, clusterId: OTHER_CLUSTER }) });
    gateway.answers.getStorageCheck = async ({ id }) => ({ check: { id, storageId: 'local', state: CheckState.DONE } });
    gateway.answers.getStrategy = async ({ clusterId, rule }) => ({ strategy: { clusterId, rule, revision: 1n } });
    gateway.answers.startRestore = async () => ({ restore: { id: RESTORE } });
    gateway.answers.planRestore = async () => ({ plan: { hash: 'p' } });
    const { paths } = (await ask('GET', '/openapi.json')).body as { paths: Record<string, Record<string, Described>> };
    const routes = Object.entries(paths).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, described]) => ({ method: method.toUpperCase(), path, described })),
    );
    const closed = routes.filter(({ described }) => described.security === undefined);
    expect(closed.length).toBeGreaterThan(35);
    for (const { method, path: template, described } of closed) {
      const { parameters = [], requestBody, responses } = described;
      const place = template.replaceAll(/\{(\w+)\}/g, (_, name) =>
        String(parameters.find((one) => one.name === name)?.example),
      );
      const needed = parameters.filter((one) => one.in === 'query' && one.required);
      const query = new URLSearchParams(needed.map(({ name, example }) => [name, String(example)])).toString();
      const path = query ? `${place}?${query}` : place;
      expectFailure(await ask(method, path, { token: null }), 401, 70600);
      if (!responses[200]?.content['application/json']) continue;
      const [example] = Object.values(requestBody?.content['application/json']?.examples ?? {});
      const body = example && { body: example.value };
      const answer = await ask(method, path, body);
      expect(answer.body, `${method} ${path}: ${answer.text}`).toMatchObject({ code: 0, data: expect.any(Object) });
      expect((await ask(method, path.replace(place, `${place}/`), body)).status, path).toBe(200);
    }
  });

  it('X1 what a cluster has may be left empty', async () => {
    const empty = { name: '', version: '', pool: '', timeZone: '', labels: {}, tls: null };
    const body = { storageId: 'nfs', pd: ['127.0.0.1:2379'], ...empty };
    expect((await ask('PUT', `/clusters/${CLUSTER}`, { body })).status).toBe(200);
  });

  it('X2 a token in the URL lets nobody in', async () => {
    for (const name of ['token', 'access_token', 'authorization'])
      expectFailure(await ask('GET', `/backups/${BACKUP}/events?${name}=admin`, { token: null }), 401, 70600);
  });

  it('X3 pages of other origins may not call unless they are named', async () => {
    const from = (origin: string) => ({ headers: { origin } });
    const closed = await ask('GET', '/backups', from('https://console.example.com'));
    expect(Object.keys(closed.headers).filter((name) => name.startsWith('access-control'))).toEqual([]);
    await using named = await startTestGateway({ allowedOrigins: ['https://console.example.com'] });
    const headers = { origin: 'https://console.example.com' };
    expect((await named.ask('GET', '/backups', { headers })).headers).toMatchObject({
      'access-control-allow-origin': headers.origin,
      vary: expect.stringContaining('origin'),
    });
    const preflight = await named.ask('OPTIONS', `/backups/${BACKUP}`, {
      token: null,
      headers: { ...headers, 'access-control-request-method': 'DELETE' },
    });
    expect(preflight).toMatchObject({
      status: 204,
      headers: {
        'access-control-allow-methods': expect.stringContaining('DELETE'),
        'access-control-allow-headers': expect.stringContaining('authorization'),
      },
    });
    for (const origin of ['https://console.example.com.evil.example', 'http://console.example.com', 'null']) {
      const answer = await named.ask('GET', '/backups', { headers: { origin } });
      expect(answer.headers['access-control-allow-origin']).toBeUndefined();
      expect(answer.headers.vary).toContain('origin');
    }
  });
});
