/**
 * B4. What is found by looking further and further back is what sorting everything would find.
 * B5. A total is exact or left out.
 */
import { BackupMode, BackupOrigin } from '@tidemark/protocol/grpc/tidemark/backup/v1/backup';
import { ListBackupsRequest } from '@tidemark/protocol/grpc/tidemark/backup/v1/backup_service';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import type { Backup } from './backup.ts';
import { createBackupStore } from './backup-store.ts';
import { toConfig } from './config.ts';
import { start } from './decide/start.ts';
import { ownKey, plus } from './decide/vocabulary.ts';
import { createFinishedBackups } from './finished-backups.ts';
import { runningService, type TestService } from './testing/running-service.ts';
import { createTurns } from './turns.ts';

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
  const accepted = start({
    _id,
    request: { hash: 'h', id: _id },
    createdBy: 'scheduler',
    clusterId,
    mode: 'auto',
    origin: 'schedule',
    target: { pd: ['127.0.0.1:2379'], version: '8.5.0', pool: 'default' },
    storage: { id: 'local', local: { path: '/tmp/storage' }, maxConcurrent: 0 },
    path: `root/${clusterId}/${_id}`,
    acceptedAt: startTime,
    deadlineMs: 86_400_000,
  });
  return {
    ...accepted,
    state: 'Succeeded',
    activeKey: ownKey(accepted),
    slotKey: ownKey(accepted),
    task: null,
    endTime: plus(startTime, MINUTE_MS),
    ...(index % 7 === 0 && { deletion: { state: 'Deleted' }, deleteTime: now }),
  };
}

/** Ids of all that match, newest first. */
const newestFirst = (matches: (backup: Backup) => boolean) =>
  stored
    .filter(matches)
    .toSorted((a, b) => +b.startTime - +a.startTime || (a._id < b._id ? 1 : -1))
    .map(({ _id }) => _id);

async function list(fields: Partial<ListBackupsRequest>) {
  const { backups, total, totalLeftOut } = await service.backups.listBackups(
    ListBackupsRequest.create({ page: 1, pageSize: 10, ...fields }),
  );
  return { ids: backups.map(({ id }) => id), total: Number(total), totalLeftOut };
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
])('all pages of those %s are newest first, without a gap or a repeat', async (_, fields, matches) => {
  const expected = newestFirst(matches);
  for (const pageSize of [7, 1_000]) expect(await allPages(pageSize, fields), `by ${pageSize}`).toEqual(expected);
  expect((await list(fields)).total).toBe(expected.length);
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

it('says what to do when there is no time to count, and answers what needs no count', async () => {
  const signal = new AbortController().signal;
  const store = createBackupStore(service.db, {
    now: () => now,
    limits: toConfig({ TIDEMARK_MONGODB_URL: inject('mongodbUrl'), TIDEMARK_AMQP_URL: inject('amqpUrl') }).timing,
    turns: createTurns(service.db),
    finished: createFinishedBackups(service.db),
    onChanged() {},
  });
  const wish = { skip: 0, withoutTotal: false, withinMs: 0 };
  const fleet = { clusterIds: [], states: [], includeDeleted: false };
  await expect(store.list(fleet, { ...wish, limit: 7 }, signal)).rejects.toMatchObject({
    code: 'deadline_exceeded',
    message: expect.stringContaining('withoutTotal=true'),
  });
  expect((await store.list(fleet, { ...wish, limit: 7, withoutTotal: true }, signal)).backups).toHaveLength(7);
  const { total } = await store.list(fleet, { ...wish, limit: 1_000 }, signal);
  expect(total).toBe(newestFirst(isThere).length);
});
