/**
 * PG1. What is found span by span is what sorting everything would find.
 * PG2. All of it ends in time.
 * PG3. A total is exact up to its bound, and says so above.
 * PG4. Whoever goes on by positions is told everything once.
 */
import { toPageToken } from '@tidemark/mongo/page-token';
import { createPages, type PageWish } from '@tidemark/mongo/pages';
import { BackupMode, BackupOrigin, BackupState } from '@tidemark/protocol/grpc/tidemark/backup/v1/backup';
import { ListBackupsRequest } from '@tidemark/protocol/grpc/tidemark/backup/v1/backup_service';
import { plus } from '@tidemark/task/time';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Backup } from './backup.ts';
import { type BackupFilter, toSelection, toTokenScope } from './backup-filter.ts';
import { BACKUP_PAGES } from './backup-store.ts';
import { goodBackup } from './testing/good-backup.ts';
import { runningService, type TestService } from './testing/running-service.ts';

const MINUTE_MS = 60_000;
const DAY_MINUTES = 1_440;
const CLUSTERS = ['first', 'second'];
/** How many minutes ago they were started: each 1.2 times as long as the one before, three at one instant, one to come. */
const AGES = [-1, ...Array.from({ length: 70 }, (_, index) => 1.2 ** index), 64 * 60, 64 * 60, 64 * 60];

let service: TestService;
let stored: Backup[];
const now = new Date();

beforeAll(async () => {
  service = await runningService();
  stored = AGES.map((age, index) => finished(index, plus(now, -age * MINUTE_MS)));
  await service.db.collection<Backup>('backups').insertMany(stored);
});
afterAll(() => service[Symbol.asyncDispose]());

/** A backup that ended long ago; every seventh is deleted. */
function finished(index: number, startTime: Date): Backup {
  const clusterId = CLUSTERS[index % CLUSTERS.length] ?? '';
  const _id = `backup-${String(index).padStart(15, '0')}`;
  const deleted = { deletion: { state: 'Deleted' }, deleteTime: now } as const;
  return goodBackup(clusterId, startTime, { _id, ...(index % 7 === 0 && deleted) });
}

/** Ids of all that match, newest first. */
const newestFirst = (matches: (backup: Backup) => boolean) =>
  stored
    .filter(matches)
    .toSorted((a, b) => +b.startTime - +a.startTime || (a._id < b._id ? 1 : -1))
    .map(({ _id }) => _id);

async function list(fields: Partial<ListBackupsRequest>) {
  const { backups, total, totalLeftOut } = await asked(fields);
  return { ids: backups.map(({ id }) => id), total: Number(total), totalLeftOut };
}

const asked = (fields: Partial<ListBackupsRequest>) =>
  service.backups.listBackups(ListBackupsRequest.create({ page: 1, pageSize: 10, ...fields }));

async function byTokens(pageSize: number, fields: Partial<ListBackupsRequest>): Promise<string[]> {
  const all: string[] = [];
  for (let pageToken = ''; ; ) {
    const { backups, followingPageToken, offset } = await asked({ ...fields, pageSize, pageToken });
    if (pageToken !== '') expect(Number(offset)).toBe(all.length);
    all.push(...backups.map(({ id }) => id));
    pageToken = followingPageToken;
    if (pageToken === '') return all;
    expect(backups).toHaveLength(pageSize);
  }
}

async function allPages(pageSize: number, fields: Partial<ListBackupsRequest>): Promise<string[]> {
  const all: string[] = [];
  for (let page = 1; ; page += 1) {
    const { ids } = await list({ ...fields, page, pageSize });
    all.push(...ids);
    if (ids.length < pageSize) return all;
  }
}

const isThere = ({ deletion }: Backup) => deletion.state !== 'Deleted';
const month = plus(now, -30 * DAY_MINUTES * MINUTE_MS);
const hours = plus(now, -5 * 60 * MINUTE_MS);

