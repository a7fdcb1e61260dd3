/**
 * What a worker does with files, against a real S3 server behind a proxy with each habit of the table (docs/storages.md).
 */
import { rmSync } from 'node:fs';
import { verifyBackup } from '@tidemark/backupmeta/backupmeta';
import { claimDataFolder } from '@tidemark/local-stack/data-folder';
import { HABITS, type HabitName } from '@tidemark/local-stack/object-stores/habits';
import { type OddStore, startOddStore } from '@tidemark/local-stack/object-stores/odd-store';
import { type S3Server, startS3Server } from '@tidemark/local-stack/object-stores/s3';
import { temporaryDataFolder } from '@tidemark/local-stack/temporary-data';
import { openBackupFiles } from '@tidemark/storage/backup-files';
import { type Bucket, FILE_COUNT, makeBucket, ROOT, SSTS } from '@tidemark/storage/testing/s3-bucket';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { lockedForMs } from '../br/checkpoint-lock.ts';
import { createCheckSteps } from '../check-steps.ts';
import { runCheckTask } from '../check-task.ts';
import { runRemoval } from '../testing/run-removal.ts';
import { behaviours, freshLock, rebuild } from '../testing/store-behaviours.ts';

const INSTALL_MS = 600_000;
/** So that a few files are several pages. */
const KEYS_IN_PAGE = 3;
const KEY = { accessKeyId: 'key', secretAccessKey: 'secret' };

/** With these nothing can be listed to its end. */
const HOPELESS: readonly HabitName[] = ['moreWithoutAWay', 'samePage', 'samePageInVersionOne', 'away'];
const WORKABLE = (Object.keys(HABITS) as HabitName[]).filter((name) => ![...HOPELESS, 'deletesNothing'].includes(name));
const titled = (names: readonly HabitName[]) => names.map((name) => [HABITS[name].title, name] as const);

const never = new AbortController().signal;
const stack = new AsyncDisposableStack();
let server: S3Server;
let store: OddStore;
/** One for each test, so that they know nothing of each other. */
let bucket: Bucket;

beforeAll(async () => {
  const folder = stack.adopt(temporaryDataFolder(), (path) => rmSync(path, { recursive: true, force: true }));
  const data = stack.use(await claimDataFolder(folder));
  const options = { dataDir: data.path, say: console.error, signal: AbortSignal.timeout(INSTALL_MS) };
  server = stack.use(await startS3Server(options));
  store = stack.use(await startOddStore(server.endpoint, { keysInPage: KEYS_IN_PAGE }));
}, INSTALL_MS);
afterAll(() => stack.disposeAsync());
beforeEach(async () => {
  bucket = await makeBucket(server.endpoint, store.endpoint, KEY);
});

describe.each(titled(WORKABLE))('a store that %s', (_, habit) => {
  behaviours({
    bucket: () => bucket,
    begin: () => store.takeUp(habit),
    remark: habit.startsWith('aside')
      ? expect.stringMatching(/locks objects could not be asked.* uploads that were never finished could not be asked/)
      : '',
  });
});

describe.each(titled(HOPELESS))('a store that %s', (_, habit) => {
  it('makes nothing of a backup', async () => {
    await bucket.putBackup('c1/p');
    store.takeUp(habit);
    const files = await bucket.open('c1/p');
    const trouble = { code: expect.stringMatching(/^(storage_unusable|unavailable)$/) };
    await expect(verifyBackup(files, never)).rejects.toMatchObject(trouble);
    await expect(lockedForMs(files, never)).rejects.toMatchObject({ code: 'unavailable' });
  });

  it('is not said to have lost one that was deleted', async () => {
    await bucket.putBackup('c1/p');
    store.takeUp(habit);
    expect(await runRemoval(bucket.storage, [`${ROOT}/c1/p`], bucket.env)).toMatchObject({ $case: 'removeFailed' });
    expect(await bucket.keys()).toHaveLength(FILE_COUNT);
  });

  it('is told to a person who has the records rebuilt', async () => {
    await Promise.all(SSTS.map((name) => bucket.put(`c1/a/${name}`, name)));
    await Promise.all(['1', '2', '3', '4'].map((name) => bucket.put(`c1/${name}`, 'not a backup')));
    store.takeUp(habit);
    expect((await rebuild(bucket)).steps.ok).toBe(false);
  });
});

