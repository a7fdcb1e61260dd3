/** How the backup of a restore is named over REST. */
import { timestampFromDate } from '@bufbuild/protobuf/wkt';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { BACKUP, CLUSTER, RESTORE } from '../testing/programmable-backends.ts';
import { badFields, expectFailure, startTestGateway, type TestGateway } from '../testing/test-gateway.ts';

let gateway: TestGateway;
beforeAll(async () => {
  gateway = await startTestGateway();
});
afterEach(() => gateway.reset());
afterAll(() => gateway?.[Symbol.asyncDispose]());

const PATHS = ['/restores/plan', '/restores', '/clusters/restore'];
const wish = { backupId: BACKUP, targetClusterId: CLUSTER, planHash: 'p', confirm: CLUSTER };

it.each([
  { storageId: 'nfs', path: 'nfs/em/backup/orders/2026-11-30-02-00-00-auto' },
  { storageId: 'nfs', path: '../elsewhere' },
  { storageId: 'nfs', path: 's3://bucket/path' },
  { clusterId: CLUSTER, time: '2026-11-29T10:15:00+01:00' },
  'nfs/em/backup',
])('a source without a record, such as %j, is refused by its field, with what to do first', async (source) => {
  const { backupId: _, ...withoutId } = wish;
  for (const path of PATHS) {
    const answer = await gateway.ask('POST', path, { body: { ...withoutId, source } });
    expectFailure(answer, 400, 10001);
    expect(badFields(answer), path).toEqual(['source']);
    expect(answer.body.message).toContain('POST /storages/{storageId}/rebuild');
  }
  expect((await gateway.ask('POST', '/restores', { body: { ...wish, source } })).status).toBe(400);
  expect(gateway.calls).toEqual([]);
});

const AT = '2026-11-29T10:15:00+01:00';
const TSO = '461234567890123456';

it('a point in time goes on as it was named, and its log is shown in the plan and in the restore', async () => {
  const { backupId: _, ...withoutId } = wish;
  for (const [path, call] of [
    ['/restores/plan', 'planRestore'],
    ['/restores', 'startRestore'],
    ['/clusters/restore', 'startRestore'],
  ] as const)
    for (const [named, point] of [
      [{ pointInTime: AT }, { time: timestampFromDate(new Date(AT)), ts: 0n }],
      [{ tso: TSO }, { ts: BigInt(TSO) }],
    ] as const) {
      const body = { ...withoutId, source: { clusterId: CLUSTER, ...named } };
      expect((await gateway.ask('POST', path, { body })).status, path).toBe(200);
      expect(gateway.received(call).request).toMatchObject({ backupId: '', point: { clusterId: CLUSTER, ...point } });
    }
  const source = {
    point: {
      ts: BigInt(TSO),
      time: timestampFromDate(new Date(AT)),
      generation: 2,
      storageId: 'nfs',
      path: 'c/log-2-x',
    },
  };
  const log = { tso: TSO, pointInTime: '2026-11-29T09:15:00.000Z', generation: 2, storageId: 'nfs', path: 'c/log-2-x' };
  gateway.answers.planRestore = async () => ({ plan: { hash: 'p', source } });
  const planned = await gateway.ask('POST', '/restores/plan', { body: wish });
  expect(planned.body.data).toMatchObject({ plan: { source: { log } } });
});

it.each([
  ['without a moment', { clusterId: CLUSTER }, ['source'], 'must have either "pointInTime" or "tso"'],
  ['with two', { clusterId: CLUSTER, pointInTime: AT, tso: TSO }, ['source'], 'must have either'],
  ['without a zone', { clusterId: CLUSTER, pointInTime: '2026-11-29T10:15:00' }, ['source.pointInTime'], 'offset'],
  ['that is no moment', { clusterId: CLUSTER, pointInTime: 'yesterday' }, ['source.pointInTime'], 'must be a moment'],
  ['of no cluster', { pointInTime: AT }, ['source.clusterId'], 'must be set'],
  ['that is no TSO', { clusterId: CLUSTER, tso: '-1' }, ['source.tso'], 'must be a TSO'],
  ['as a number, of which digits would be lost', { clusterId: CLUSTER, tso: 4.6e17 }, ['source.tso'], 'as a text'],
])('a point in time %s is refused by its field', async (_, source, fields, description) => {
  const { backupId: __, ...withoutId } = wish;
  for (const path of PATHS) {
    const answer = await gateway.ask('POST', path, { body: { ...withoutId, source } });
    expectFailure(answer, 400, 10001);
    expect(badFields(answer), path).toEqual(fields);
    expect(answer.body.message).toContain(description);
  }
  expect(gateway.calls).toEqual([]);
});

it('a restore has one source: a backup or a point in time', async () => {
  const source = { clusterId: CLUSTER, pointInTime: AT };
  const { backupId: _, ...withoutId } = wish;
  for (const path of PATHS) {
    expect(badFields(await gateway.ask('POST', path, { body: { ...wish, source } })), path).toEqual(['source']);
    expect(badFields(await gateway.ask('POST', path, { body: withoutId })), path).toEqual(['backupId']);
  }
  expect(gateway.calls).toEqual([]);
});