it.each<[string, Partial<ListBackupsRequest>, (backup: Backup) => boolean]>([
  ['of the fleet', {}, isThere],
  ['of the fleet, deleted ones too', { includeDeleted: true }, () => true],
  ['of one cluster', { clusterIds: ['first'] }, (one) => isThere(one) && one.clusterId === 'first'],
  ['of several clusters', { clusterIds: CLUSTERS }, isThere],
  ['started in the last month', { startedAtOrAfter: month }, (one) => isThere(one) && one.startTime >= month],
  ['started in the last hours', { startedAtOrAfter: hours }, (one) => isThere(one) && one.startTime >= hours],
  ['ended a month ago', { endedAtOrBefore: month }, (one) => isThere(one) && (one.endTime ?? now) <= month],
  [
    'of a mode and an origin',
    { mode: BackupMode.BACKUP_MODE_AUTO, origin: BackupOrigin.BACKUP_ORIGIN_SCHEDULE },
    isThere,
  ],
  ['of a rule that has none', { rule: 'nightly' }, () => false],
  ['in a state', { states: [BackupState.BACKUP_STATE_SUCCEEDED] }, isThere],
  ['that are active', { states: [BackupState.BACKUP_STATE_RUNNING, BackupState.BACKUP_STATE_QUEUED] }, () => false],
  ['with an id', { id: 'backup-000000000000005' }, ({ _id }) => _id === 'backup-000000000000005'],
])('all pages of those %s are newest first, without a gap or a repeat', async (_, fields, matches) => {
  const expected = newestFirst(matches);
  for (const pageSize of [7, 1_000]) expect(await allPages(pageSize, fields), `by ${pageSize}`).toEqual(expected);
  expect(await byTokens(7, fields), 'by tokens').toEqual(expected);
  expect((await list(fields)).total).toBe(expected.length);
});

it('tokens go on between backups of one instant', async () => {
  expect(await byTokens(1, { endedAtOrBefore: plus(now, -60 * 60 * MINUTE_MS) })).toEqual(
    newestFirst((one) => isThere(one) && (one.endTime ?? now) <= plus(now, -60 * 60 * MINUTE_MS)),
  );
});

describe('without the total', () => {
  const there = () => newestFirst(isThere).length;

  it('a full page leaves it out', async () => {
    expect(await list({ withoutTotal: true, pageSize: 7 })).toEqual({
      ids: newestFirst(isThere).slice(0, 7),
      total: 0,
      totalLeftOut: true,
    });
    expect(await list({ pageSize: 7 })).toMatchObject({ total: there(), totalLeftOut: false });
  });

  it('the last page, one beyond the end and an empty selection tell it all the same', async () => {
    const pageSize = there() - 1;
    expect(await list({ withoutTotal: true, page: 2, pageSize })).toMatchObject({
      total: there(),
      totalLeftOut: false,
    });
    expect(await list({ withoutTotal: true, page: 9, pageSize })).toEqual({
      ids: [],
      total: there(),
      totalLeftOut: false,
    });
    expect(await list({ withoutTotal: true, rule: 'nightly' })).toEqual({ ids: [], total: 0, totalLeftOut: false });
  });
});

describe('a total', () => {
  const signal = new AbortController().signal;
  const fleet = { clusterIds: [], states: [], includeDeleted: false };
  const there = () => newestFirst(isThere).length;
  const read = (wish: Partial<PageWish>, filter: BackupFilter = fleet) =>
    createPages(service.db.collection<Backup>('backups'), BACKUP_PAGES).read(
      toSelection(filter),
      { skip: 0, limit: 10, mayBePartial: false, withoutTotal: false, exactTotal: 20, withinMs: 30_000, ...wish },
      now,
      signal,
    );

  it('is exact up to the bound, at it, and on the last page', async () => {
    expect(await read({ exactTotal: there() })).toMatchObject({ total: there(), isAtLeast: false });
    expect(await read({ exactTotal: there() - 1 })).toMatchObject({ total: there() - 1, isAtLeast: true });
    expect(await read({ skip: there() - 3 })).toMatchObject({ total: there(), isAtLeast: false });
    expect(await read({ skip: there() + 5 })).toMatchObject({ rows: [], total: there(), isAtLeast: false });
  });

  it('is more than a page ends with for as long as more follow, however deep it lies', async () => {
    for (let skip = 0; skip + 10 < there(); skip += 10)
      expect(await read({ skip })).toMatchObject({ total: Math.max(20, skip + 11), isAtLeast: true });
    expect(await read({ skip: there() - 10 })).toMatchObject({ total: there(), isAtLeast: false });
    const { next } = await read({ limit: 30 });
    const after = { at: now, id: '', ...next, before: 30 };
    expect(await read({ after })).toMatchObject({ total: 41, isAtLeast: true });
  });

  it('of one cluster is exact whatever the bound is', async () => {
    const total = newestFirst((one) => isThere(one) && one.clusterId === 'first').length;
    expect(await read({}, { ...fleet, clusterIds: ['first'] })).toMatchObject({ total, isAtLeast: false });
    expect(await read({}, { ...fleet, clusterIds: CLUSTERS })).toMatchObject({ total: 20, isAtLeast: true });
  });

  it('tells nothing where there is no time to look at anything, and says so', async () => {
    await expect(read({ withinMs: 0 })).rejects.toMatchObject({ code: 'deadline_exceeded' });
  });
});

