/** The life of a restore over the real calls and database: what workers and people do, and what is told of it. */
import { randomUUID } from 'node:crypto';
import { BackupState } from '@tidemark/protocol/grpc/tidemark/backup/v1/backup';
import { ReportPresenceRequest, TaskStanding } from '@tidemark/protocol/grpc/tidemark/backup/v1/executor_service';
import {
  RestoreChecksums,
  RestoreEndKind,
  RestoreState,
  TargetLook,
  TargetState,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/restore';
import { ListRestoresRequest } from '@tidemark/protocol/grpc/tidemark/backup/v1/restore_service';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { restoreCalls } from './testing/restore-calls.ts';
import { wishFor } from './testing/running-service.ts';

const calls = restoreCalls();
const {
  service,
  cluster,
  rung,
  claim,
  target,
  goodBackup,
  plan,
  startRestore,
  read,
  granted,
  working,
  holds,
  targetFree,
  alsoAs,
} = calls;
let backupId: string;
beforeEach(() => {
  backupId = calls.backupId();
});

describe('a worker', () => {
  it('restores, and the target is free and the source given back', async () => {
    const id = await startRestore();
    const worker = await working(id);
    expect(worker.grant).toMatchObject({
      source: { backupId, tso: 5n },
      target: { clusterId: target.id },
      storage: { id: 'local' },
      brVersion: '',
      wasPartial: false,
    });
    expect(await worker.starts()).toMatchObject({ mayStart: true, state: RestoreState.RESTORE_STATE_RUNNING });
    expect((await read(id)).targetState).toBe(TargetState.TARGET_STATE_PARTIAL);
    const told = await worker.ends(RestoreEndKind.RESTORE_END_KIND_SUCCEEDED);
    expect(told.standing).toBe(TaskStanding.TASK_STANDING_HELD);
    expect(await read(id)).toMatchObject({
      state: RestoreState.RESTORE_STATE_SUCCEEDED,
      targetState: TargetState.TARGET_STATE_RESTORED,
      checksums: RestoreChecksums.RESTORE_CHECKSUMS_PROVEN,
      progress: { percent: 100, remainingSeconds: 0 },
    });
    expect((await worker.ends(RestoreEndKind.RESTORE_END_KIND_SUCCEEDED)).standing).toBe(
      TaskStanding.TASK_STANDING_HELD,
    );
    await vi.waitFor(async () => expect(await holds()).toEqual([]));
    await service().backups.startBackup(wishFor(target.id));
  });

  it('that has another br than the one that began is not granted it', async () => {
    const id = await startRestore();
    await vi.waitFor(() => expect(rung).toContain(id));
    const wish = {
      restoreId: id,
      claim: randomUUID(),
      worker: 'w1',
      pool: 'default',
      brVersions: [],
      replaysLogs: true,
    };
    expect((await service().executor.claimRestore(wish)).grant).toBeUndefined();
    await granted({ ...wish, claim: randomUUID(), brVersions: ['v8.5.0'], replaysLogs: true });
  });

  it('without a br that fits leaves it to those who have one, and ends it where nobody has', async () => {
    const { executor } = service();
    const pool = `pool-${randomUUID().slice(0, 8)}`;
    await calls.register({ pool });
    const report = (worker: string, brVersions: string[]) =>
      executor.reportPresence(
        ReportPresenceRequest.create({
          instance: `${worker}-${pool}-0123456789abcdef`,
          worker,
          pool,
          slots: 1,
          freeSlots: 1,
          brVersions,
        }),
      );
    const ask = (restoreId: string) =>
      executor.claimRestore({
        restoreId,
        claim: randomUUID(),
        worker: 'old',
        pool,
        brVersions: ['v7.5.0'],
        replaysLogs: true,
      });
    await report('old', ['v7.5.0']);
    await report('new', ['v8.5.0']);
    const { brVersion, argv } = await plan();
    expect([brVersion, ...argv.slice(0, 3)]).toEqual(['v8.5.0', 'restore', 'full', '--pd']);
    const id = await startRestore();
    await vi.waitFor(async () => expect(await holds()).toEqual([`restore:${id}`]));
    expect((await ask(id)).grant).toBeUndefined();
    expect(await read(id)).toMatchObject({ state: RestoreState.RESTORE_STATE_QUEUED, attempts: [] });

    await report('new', ['v7.5.1']);
    expect((await ask(id)).grant).toBeUndefined();
    expect(await read(id)).toMatchObject({
      state: RestoreState.RESTORE_STATE_FAILED,
      targetState: TargetState.TARGET_STATE_UNTOUCHED,
      reason: { code: 'NO_FITTING_BR', message: expect.stringContaining('they have v7.5.0, v7.5.1') },
    });
    await vi.waitFor(async () => expect(await holds()).toEqual([]));
    expect(await plan()).toMatchObject({
      brVersion: '',
      argv: [],
      checks: expect.arrayContaining([expect.objectContaining({ name: 'worker', result: 'blocked' })]),
    });
    await expect(startRestore()).rejects.toMatchObject({
      code: 'plan_blocked',
      details: { info: { checks: 'worker' } },
    });
    expect(await startRestore({ acknowledge: ['worker'] })).not.toBe(id);
  });

  it('that found a target that is not empty leaves it as it was', async () => {
    const id = await startRestore();
    const worker = await working(id);
    await worker.starts();
    await worker.ends(RestoreEndKind.RESTORE_END_KIND_NOT_FRESH);
    expect(await read(id)).toMatchObject({
      state: RestoreState.RESTORE_STATE_FAILED,
      targetState: TargetState.TARGET_STATE_UNTOUCHED,
    });
    await vi.waitFor(async () => expect(await holds()).toEqual([]));
  });
});

describe('a restore that ended in the middle', () => {
  async function partial(): Promise<string> {
    const id = await startRestore();
    const worker = await working(id);
    await worker.starts();
    await service().restores.cancelRestore({ id, reason: '' });
    await worker.ends(RestoreEndKind.RESTORE_END_KIND_STOPPED);
    return id;
  }

  it('says what PD showed to be left there, and leaves out what PD showed to be gone', async () => {
    const id = await startRestore();
    const worker = await working(id);
    await worker.starts();
    const at = new Date();
    const look = { at, schedulers: { names: ['balance-leader-scheduler'] }, safepoint: {}, isRegistered: false };
    await worker.ends(RestoreEndKind.RESTORE_END_KIND_DIRTY, { look: TargetLook.create(look) });
    const { cleanup } = await read(id);
    expect(cleanup.filter(({ seenTime }) => seenTime)).toMatchObject([
      { what: 'schedulersPaused', seenTime: at, message: expect.stringContaining('balance-leader-scheduler') },
    ]);
    const left = cleanup.map(({ what }) => what);
    expect(left).toContain('importMode');
    expect(left).not.toContain('serviceSafepoint');
    expect(left).not.toContain('restoreRegistration');
  });

  it('keeps its target, says what is left there, and lets a person resume it', async () => {
    const id = await partial();
    expect(await read(id)).toMatchObject({
      state: RestoreState.RESTORE_STATE_CANCELED,
      targetState: TargetState.TARGET_STATE_PARTIAL,
      resumable: true,
      advice: expect.stringContaining(`Either resume the restore, which needs br v8.5.0`),
      cleanup: expect.arrayContaining([expect.objectContaining({ what: 'tablesPartly' })]),
    });
    expect(await holds()).toEqual([`restore:${id}`]);
    await expect(service().backups.startBackup(wishFor(target.id))).rejects.toMatchObject({
      code: 'target_needs_cleaning',
    });
    await service().restores.resumeRestore({ id, hostDead: false });
    expect(await read(id)).toMatchObject({ state: RestoreState.RESTORE_STATE_QUEUED, cancellation: undefined });
    await expect(service().restores.resumeRestore({ id, hostDead: false })).rejects.toMatchObject({
      code: 'restore_active',
    });
  });

  it('is counted by metrics, with the time for which it has waited for a person', async () => {
    await partial();
    const metric = async (name: string) => {
      const text = await (await fetch(`http://${service().operations}/metrics`)).text();
      const line = text.split('\n').find((one) => one.startsWith(name));
      return Number(line?.split(' ').at(-1));
    };
    const told = { timeout: 30_000, interval: 200 };
    await vi.waitFor(
      async () => expect(await metric('tidemark_restores_open{state="Partial"}')).toBeGreaterThan(0),
      told,
    );
    expect(await metric('tidemark_restores_oldest_partial_seconds')).toBeGreaterThan(0);
  }, 60_000);

  it('hears every request of a script that sends one id with all of them, and answers repeats as the first time (R12)', async () => {
    const id = await partial();
    const { restores } = service();
    const script = { requestId: 'nightly-script' };
    const stateAfter = async (asked: Promise<{ readonly restore?: { readonly state: RestoreState } | undefined }>) =>
      (await asked).restore?.state;
    const resume = () => stateAfter(restores.resumeRestore({ id, hostDead: false }, script));
    const cancel = (reason: string) => stateAfter(restores.cancelRestore({ id, reason }, script));
    for (const round of ['first', 'second']) {
      expect(await resume()).toBe(RestoreState.RESTORE_STATE_QUEUED);
      expect(await resume()).toBe(RestoreState.RESTORE_STATE_QUEUED);
      expect(await cancel(round)).toBe(RestoreState.RESTORE_STATE_CANCELED);
      expect(await cancel(round)).toBe(RestoreState.RESTORE_STATE_CANCELED);
      expect((await read(id)).cancellation?.reason).toBe(round);
    }
    await expect(cancel('something else')).rejects.toMatchObject({ code: 'restore_over' });
    const release = (note: string) =>
      restores.releaseRestore({ id, targetCleaned: true, note, hostDead: false }, script);
    await release('dropped');
    expect((await release('dropped')).restore?.targetState).toBe(TargetState.TARGET_STATE_RELEASED);
    await expect(release('something else')).rejects.toMatchObject({ code: 'restore_over' });
  });

  it('lets go of its target once a person says that it was cleaned', async () => {
    const id = await partial();
    const release = { id, targetCleaned: true, note: 'dropped', hostDead: false };
    await service().restores.releaseRestore(release);
    expect(await read(id)).toMatchObject({
      state: RestoreState.RESTORE_STATE_CANCELED,
      targetState: TargetState.TARGET_STATE_RELEASED,
      release: { cleaned: true, note: 'dropped' },
    });
    await expect(service().restores.releaseRestore(release)).rejects.toMatchObject({ code: 'restore_over' });
    await vi.waitFor(async () => expect(await holds()).toEqual([]));
    expect(await startRestore()).not.toBe(id);
  });

  it('whose target was taken as it is keeps other restores away until that is said to be clean (R13)', async () => {
    const id = await partial();
    await service().restores.releaseRestore({ id, targetCleaned: false, note: '', hostDead: false });
    expect(await targetFree()).toMatchObject({ result: 'blocked', message: expect.stringContaining(id) });
    const refused = { code: 'target_needs_cleaning', details: { info: { restoreId: id } } };
    await expect(startRestore({ acknowledge: ['targetFree'] })).rejects.toMatchObject(refused);
    await alsoAs({ pd: [`${target.id}:3379`] }, () => expect(startRestore()).rejects.toMatchObject(refused));
    await service().restores.confirmCleaned({ id });
    const third = await startRestore();
    await vi.waitFor(async () => expect(await holds()).toEqual([`restore:${third}`]));
  });

  it('ends one that was accepted before that was known, untouched (R13)', async () => {
    const id = await partial();
    await service().restores.releaseRestore({ id, targetCleaned: false, note: '', hostDead: false });
    const records = service().db.collection<{ _id: string }>('backups');
    const write = (restore: string, fields: object) => records.updateOne({ _id: restore }, { $set: fields });
    await write(id, { 'restore.needsCleaning': false });
    const accepted = await startRestore();
    await vi.waitFor(async () => expect(await holds()).toEqual([`restore:${accepted}`]));
    await write(id, { 'restore.needsCleaning': true });
    await write(accepted, { 'restore.held': false, 'restore.task.ringAt': new Date() });
    await vi.waitFor(async () =>
      expect(await read(accepted)).toMatchObject({
        state: RestoreState.RESTORE_STATE_FAILED,
        targetState: TargetState.TARGET_STATE_UNTOUCHED,
        reason: { code: 'TARGET_NEEDS_CLEANING', message: expect.stringContaining(id) },
      }),
    );
  });
});

describe('lists', () => {
  it('show restores newest first, and backups show none of them', async () => {
    const id = await startRestore();
    const ofTarget = ListRestoresRequest.create({ clusterIds: [target.id], pageSize: 10 });
    const { restores, nextPageToken } = await service().restores.listRestores(ofTarget);
    expect(restores.map((restore) => restore.id)).toEqual([id]);
    expect(nextPageToken).toBe('');
    await expect(service().backups.getBackup({ id })).rejects.toMatchObject({ code: 'backup_not_found' });
    await expect(claim(id)).resolves.toEqual({ grant: undefined });
    const { backup } = await service().backups.getBackup({ id: backupId });
    expect(backup?.state).toBe(BackupState.BACKUP_STATE_SUCCEEDED);
  });
});

describe('a damaged record', () => {
  it('of a restore stops no list of the others', async () => {
    const id = await startRestore();
    const damaged = randomUUID();
    const records = service().db.collection<{ _id: string }>('backups');
    const keys = { activeKey: damaged, slotKey: damaged, basePath: damaged, kind: 'restore', revision: 1 };
    const restore = { target: { clusterId: target.id } };
    await records.insertOne({ _id: damaged, ...keys, restoreTime: new Date(), restore } as never);
    const ofTarget = ListRestoresRequest.create({ clusterIds: [target.id], pageSize: 10 });
    const { restores } = await service().restores.listRestores(ofTarget);
    expect(restores.map((one) => one.id)).toEqual([id]);
  });

  it('of a backup stops no list of recovery points', async () => {
    const damaged = await goodBackup();
    const records = service().db.collection<{ _id: string }>('backups');
    await records.updateOne({ _id: damaged }, { $set: { storage: null } });
    const request = { clusterId: cluster(), pageSize: 10, pageToken: '' };
    const { points, newest } = await service().backups.listRecoveryPoints(request);
    expect(points.map((point) => point.backupId)).toEqual([backupId]);
    expect(newest).toBeUndefined();
  });
});
