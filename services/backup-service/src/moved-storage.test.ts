/** Storages that move, and how that is proven, asked over gRPC. */
import {
  type RemoveGrant,
  ReportPresenceRequest,
  TaskStanding,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/executor_service';
import { PlanRestoreRequest } from '@tidemark/protocol/grpc/tidemark/backup/v1/restore_service';
import { describe, expect, it } from 'vitest';
import { bucket, bucketOf, FAILED, MINE, movingStorages, OTHER, prefixOf, ROOT } from './testing/moving-storages.ts';

const { service, register, claimSoon, start, good, failRemoval, removalOf, sayMoved, tell, proveMoved } =
  movingStorages();

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

  it('is followed by the plan of a restore: its command line names the place of today', async () => {
    const storage = await register();
    const { id: backupId, path } = await good(storage, MINE);
    const report = { instance: 'planner-0123456789abcdef', worker: 'planner', pool: 'default', slots: 1, freeSlots: 1 };
    await service().executor.reportPresence(ReportPresenceRequest.create({ ...report, brVersions: ['v8.5.0'] }));
    const targetClusterId = await storage.cluster();
    const place = async () => {
      const request = PlanRestoreRequest.create({ backupId, targetClusterId });
      const { plan } = await service().restores.planRestore(request);
      return plan?.argv.find((argument) => argument.startsWith('s3://'));
    };
    expect(await place()).toContain('s3://one/');
    await storage.put(bucket('two'));
    await proveMoved(storage.id, MINE, [path]);
    expect(await place()).toContain('s3://two/');
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
    await service().executor.settleMarker({ holder: { $case: 'task', value: task }, number: MINE });
    await service().executor.releaseTask({ task, strayPath: '' });
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
    await service().executor.completeTask({
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
    await service().executor.releaseTask({ task, strayPath: '' });
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
    const recorded = service().db.collection('storage_markers').find({ storageId: storage.id, kind: 'move' });
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
    const asked = await service().executor.settleMarker({ holder: { $case: 'check', value: probe.check }, number: '' });
    expect(asked).toMatchObject({ number: '', backups: [path] });
  });

  it('is known by the number that was proven, in place of one that a check wrote before the files came', async () => {
    const storage = await register();
    const { id } = await good(storage, MINE);
    await storage.put(bucket('two'));
    const plain = await sayMoved(storage.id, false);
    expect(plain.grant.move).toBeUndefined();
    await service().executor.settleMarker({ holder: { $case: 'check', value: plain.check }, number: OTHER });
    const { answers } = await proveMoved(storage.id, MINE);
    expect(answers).toMatchObject([{ proven: true, number: MINE }]);
    expect((await removalOf(id)).marker?.number).toBe(MINE);
  });
});