it('a page token is taken with its own filters alone, whole and unchanged', async () => {
  const { followingPageToken } = await asked({ clusterIds: CLUSTERS });
  const again = (fields: Partial<ListBackupsRequest>) =>
    asked({ clusterIds: CLUSTERS, pageToken: followingPageToken, ...fields });
  expect((await again({ pageSize: 3, page: 77 })).backups).toHaveLength(3);
  const { followingPageToken: other } = await asked({ clusterIds: ['first'] });
  const refused: Partial<ListBackupsRequest>[] = [
    { clusterIds: [] },
    { clusterIds: ['first'] },
    { rule: 'nightly' },
    { includeDeleted: true },
    { states: [BackupState.BACKUP_STATE_FAILED] },
    { startedAtOrAfter: month },
    { mode: BackupMode.BACKUP_MODE_AUTO },
    { pageToken: other },
    ...[followingPageToken.slice(1), followingPageToken.slice(0, -1), `${followingPageToken}=`, 'x', 'YjEg'].map(
      (pageToken) => ({ pageToken }),
    ),
    { pageToken: 'a'.repeat(1_000_000) },
  ];
  for (const fields of refused)
    await expect(again(fields), JSON.stringify(fields).slice(0, 100)).rejects.toMatchObject({
      code: 'invalid_argument',
      details: { fields: [{ field: 'pageToken' }] },
    });
});

it('a walk over all that a caller sees goes on when that changes', async () => {
  const seen = (...clusterIds: string[]) => ({ clusterIds, withinSight: true, pageSize: 5 });
  const first = await asked(seen('first'));
  const second = await asked({ ...seen('second'), pageToken: first.followingPageToken });
  const third = await asked({ ...seen('second', 'first', 'third'), pageToken: second.followingPageToken });
  const ids = ({ backups }: typeof first) => backups.map(({ id }) => id);
  const behind = ({ backups }: typeof first, clusters: readonly string[]) => {
    const all = newestFirst((one) => isThere(one) || one._id === backups.at(-1)?.id);
    const there = new Set(newestFirst((one) => isThere(one) && clusters.includes(one.clusterId)));
    return all.slice(all.indexOf(backups.at(-1)?.id ?? '') + 1).filter((id) => there.has(id));
  };
  expect(ids(first)).toEqual(newestFirst((one) => isThere(one) && one.clusterId === 'first').slice(0, 5));
  expect(ids(second)).toEqual(behind(first, ['second']).slice(0, 5));
  expect(ids(third)).toEqual(behind(second, CLUSTERS).slice(0, 5));
  await expect(asked({ clusterIds: ['first'], pageToken: first.followingPageToken })).rejects.toMatchObject({
    details: { fields: [{ field: 'pageToken' }] },
  });
});

it('a caller may see more clusters than a request may name', async () => {
  const clusterIds = [...Array.from({ length: 10_000 }, (_, index) => `other-${index}`), ...CLUSTERS];
  expect(await list({ clusterIds, withinSight: true, pageSize: 1_000 })).toMatchObject({
    ids: newestFirst(isThere),
    total: newestFirst(isThere).length,
  });
  await expect(list({ clusterIds })).rejects.toMatchObject({ details: { fields: [{ field: 'clusterIds' }] } });
});

it('a token that is behind more backups than there are is refused', async () => {
  const position = { before: 10 ** 14, at: now, id: '' };
  const pageToken = toPageToken(position, toTokenScope({ clusterIds: [], states: [], includeDeleted: false }));
  await expect(asked({ pageToken })).rejects.toMatchObject({ details: { fields: [{ field: 'pageToken' }] } });
});
