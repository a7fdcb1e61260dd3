/** What restores find out about the backups that they read, and which moments can be brought back, over the real calls and database. */
import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { SignatureState, VerificationState } from '@tidemark/protocol/grpc/tidemark/backup/v1/backup';
import {
  type ListRecoveryPointsRequest,
  VerifyBackupRequest,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/backup_service';
import { CompleteVerificationRequest, Verified } from '@tidemark/protocol/grpc/tidemark/backup/v1/executor_service';
import { Storage } from '@tidemark/protocol/grpc/tidemark/backup/v1/registry_service';
import { RestoreEndKind } from '@tidemark/protocol/grpc/tidemark/backup/v1/restore';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { restoreCalls } from './testing/restore-calls.ts';

const calls = restoreCalls();
const { service, cluster, target, goodBackup, plan, startRestore, working, holds } = calls;
let backupId: string;
beforeEach(() => {
  backupId = calls.backupId();
});

describe('a backup that its restore finds damaged', () => {
  const damaged = {
    sourceDamaged: true,
    reason: { code: 'SOURCE_DAMAGED', message: 'The backup is damaged: 1.sst is missing.', detail: '' },
  };
  const shown = async () => (await service().backups.getBackup({ id: backupId })).backup?.verification;
  const points = async () =>
    (await service().backups.listRecoveryPoints({ clusterId: cluster(), pageSize: 10, pageToken: '' })).points;

  it('says so, is no recovery point any more, and is restored only by who passes that over', async () => {
    expect((await points()).map((point) => point.backupId)).toEqual([backupId]);
    const id = await startRestore();
    const worker = await working(id);
    await worker.ends(RestoreEndKind.RESTORE_END_KIND_REFUSED, damaged);
    expect(await shown()).toMatchObject({
      state: VerificationState.VERIFICATION_STATE_DAMAGED,
      damaged: true,
      verdict: `A restore found it damaged. The backup is damaged: 1.sst is missing.`,
    });
    expect(await points()).toEqual([]);
    await vi.waitFor(async () => expect(await holds()).toEqual([]));
    const revision = async () => (await service().backups.getBackup({ id: backupId })).backup?.revision;
    const before = await revision();
    // Its worker repeats what was not answered in time.
    await worker.ends(RestoreEndKind.RESTORE_END_KIND_REFUSED, damaged);
    expect(await revision()).toBe(before);
    const { checks } = await plan();
    expect(checks.find(({ name }) => name === 'sourceSound')).toMatchObject({ result: 'blocked' });
    await expect(startRestore()).rejects.toMatchObject({ code: 'plan_blocked' });
    expect(await startRestore({ acknowledge: ['sourceSound'] })).not.toBe(id);
  });

  it('says so too where it becomes known late, and until a verification finds it good', async () => {
    const id = await startRestore();
    const worker = await working(id);
    await worker.starts();
    await worker.reports(RestoreEndKind.RESTORE_END_KIND_DIRTY, damaged);
    expect((await shown())?.damaged).toBe(true);
    await service().backups.verifyBackup(VerifyBackupRequest.create({ id: backupId }));
    const claim = randomUUID();
    const wish = { backupId, claim, worker: 'w1', pool: 'default' };
    const grant = await vi.waitFor(async () => {
      const { grant: found } = await service().executor.claimVerification(wish);
      if (!found) throw new Error('the verification was not granted');
      return found;
    });
    expect(await shown()).toMatchObject({
      damaged: true,
      earlier: { verdict: expect.stringContaining('A restore found it damaged.') },
    });
    const verification = { backupId, claim, fence: grant.fence };
    const value = Verified.create({ state: VerificationState.VERIFICATION_STATE_GOOD, verdict: 'All is well.' });
    const outcome = { $case: 'verified' as const, value };
    await service().executor.completeVerification(CompleteVerificationRequest.create({ verification, outcome }));
    expect(await shown()).toMatchObject({ damaged: false, verdict: 'All is well.', earlier: undefined });
  });
});

describe('a backup that was signed', () => {
  const keys = [generateKeyPairSync('ed25519').publicKey.export({ type: 'spki', format: 'pem' }).toString()];
  const put = (manifestKeys: string[]) =>
    service().registry.putStorage({
      storage: Storage.create({
        ...{ id: 'local', location: { $case: 'local', value: { path: '/tmp/storage' } }, manifestKeys },
      }),
    });
  beforeEach(() => put(keys));
  afterEach(() => put([]));

  /** Has it verified, and found so. */
  async function verified(found: Partial<Verified>): Promise<void> {
    await service().backups.verifyBackup(VerifyBackupRequest.create({ id: backupId }));
    const claim = randomUUID();
    const grant = await vi.waitFor(async () => {
      const wish = { backupId, claim, worker: 'w1', pool: 'default' };
      const { grant: granted } = await service().executor.claimVerification(wish);
      if (!granted) throw new Error('the verification was not granted');
      return granted;
    });
    const verification = { backupId, claim, fence: grant.fence };
    const outcome = { $case: 'verified' as const, value: Verified.create(found) };
    await service().executor.completeVerification(CompleteVerificationRequest.create({ verification, outcome }));
  }
  const proven = {
    state: VerificationState.VERIFICATION_STATE_GOOD,
    verdict: 'All is well.',
    signature: { state: SignatureState.SIGNATURE_STATE_GOOD, keyId: 'a'.repeat(64) },
  };
  const missed = {
    state: VerificationState.VERIFICATION_STATE_UNKNOWN,
    verdict: 'It is not proven.',
    signature: { state: SignatureState.SIGNATURE_STATE_NONE, keyId: '' },
    problems: [{ kind: 'unsigned', name: 'tidemark.json', why: 'tidemark.json is missing' }],
    problemCount: 1n,
  };
  const newestVerified = async () =>
    (await service().backups.listRecoveryPoints({ clusterId: cluster(), pageSize: 10, pageToken: '' })).newestVerified;
  const sound = async () => (await plan()).checks.find(({ name }) => name === 'sourceSound');

  it('and is not any more counts as verified no longer, and is restored only by who passes that over', async () => {
    await verified(proven);
    expect([await newestVerified(), await sound()]).toMatchObject([{ backupId }, { result: 'ok' }]);
    await verified(missed);
    expect(await newestVerified()).toBeUndefined();
    expect(await sound()).toMatchObject({
      result: 'blocked',
      message: expect.stringContaining('was signed, and is not now'),
    });
    await expect(startRestore()).rejects.toMatchObject({ code: 'plan_blocked' });
    const { grant } = await working(await startRestore({ acknowledge: ['sourceSound'] }));
    expect(grant).toMatchObject({ manifestKeys: keys, sourceSigned: true, unsoundAccepted: true });
  });

  it('is asked for its signature by the worker that restores it, whatever was acknowledged without need', async () => {
    await verified(proven);
    const { grant } = await working(await startRestore({ acknowledge: ['sourceSound'] }));
    expect(grant).toMatchObject({ manifestKeys: keys, sourceSigned: true, unsoundAccepted: false });
  });

  it('and is not any more is blocked too where a restore found that first', async () => {
    await verified(proven);
    const id = await startRestore();
    const reason = { code: 'SOURCE_NOT_SIGNED', message: 'It was signed, and is not now.', detail: '' };
    const ended = { sourceNotSigned: true, reason };
    const worker = await working(id);
    await worker.ends(RestoreEndKind.RESTORE_END_KIND_REFUSED, ended);
    await vi.waitFor(async () => expect(await holds()).toEqual([]));
    expect([await newestVerified(), await sound()]).toMatchObject([
      undefined,
      { result: 'blocked', message: expect.stringContaining(`A restore found it without its signature.`) },
    ]);
    const { backup } = await service().backups.getBackup({ id: backupId });
    expect(backup?.verification).toMatchObject({ damaged: false });
  });

  it('is told from one of which nobody knows that', async () => {
    await verified({ ...proven, signature: undefined });
    await verified(missed);
    expect([await newestVerified(), await sound()]).toMatchObject([{ backupId }, { result: 'ok' }]);
    const { grant } = await working(await startRestore());
    expect(grant).toMatchObject({ manifestKeys: keys, sourceSigned: false, unsoundAccepted: false });
    backupId = await goodBackup({}, { manifestKeyId: 'b'.repeat(64) });
    target.id = `target-${randomUUID().slice(0, 8)}`;
    await calls.register();
    const made = await working(await startRestore({ backupId }));
    expect(made.grant).toMatchObject({ sourceSigned: true });
  });
});

describe('recovery points', () => {
  const list = (fields: Partial<ListRecoveryPointsRequest> = {}) =>
    service().backups.listRecoveryPoints({ clusterId: cluster(), pageSize: 10, pageToken: '', ...fields });

  it('are the good backups of a cluster, newest first, page by page, and say what would be lost', async () => {
    const newer = await goodBackup();
    const { points, newest, newestVerified, rpoSeconds, worstRpoSeconds, estimatedSeconds } = await list();
    expect(points.map((point) => point.backupId)).toEqual([newer, backupId]);
    expect(newest).toMatchObject({ backupId: newer, tso: 5n, sizeBytes: 7n, verifiedAt: undefined });
    expect(newestVerified).toBeUndefined();
    expect(rpoSeconds).toBeGreaterThan(0);
    expect(worstRpoSeconds).toBeGreaterThanOrEqual(rpoSeconds);
    expect(estimatedSeconds).toBe(1);
    const first = await list({ pageSize: 1 });
    expect(first.points.map((point) => point.backupId)).toEqual([newer]);
    const second = await list({ pageSize: 1, pageToken: first.nextPageToken });
    expect(second.points.map((point) => point.backupId)).toEqual([backupId]);
    await expect(list({ pageToken: 'p' })).rejects.toMatchObject({ details: { fields: [{ field: 'pageToken' }] } });
  });

  it('leave out what is being deleted, and what a verification found damaged', async () => {
    const deletion = { id: backupId, clusterId: '', reason: '', byRetention: false, forget: false };
    await service().backups.deleteBackup(deletion);
    const damaged = await goodBackup();
    const verdict = { state: 'Damaged', level: 'bytes', sample: 1, sentence: '', problemCount: 1, at: new Date() };
    const records = service().db.collection<{ _id: string }>('backups');
    await records.updateOne({ _id: damaged }, { $set: { verification: { run: 1, active: false, counts: verdict } } });
    expect(await list()).toMatchObject({ points: [], newest: undefined });
  });
});
