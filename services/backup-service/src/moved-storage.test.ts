/** Credentials that are renamed and storages that move: what workers are granted for older backups, asked over gRPC. */
import { randomUUID } from 'node:crypto';
import { type Backup, DeletionState } from '@tidemark/protocol/grpc/tidemark/backup/v1/backup';
import {
  type BackupGrant,
  type CheckGrant,
  type CheckRef,
  type RemoveGrant,
  RenewTaskRequest,
  type SettleMoveResponse,
  type TaskRef,
  TaskStanding,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/executor_service';
import { CheckStep, Cluster, S3Location, Storage } from '@tidemark/protocol/grpc/tidemark/backup/v1/registry_service';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { runningService, type TestService, wishFor } from './testing/running-service.ts';

let service: TestService;
beforeAll(async () => {
  service = await runningService();
});
afterAll(() => service[Symbol.asyncDispose]());

const ROOT = 'nfs/em/backup';
const MINE = 'f'.repeat(32);
const OTHER = '0'.repeat(32);
const FAILED = { code: 'REMOVE_FAILED', message: 'The files could not be removed: no way in.', detail: '' };
const worker = { worker: 'w1', pool: 'default', instance: '' };

const bucket = (name: string, envPrefix = 'OLD_', fields: Partial<S3Location> = {}): Partial<Storage> => ({
  location: { $case: 's3', value: S3Location.create({ bucket: name, ...fields }) },
  credentials: { source: { $case: 'envPrefix', value: envPrefix } },
});

/** A storage of a new name in the bucket `one`, and a cluster that uses it. */
async function register() {
  const id = `s-${randomUUID().slice(0, 8)}`;
  const put = (where: Partial<Storage>) => service.registry.putStorage({ storage: Storage.create({ id, ...where }) });
  await put(bucket('one'));
  const cluster = async () => {
    const clusterId = `c-${randomUUID().slice(0, 8)}`;
    await service.registry.putCluster({
      cluster: Cluster.create({ id: clusterId, pd: ['127.0.0.1:2379'], storageId: id }),
    });
    return clusterId;
  };
  return { id, put, cluster };
}
type Registered = Awaited<ReturnType<typeof register>>;

interface Granted {
  readonly task: TaskRef;
  readonly value: BackupGrant | RemoveGrant;
}

async function claimTask(backupId: string, claim: string = randomUUID()): Promise<Granted> {
  const { grant } = await service.executor.claimTask({ backupId, claim, ...worker, outOfReach: [] });
  if (!grant) throw new Error('no grant');
  return { task: { backupId, claim, fence: grant.value.fence }, value: grant.value };
}
/** Claims as soon as that may be done. */
const claimSoon = (id: string) => vi.waitFor(() => claimTask(id), { timeout: 10_000 });

async function start(clusterId: string): Promise<Granted> {
  const { backup } = await service.backups.startBackup(wishFor(clusterId));
  return claimTask(backup?.id ?? '');
}

/** A good backup of a cluster of its own; `marker` is what lies in its storage. */
async function good({ cluster }: Registered, marker = ''): Promise<Backup> {
  const { task } = await start(await cluster());
  if (marker !== '') await service.executor.settleMarker({ holder: { $case: 'task', value: task }, number: marker });
  const result = { tso: 5n, sizeBytes: 7n, files: 1n, tidbClusterId: 1n, clusterVersion: '8.5.0', remark: '' };
  await service.executor.completeTask({ task, outcome: { $case: 'succeeded', value: { result, exitSeen: false } } });
  return show(task.backupId);
}

async function show(id: string): Promise<Backup> {
  const { backup } = await service.backups.getBackup({ id });
  if (!backup) throw new Error('there is no backup');
  return backup;
}

const remove = (id: string) =>
  service.backups.deleteBackup({ id, clusterId: '', reason: '', byRetention: false, forget: false });

/** Asks for the deletion of a backup, and has the first try fail. */
async function failRemoval(id: string): Promise<Backup> {
  await remove(id);
  const { task } = await claimSoon(id);
  await service.executor.completeTask({ task, outcome: { $case: 'removeFailed', value: { reason: FAILED } } });
  return show(id);
}

/** What is granted for the removal of a backup, which is then given back. */
async function removalOf(id: string): Promise<RemoveGrant> {
  await remove(id);
  const { task, value } = await claimSoon(id);
  await service.executor.releaseTask({ task, strayPath: '' });
  return value as RemoveGrant;
}

const bucketOf = ({ storage }: { storage: Storage | undefined }) =>
  storage?.location?.$case === 's3' ? storage.location.value.bucket : undefined;
const prefixOf = ({ storage }: { storage: Storage | undefined }) => storage?.credentials?.source?.value;

interface Probe {
  readonly check: CheckRef;
  readonly grant: CheckGrant;
}

/** Says that a storage was moved, and claims the check. */
async function sayMoved(storageId: string, moved = true): Promise<Probe> {
  const enough = new AbortController();
  const wish = { storageId, pool: '', adopt: false, moved };
  const answer = service.registry.checkStorage(wish, { timeoutMs: 60_000, signal: enough.signal });
  answer.catch(() => undefined);
  const checks = service.db.collection<{ _id: string }>('checks');
  const checkId = await vi.waitFor(
    async () => {
      const found = await checks.findOne({ storageId, state: 'Queued', part: { $exists: false } });
      if (!found) throw new Error('not asked yet');
      return found._id;
    },
    { timeout: 30_000 },
  );
  enough.abort();
  await expect(answer).rejects.toThrow();
  const claim = randomUUID();
  const { grant } = await service.executor.claimCheck({ checkId, claim, ...worker });
  if (!grant) throw new Error('no grant');
  return { check: { checkId, claim, fence: grant.fence }, grant };
}

const tell = ({ check }: Probe, place: string, number: string, backups: string[] = []): Promise<SettleMoveResponse> =>
  service.executor.settleMove({ check, place, number, backups });

/** Says that a storage was moved, and tells of all older places what was found: all of the good backups, unless said otherwise. */
async function proveMoved(storageId: string, number: string, found?: string[]) {
  const probe = await sayMoved(storageId);
  const answers: SettleMoveResponse[] = [];
  for (const { place, backups } of probe.grant.move?.places ?? [])
    answers.push(await tell(probe, place, number, found ?? backups));
  return { probe, answers };
}

describe('credentials that were renamed', () => {
  it('are used for older backups too, and so is all of the way in, at each grant', async () => {
    const storage = await register();
    const { id } = await good(storage);
    const interrupted = await start(await storage.cluster());
    const before = interrupted.value.storageDigest;
    const fields = { region: 'eu-1', storageClass: 'GLACIER', forcePathStyle: false };
    await storage.put({ ...bucket('one', 'NEW_', fields), sendCredentialsToTikv: false });
    const { value: repeated } = await claimTask(interrupted.task.backupId, interrupted.task.claim);
    expect(prefixOf(repeated), 'the same claim, whose first answer may have been lost').toBe('NEW_');
    await service.executor.releaseTask({ task: interrupted.task, strayPath: '' });
    const { value: later } = await claimSoon(interrupted.task.backupId);
    for (const granted of [later, await removalOf(id)]) {
      expect(granted.storage).toMatchObject({
        id: storage.id,
        location: { value: { bucket: 'one', region: 'eu-1', storageClass: '', forcePathStyle: false } },
        credentials: { source: { $case: 'envPrefix', value: 'NEW_' } },
        sendCredentialsToTikv: false,
      });
      expect(granted.storageDigest, 'to the workers it is another storage').not.toBe(before);
    }
  });

  it('have a removal that failed go on at once, and one that is asked for again', async () => {
    const storage = await register();
    const [waiting, asked] = [await good(storage), await good(storage)];
    expect(await failRemoval(waiting.id)).toMatchObject({
      deletion: { state: DeletionState.DELETION_STATE_DELETE_FAILED, error: FAILED.message },
    });
    await failRemoval(asked.id);
    await expect(claimTask(waiting.id), 'the pause is a minute').rejects.toThrow('no grant');
    await storage.put(bucket('one', 'NEW_'));
    expect(prefixOf((await claimSoon(waiting.id)).value)).toBe('NEW_');
    expect(prefixOf(await removalOf(asked.id))).toBe('NEW_');
  });

  it('let a worker have the task that could not reach the storage by the old ones', async () => {
    const storage = await register();
    const { task, value } = await start(await storage.cluster());
    const told = {
      storageId: storage.id,
      storageDigest: value.storageDigest,
      reason: FAILED,
      passing: false,
      seconds: 1,
    };
    const claim = (outOfReach: (typeof told)[]) => {
      const asks = {
        backupId: task.backupId,
        claim: randomUUID(),
        worker: 'w2',
        pool: 'default',
        instance: 'i2'.padEnd(16, '-'),
      };
      return service.executor.claimTask({ ...asks, outOfReach });
    };
    const free = {
      instance: 'i3'.padEnd(16, '-'),
      worker: 'w3',
      pool: 'default',
      slots: 1,
      freeSlots: 1,
      draining: false,
    };
    await service.executor.reportPresence({ ...free, brVersions: [], running: [], outOfReach: [] });
    await service.executor.releaseTask({ task, strayPath: '' });
    expect((await claim([told])).grant, 'another one may have it').toBeUndefined();
    await storage.put(bucket('one', 'NEW_'));
    await vi.waitFor(async () => expect((await claim([told])).grant).toBeDefined(), { timeout: 10_000 });
  });
});

describe('a storage that is registered at another place', () => {
  it('leaves older backups where they are, with the old way in, and says so where that fails', async () => {
    const storage = await register();
    const { id } = await good(storage);
    await storage.put(bucket('two', 'NEW_'));
    const granted = await removalOf(id);
    expect([bucketOf(granted), prefixOf(granted)]).toEqual(['one', 'OLD_']);
    const { deletion } = await failRemoval(id);
    expect(deletion?.error).toContain(`${FAILED.message} Storage ${storage.id} is s3://two today`);
    expect(deletion?.error).toContain('s3://one');
    expect(deletion?.error).toContain(`POST /storages/${storage.id}/check and {"moved": true}`);
  });

  it('says so of a good backup of which nothing was found, too', async () => {
    const storage = await register();
    const { id, path } = await good(storage);
    await storage.put(bucket('two'));
    await remove(id);
    const { task } = await claimSoon(id);
    const value = { paths: [path], bytes: 0n, remark: '', empty: [path] };
    await service.executor.completeTask({ task, outcome: { $case: 'removed', value } });
    expect((await show(id)).deletion).toMatchObject({
      errorCode: 'FILES_GONE',
      error: expect.stringMatching(/Nothing of this good backup was found.*\{"moved": true\}/),
    });
  });

  it('has no part of that in what it tells of failures at its own place', async () => {
    const storage = await register();
    const { id } = await good(storage);
    await storage.put(bucket('one', 'NEW_'));
    expect((await failRemoval(id)).deletion?.error).toBe(FAILED.message);
  });
});

describe('a storage that was moved', () => {
  it('is followed by its backups once all of the good ones were found there, and says how many; a removal that failed goes on', async () => {
    const storage = await register();
    const [one, two] = [await good(storage, MINE), await good(storage, MINE)];
    await storage.put(bucket('two', 'NEW_'));
    await failRemoval(one.id);
    const probe = await sayMoved(storage.id);
    expect(probe.grant.move?.places).toEqual([
      { place: expect.any(String), root: ROOT, number: MINE, backups: expect.arrayContaining([one.path, two.path]) },
    ]);
    const [{ place } = { place: '' }] = probe.grant.move?.places ?? [];
    const answer = await tell(probe, place, MINE, [two.path, one.path]);
    expect(answer).toEqual({
      standing: TaskStanding.TASK_STANDING_HELD,
      proven: true,
      message: expect.stringContaining('s3://one (2 backups below nfs/em/backup) is here: its marker has the number'),
      number: MINE,
    });
    expect(answer.message).toContain('2 of the newest 2 good backups were found');
    const removal = (await claimSoon(one.id)).value as RemoveGrant;
    expect(removal).toMatchObject({ paths: [one.path], marker: { number: MINE, adopt: false } });
    for (const granted of [removal, await removalOf(two.id)])
      expect([bucketOf(granted), prefixOf(granted)]).toEqual(['two', 'NEW_']);
    await storage.put(bucket('two', 'NEWEST_'));
    expect(prefixOf(await removalOf(two.id)), 'with the way in of today').toBe('NEWEST_');
  });

  it('is followed where a good backup was found there, whatever marker lies there', async () => {
    for (const [known, found] of [
      ['', ''],
      ['', OTHER],
      [MINE, ''],
      [MINE, OTHER],
    ] as const) {
      const storage = await register();
      const { id, path } = await good(storage, known);
      await storage.put(bucket('two'));
      const { answers } = await proveMoved(storage.id, found, [path]);
      expect(answers, `${known}, ${found}`).toMatchObject([{ proven: true, number: found }]);
      expect(bucketOf(await removalOf(id))).toBe('two');
    }
  });

  it('is not believed while a good backup is missing, whatever marker lies there: the copy may be under way', async () => {
    const storage = await register();
    const [one, two] = [await good(storage, MINE), await good(storage, MINE)];
    await storage.put(bucket('two'));
    for (const [number, found] of [
      [MINE, []],
      [MINE, [two.path]],
      ['', [two.path]],
    ] as const) {
      const { answers } = await proveMoved(storage.id, number, [...found]);
      const missing = found.length === 0 ? two.path : one.path;
      expect(answers, `${number}, ${found}`).toMatchObject([
        {
          proven: false,
          message: expect.stringContaining(
            `Not all of it is here yet: ${found.length} of the newest 2 good backups were found, such as ${missing} is missing; finish the copy and check again.`,
          ),
        },
      ]);
    }
    expect(bucketOf(await removalOf(one.id))).toBe('one');
    expect((await proveMoved(storage.id, '')).answers).toMatchObject([{ proven: true }]);
  });

  it('is followed by its marker alone where no good backup is on record', async () => {
    const storage = await register();
    const { task } = await start(await storage.cluster());
    await service.executor.settleMarker({ holder: { $case: 'task', value: task }, number: MINE });
    await service.executor.releaseTask({ task, strayPath: '' });
    await storage.put(bucket('two'));
    expect((await proveMoved(storage.id, OTHER)).answers).toMatchObject([{ proven: false }]);
    expect((await proveMoved(storage.id, MINE)).answers).toMatchObject([{ proven: true }]);
    expect(bucketOf((await claimSoon(task.backupId)).value)).toBe('two');
  });

  it('is proven also where all its backups wait for their removal already', async () => {
    const storage = await register();
    const { id, path } = await good(storage);
    await failRemoval(id);
    await storage.put(bucket('two'));
    const { answers } = await proveMoved(storage.id, '', [path]);
    expect(answers).toMatchObject([{ proven: true }]);
    expect(bucketOf((await claimSoon(id)).value)).toBe('two');
  });

  it('is not believed where neither was found: it is said what was looked for and what to do, and nothing is recorded', async () => {
    const storage = await register();
    const { id, path } = await good(storage, MINE);
    await storage.put(bucket('two'));
    for (const [number, foreign] of [
      ['', []],
      [OTHER, ['nfs/em/backup/c1/2026-01-01-00-00-00-full']],
    ] as const) {
      const { answers } = await proveMoved(storage.id, number, [...foreign]);
      expect(answers).toMatchObject([{ proven: false, number: '' }]);
      const { message } = answers[0] ?? { message: '' };
      expect(message).toContain('Nothing shows that what was in s3://one (1 backups below nfs/em/backup) is here');
      expect(message).toContain(`Looked for: the marker ${ROOT}/.tidemark/${storage.id}.json`);
      expect(message).toContain(path);
      expect(message).toContain(number === '' ? 'Found: no marker' : 'Found: a marker with another number');
      expect(message).toContain('Copy the files');
    }
    expect(bucketOf(await removalOf(id))).toBe('one');
  });

  it('is not believed of a place of which nothing is known that could be found', async () => {
    const storage = await register();
    const { task } = await start(await storage.cluster());
    await service.executor.completeTask({
      task,
      outcome: { $case: 'failed', value: { class: 1, reason: FAILED, delaySeconds: undefined } },
    });
    await storage.put(bucket('two'));
    const { answers } = await proveMoved(storage.id, OTHER);
    expect(answers).toMatchObject([{ proven: false, message: expect.stringContaining('nothing could show it') }]);
  });

  it('is not followed while a worker is at a backup of the older place', async () => {
    const storage = await register();
    const { id } = await good(storage, MINE);
    const { task } = await start(await storage.cluster());
    await storage.put(bucket('two'));
    const busy = await proveMoved(storage.id, MINE);
    expect(busy.answers).toMatchObject([
      { proven: false, message: expect.stringContaining(`A worker is at backup ${task.backupId} in s3://one`) },
    ]);
    expect(bucketOf(await removalOf(id))).toBe('one');
    await service.executor.releaseTask({ task, strayPath: '' });
    expect((await proveMoved(storage.id, MINE)).answers).toMatchObject([{ proven: true }]);
    expect(bucketOf((await claimSoon(task.backupId)).value), 'goes on where its storage is').toBe('two');
  });

  it('is not followed to where it is not registered any more when that is proven', async () => {
    const storage = await register();
    const { id } = await good(storage, MINE);
    await storage.put(bucket('two'));
    const probe = await sayMoved(storage.id);
    await storage.put(bucket('three'));
    const [{ place, backups } = { place: '', backups: [] }] = probe.grant.move?.places ?? [];
    expect(await tell(probe, place, MINE, backups)).toMatchObject({
      proven: false,
      message: expect.stringContaining('was registered elsewhere while it was checked'),
    });
    expect(bucketOf(await removalOf(id))).toBe('one');
  });

  it('answers a repeat as the first time, also where it is registered elsewhere by now', async () => {
    const storage = await register();
    const backup = await good(storage, MINE);
    await storage.put(bucket('two'));
    const { probe, answers } = await proveMoved(storage.id, MINE);
    expect(answers).toMatchObject([{ proven: true }]);
    await storage.put(bucket('three'));
    const [{ place = '', backups = [] } = {}] = probe.grant.move?.places ?? [];
    expect(await tell(probe, place, MINE, backups)).toEqual(answers[0]);
    expect(bucketOf(await removalOf(backup.id))).toBe('two');
  });

  it('is recorded once, however many workers and checks prove it; then there is nothing left to move', async () => {
    const storage = await register();
    await good(storage, MINE);
    await storage.put(bucket('two'));
    const [first, second] = [await sayMoved(storage.id), await sayMoved(storage.id)];
    const [{ place, backups } = { place: '', backups: [] }] = first.grant.move?.places ?? [];
    const answers = await Promise.all([first, first, second].map((probe) => tell(probe, place, MINE, backups)));
    expect(answers).toMatchObject([{ proven: true }, { proven: true }, { proven: true }]);
    const recorded = service.db.collection('storage_markers').find({ storageId: storage.id, kind: 'move' });
    expect((await recorded.toArray()).length).toBe(1);
    expect((await sayMoved(storage.id)).grant.move?.places).toEqual([]);
    await expect(tell(first, 'nowhere', MINE)).rejects.toMatchObject({ code: 'invalid_argument' });
  });

  it('can be moved on, and back again, and be registered where it was: each backup is where it was moved last', async () => {
    const storage = await register();
    const first = await good(storage, MINE);
    await storage.put(bucket('two'));
    await proveMoved(storage.id, MINE);
    await storage.put(bucket('three'));
    expect(bucketOf(await removalOf(first.id)), 'not moved on yet').toBe('two');
    await proveMoved(storage.id, MINE);
    expect(bucketOf(await removalOf(first.id))).toBe('three');

    await storage.put(bucket('one'));
    const again = await good(storage);
    expect(bucketOf(await removalOf(again.id)), 'made there anew').toBe('one');
    expect(bucketOf(await removalOf(first.id)), 'nobody said that it was moved back').toBe('three');
    await proveMoved(storage.id, MINE);
    expect(bucketOf(await removalOf(first.id))).toBe('one');

    await storage.put(bucket('two'));
    const { probe } = await proveMoved(storage.id, MINE);
    expect(probe.grant.move?.places, 'all of it is in one place').toHaveLength(1);
    for (const { id } of [first, again]) expect(bucketOf(await removalOf(id))).toBe('two');
  });

  it('with another root is known by the marker below the root that its backups have', async () => {
    const storage = await register();
    const before = await good(storage, MINE);
    await storage.put({ ...bucket('one', 'NEW_'), root: 'new/root' });
    expect(await removalOf(before.id), 'another root is no other place').toMatchObject({
      paths: [before.path],
      marker: { number: MINE },
      storage: { credentials: { source: { value: 'NEW_' } } },
    });
    const after = await good(storage, OTHER);
    expect(after.path).toMatch(/^new\/root\//);

    await storage.put({ ...bucket('two'), root: 'newer/root' });
    const probe = await sayMoved(storage.id);
    const places = probe.grant.move?.places ?? [];
    expect(places.map(({ root, number, backups }) => [root, number, backups]).sort()).toEqual([
      ['new/root', OTHER, [after.path]],
      [ROOT, MINE, [before.path]],
    ]);
    const placeOf = (wanted: string) => places.find(({ root }) => root === wanted)?.place ?? '';
    expect(await tell(probe, placeOf(ROOT), OTHER), 'the number of the other root').toMatchObject({ proven: false });
    expect(await tell(probe, placeOf(ROOT), MINE, [before.path])).toMatchObject({ proven: true, number: MINE });
    expect(await removalOf(before.id)).toMatchObject({ paths: [before.path], marker: { number: MINE } });
    expect(bucketOf(await removalOf(before.id))).toBe('two');
    expect(bucketOf(await removalOf(after.id)), 'of its root nothing was proven').toBe('one');
  });

  it('counts its backups among the good ones that must be there where a marker is to be written', async () => {
    const storage = await register();
    const { path } = await good(storage);
    await storage.put(bucket('two'));
    const { probe } = await proveMoved(storage.id, '', [path]);
    const asked = await service.executor.settleMarker({ holder: { $case: 'check', value: probe.check }, number: '' });
    expect(asked).toMatchObject({ number: '', backups: [path] });
  });

  it('is known by the number that was proven, in place of one that a check wrote before the files came', async () => {
    const storage = await register();
    const { id } = await good(storage, MINE);
    await storage.put(bucket('two'));
    const plain = await sayMoved(storage.id, false);
    expect(plain.grant.move).toBeUndefined();
    await service.executor.settleMarker({ holder: { $case: 'check', value: plain.check }, number: OTHER });
    const { answers } = await proveMoved(storage.id, MINE);
    expect(answers).toMatchObject([{ proven: true, number: MINE }]);
    expect((await removalOf(id)).marker?.number).toBe(MINE);
  });
});

describe('a removal that finds nothing where its storage was moved', () => {
  const endRemoval = ({ task }: Granted, path: string, empty: string[]) => {
    const value = { paths: [path], bytes: 0n, remark: '', empty };
    return service.executor.completeTask({ task, outcome: { $case: 'removed', value } });
  };
  /** A backup whose removal had begun in the bucket `one`, when the storage was moved to the bucket `two`. */
  async function moved() {
    const storage = await register();
    const { id, path } = await good(storage, MINE);
    await remove(id);
    const before = await claimSoon(id);
    await announce(before, path);
    await service.executor.completeTask({
      task: before.task,
      outcome: { $case: 'removeFailed', value: { reason: FAILED } },
    });
    await storage.put(bucket('two'));
    expect((await proveMoved(storage.id, MINE)).answers).toMatchObject([{ proven: true }]);
    return { storage, id, path };
  }
  const announce = ({ task }: Granted, path: string) =>
    service.executor.renewTask(RenewTaskRequest.create({ task, removing: [path] }));

  it('fails, although it had begun at the older place, where files may remain', async () => {
    const { storage, id, path } = await moved();
    for (const prefix of ['NEW_', 'NEWER_']) {
      await endRemoval(await claimSoon(id), path, [path]);
      expect(await show(id)).toMatchObject({
        deletion: {
          state: DeletionState.DELETION_STATE_DELETE_FAILED,
          errorCode: 'FILES_GONE',
          error: expect.stringMatching(/where its storage was moved to.*It may remain in s3:\/\/one/),
        },
      });
      await storage.put(bucket('two', prefix));
    }
  });

  it('is done where it has begun there', async () => {
    const { id, path } = await moved();
    const interrupted = await claimSoon(id);
    await announce(interrupted, path);
    await service.executor.releaseTask({ task: interrupted.task, strayPath: '' });
    await endRemoval(await claimSoon(id), path, [path]);
    const kept = await service.db.collection<{ _id: string }>('backups').findOne({ _id: id });
    expect(kept).toMatchObject({ deletion: { state: 'Deleted' } });
  });
});

describe('the check of a move', () => {
  it('is of an adoption or of a move, and not of both', async () => {
    const { id: storageId } = await register();
    await expect(
      service.registry.checkStorage({ storageId, pool: '', adopt: true, moved: true }),
    ).rejects.toMatchObject({ code: 'invalid_argument', details: { fields: [{ field: 'moved' }] } });
  });

  it('is not fine if its worker is of an earlier version, which does not look for it', async () => {
    const storage = await register();
    await good(storage, MINE);
    await storage.put(bucket('two'));
    const { check } = await sayMoved(storage.id);
    const steps = [CheckStep.create({ name: 'marker', ok: true, message: 'fine' })];
    await service.executor.completeCheck({ check, ok: true, steps, totalSteps: 1 });
    const { check: told } = await service.registry.getStorageCheck({ id: check.checkId });
    expect(told).toMatchObject({ ok: false, totalSteps: 2 });
    expect(told?.steps.at(-1)).toMatchObject({
      name: 'moved',
      ok: false,
      message: expect.stringContaining('update it'),
    });
  });

  it('is settled by who holds it alone', async () => {
    const storage = await register();
    await good(storage, MINE);
    await storage.put(bucket('two'));
    const probe = await sayMoved(storage.id);
    const [{ place } = { place: '' }] = probe.grant.move?.places ?? [];
    const lost = { ...probe, check: { ...probe.check, fence: 99n } };
    expect(await tell(lost, place, MINE)).toMatchObject({ standing: TaskStanding.TASK_STANDING_LOST, proven: false });
    await expect(tell(probe, place, 'none')).rejects.toMatchObject({ code: 'invalid_argument' });
  });
});
