/** The records of the gateway's audit. The promises AS1 to AS3 are those of `audit-store.ts`. */
import {
  AuditEntry,
  AuditOutcome,
  type AuditServiceServer,
  AuditServiceService,
  ListAuditEntriesRequest,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/audit_service';
import { createServiceClient, type ServiceClient } from '@tidemark/service-kit/grpc/client';
import { plus } from '@tidemark/task/time';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { toStoredEntry } from './audit-entry.ts';
import { createAuditStore } from './audit-store.ts';
import { runningService, type TestService } from './testing/running-service.ts';

let service: TestService;
let audit: ServiceClient<AuditServiceServer>;
const stack = new AsyncDisposableStack();
beforeAll(async () => {
  service = stack.use(await runningService());
  audit = stack.use(
    createServiceClient<AuditServiceServer>(AuditServiceService, { address: service.address, token: undefined }),
  );
}, 60_000);
afterAll(() => stack.disposeAsync());
beforeEach(() => service.db.collection('audit_entries').deleteMany({}));

/** An hour ago: what is old is forgotten by each copy that starts. */
const NOON = new Date(Math.floor(Date.now() / 1_000) * 1_000 - 3_600_000);
const entry = (id: string, fields: Partial<AuditEntry> = {}) =>
  AuditEntry.create({
    ...{ id, time: NOON, what: 'delete backup', caller: 'ci', callerId: 't1', from: '10.0.0.1', status: 200 },
    ...{ requestId: `request-${id}` },
    ...fields,
  });
const record = (...entries: AuditEntry[]) => audit.recordAuditEntries({ entries });
const list = (fields: Partial<ListAuditEntriesRequest> = {}) =>
  audit.listAuditEntries(ListAuditEntriesRequest.create({ withinSight: true, pageSize: 100, ...fields }));
const idsOf = async (fields?: Partial<ListAuditEntriesRequest>) => (await list(fields)).entries.map(({ id }) => id);

it('keeps an entry once, however often it comes, and as it came first (AS1)', async () => {
  const first = entry('e1', { clusterId: 'orders', backupId: 'b1', status: 409, code: 'backup_in_use' });
  await Promise.all([record(first, entry('e2')), record(first)]);
  await record({ ...first, what: 'another' }, entry('e3'));
  expect(await idsOf()).toEqual(['e3', 'e2', 'e1']);
  const [kept] = (await list({ outcome: AuditOutcome.AUDIT_OUTCOME_REFUSED })).entries;
  expect(kept).toEqual({ ...first, outcome: AuditOutcome.AUDIT_OUTCOME_REFUSED });
});

it('lists the newest first, also what came late, and goes on behind a token at another copy (AS2)', async () => {
  const at = (minutes: number) => ({ time: plus(NOON, minutes * 60_000) });
  await record(entry('e1', at(1)), entry('e3', at(3)), entry('e4', at(3)), entry('e5', at(5)));
  const first = await list({ pageSize: 2 });
  expect(first.entries.map(({ id }) => id)).toEqual(['e5', 'e4']);
  await record(entry('e2', at(2)), entry('e6', at(6)));
  await using other = await service.another();
  await using elsewhere = createServiceClient<AuditServiceServer>(AuditServiceService, {
    address: other.address,
    token: undefined,
  });
  const { nextPageToken: pageToken } = first;
  const rest = await elsewhere.listAuditEntries(
    ListAuditEntriesRequest.create({ withinSight: true, pageSize: 100, pageToken }),
  );
  expect(rest.entries.map(({ id }) => id)).toEqual(['e3', 'e2', 'e1']);
  expect(rest.nextPageToken).toBe('');
  await expect(list({ pageToken, what: 'another' })).rejects.toMatchObject({ code: 'invalid_argument' });
});

it('narrows them to clusters, callers, changes, ends and times', async () => {
  await record(
    entry('own', { clusterId: 'orders', caller: 'ci (t9)', callerId: 't9' }),
    entry('other', { clusterId: 'stock', time: plus(NOON, 60_000), what: 'pin backup' }),
    entry('storage', { storageId: 'nfs', time: plus(NOON, 120_000), status: 403 }),
    entry('gone', { time: plus(NOON, 180_000), status: 499, caller: 'ann', callerId: 'jwt:7' }),
    entry('down', { time: plus(NOON, 240_000), status: 503 }),
  );
  expect(await idsOf({ clusterIds: ['orders'] })).toEqual(['own']);
  expect(await idsOf({ clusterIds: ['orders', 'stock'] })).toEqual(['other', 'own']);
  expect(await idsOf({ caller: 'ci' })).toEqual(['down', 'storage', 'other', 'own']);
  for (const caller of ['t9', 'ci (t9)']) expect(await idsOf({ caller })).toEqual(['own']);
  expect(await idsOf({ what: 'pin backup' })).toEqual(['other']);
  expect(await idsOf({ outcome: AuditOutcome.AUDIT_OUTCOME_OK })).toEqual(['other', 'own']);
  expect(await idsOf({ outcome: AuditOutcome.AUDIT_OUTCOME_REFUSED })).toEqual(['storage']);
  expect(await idsOf({ outcome: AuditOutcome.AUDIT_OUTCOME_FAILED })).toEqual(['down', 'gone']);
  expect(await idsOf({ from: plus(NOON, 60_000), to: plus(NOON, 180_000) })).toEqual(['storage', 'other']);
  expect(await idsOf({ caller: '$ne', what: '.*' })).toEqual([]);
  await expect(list({ from: NOON, to: NOON })).rejects.toMatchObject({ details: { fields: [{ field: 'to' }] } });
});

it('does not tell who sees some clusters which backup a restore read', async () => {
  await record(
    entry('refused', { what: 'start restore', clusterId: 'dr', backupId: 'b1', time: plus(NOON, 1) }),
    entry('started', { what: 'start restore', clusterId: 'dr', backupId: 'b1', restoreId: 'r1' }),
  );
  const told = async (limitedCaller: boolean) =>
    (await list({ clusterIds: ['dr'], limitedCaller })).entries.map(({ backupId, restoreId }) => [backupId, restoreId]);
  expect(await told(false)).toEqual([
    ['b1', ''],
    ['b1', 'r1'],
  ]);
  expect(await told(true)).toEqual([
    ['', ''],
    ['', ''],
  ]);
});

it('cuts what is too long, names nothing that is no id, and lets no clock put an entry into the future', async () => {
  const time = new Date('2400-01-01T00:00:00Z');
  await record(entry('e1', { what: 'w'.repeat(500), caller: 'c'.repeat(5_000), rule: 'no id', time }));
  const [kept] = (await list()).entries;
  expect(kept).toMatchObject({ what: 'w'.repeat(64), caller: 'c'.repeat(256), rule: '' });
  expect(+(kept?.time ?? time)).toBeLessThan(Date.now() + 60_000);
});

it('refuses entries without an id or a time, and more than a batch has, by their place', async () => {
  const undated = { ...entry('e2'), time: undefined };
  await expect(record(entry('e1'), undated, entry('no.id'))).rejects.toMatchObject({
    code: 'invalid_argument',
    details: { fields: [{ field: 'entries[1].time' }, { field: 'entries[2].id' }] },
  });
  const many = Array.from({ length: 201 }, (_, number) => entry(`e${number}`));
  await expect(record(...many)).rejects.toMatchObject({ details: { fields: [{ field: 'entries' }] } });
  expect(await idsOf()).toEqual([]);
});

it('lets a damaged entry spoil no other', async () => {
  await record(entry('sound'), entry('damaged'));
  const entries = service.db.collection<{ _id: string }>('audit_entries');
  await entries.updateOne({ _id: 'damaged' }, { $set: { what: { not: 'a text' }, status: 'x' } });
  expect(await idsOf()).toEqual(['sound']);
});

describe('what is old (AS3)', () => {
  const { signal } = new AbortController();
  const stored = (id: string, minutes: number, status = 200) =>
    toStoredEntry(entry(id, { status, time: plus(NOON, minutes * 60_000) }), plus(NOON, 86_400_000));

  it('is forgotten by its age', async () => {
    const store = createAuditStore(service.db, () => NOON);
    await store.add([stored('e1', 1), stored('e2', 2)], signal);
    await store.removeBefore(plus(NOON, 2 * 60_000), signal);
    expect(await idsOf()).toEqual(['e2']);
  });

  it('is forgotten above the number that is kept, what was refused first', async () => {
    const store = createAuditStore(service.db, () => NOON, 3);
    const entries = [stored('e1', 1), stored('e2', 2), stored('r3', 3, 403), stored('e4', 4), stored('r5', 5, 403)];
    await store.add([...entries, stored('e6', 6)], signal);
    await store.removeExcess(signal);
    expect(await idsOf()).toEqual(['e6', 'e4', 'e2']);
    await store.removeExcess(signal);
    expect(await idsOf()).toHaveLength(3);
  });
});
