import { timestampFromDate } from '@bufbuild/protobuf/wkt';
import { WorkerState } from '@tidemark/protocol/connect/tidemark/backup/v1/registry_service';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { CLUSTER } from '../testing/programmable-backends.ts';
import { badFields, startTestGateway, type TestGateway } from '../testing/test-gateway.ts';

let gateway: TestGateway;
beforeAll(async () => {
  gateway = await startTestGateway();
});
afterAll(() => gateway[Symbol.asyncDispose]());

it('shows who is there and what each does', async () => {
  const time = '2026-12-01T12:00:00.000Z';
  const startTime = timestampFromDate(new Date(time));
  gateway.answers.listWorkers = async () => ({
    workers: [
      {
        ...{
          id: 'run-1',
          name: 'w1',
          host: 'h1',
          pool: 'default',
          state: WorkerState.DRAINING,
          slots: 2,
          freeSlots: 1,
        },
        brVersions: ['v8.5.0'],
        tasks: [
          { kind: 'backup', id: 'b1', clusterId: CLUSTER, startTime },
          { kind: 'probe', id: 'c1', startTime },
        ],
        otherTasks: 3,
        outOfReach: [{ storageId: 'nfs', code: 'STORAGE_UNUSABLE', message: 'No keys.', passing: true, startTime }],
        firstSeenTime: startTime,
        lastSeenTime: startTime,
      },
    ],
    total: 2,
    nextPageToken: 'WyJhIl0',
  });
  const { body } = await gateway.ask('GET', '/workers?pool=default&pageSize=1', { token: 'viewer' });
  expect(gateway.received('listWorkers').request).toMatchObject({ pool: 'default', pageSize: 1, clusterIds: [] });
  expect(body.data).toEqual({
    workers: [
      {
        ...{ id: 'run-1', name: 'w1', host: 'h1', pool: 'default', state: 'Draining', slots: 2, freeSlots: 1 },
        brVersions: ['v8.5.0'],
        tasks: [
          { kind: 'backup', id: 'b1', clusterId: CLUSTER, startTime: time },
          { kind: 'probe', id: 'c1', startTime: time },
        ],
        otherTasks: 3,
        outOfReach: [
          { storageId: 'nfs', code: 'STORAGE_UNUSABLE', message: 'No keys.', passing: true, startTime: time },
        ],
        otherOutOfReach: 0,
        firstSeenTime: time,
        lastSeenTime: time,
      },
    ],
    total: 2,
    pageToken: 'WyJhIl0',
  });
});

it('asks what is done for the clusters of the caller alone', async () => {
  await gateway.ask('GET', '/workers', { token: 'one-cluster-viewer' });
  expect(gateway.received('listWorkers').request).toMatchObject({ clusterIds: [CLUSTER] });
});

it.each([
  ['pool=No', 'pool'],
  ['pageSize=201', 'pageSize'],
  ['pageToken=1', 'pageToken'],
  ['state=Gone', 'state'],
])('refuses %s by its name', async (query, field) => {
  expect(badFields(await gateway.ask('GET', `/workers?${query}`))).toEqual([field]);
});
