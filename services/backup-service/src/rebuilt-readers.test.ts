/** Records that are rebuilt while somebody reads the backup; X2 and X3 are those of `decide/rebuild.ts`. */
import { randomUUID } from 'node:crypto';
import { VerificationState } from '@tidemark/protocol/grpc/tidemark/backup/v1/backup';
import {
  CompleteTaskRequest,
  CompleteVerificationRequest,
  ManifestVerdict,
  TaskStanding,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/executor_service';
import { Cluster } from '@tidemark/protocol/grpc/tidemark/backup/v1/registry_service';
import { PlanRestoreRequest, StartRestoreRequest } from '@tidemark/protocol/grpc/tidemark/backup/v1/restore_service';
import { beforeEach, expect, it, vi } from 'vitest';
import type { Backup } from './backup.ts';
import { backupCalls } from './testing/backup-calls.ts';

const { service, cluster, start } = backupCalls();
const records = () => service().db.collection<Backup>('backups');
const result = { tso: 5n, sizeBytes: 7n, files: 1n, tidbClusterId: 1n, clusterVersion: '8.5.0', remark: '' };
const who = { worker: 'w1', pool: 'default' };
let id: string;
let path: string;

beforeEach(async () => {
  const backup = await start();
  ({ id, path } = backup);
  const claim = randomUUID();
  const { grant } = await service().executor.claimTask({ backupId: id, claim, ...who, instance: '', outOfReach: [] });
  await service().executor.completeTask(
    CompleteTaskRequest.create({
      task: { backupId: id, claim, fence: grant?.value.fence ?? 0n },
      outcome: { $case: 'succeeded', value: { result, exitSeen: true } },
    }),
  );
});

const holds = async () => (await service().backups.getBackup({ id })).backup?.holds;
const remove = () =>
  service().backups.deleteBackup({ id, clusterId: '', reason: '', byRetention: false, forget: false });

async function startRestore(): Promise<string> {
  const targetClusterId = `target-${randomUUID().slice(0, 8)}`;
  await service().registry.putCluster({
    cluster: Cluster.create({
      id: targetClusterId,
      pd: [`${targetClusterId}:3379`],
      version: '8.5.0',
      storageId: 'local',
    }),
  });
  const wish = { backupId: id, targetClusterId };
  const { plan } = await service().restores.planRestore(PlanRestoreRequest.create(wish));
  const { restore } = await service().restores.startRestore(
    StartRestoreRequest.create({ ...wish, planHash: plan?.hash ?? '', confirm: targetClusterId }),
  );
  return restore?.id ?? '';
}

const cancelRestore = (restoreId: string) => service().restores.cancelRestore({ id: restoreId, reason: '' });

/** Offers the manifest of the backup as a worker does that finds it. */
async function rebuild(): Promise<ManifestVerdict> {
  const { check } = await service().registry.rebuildRecords({ storageId: 'local', pool: '', apply: true });
  const checkId = check?.id ?? '';
  const claim = randomUUID();
  const { grant } = await service().executor.claimCheck({ checkId, claim, ...who, instance: '' });
  const held = { checkId, claim, fence: grant?.fence ?? 0n };
  const fields = { tso: '5', sizeBytes: 7, files: 1, tidbClusterId: '1', clusterVersion: '8.5.0' };
  const manifest = { schemaVersion: 1, backupId: id, clusterId: cluster(), path, ...fields };
  const { standing, verdict } = await service().executor.offerManifest({
    check: held,
    path,
    manifest: Buffer.from(JSON.stringify(manifest)),
  });
  expect(standing).toBe(TaskStanding.TASK_STANDING_HELD);
  return verdict;
}

it('is held again for restores that read it, and for none that ended (X2)', async () => {
  const [ended, running] = [await startRestore(), await startRestore()];
  await cancelRestore(ended);
  await vi.waitFor(async () => expect(await holds()).toEqual([`restore:${running}`]));
  await records().deleteOne({ _id: id });

  expect(await rebuild()).toBe(ManifestVerdict.MANIFEST_VERDICT_REBUILT);
  expect(await holds()).toEqual([`restore:${running}`]);
  expect(await records().findOne({ _id: id })).toMatchObject({ unheld: [`restore:${ended}`] });
  await expect(remove()).rejects.toMatchObject({ code: 'backup_in_use' });

  await cancelRestore(running);
  await vi.waitFor(async () => expect(await holds()).toEqual([]));
  await remove();
});

it('gives back what it took for a restore that ended while nobody looked, also by the next rebuild (X2)', async () => {
  const restore = await startRestore();
  await vi.waitFor(async () => expect(await holds()).toEqual([`restore:${restore}`]));
  await records().deleteOne({ _id: id });
  await cancelRestore(restore);
  await vi.waitFor(async () =>
    expect(
      await service().db.collection<{ _id: string; restore: object }>('backups').findOne({ _id: restore }),
    ).toMatchObject({
      restore: { task: null },
    }),
  );
  await rebuild();
  expect(await holds()).toEqual([]);
  // As a copy leaves it that dies between the insert and the second look.
  await records().updateOne(
    { _id: id },
    { $set: { holds: [`restore:${restore}`], unheld: [] }, $inc: { revision: 1 } },
  );
  expect(await rebuild()).toBe(ManifestVerdict.MANIFEST_VERDICT_KNOWN);
  expect(await holds()).toEqual([]);
});

it('is held for the verification that is under way, and takes its verdict over, which then outlives another loss (X3)', async () => {
  const { executor, backups } = service();
  await backups.verifyBackup({ id, level: 0, sample: undefined, rateLimit: 0, byRule: false });
  const claim = randomUUID();
  // It is held first, which may take a moment.
  const fence = await vi.waitFor(async () => {
    const { grant } = await executor.claimVerification({ backupId: id, claim, ...who });
    if (!grant) throw new Error('it cannot be claimed yet');
    return grant.fence;
  });
  await records().deleteOne({ _id: id });
  await rebuild();
  expect(await holds()).toEqual(['verify:1']);
  await executor.completeVerification(
    CompleteVerificationRequest.create({
      verification: { backupId: id, claim, fence },
      outcome: {
        $case: 'verified',
        value: {
          state: VerificationState.VERIFICATION_STATE_DAMAGED,
          verdict: 'The backup is damaged.',
          problems: [{ kind: 'missing', name: 'a.sst', why: 'a.sst is missing' }],
          problemCount: 1n,
        },
      },
    }),
  );
  const isDamaged = async () => (await backups.getBackup({ id })).backup?.verification?.damaged;
  await vi.waitFor(async () => expect(await holds()).toEqual([]));
  expect(await isDamaged()).toBe(true);
  await records().deleteOne({ _id: id });
  await rebuild();
  expect(await holds()).toEqual([]);
  expect(await isDamaged()).toBe(true);
  // Neither is it the newest good one.
  expect((await backups.listNewestGood({ clusterIds: [cluster()], pageToken: '' })).backups).toEqual([]);
});
