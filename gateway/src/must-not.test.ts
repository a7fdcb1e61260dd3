/** Rows of the list of defects of the system that Tidemark replaces, as far as the gateway keeps them away. */
import { timestampMs } from '@bufbuild/protobuf/wkt';
import { AppError } from '@tidemark/errors/app-error';
import { renderMetrics } from '@tidemark/service-kit/metrics';
import { afterAll, afterEach, beforeAll, expect, it, vi } from 'vitest';
import { accessLog, auditLog, log } from './logger.ts';
import { BACKUP, CLUSTER, OTHER_CLUSTER } from './testing/programmable-backends.ts';
import { expectFailure, startTestGateway, type TestGateway } from './testing/test-gateway.ts';

let gateway: TestGateway;
beforeAll(async () => {
  gateway = await startTestGateway();
});
afterEach(() => {
  vi.restoreAllMocks();
  gateway.reset();
});
afterAll(() => gateway?.[Symbol.asyncDispose]());

it('C4: deleting an active or an unknown backup is an error, not 200', async () => {
  expectFailure(await gateway.ask('DELETE', '/backups/unknown'), 404, 20610);
  gateway.answers.deleteBackup = async () => {
    throw new AppError('backup_in_use', 'The backup is running.');
  };
  expectFailure(await gateway.ask('DELETE', `/backups/${BACKUP}`), 409, 20603);
});

it('C6: startTime and endTime reach the services as instants', async () => {
  await gateway.ask('GET', '/backups?startTime=1651104041&endTime=1651104042');
  const { startedAtOrAfter, endedAtOrBefore } = gateway.received('listBackups').request;
  expect([timestampMs(startedAtOrAfter), timestampMs(endedAtOrBefore)]).toEqual([1651104041000, 1651104042999]);
});

it('C7: a page size below zero is refused, one of zero is the usual one, and an empty clusterId shows no foreign records', async () => {
  for (const query of ['pageSize=-1', 'page=-1'])
    expectFailure(await gateway.ask('GET', `/backups?${query}`), 400, 10001);
  expect((await gateway.ask('GET', '/backups?pageSize=0')).body.page).toMatchObject({ page: 1, pageSize: 10 });
  const { body } = await gateway.ask('GET', '/backups?clusterId=', { token: 'one-cluster' });
  expect(body.data.backupRecords).toMatchObject([{ clusterId: CLUSTER }]);
});

it('C9: a clusterId in the body never replaces that of the path', async () => {
  const strategy = { clusterId: OTHER_CLUSTER, backupDate: 'Monday', period: '1:00-2:00' };
  const path = `/clusters/${CLUSTER}/strategy`;
  expectFailure(await gateway.ask('PUT', path, { body: { strategy } }), 400, 10001);
  await gateway.ask('PUT', path, { body: { clusterId: OTHER_CLUSTER, strategy: { backupDate: 'Monday' } } });
  expect(gateway.received('saveStrategy').request.clusterId).toBe(CLUSTER);
});

it('C14: a huge page size is a 400, and the service lives on', async () => {
  expectFailure(await gateway.ask('GET', '/backups?pageSize=99999999999'), 400, 10001);
  expect(gateway.calls).toEqual([]);
  expect((await gateway.ask('GET', '/backups')).status).toBe(200);
});

it('C15: a trailing slash is answered, not redirected; a wrong method has the envelope', async () => {
  for (const path of ['/backups', '/backups/', `/clusters/${CLUSTER}/strategy/`])
    expect((await gateway.ask('GET', path)).status).toBe(200);
  expect((await gateway.ask('POST', '/backups/', { body: { clusterId: CLUSTER } })).status).toBe(200);
  expectFailure(await gateway.ask('PATCH', '/backups'), 405, 10001);
});

it('C15: an unknown cluster is a 404 for its strategy and its list of backups', async () => {
  gateway.answers.listBackups = async () => ({ backups: [], total: 0n });
  for (const path of ['/clusters/nobody/strategy', '/backups?clusterId=nobody', '/clusters/nobody/occurrences'])
    expectFailure(await gateway.ask('GET', path), 404, 10003);
  expect(await gateway.ask('GET', `/backups?clusterId=${CLUSTER}`)).toMatchObject({
    status: 200,
    body: { data: { backupRecords: [] }, page: { total: 0 } },
  });
});

it('D11: a missing token is answered with one JSON value and nothing is done', async () => {
  const answer = await gateway.ask('POST', '/backups', { token: null, body: { clusterId: CLUSTER } });
  expectFailure(answer, 401, 70600); // its body was parsed as a whole
  expect(gateway.calls).toEqual([]);
});

it('B13: a type of backup that there is not is refused, not ignored', async () => {
  const body = { clusterId: CLUSTER, backupType: 'incremental' };
  expectFailure(await gateway.ask('POST', '/backups', { body }), 400, 10001);
  expect(gateway.calls).toEqual([]);
});

it('C12: the metrics of requests have the status that was answered', async () => {
  const count = async (status: number) => {
    const { body } = await renderMetrics();
    const line = new RegExp(
      `^tidemark_http_seconds_count\\{route="/api/v1/backups/:backupId",method="GET",status="${status}"\\} (\\d+)$`,
      'm',
    );
    return Number(line.exec(body)?.[1] ?? 0);
  };
  const before = [await count(200), await count(404)];
  for (const id of [BACKUP, 'unknown', 'nobody']) await gateway.ask('GET', `/backups/${id}`);
  expect([await count(200), await count(404)]).toEqual(before.map((many, index) => many + index + 1));
});

it('C13: what is logged of a failure is that failure', async () => {
  const error = vi.spyOn(log, 'error');
  const cause = new Error('the disk is full');
  gateway.answers.listClusters = async () => {
    throw new AppError('internal', 'It failed.', { cause });
  };
  await gateway.ask('GET', '/clusters', { headers: { 'x-request-id': 'r-1' } });
  expect(error.mock.calls).toMatchObject([
    [{ requestId: 'r-1', code: 'internal', error: { message: 'It failed.' } }, 'request failed'],
  ]);
});

it('D2: no line of any log has what a body held, refused or not', async () => {
  const lines = [log, accessLog, auditLog].flatMap((one) =>
    (['debug', 'info', 'warn', 'error'] as const).map((level) => vi.spyOn(one, level)),
  );
  const hush = 'hush';
  for (const body of [
    { clusterId: CLUSTER, password: hush },
    { type: 's3', bucket: 'b', secretAccessKey: hush },
    { url: `s3://b/x?secret-access-key=${hush}` },
    `{"broken":"${hush}"`,
  ])
    for (const path of ['/storages/nfs', `/clusters/${CLUSTER}`]) await gateway.ask('PUT', path, { body });
  const written = lines.flatMap((spy) => spy.mock.calls);
  expect(written.length).toBeGreaterThan(8);
  for (const [fields, message] of written) {
    const { error, ...rest } = fields as { error?: Error };
    expect(JSON.stringify([rest, message, error?.message, error?.stack, String(error?.cause)])).not.toContain(hush);
  }
});