it('a point in time of a cluster that the caller does not see is one of no cluster', async () => {
  const { backupId: _, ...withoutId } = wish;
  const source = { clusterId: 'unseen', pointInTime: AT };
  for (const path of PATHS) {
    const answer = await gateway.ask('POST', path, { body: { ...withoutId, source }, token: 'one-cluster-admin' });
    expect(answer.status, path).toBe(404);
    expect(answer.body.message).toContain('There is no cluster unseen');
  }
  expect(gateway.calls).toEqual([]);
});

it.each([
  ['acknowledge', 'all', 'must be a list of names of checks'],
  ['acknowledge', ['x'.repeat(65)], 'must be the name of a check'],
  ['rateLimit', -1.5, 'must be a whole number from 0 to 4294967295'],
])('a wrong %s is refused in a sentence, once', async (field, value, description) => {
  const answer = await gateway.ask('POST', '/restores', { body: { ...wish, [field]: value } });
  expectFailure(answer, 400, 10001);
  expect(answer.body.details?.fields).toEqual([
    { field: expect.stringMatching(new RegExp(`^${field}`)), description: expect.stringContaining(description) },
  ]);
});

it('a source that a generated client sends for nothing is left out', async () => {
  for (const path of PATHS)
    for (const source of [null, ''])
      expect((await gateway.ask('POST', path, { body: { ...wish, source } })).status, path).toBe(200);
});

it.each([
  ['db', 'shop'],
  ['table', 'orders'],
  ['tables', ['shop.orders']],
  ['filters', ['shop.orders']],
])(
  'a part of a backup, as by %s, is refused with what names it, instead of restoring the whole',
  async (field, value) => {
    for (const path of PATHS) {
      const answer = await gateway.ask('POST', path, { body: { ...wish, [field]: value } });
      expectFailure(answer, 400, 10001);
      expect(badFields(answer), path).toEqual([field]);
      expect(answer.body.message).toContain('"filter"');
    }
    expect(gateway.calls).toEqual([]);
  },
);

it('a field that is not known is refused by its name, but for the call that other clients document', async () => {
  const body = { ...wish, filtr: ['shop.orders'], ratelimit: 1, note: '' };
  for (const path of ['/restores/plan', '/restores']) {
    const answer = await gateway.ask('POST', path, { body });
    expectFailure(answer, 400, 10001);
    expect(badFields(answer), path).toEqual(['filtr', 'ratelimit']);
  }
  expect(gateway.calls).toEqual([]);
  expect((await gateway.ask('POST', '/clusters/restore', { body })).status).toBe(200);
});

it.each([
  ['pointInTime', '2026-11-29T10:15:00+01:00'],
  ['dryRun', true],
])('what is asked for by %s is refused instead of restoring the whole', async (field, value) => {
  for (const path of PATHS) {
    const answer = await gateway.ask('POST', path, { body: { ...wish, [field]: value } });
    expectFailure(answer, 400, 10001);
    expect(badFields(answer), path).toEqual([field]);
  }
  expect(gateway.calls).toEqual([]);
});

it('a filter goes on as it was given, rule by rule', async () => {
  const filter = ['shop.*', '!shop.tmp'];
  for (const [path, call] of [
    ['/restores/plan', 'planRestore'],
    ['/restores', 'startRestore'],
    ['/clusters/restore', 'startRestore'],
  ] as const) {
    expect((await gateway.ask('POST', path, { body: { ...wish, filter } })).status, path).toBe(200);
    expect(gateway.received(call).request, path).toMatchObject({ options: { filter } });
  }
});

it('a filter is shown in its plan and in its restore, where there is one', async () => {
  gateway.answers.planRestore = async () => ({ plan: { hash: 'p', filter: ['shop.*'] } });
  const planned = await gateway.ask('POST', '/restores/plan', { body: { ...wish, filter: ['shop.*'] } });
  expect(planned.body.data).toMatchObject({ plan: { filter: ['shop.*'] } });
  const whole = await gateway.ask('GET', `/restores/${RESTORE}`);
  expect(whole.body.data.restore).not.toHaveProperty('filter');
  const { getRestore } = gateway.answers;
  gateway.answers.getRestore = async (request, context) => {
    const { restore } = await getRestore(request, context);
    return { restore: { ...restore, options: { filter: ['shop.*'] } } as never };
  };
  const part = await gateway.ask('GET', `/restores/${RESTORE}`);
  expect(part.body.data).toMatchObject({ restore: { filter: ['shop.*'] } });
});

it('a filter that a generated client sends for nothing is left out', async () => {
  for (const filter of [null, '', []]) {
    expect((await gateway.ask('POST', '/restores/plan', { body: { ...wish, filter } })).status).toBe(200);
    expect(gateway.received('planRestore').request).toMatchObject({ options: { filter: [] } });
  }
});

it.each([
  ['one text', 'shop.orders', ['filter']],
  ['something else than texts', ['shop.*', 7], ['filter.1']],
  ['more rules than are taken', Array<string>(101).fill('shop.*'), ['filter']],
])('a filter that is %s is refused by its field', async (_, filter, fields) => {
  for (const path of PATHS) {
    const answer = await gateway.ask('POST', path, { body: { ...wish, filter } });
    expectFailure(answer, 400, 10001);
    expect(badFields(answer), path).toEqual(fields);
  }
  expect(gateway.calls).toEqual([]);
});