describe('a store without habits', () => {
  it('is never asked about a key with an empty part that it did not list', async () => {
    await bucket.putBackup('c1/p');
    store.takeUp('none');
    const files = await bucket.open('c1/p');
    await lockedForMs(files, never);
    await lockedForMs(await bucket.open('c1/new'), never);
    await runRemoval(bucket.storage, [`${ROOT}/c1/p`], bucket.env);
    const named = store.requests.flatMap(({ key, query, body }) => [key, query.get('prefix') ?? '', body]);
    expect(named.filter((name) => name.replace('http://', '').includes('//'))).toEqual([]);
    expect(store.requests.length).toBeGreaterThan(5);
  });

  it('shows a lock that BR before 8.3 left below a folder without a name, and loses it with the path', async () => {
    await bucket.put('c1/p//checkpoints/backup/checkpoint.lock', freshLock());
    store.takeUp('none');
    expect(await lockedForMs(await bucket.open('c1/p'), never)).toBeGreaterThan(50_000);
    const told = await runRemoval(bucket.storage, [`${ROOT}/c1/p`], bucket.env);
    expect(told).toMatchObject({ $case: 'wait', value: { reason: { code: 'PATH_LOCKED' } } });
    await bucket.put('c1/p//checkpoints/backup/checkpoint.lock', '{"expire-at":0}');
    expect(await runRemoval(bucket.storage, [`${ROOT}/c1/p`], bucket.env)).toMatchObject({ $case: 'removed' });
    expect(await bucket.keys()).toEqual([]);
  });
});

it('asks a store that takes no deletion of many keys for one only once', async () => {
  for (const path of ['c1/p', 'c1/q']) await bucket.putBackup(path);
  store.takeUp('bulkNotImplemented');
  for (const path of ['c1/p', 'c1/q'])
    expect(await runRemoval(bucket.storage, [`${ROOT}/${path}`], bucket.env)).toMatchObject({ $case: 'removed' });
  expect(store.requests.filter(({ method }) => method === 'POST')).toHaveLength(1);
  expect(await bucket.keys()).toEqual([]);
});

it('stops at the first key that a store lets nobody delete', async () => {
  await bucket.putBackup('c1/p');
  store.takeUp('deletesNothing');
  expect(await runRemoval(bucket.storage, [`${ROOT}/c1/p`], bucket.env)).toMatchObject({
    $case: 'removeFailed',
    value: { reason: { message: expect.stringMatching(/Access to the bucket .* is denied/) } },
  });
  expect(store.requests.filter(({ method }) => method === 'DELETE')).toHaveLength(1);
  expect(await bucket.keys()).toHaveLength(FILE_COUNT);
});

it('says nothing against a backup whose backupmeta is longer than is read', async () => {
  await bucket.putBackup('c1/p');
  store.takeUp('none');
  const limit = { bytes: 20, ms: 1_000, setting: 'TIDEMARK_BACKUPMETA_BYTES' };
  await expect(verifyBackup(await bucket.open('c1/p'), never, { limit })).rejects.toMatchObject({
    code: 'storage_unusable',
    message: expect.stringMatching(
      /backupmeta could not be read: .* more than 20 bytes.*raise TIDEMARK_BACKUPMETA_BYTES/,
    ),
  });
});

describe('a check of a storage with a class for backups', () => {
  const check = async (storageClass: string, habit: HabitName) => {
    store.takeUp(habit);
    const { location } = bucket.storage;
    if (location?.$case !== 's3') throw new Error('the bucket is not one of S3');
    const storage = { ...bucket.storage, location: { ...location, value: { ...location.value, storageClass } } };
    const steps = createCheckSteps();
    await runCheckTask({ checkId: 'check-1', storage, env: bucket.env, steps, lost: never, drain: never });
    return steps;
  };

  it('says that the store does not know it', async () => {
    const { ok, kept } = await check('NO_SUCH', 'unknownClass');
    expect(ok).toBe(false);
    expect(kept.at(-1)).toMatchObject({
      name: 'write',
      message: expect.stringMatching(/knows no storage class "NO_SUCH" for the bucket .*: correct the storage/),
    });
  });

  it('says that what is in an archive cannot be read back, and leaves no probe there', async () => {
    const { ok, kept } = await check('GLACIER', 'none');
    expect(ok).toBe(false);
    expect(kept.at(-1)).toMatchObject({
      name: 'read',
      message: expect.stringContaining('Files of the storage class "GLACIER" cannot be read'),
    });
    expect(await bucket.keys()).toEqual([]);
  });

  it('is fine with one that can be read at once', async () => {
    expect((await check('STANDARD_IA', 'none')).ok).toBe(true);
  });
});

it('keeps a backup below a prefix of any letters', async () => {
  store.takeUp('none');
  const { location } = bucket.storage;
  if (location?.$case !== 's3') throw new Error('the bucket is not one of S3');
  const prefix = 'team ä/a+b%20c';
  const storage = { ...bucket.storage, location: { ...location, value: { ...location.value, prefix } } };
  const files = await openBackupFiles(storage, `${ROOT}/c1/p`, bucket.env);
  await files.write('tidemark.json', '{}', never);
  expect(await Array.fromAsync(files.list(never))).toMatchObject([{ name: 'tidemark.json' }]);
  expect(String(await files.read('tidemark.json', never))).toBe('{}');
  expect(await runRemoval(storage, [`${ROOT}/c1/p`], bucket.env)).toMatchObject({ $case: 'removed' });
});
