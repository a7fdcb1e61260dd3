import { timestampMs } from '@bufbuild/protobuf/wkt';
import { AppError } from '@tidemark/errors/app-error';
import { BackupMode, BackupOrigin, BackupState } from '@tidemark/protocol/connect/tidemark/backup/v1/backup';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { BACKUP, CLUSTER, OTHER_BACKUP, OTHER_CLUSTER } from '../testing/programmable-backends.ts';
import { badFields, expectFailure, startTestGateway, type TestGateway } from '../testing/test-gateway.ts';

let gateway: TestGateway;
beforeAll(async () => {
  gateway = await startTestGateway();
});
afterAll(() => gateway[Symbol.asyncDispose]());

/** What the backup service was asked for a query. */
async function asked(query: string, body?: object) {
  gateway.calls.length = 0;
  expect(await gateway.ask('GET', `/backups${query}`, { body })).toMatchObject({ status: 200 });
  return gateway.received('listBackups').request;
}

it('answers records and the page beside them', async () => {
  const { status, body } = await gateway.ask('GET', `/backups/?clusterId=${CLUSTER}&page=1&pageSize=30`);
  expect(status).toBe(200);
  expect(body).toMatchObject({
    code: 0,
    message: 'OK',
    data: { backupRecords: [{ id: BACKUP, clusterId: CLUSTER }] },
  });
  expect(body.page).toEqual({ page: 1, pageSize: 30, total: 1 });
  expect(Object.keys(body)).toEqual(['code', 'message', 'data', 'page']);
});

it('takes page 1 of 10, of all clusters, unless told otherwise', async () => {
  expect(await asked('')).toMatchObject({
    clusterIds: [],
    id: '',
    page: 1,
    pageSize: 10,
    states: [],
    includeDeleted: false,
  });
  expect((await gateway.ask('GET', '/backups')).body.page).toEqual({ page: 1, pageSize: 10, total: 2 });
});

it('takes what a generated client sends for nothing as left out', async () => {
  const query = '?clusterId=&backupId=&startTime=0&endTime=0&backupMode=&status=&page=&pageSize=';
  expect(await asked(query)).toMatchObject({ clusterIds: [], id: '', page: 1, pageSize: 10, mode: 0 });
  for (const request of [await asked(query), await asked('', { startTime: 0, endTime: 0, clusterId: null })]) {
    expect(request.startedAtOrAfter).toBeUndefined();
    expect(request.endedAtOrBefore).toBeUndefined();
  }
});

it('narrows by cluster, backup, mode, status, state, origin and rule', async () => {
  expect(await asked(`?clusterId=${OTHER_CLUSTER}&backupId=${OTHER_BACKUP}&backupMode=auto`)).toMatchObject({
    clusterIds: [OTHER_CLUSTER],
    id: OTHER_BACKUP,
    mode: BackupMode.AUTO,
  });
  expect((await asked('?status=Processing')).states).toEqual([BackupState.RUNNING, BackupState.CANCELING]);
  expect((await asked('?state=Canceled')).states).toEqual([BackupState.CANCELED]);
  expect((await asked('?status=Failed&state=Canceled')).states).toEqual([BackupState.CANCELED]);
  expect((await asked('?includeDeleted=true')).includeDeleted).toBe(true);
  expect(await asked('?origin=schedule&rule=nightly')).toMatchObject({
    origin: BackupOrigin.SCHEDULE,
    rule: 'nightly',
  });
  expect(await asked('?origin=request&rule=')).toMatchObject({ origin: BackupOrigin.REQUEST, rule: '' });
});

it('answers nothing for a status and a state that exclude each other', async () => {
  gateway.calls.length = 0;
  expect((await gateway.ask('GET', '/backups?status=Finished&state=Running')).body).toMatchObject({
    data: { backupRecords: [] },
    page: { total: 0 },
  });
  expect(gateway.calls).toEqual([]);
});

it('reads startTime and endTime as unix seconds, whole seconds included (C6)', async () => {
  const { startedAtOrAfter, endedAtOrBefore } = await asked('?startTime=1651104041&endTime=1651104042');
  expect(timestampMs(startedAtOrAfter)).toBe(1651104041_000);
  expect(timestampMs(endedAtOrBefore)).toBe(1651104042_999);
});

