/** Verifications as people and workers see them, over the real database; Y1 to Y8 are those of `verification.ts`. */
import { randomUUID } from 'node:crypto';
import { MAX_WAITING_FOR_RULES } from '@tidemark/limits/limits';
import {
  type Backup,
  BackupOrigin,
  SignatureState,
  VerificationLevel,
  VerificationState,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/backup';
import { ListBackupsRequest } from '@tidemark/protocol/grpc/tidemark/backup/v1/backup_service';
import {
  type CompleteVerificationRequest,
  TaskStanding,
  type VerificationGrant,
  type VerificationRef,
  VerificationStanding,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/executor_service';
import { Storage } from '@tidemark/protocol/grpc/tidemark/backup/v1/registry_service';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { createFinishedBackups } from './finished-backups.ts';
import { runningService, type TestService, wishFor } from './testing/running-service.ts';
import type { Verification } from './verification.ts';

let service: TestService;
beforeAll(async () => {
  service = await runningService({
    TIDEMARK_REAPER_HEALTHY_SECONDS: '0.1',
    TIDEMARK_VERIFICATIONS_PER_STORAGE: '1',
  });
});
afterAll(() => service[Symbol.asyncDispose]());

const REQUEST = BackupOrigin.BACKUP_ORIGIN_REQUEST;
const SCHEDULE: BackupOrigin = BackupOrigin.BACKUP_ORIGIN_SCHEDULE;
const HELD = TaskStanding.TASK_STANDING_HELD;
const KEY_ID = 'a'.repeat(64);
const problem = { kind: 'content', name: '1/a.sst', why: '1/a.sst is damaged' };
const standing = (next: number) =>
  VerificationStanding.create({
    next: BigInt(next),
    files: BigInt(next),
    bytes: 100n,
    problems: [{ problem, found: 'ab'.repeat(32) }],
    problemCount: 1n,
  });

/** A good backup of a cluster of its own, in a storage of its own, as slots are of a storage. */
async function good(origin: BackupOrigin = REQUEST): Promise<Backup> {
  const storageId = `s-${randomUUID().slice(0, 8)}`;
  const location = { $case: 'local', value: { path: `/tmp/${storageId}` } } as const;
  await service.registry.putStorage({ storage: Storage.create({ id: storageId, location }) });
  return goodIn(storageId, await service.newCluster(), origin);
}

async function goodIn(storageId: string, clusterId: string, origin: BackupOrigin = REQUEST): Promise<Backup> {
  const { backup } = await service.backups.startBackup(wishFor(clusterId, { storageId, origin }));
  const backupId = backup?.id ?? '';
  const claim = randomUUID();
  const worker = { worker: 'w1', pool: 'default', instance: '', outOfReach: [] };
  const { grant } = await service.executor.claimTask({ backupId, claim, ...worker });
  const task = { backupId, claim, fence: grant?.value.fence ?? 0n };
  const result = { tso: 5n, sizeBytes: 7n, files: 1n, tidbClusterId: 1n, clusterVersion: '8.5.0', remark: '' };
  await service.executor.completeTask({
    task,
    outcome: { $case: 'succeeded', value: { result, exitSeen: true, manifestKeyId: '' } },
  });
  return show(backupId);
}

async function show(id: string): Promise<Backup> {
  const { backup } = await service.backups.getBackup({ id });
  if (!backup) throw new Error('there is no backup');
  return backup;
}

async function verify(
  id: string,
  fields: { level?: VerificationLevel; sample?: number; rateLimit?: number; byRule?: boolean } = {},
) {
  const { backup } = await service.backups.verifyBackup({
    id,
    level: 0,
    sample: undefined,
    rateLimit: 0,
    byRule: false,
    ...fields,
  });
  if (!backup?.verification) throw new Error('no verification was answered');
  return backup.verification;
}

async function claim(backupId: string): Promise<{ ref: VerificationRef; grant: VerificationGrant | undefined }> {
  const token = randomUUID();
  const { grant } = await service.executor.claimVerification({ backupId, claim: token, worker: 'w1', pool: 'default' });
  return { ref: { backupId, claim: token, fence: grant?.fence ?? 0n }, grant };
}

/** Claims it as soon as it can be. */
const begun = (backupId: string) =>
  vi.waitFor(
    async () => {
      const claimed = await claim(backupId);
      if (!claimed.grant) throw new Error('no grant');
      return { ref: claimed.ref, grant: claimed.grant };
    },
    { timeout: 10_000 },
  );

const complete = (verification: VerificationRef, outcome: CompleteVerificationRequest['outcome']) =>
  service.executor.completeVerification({ verification, outcome });
const verified = (state: VerificationState): CompleteVerificationRequest['outcome'] => {
  const isGood = state === VerificationState.VERIFICATION_STATE_GOOD;
  const problems = isGood ? [] : [problem];
  const value = {
    ...{ state, verdict: 'So it is.', problems, problemCount: BigInt(problems.length), progress: undefined },
    signature: { state: SignatureState.SIGNATURE_STATE_GOOD, keyId: KEY_ID },
  };
  return { $case: 'verified', value };
};
const GOOD = verified(VerificationState.VERIFICATION_STATE_GOOD);
const DAMAGED = verified(VerificationState.VERIFICATION_STATE_DAMAGED);
/** What is wrong with a request, by its code. */
const refused = (code: string) => expect.objectContaining({ code });
async function selected(fields: Partial<ListBackupsRequest>): Promise<Backup[]> {
  const request = { page: 1, pageSize: 100, withoutTotal: true, ...fields };
  return (await service.backups.listBackups(ListBackupsRequest.create(request))).backups;
}
const list = async (id: string) => (await selected({ id }))[0];
const remove = (id: string, byRetention = false) =>
  service.backups.deleteBackup({ id, clusterId: '', reason: 'test', byRetention, forget: false });

describe('a verification over the API', () => {
  it('is queued, done by a worker, and then stands on the record', async () => {
    const { id, path } = await good();
    expect(await verify(id, { sample: 0.5, rateLimit: 10 })).toMatchObject({
      state: VerificationState.VERIFICATION_STATE_QUEUED,
      level: VerificationLevel.VERIFICATION_LEVEL_BYTES,
      sample: 0.5,
      rateLimit: 10,
      damaged: false,
    });
    const { ref, grant } = await begun(id);
    expect(grant).toMatchObject({ path, sample: 0.5, rateLimit: 10, standing: undefined });
    const progress = { bytesRead: 40n, bytesInAll: 100n, files: 2n };
    await service.executor.renewVerification({ verification: ref, standing: standing(2), progress });
    const running = await show(id);
    expect(running).toMatchObject({
      holds: ['verify:1'],
      verification: {
        state: VerificationState.VERIFICATION_STATE_RUNNING,
        progress,
        problems: [problem],
        problemCount: 1n,
      },
    });
    expect((await list(id))?.verification).toMatchObject({ progress, problems: [], problemCount: 1n });

    expect(await complete(ref, GOOD)).toEqual({ standing: HELD });
    const over = await show(id);
    expect(over).toMatchObject({
      holds: [],
      verification: {
        state: VerificationState.VERIFICATION_STATE_GOOD,
        verdict: 'So it is.',
        signature: { state: SignatureState.SIGNATURE_STATE_GOOD, keyId: KEY_ID },
      },
    });
    expect(over.verification?.verifiedAt).toBeDefined();
    expect((await list(id))?.verification).toMatchObject({
      state: VerificationState.VERIFICATION_STATE_GOOD,
      signature: { keyId: KEY_ID },
    });
    expect(await complete(ref, GOOD), 'a repeat').toEqual({ standing: HELD });
  });

  it('that is under way is the answer to who asks for another', async () => {
    const { id } = await good();
    await verify(id, { sample: 0.5 });
    await begun(id);
    expect(await verify(id, { level: VerificationLevel.VERIFICATION_LEVEL_META })).toMatchObject({
      state: VerificationState.VERIFICATION_STATE_RUNNING,
      sample: 0.5,
    });
  });

  it('that is canceled before anybody has it is no refusal to who asked for it', async () => {
    for (let round = 0; round < 10; round += 1) {
      const { id } = await good();
      const cancel = () => service.backups.cancelVerification({ id }).catch(() => undefined);
      const asked = verify(id);
      const canceled = Array.from({ length: 10 }, cancel);
      await expect(asked).resolves.toBeDefined();
      await Promise.all(canceled);
      await cancel();
    }
  });

  it('keeps its backup from being deleted until it is over, and says so', async () => {
    const { id } = await good();
    await verify(id);
    await expect(remove(id)).rejects.toThrow(/is being verified: cancel that or wait/);
    const { ref } = await begun(id);
    await complete(ref, GOOD);
    await expect(remove(id)).resolves.toBeDefined();
    await expect(verify(id)).rejects.toEqual(refused('backup_not_good'));
  });

  it('is refused for what is no good backup, and for what cannot be', async () => {
    const clusterId = await service.newCluster();
    const { backup } = await service.backups.startBackup(wishFor(clusterId));
    await expect(verify(backup?.id ?? '')).rejects.toEqual(refused('backup_not_good'));
    await expect(verify('AAAAAAAAAAAAAAAAAAAAAA')).rejects.toEqual(refused('backup_not_found'));
    const { id } = await good();
    for (const sample of [0, -1, 1e-300, 1.5, Number.NaN])
      await expect(verify(id, { sample })).rejects.toMatchObject({ details: { fields: [{ field: 'sample' }] } });
    const level = VerificationLevel.VERIFICATION_LEVEL_META;
    await expect(verify(id, { level, sample: 0.5 })).rejects.toMatchObject({
      details: { fields: [{ field: 'sample' }] },
    });
    expect((await show(id)).verification).toBeUndefined();
  });

  it('is gone on with by another worker where the first one was killed (Y4)', async () => {
    const { id } = await good();
    await verify(id);
    const { ref } = await begun(id);
    await service.executor.renewVerification({ verification: ref, standing: standing(3), progress: undefined });
    // Its lease ended long ago.
    await service.db
      .collection<{ _id: string }>('verifications')
      .updateOne({ _id: id }, { $set: { 'task.leaseUntil': new Date(1), 'task.ringAt': new Date(1) } });
    const second = await begun(id);
    expect(second.grant).toMatchObject({ fence: 2n, standing: standing(3) });
    expect(await complete(ref, DAMAGED), 'of the dead one').toEqual({ standing: TaskStanding.TASK_STANDING_LOST });
    expect((await show(id)).verification?.damaged).toBe(false);
  });

  it('waits where its storage is away, and is no damage (Y6)', async () => {
    const { id } = await good();
    await verify(id);
    const { ref } = await begun(id);
    const reason = { code: 'STORAGE_AWAY', message: 'It is not mounted.', detail: '' };
    await complete(ref, { $case: 'notVerified', value: { reason, standing: standing(1) } });
    expect((await show(id)).verification).toMatchObject({
      state: VerificationState.VERIFICATION_STATE_QUEUED,
      waitsFor: 'It is not mounted.',
      damaged: false,
    });
  });

  it('can be canceled while it waits and while it runs, and not when it is over', async () => {
    const { id } = await good();
    await expect(service.backups.cancelVerification({ id })).rejects.toEqual(refused('verification_over'));
    await verify(id);
    const waiting = (await service.backups.cancelVerification({ id })).backup;
    expect(waiting).toMatchObject({
      holds: [],
      verification: { state: VerificationState.VERIFICATION_STATE_CANCELED },
    });
    await verify(id);
    const { ref } = await begun(id);
    expect((await service.backups.cancelVerification({ id })).backup?.verification).toMatchObject({
      state: VerificationState.VERIFICATION_STATE_CANCELING,
    });
    const renewed = await service.executor.renewVerification({
      verification: ref,
      standing: undefined,
      progress: undefined,
    });
    expect(renewed).toEqual({ standing: HELD, state: VerificationState.VERIFICATION_STATE_CANCELING });
    await complete(ref, { $case: 'stopped', value: {} });
    expect(await show(id)).toMatchObject({
      holds: [],
      verification: { state: VerificationState.VERIFICATION_STATE_CANCELED },
    });
  });

  it('is offered to free workers of its pool that reach its storage, as far as the storage has room', async () => {
    const { id, storageId } = await good();
    const other = await goodIn(storageId, await service.newCluster());
    const offered = async (pool = 'default', outOfReach: string[] = [], freeToVerify = true) => {
      const away = outOfReach.map((one) => ({
        storageId,
        storageDigest: one,
        reason: undefined,
        passing: true,
        seconds: 1,
      }));
      const instance = randomUUID();
      const report = {
        worker: instance,
        instance,
        pool,
        slots: 1,
        freeSlots: 0,
        brVersions: [],
        running: [],
        host: '',
        draining: false,
      };
      const told = await service.executor.reportPresence({ ...report, outOfReach: away, freeToVerify });
      return told.verificationIds.filter((one) => one === id || one === other.id);
    };
    await verify(id);
    await verify(other.id);
    expect(await offered()).toEqual([id, other.id]);
    expect(await offered('default', [], false), 'who is busy, or of an earlier version').toEqual([]);
    expect(await offered('far')).toEqual([]);
    expect(await offered('default', ['of the storage as it was before']), 'who misses another place').toEqual([
      id,
      other.id,
    ]);
    const { ref, grant } = await begun(id);
    await service.executor.releaseVerification({ verification: ref, standing: undefined });
    expect(await offered('default', [grant.storageDigest])).toEqual([]);
    const second = await begun(id);
    expect(await offered()).toEqual([]);
    expect((await claim(other.id)).grant).toBeUndefined();
    await complete(second.ref, GOOD);
    expect(await offered()).toEqual([other.id]);
    await begun(other.id);
  });

  it('is not begun for a rule while many wait, and for people all the same', async () => {
    const { id } = await good();
    const waiting = Array.from({ length: MAX_WAITING_FOR_RULES }, (_, index) => `waits-${index}`);
    const verifications = service.db.collection<{ _id: string }>('verifications');
    await verifications.insertMany(
      waiting.map((_id) => ({ _id, state: 'Queued', slotKey: `backup:${_id}`, task: null })),
    );
    try {
      await expect(verify(id, { byRule: true })).rejects.toEqual(refused('too_many_requests'));
      await expect(verify(id)).resolves.toBeDefined();
    } finally {
      await verifications.deleteMany({ _id: { $in: waiting } });
    }
    const { id: other } = await good();
    await expect(verify(other, { byRule: true })).resolves.toBeDefined();
  });

  it('is seen to its end by who follows the backup', async () => {
    const { id } = await good();
    await verify(id);
    const states: VerificationState[] = [];
    const watching = (async () => {
      for await (const { backup } of service.backups.watchBackup({ id, untilRemoved: false }))
        states.push(backup?.verification?.state ?? 0);
    })();
    await vi.waitFor(() => expect(states).toContain(VerificationState.VERIFICATION_STATE_QUEUED), { timeout: 5_000 });
    const { ref } = await begun(id);
    await vi.waitFor(() => expect(states).toContain(VerificationState.VERIFICATION_STATE_RUNNING), { timeout: 5_000 });
    await complete(ref, DAMAGED);
    await watching;
    expect(states.at(-1)).toBe(VerificationState.VERIFICATION_STATE_DAMAGED);
  });

  it('has its outcome taken down by any copy, where the one that heard of it died (Y2)', async () => {
    const { id } = await good();
    await verify(id);
    const { ref } = await begun(id);
    const verifications = service.db.collection<Verification>('verifications');
    await complete(ref, DAMAGED);
    // As if the copy had died between its two writes.
    const { modifiedCount } = await service.db
      .collection<{ _id: string }>('backups')
      .updateOne({ _id: id }, { $set: { holds: ['verify:1'], 'verification.active': true }, $inc: { revision: 1 } });
    expect(modifiedCount).toBe(1);
    const task = { ringAt: new Date(0), notBefore: new Date(0), rings: 0 };
    // A millisecond after the epoch: the bounds of a range are both given.
    await verifications.updateOne(
      { _id: id },
      { $set: { task: { ...task, ringAt: new Date(1) } }, $inc: { revision: 1 } },
    );
    await vi.waitFor(async () => expect((await show(id)).holds).toEqual([]), { timeout: 10_000 });
    await vi.waitFor(async () => expect((await verifications.findOne({ _id: id }))?.task).toBeNull(), {
      timeout: 10_000,
    });
    expect((await show(id)).verification?.damaged).toBe(true);
  });
});

describe('a backup that was found damaged', () => {
  const damaged = async (backup: Backup) => {
    await verify(backup.id);
    await complete((await begun(backup.id)).ref, DAMAGED);
  };
  const newest = async (clusterId: string) => {
    const { backups } = await service.backups.listNewestGood({ clusterIds: [clusterId], pageToken: '' });
    return backups[0]?.backupId;
  };

  it('is not the newest good one, for retention neither', async () => {
    const { id: older, clusterId, storageId } = await good(SCHEDULE);
    const newer = await goodIn(storageId, clusterId, SCHEDULE);
    expect(await newest(clusterId)).toBe(newer.id);
    await damaged(newer);
    expect(await newest(clusterId)).toBe(older);
    await expect(remove(older, true)).rejects.toThrow(/it is the newest good backup/);
    const third = await goodIn(storageId, clusterId, SCHEDULE);
    expect(await newest(clusterId)).toBe(third.id);
    await expect(remove(older, true)).resolves.toBeDefined();
  });

  it('stays so until one of the same extent finds it good (Y7)', async () => {
    const backup = await good();
    await damaged(backup);
    await verify(backup.id, { level: VerificationLevel.VERIFICATION_LEVEL_META });
    await complete((await begun(backup.id)).ref, GOOD);
    expect((await show(backup.id)).verification).toMatchObject({
      state: VerificationState.VERIFICATION_STATE_GOOD,
      damaged: true,
      earlier: { state: VerificationState.VERIFICATION_STATE_DAMAGED, problems: [problem] },
    });
    expect(await newest(backup.clusterId)).toBeUndefined();
    await verify(backup.id);
    await complete((await begun(backup.id)).ref, GOOD);
    expect((await show(backup.id)).verification).toMatchObject({ damaged: false, earlier: undefined });
    expect(await newest(backup.clusterId)).toBe(backup.id);
  });

  it('is found in a list of those that are, of one cluster and of all', async () => {
    const backup = await good();
    const { id: sound } = await goodIn(backup.storageId, backup.clusterId);
    await damaged(backup);
    const listed = async (clusterIds: string[]) => (await selected({ clusterIds, damaged: true })).map(({ id }) => id);
    expect(await listed([backup.clusterId])).toEqual([backup.id]);
    const all = await listed([]);
    expect(all).toContain(backup.id);
    expect(all).not.toContain(sound);
  });

  it('is counted for the alert for as long as nobody deletes it', async () => {
    const finished = createFinishedBackups(service.db);
    const count = () => finished.countDamaged(AbortSignal.timeout(5_000));
    const before = await count();
    const backup = await good();
    await damaged(backup);
    expect(await count()).toBe(before + 1);
    await remove(backup.id);
    expect(await count()).toBe(before);
  });
});
