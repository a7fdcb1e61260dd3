/** How the backup of a restore is named over REST. */
import { afterEach, beforeEach, expect, it } from 'vitest';
import { BACKUP, CLUSTER } from '../testing/programmable-backends.ts';
import { badFields, expectFailure, startTestGateway, type TestGateway } from '../testing/test-gateway.ts';

let gateway: TestGateway;
beforeEach(async () => {
  gateway = await startTestGateway();
});
afterEach(() => gateway[Symbol.asyncDispose]());

const PATHS = ['/restores/plan', '/restores', '/clusters/restore'];
const wish = { backupId: BACKUP, targetClusterId: CLUSTER, planHash: 'p', confirm: CLUSTER };

it.each([
  { storageId: 'nfs', path: 'nfs/em/backup/orders/2026-11-30-02-00-00-auto' },
  { storageId: 'nfs', path: '../elsewhere' },
  { storageId: 'nfs', path: 's3://bucket/path' },
  { clusterId: CLUSTER, pointInTime: '2026-11-29T10:15:00+01:00' },
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

it('a source that a generated client sends for nothing is left out', async () => {
  for (const path of PATHS)
    for (const source of [null, ''])
      expect((await gateway.ask('POST', path, { body: { ...wish, source } })).status, path).toBe(200);
});

it.each([
  ['filter', ['shop.orders']],
  ['db', 'shop'],
  ['pointInTime', '2026-11-29T10:15:00+01:00'],
  ['dryRun', true],
])('a part of a backup, as by %s, is refused instead of restoring the whole', async (field, value) => {
  for (const path of PATHS) {
    const answer = await gateway.ask('POST', path, { body: { ...wish, [field]: value } });
    expectFailure(answer, 400, 10001);
    expect(badFields(answer), path).toEqual([field]);
  }
  expect(gateway.calls).toEqual([]);
});