it('reads the body where the query is silent', async () => {
  const body = { clusterId: OTHER_CLUSTER, backupId: OTHER_BACKUP, page: 3, pageSize: '7', startTime: 5 };
  expect(await asked('?page=2', body)).toMatchObject({
    clusterIds: [OTHER_CLUSTER],
    id: OTHER_BACKUP,
    page: 2,
    pageSize: 7,
  });
  expect(await asked('?clusterId=&page=', body)).toMatchObject({ clusterIds: [OTHER_CLUSTER], page: 3 });
});

it('reads numbers that are written as texts, also in the body', async () => {
  expect(await asked('', { page: '2', pageSize: '1000' })).toMatchObject({ page: 2, pageSize: 1000 });
});

it('answers a page beyond the end with an empty list and the true total', async () => {
  gateway.answers.listBackups = async () => ({ backups: [], total: 2n });
  expect((await gateway.ask('GET', '/backups?page=99')).body).toMatchObject({
    data: { backupRecords: [] },
    page: { page: 99, pageSize: 10, total: 2 },
  });
});

it('leaves the total out only where the caller can do without and nobody counted', async () => {
  expect((await asked('')).withoutTotal).toBe(false);
  expect((await asked('?withoutTotal=true')).withoutTotal).toBe(true);
  expect((await asked('', { withoutTotal: true })).withoutTotal).toBe(true);
  const page = async () =>
    (await gateway.ask('GET', `/backups?clusterId=${CLUSTER}&withoutTotal=true&pageSize=1`)).body.page;
  gateway.answers.listBackups = async () => ({ backups: [], total: 3n });
  expect(await page()).toEqual({ page: 1, pageSize: 1, total: 3 });
  gateway.answers.listBackups = async () => ({ backups: [], totalLeftOut: true });
  gateway.calls.length = 0;
  expect(await page()).toEqual({ page: 1, pageSize: 1 });
  expect(gateway.calls.map(({ method }) => method)).toEqual(['listBackups']);
});

it('passes on what to do when there is no time to count', async () => {
  gateway.answers.listBackups = async () => {
    throw new AppError('deadline_exceeded', 'Ask without the total (withoutTotal=true).');
  };
  const answer = await gateway.ask('GET', '/backups');
  expectFailure(answer, 503, 20604);
  expect(answer.body.message).toContain('withoutTotal=true');
});

it.each([
  ['page=0', 'page'],
  ['page=-1', 'page'],
  ['page=1.5', 'page'],
  ['page=one', 'page'],
  ['page=1e1', 'page'],
  ['page=1&page=2', 'page'],
  ['pageSize=0', 'pageSize'],
  ['pageSize=-5', 'pageSize'],
  ['pageSize=1001', 'pageSize'],
  ['pageSize=99999999999', 'pageSize'],
  ['pageSize=9999999999999999999999', 'pageSize'],
  ['startTime=-1', 'startTime'],
  ['startTime=yesterday', 'startTime'],
  ['endTime=99999999999999', 'endTime'],
  ['clusterId=a&clusterId=b', 'clusterId'],
  ['clusterId[]=a&clusterId=..%2F', 'clusterId'],
  ['clusterId=a%00', 'clusterId'],
  ['backupId=../etc', 'backupId'],
  ['status=Done', 'status'],
  ['state=Processing', 'state'],
  ['backupMode=weekly', 'backupMode'],
  ['origin=moon', 'origin'],
  ['rule=a%20b', 'rule'],
  ['includeDeleted=perhaps', 'includeDeleted'],
  ['withoutTotal=perhaps', 'withoutTotal'],
])('refuses ?%s and names the parameter', async (query, field) => {
  gateway.calls.length = 0;
  const answer = await gateway.ask('GET', `/backups?${query}`);
  expectFailure(answer, 400, 10001);
  expect(badFields(answer)).toEqual([field]);
  expect(gateway.calls).toEqual([]);
});

it('names every bad parameter at once', async () => {
  expect(badFields(await gateway.ask('GET', '/backups?page=0&pageSize=0&startTime=x'))).toEqual([
    'startTime',
    'page',
    'pageSize',
  ]);
});
