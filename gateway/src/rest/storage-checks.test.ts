import { timestampFromDate } from '@bufbuild/protobuf/wkt';
import { AppError } from '@tidemark/errors/app-error';
import { CheckKind, CheckState } from '@tidemark/protocol/connect/tidemark/backup/v1/registry_service';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { CALL_TIMEOUT_MS } from '../backends.ts';
import { badFields, expectFailure, startTestGateway, type TestGateway } from '../testing/test-gateway.ts';

let gateway: TestGateway;
beforeEach(async () => {
  gateway = await startTestGateway();
});
afterEach(() => gateway[Symbol.asyncDispose]());

it('has a storage checked by workers of a pool, and shows each step', async () => {
  gateway.answers.checkStorage = async ({ storageId, pool = '' }) => ({
    check: {
      id: 'c1',
      kind: CheckKind.PROBE,
      storageId,
      pool,
      state: CheckState.DONE,
      ok: false,
      steps: [{ name: 'reach', ok: false, message: 'It is not mounted.', seconds: 0.25 }],
      totalSteps: 1,
      worker: 'w1',
      createTime: timestampFromDate(new Date('2026-01-05T23:00:00Z')),
      createdBy: 'token admin',
    },
  });
  const { status, body } = await gateway.ask('POST', '/storages/nfs/check', { body: { pool: 'east' } });
  expect(status).toBe(200);
  expect(body.data.check).toEqual({
    id: 'c1',
    kind: 'probe',
    storageId: 'nfs',
    pool: 'east',
    state: 'Done',
    ok: false,
    steps: [{ name: 'reach', ok: false, message: 'It is not mounted.', seconds: 0.25 }],
    totalSteps: 1,
    worker: 'w1',
    createdBy: 'token admin',
    createTime: '2026-01-05T23:00:00.000Z',
    endTime: '0001-01-01T00:00:00Z',
  });
});

it('waits longer for a check than for anything else', async () => {
  const timeouts: number[] = [];
  gateway.answers.checkStorage = async (_, { timeoutMs }) => {
    timeouts.push(timeoutMs() ?? 0);
    return { check: { id: 'c1', storageId: 'nfs' } };
  };
  gateway.answers.rebuildRecords = async (_, { timeoutMs }) => {
    timeouts.push(timeoutMs() ?? 0);
    return { check: { id: 'c1', storageId: 'nfs' } };
  };
  await gateway.ask('POST', '/storages/nfs/check');
  await gateway.ask('POST', '/storages/nfs/rebuild');
  const [check = 0, rebuild = 0] = timeouts;
  expect(check).toBeGreaterThan(30_000);
  expect(rebuild).toBeLessThanOrEqual(CALL_TIMEOUT_MS);
});

it('only looks for lost records unless it is told to apply what it finds', async () => {
  const { body } = await gateway.ask('POST', '/storages/nfs/rebuild');
  expect(body.data.check).toMatchObject({ id: 'c1', state: 'Queued', steps: [] });
  expect(gateway.received('rebuildRecords').request).toMatchObject({ storageId: 'nfs', pool: '', apply: false });
  await gateway.ask('POST', '/storages/nfs/rebuild', { body: { apply: true, pool: 'east' } });
  expect(gateway.received('rebuildRecords').request).toMatchObject({ pool: 'east', apply: true });
});

it('shows how far a check is, and none of another storage', async () => {
  const { body } = await gateway.ask('GET', '/storages/nfs/checks/c1');
  expect(body.data.check).toMatchObject({ id: 'c1', storageId: 'nfs', state: 'Running' });
  expectFailure(await gateway.ask('GET', '/storages/other/checks/c1'), 404, 10001);
});

it('passes on that the storage is unknown, and names bad fields', async () => {
  gateway.answers.checkStorage = async () => {
    throw new AppError('storage_not_found', 'There is no storage nfs.');
  };
  expectFailure(await gateway.ask('POST', '/storages/nfs/check'), 404, 20600);
  const bad = await gateway.ask('POST', '/storages/nfs/rebuild', { body: { apply: 'yes', pool: 7 } });
  expectFailure(bad, 400, 10001);
  expect(badFields(bad)).toEqual(['pool', 'apply']);
});
