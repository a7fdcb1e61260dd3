import { timestampMs } from '@bufbuild/protobuf/wkt';
import { invalidArgument } from '@tidemark/errors/app-error';
import { BackupMode, BackupOrigin, BackupState } from '@tidemark/protocol/connect/tidemark/backup/v1/backup';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { BACKUP, CLUSTER, OTHER_BACKUP, OTHER_CLUSTER, sampleBackup } from '../testing/programmable-backends.ts';
import { badFields, expectFailure, startTestGateway, type TestGateway } from '../testing/test-gateway.ts';
import { NEVER } from './legacy-states.ts';

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

it('shows the start of an active backup as its end too, for consoles that show that field as it is, in the list alone', async () => {
  await using gateway = await startTestGateway();
  const start = '2022-04-28T08:00:41.697Z';
  for (const state of [BackupState.QUEUED, BackupState.RUNNING, BackupState.CANCELING]) {
    const backup = { ...sampleBackup({ state }), endTime: undefined as never };
    gateway.answers.listBackups = async () => ({ backups: [backup], total: 1n });
    gateway.answers.getBackup = async () => ({ backup });
    gateway.answers.cancelBackup = async () => ({ backup });
    gateway.answers.watchBackup = async function* () {
      yield { backup };
    };
    const listed = await gateway.ask('GET', '/backups');
    expect(listed.body.data.backupRecords).toMatchObject([{ startTime: start, endTime: start }]);
    const cancel = { body: { clusterId: CLUSTER, backupId: BACKUP } };
    for (const one of [
      await gateway.ask('GET', `/backups/${BACKUP}`),
      await gateway.ask('POST', '/backups/cancel', cancel),
    ])
      expect(one.body.data.backup).toMatchObject({ startTime: start, endTime: NEVER });
    expect((await gateway.ask('GET', `/backups/${BACKUP}/events`)).body).toContain(`"endTime":"${NEVER}"`);
  }
  gateway.answers.listBackups = async () => ({ backups: [sampleBackup()], total: 1n });
  const over = await gateway.ask('GET', '/backups');
  expect(over.body.data.backupRecords).toMatchObject([{ startTime: start, endTime: '2022-04-28T08:00:42.263Z' }]);
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
  const zeros = { startTime: 0, endTime: 0, page: 0, pageSize: 0, clusterId: null };
  for (const request of [await asked(query), await asked('?page=0&pageSize=0'), await asked('', zeros)]) {
    expect(request).toMatchObject({ clusterIds: [], id: '', page: 1, pageSize: 10, mode: 0 });
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
  expect(await asked('?origin=log')).toMatchObject({ origin: BackupOrigin.LOG });
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

it('says where the list goes on, what a token is for, and where the total is not exact', async () => {
  expect(await asked('?pageToken=YjEg&page=7')).toMatchObject({ pageToken: 'YjEg', page: 7 });
  expect((await asked('', { pageToken: 'YjEg' })).pageToken).toBe('YjEg');
  expect((await asked('?pageToken=')).pageToken).toBe('');
  gateway.answers.listBackups = async () => ({
    backups: [sampleBackup()],
    total: 10_000n,
    totalIsAtLeast: true,
    followingPageToken: 'YjEx',
    offset: 40n,
  });
  expect((await gateway.ask('GET', '/backups?pageToken=YjEg&pageSize=20')).body.page).toEqual({
    page: 3,
    pageSize: 20,
    total: 10_000,
    totalIsAtLeast: true,
    pageToken: 'YjEx',
  });
  expect((await gateway.ask('GET', '/backups?page=2')).body.page).toMatchObject({ page: 2, pageToken: 'YjEx' });
});

it('tells the service whether the clusters were asked for, or are what the caller sees', async () => {
  for (const path of ['/backups', '/occurrences']) {
    const method = path === '/backups' ? 'listBackups' : 'listOccurrences';
    for (const [query, token, withinSight] of [
      ['', 'one-cluster', true],
      ['', 'operator', true],
      [`?clusterId=${CLUSTER}`, 'one-cluster', false],
    ] as const) {
      expect((await gateway.ask('GET', `${path}${query}`, { token })).status).toBe(200);
      expect(gateway.received(method).request, `${path}${query} ${token}`).toMatchObject({ withinSight });
    }
  }
});

it('says of windows, too, where the list goes on and where the total is not exact', async () => {
  const pieces = [
    {
      occurrences: [{ id: 'a' }],
      total: 10_000n,
      totalIsAtLeast: true,
      nextPageToken: '1_1_a',
      followingPageToken: 'bzE1',
    },
    { occurrences: [{ id: 'b' }], totalLeftOut: true, followingPageToken: 'bzE2' },
  ];
  gateway.answers.listOccurrences = async ({ pageToken }) => ({ ...pieces[pageToken === 'bzE1' ? 1 : 0], offset: 40n });
  const { body } = await gateway.ask('GET', '/occurrences?pageSize=2&pageToken=bzEg&page=7&withoutTotal=false');
  expect(body.data.occurrences).toMatchObject([{ id: 'a' }, { id: 'b' }]);
  expect(body.page).toEqual({ page: 21, pageSize: 2, total: 10_000, totalIsAtLeast: true, pageToken: 'bzE2' });
  expect(gateway.received('listOccurrences').request).toMatchObject({ pageSize: 1, withoutTotal: true });
  for (const pageToken of ['3_1651104041697_abc', 'a%2Bb', 'a'.repeat(513)])
    expectFailure(await gateway.ask('GET', `/occurrences?pageToken=${pageToken}`), 400, 10001);
});

it('puts a page together that a service tells in pieces, and goes on behind the last of them', async () => {
  const { answers } = gateway;
  const pieces = [
    { backups: [sampleBackup(), sampleBackup()], total: 9n, nextPageToken: '2_1_a', followingPageToken: 'YjE1' },
    { backups: [sampleBackup(), sampleBackup(), sampleBackup()], totalLeftOut: true, followingPageToken: 'YjE2' },
  ];
  answers.listBackups = async ({ pageToken }) => pieces[pageToken === 'YjE1' ? 1 : 0] ?? {};
  gateway.calls.length = 0;
  const { body } = await gateway.ask('GET', '/backups?pageSize=5');
  expect(body.data.backupRecords).toHaveLength(5);
  expect(body.page).toEqual({ page: 1, pageSize: 5, total: 9, pageToken: 'YjE2' });
  expect(gateway.calls.map(({ request }) => request)).toMatchObject([
    { pageSize: 5, pageToken: '', withoutTotal: false },
    { pageSize: 3, pageToken: 'YjE1', withoutTotal: true },
  ]);
});

it('passes on that a page lies too deep, and what to do', async () => {
  gateway.answers.listBackups = async () => {
    throw invalidArgument([{ field: 'page', description: 'lies too deep; go on by the pageToken of each full page' }]);
  };
  const answer = await gateway.ask('GET', '/backups?page=90000');
  expectFailure(answer, 400, 10001);
  expect(answer.body.message).toContain('pageToken');
});

it.each([
  ['page=-1', 'page'],
  ['page=1.5', 'page'],
  ['page=one', 'page'],
  ['page=1e1', 'page'],
  ['page=1&page=2', 'page'],
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
  ['pageToken=3_1651104041697_abc', 'pageToken'],
  ['pageToken=a%2Bb', 'pageToken'],
  ['pageToken=a&pageToken=b', 'pageToken'],
  [`pageToken=${'a'.repeat(513)}`, 'pageToken'],
])('refuses ?%s and names the parameter', async (query, field) => {
  gateway.calls.length = 0;
  const answer = await gateway.ask('GET', `/backups?${query}`);
  expectFailure(answer, 400, 10001);
  expect(badFields(answer)).toEqual([field]);
  expect(gateway.calls).toEqual([]);
});

it('names every bad parameter at once', async () => {
  expect(badFields(await gateway.ask('GET', '/backups?page=-1&pageSize=-2&startTime=x'))).toEqual([
    'startTime',
    'page',
    'pageSize',
  ]);
});
