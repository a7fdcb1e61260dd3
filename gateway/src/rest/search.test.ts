import { timestampFromDate } from '@bufbuild/protobuf/wkt';
import { AppError } from '@tidemark/errors/app-error';
import { SearchKind } from '@tidemark/protocol/connect/tidemark/backup/v1/registry_service';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { CLUSTER } from '../testing/programmable-backends.ts';
import { badFields, startTestGateway, type TestGateway } from '../testing/test-gateway.ts';

const TIME = '2026-12-01T12:00:00.000Z';
const time = timestampFromDate(new Date(TIME));
const { CLUSTER: A_CLUSTER, STRATEGY, RULE, STORAGE, BACKUP, RESTORE } = SearchKind;

let gateway: TestGateway;
beforeAll(async () => {
  gateway = await startTestGateway();
});
afterAll(() => gateway[Symbol.asyncDispose]());
beforeEach(() => {
  gateway.answers.search = async () => ({
    hits: [
      { kind: A_CLUSTER, id: 'night-1', clusterId: 'night-1', title: 'shop', time },
      { kind: BACKUP, id: 'night', clusterId: 'night-1', title: 'Succeeded', time, exact: true },
    ],
  });
  gateway.answers.searchStrategies = async () => ({
    hits: [{ kind: RULE, id: 'nightly', clusterId: CLUSTER, title: 'Monday 1:00-2:00', time }],
  });
});

const search = (text: string, token = 'admin') =>
  gateway.ask('GET', `/search?text=${encodeURIComponent(text)}`, { token });

it('tells what the services found together, what is the text itself first', async () => {
  const { body } = await search(' night ');
  expect(body.data).toEqual({
    hits: [
      { kind: 'backup', id: 'night', clusterId: 'night-1', title: 'Succeeded', time: TIME, exact: true },
      { kind: 'cluster', id: 'night-1', clusterId: 'night-1', title: 'shop', time: TIME, exact: false },
      { kind: 'rule', id: 'nightly', clusterId: CLUSTER, title: 'Monday 1:00-2:00', time: TIME, exact: false },
    ],
    more: false,
    incomplete: [],
  });
  expect(gateway.received('search').request.text).toBe('night');
});

it.each([
  ['admin', [A_CLUSTER, RULE, BACKUP, RESTORE, STRATEGY, STORAGE], true, []],
  ['viewer', [A_CLUSTER, RULE, BACKUP, RESTORE, STRATEGY], true, []],
  ['one-cluster-admin', [A_CLUSTER, RULE, BACKUP, RESTORE], false, [CLUSTER]],
])('looks for %s only for what that may see', async (token, kinds, withFleetStrategies, clusterIds) => {
  expect((await search('night', token)).status).toBe(200);
  expect(gateway.received('search').request).toMatchObject({ kinds, clusterIds });
  expect(gateway.received('searchStrategies').request).toMatchObject({ withFleetStrategies, clusterIds });
});

it('says what could not be looked for where a service does not answer, and fails where none does', async () => {
  const away = async () => {
    throw new AppError('unavailable', 'It is away.');
  };
  gateway.answers.searchStrategies = away;
  const { status, body } = await search('night');
  expect([status, body.data.hits.length, body.data.incomplete]).toEqual([200, 2, ['rule', 'strategy']]);
  gateway.answers.search = away;
  expect((await search('night')).status).toBe(503);
});

it('says that there is more, where it cannot tell all', async () => {
  const many = Array.from({ length: 51 }, (_, number) => ({ kind: BACKUP, id: `b${number}`, clusterId: 'c', time }));
  gateway.answers.search = async () => ({ hits: many });
  const { data } = (await search('night')).body;
  expect([data.hits.length, data.more]).toEqual([50, true]);
});

it.each([
  ['/search', 'text'],
  ['/search?text=', 'text'],
  ['/search?text=a', 'text'],
  ['/search?text=%20a%20', 'text'],
  [`/search?text=${'a'.repeat(65)}`, 'text'],
  ['/search?text=ab&text=cd', 'text'],
  ['/search?text=ab&kind=backup', 'kind'],
])('refuses %s by the name of the parameter', async (path, field) => {
  gateway.calls.length = 0;
  expect(badFields(await gateway.ask('GET', path))).toEqual([field]);
  expect(gateway.calls).toEqual([]);
});
