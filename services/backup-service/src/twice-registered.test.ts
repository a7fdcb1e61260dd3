/** One real cluster under two registrations: who may have it, over the real calls and database (occupants.ts, O1 to O4). */
import { randomUUID } from 'node:crypto';
import { BackupOrigin, BackupState } from '@tidemark/protocol/grpc/tidemark/backup/v1/backup';
import { ClusterPurpose } from '@tidemark/protocol/grpc/tidemark/backup/v1/registry_service';
import { RestoreEndKind, RestoreState, TargetState } from '@tidemark/protocol/grpc/tidemark/backup/v1/restore';
import { StartRestoreRequest } from '@tidemark/protocol/grpc/tidemark/backup/v1/restore_service';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { restoreCalls } from './testing/restore-calls.ts';
import { wishFor } from './testing/running-service.ts';

const calls = restoreCalls();
const { service, claim, target, goodBackup, plan, startRestore, read, working, holds, targetFree, alsoAs } = calls;
let backupId: string;
beforeEach(() => {
  backupId = calls.backupId();
});

describe('a real cluster that is registered twice', () => {
  const same = () => ({ pd: [`other-${target.id}:2379`, `${target.id.toUpperCase()}:3379`] });

  it('takes no two restores at once, and says by which of its names it is taken', async () => {
    const id = await startRestore();
    await alsoAs(same(), async (first) => {
      expect(await targetFree()).toMatchObject({ result: 'blocked', message: expect.stringContaining(id) });
      await expect(startRestore({ acknowledge: ['targetFree'] })).rejects.toMatchObject({
        code: 'cluster_busy',
        message: expect.stringContaining(`are one (both have the PD ${first}:3379), and restore ${id} is under way`),
        details: { info: { restoreId: id } },
      });
      await service().restores.cancelRestore({ id, reason: '' });
      expect(await startRestore()).not.toBe(id);
    });
  });

  it('is not backed up by any name while a restore has it, nor before a Partial one is released', async () => {
    const id = await startRestore();
    const worker = await working(id);
    await worker.starts();
    await alsoAs(same(), async () => {
      const backup = () => service().backups.startBackup(wishFor(target.id));
      await expect(backup()).rejects.toMatchObject({ code: 'cluster_busy', details: { info: { restoreId: id } } });
      // What a window is told is shown to whoever sees its cluster alone.
      const scheduled = { ...wishFor(target.id), origin: BackupOrigin.BACKUP_ORIGIN_SCHEDULE };
      await expect(service().backups.startBackup(scheduled)).rejects.toMatchObject({
        code: 'cluster_busy',
        message: expect.not.stringContaining(id),
        details: { info: expect.not.objectContaining({ restoreId: id }) },
      });
      await service().restores.cancelRestore({ id, reason: '' });
      await worker.ends(RestoreEndKind.RESTORE_END_KIND_STOPPED);
      await expect(backup()).rejects.toMatchObject({ code: 'target_needs_cleaning' });
      await service().restores.releaseRestore({ id, targetCleaned: true, note: '', hostDead: false });
      await backup();
    });
  });

  it('is not restored into by any name while a backup is taken of it', async () => {
    await alsoAs(same(), () => service().backups.startBackup(wishFor(target.id)));
    await expect(startRestore()).rejects.toMatchObject({ code: 'cluster_busy' });
    expect(await holds()).toEqual([]);
  });

  it('is known over a chain of registrations, each of which has a PD in common with the next', async () => {
    const far = `far-${target.id}:2379`;
    await alsoAs({ pd: [`${target.id}:3379`, far] }, async () => undefined);
    await alsoAs({ pd: [far], purpose: ClusterPurpose.CLUSTER_PURPOSE_PRODUCTION }, async (first) => {
      const planned = await plan({ targetClusterId: first });
      expect(planned.target?.purpose, 'the strictest of all').toBe(ClusterPurpose.CLUSTER_PURPOSE_PRODUCTION);
      const wish = { backupId, targetClusterId: first, planHash: planned.hash, confirm: first };
      await service().restores.startRestore(StartRestoreRequest.create(wish));
      await expect(startRestore({ acknowledge: ['targetFree'] })).rejects.toMatchObject({ code: 'cluster_busy' });
      await expect(service().backups.startBackup(wishFor(target.id))).rejects.toMatchObject({ code: 'cluster_busy' });
    });
  });

  it('is known by the id that TiDB gave it too, where its names have no PD in common', async () => {
    await goodBackup({ clusterId: target.id }, { tidbClusterId: 4711n });
    await startRestore();
    await alsoAs({}, async () => {
      await goodBackup({ clusterId: target.id }, { tidbClusterId: 4711n });
      await expect(startRestore()).rejects.toMatchObject({
        code: 'cluster_busy',
        message: expect.stringContaining('TiDB calls both 4711'),
      });
    });
  });

  it('goes to one of two restores at most that are asked for in the same moment', async () => {
    const first = await startRestoreOf(target.id);
    const second = await alsoAs(same(), () => startRestoreOf(target.id));
    const asked = (await Promise.allSettled([first(), second()])).flatMap((one) =>
      one.status === 'fulfilled' ? [one.value.restore?.id ?? ''] : [],
    );
    const claimed = await Promise.all(asked.map(untilDecided));
    expect(claimed.filter((one) => one === 'granted').length).toBeLessThanOrEqual(1);
  });

  /** A start by the plan of now, to be sent later. */
  async function startRestoreOf(targetClusterId: string) {
    const { hash: planHash } = await plan({ targetClusterId });
    const wish = { backupId, targetClusterId, planHash, confirm: targetClusterId };
    return () => service().restores.startRestore(StartRestoreRequest.create(wish));
  }
  /** Whether a restore is given to a worker, or has ended before. */
  const untilDecided = (id: string) =>
    vi.waitFor(async () => {
      if ((await read(id)).state === RestoreState.RESTORE_STATE_FAILED) return 'failed';
      const wish = {
        restoreId: id,
        claim: randomUUID(),
        worker: 'w1',
        pool: 'default',
        brVersions: ['v8.5.0'],
        replaysLogs: true,
      };
      if ((await service().executor.claimRestore(wish)).grant) return 'granted';
      throw new Error('the restore still waits');
    });

  it('is given up, untouched, by a restore that finds it taken only after it was accepted', async () => {
    const id = await startRestore();
    await vi.waitFor(async () => expect(await holds()).toEqual([`restore:${id}`]));
    const records = service().db.collection<{ _id: string }>('backups');
    const { _id: _, ...stored } = (await records.findOne({ _id: id })) as unknown as {
      readonly _id: string;
      readonly restore: { readonly target: object; readonly task: object };
    };
    const late = randomUUID().replaceAll('-', '').slice(0, 22);
    const keys = { activeKey: `cluster:${late}`, slotKey: `restore:${late}`, basePath: `restore:${late}` };
    const { task, target: place } = stored.restore;
    const due = { ...task, ringAt: new Date() };
    const other = { ...stored.restore, held: false, task: due, target: { ...place, clusterId: late } };
    await records.insertOne({ ...stored, _id: late, ...keys, restore: other } as never);
    const taken = {
      state: RestoreState.RESTORE_STATE_FAILED,
      targetState: TargetState.TARGET_STATE_UNTOUCHED,
      reason: { code: 'TARGET_TAKEN', message: expect.stringContaining('and a restore has it there') },
    };
    await vi.waitFor(async () => expect(await read(late)).toMatchObject(taken), { timeout: 10_000 });
    expect((await read(id)).state).toBe(RestoreState.RESTORE_STATE_QUEUED);
  });

  it('keeps a backup waiting that was accepted in the same moment as a restore, and says why', async () => {
    const id = await startRestore();
    const { id: backup } = await calls.start();
    const records = service().db.collection<{ _id: string }>('backups');
    await records.updateOne({ _id: backup }, { $set: { 'target.pd': [`${target.id}:3379`] } });
    expect(await claim(backup)).toEqual({ grant: undefined });
    expect((await service().backups.getBackup({ id: backup })).backup).toMatchObject({
      state: BackupState.BACKUP_STATE_QUEUED,
      reason: { code: 'CLUSTER_TAKEN', message: expect.stringContaining('a restore has it there') },
    });
    await service().restores.cancelRestore({ id, reason: '' });
    expect((await claim(backup)).grant).toBeDefined();
  });
});
