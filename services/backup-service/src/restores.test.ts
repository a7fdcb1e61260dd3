/** Restores over the real calls and database: what a start must say, what it keeps others from, and what workers and people do. */
import { generateKeyPairSync, randomUUID } from 'node:crypto';
import {
  BackupOrigin,
  BackupState,
  DeletionState,
  SignatureState,
  VerificationState,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/backup';
import {
  type ListRecoveryPointsRequest,
  VerifyBackupRequest,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/backup_service';
import {
  CompleteVerificationRequest,
  ReportPresenceRequest,
  TaskStanding,
  Verified,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/executor_service';
import { type Cluster, ClusterPurpose, Storage } from '@tidemark/protocol/grpc/tidemark/backup/v1/registry_service';
import {
  RestoreChecksums,
  RestoreEndKind,
  RestoreOptions,
  RestoreState,
  TargetLook,
  TargetState,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/restore';
import {
  ListRestoresRequest,
  PlanRestoreRequest,
  StartRestoreRequest,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/restore_service';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { restoreCalls, tidbIdOf } from './testing/restore-calls.ts';
import { wishFor } from './testing/running-service.ts';

const calls = restoreCalls();
const { service, cluster, rung, claim, target, goodBackup, plan, startRestore, read, granted, working, holds } = calls;
let backupId: string;
beforeEach(() => {
  backupId = calls.backupId();
});

describe('a start', () => {
  it('must name the plan that was looked at and the target, letter for letter', async () => {
    const { hash } = await plan();
    await expect(startRestore({ planHash: '', confirm: 'Target' })).rejects.toMatchObject({
      code: 'invalid_argument',
      details: { fields: [{ field: 'planHash' }, { field: 'confirm' }] },
    });
    await calls.register({ pd: ['127.0.0.1:4379'] });
    await expect(startRestore({ planHash: hash })).rejects.toMatchObject({ code: 'plan_stale' });
    expect(await holds()).toEqual([]);
  });

  it('does not overwrite the cluster that was backed up, unless that is acknowledged', async () => {
    target.id = cluster();
    expect((await plan()).checks).toContainEqual(expect.objectContaining({ name: 'sameCluster', result: 'blocked' }));
    await expect(startRestore()).rejects.toMatchObject({ code: 'plan_blocked' });
    expect(await startRestore({ acknowledge: ['sameCluster'] })).toMatch(/^[\w-]{22}$/);
  });

  it('does not overwrite it either where it is registered under another name, as its own backups show', async () => {
    const sameCluster = async () => (await plan()).checks.find(({ name }) => name === 'sameCluster');
    expect(await sameCluster()).toMatchObject({ result: 'ok' });
    const tidbClusterId = tidbIdOf(cluster());
    await goodBackup({ clusterId: target.id }, { tidbClusterId });
    expect(await sameCluster()).toMatchObject({
      result: 'blocked',
      message: expect.stringContaining(`TiDB calls both ${tidbClusterId}`),
    });
    await expect(startRestore()).rejects.toMatchObject({ code: 'plan_blocked' });
    // What was backed up there before says nothing of another PD.
    await calls.register({ pd: ['127.0.0.1:4379'] });
    expect(await sameCluster()).toMatchObject({ result: 'ok' });
  });

  it('is refused of a backup that is not good, and of options that br must not be given', async () => {
    const other = await service().newCluster();
    const { backup: active } = await service().backups.startBackup(wishFor(other));
    const request = PlanRestoreRequest.create({ backupId: active?.id ?? '', targetClusterId: target.id });
    await expect(service().restores.planRestore(request)).rejects.toMatchObject({ code: 'backup_not_good' });
    const options = { extra: { online: 'true' }, placementPolicies: 'perhaps' };
    const wrong = PlanRestoreRequest.create({ backupId, targetClusterId: target.id, options });
    await expect(service().restores.planRestore(wrong)).rejects.toMatchObject({
      details: { fields: [{ field: 'placementPolicies' }, { field: 'brOptions.online' }] },
    });
  });

  it('that is repeated with its key is the same restore, and another request with it is refused', async () => {
    const key = randomUUID();
    const id = await startRestore({ key });
    expect(await startRestore({ key })).toBe(id);
    await expect(startRestore({ key, acknowledge: ['sameCluster'] })).rejects.toMatchObject({
      code: 'invalid_argument',
      details: { fields: [{ field: 'Idempotency-Key' }] },
    });
    // A backup with the same key is another thing.
    await expect(startRestore({ key: '' })).rejects.toMatchObject({ code: 'cluster_busy' });
  });

  it('with one key for two targets at once is one restore, and the other is refused as another request', async () => {
    const key = randomUUID();
    const first = { ...target };
    const hashes = [(await plan()).hash];
    target.id = `target-${randomUUID().slice(0, 8)}`;
    await calls.register();
    hashes.push((await plan()).hash);
    const outcomes = await Promise.allSettled(
      [first.id, target.id].map((id, index) => {
        const wish = { backupId, targetClusterId: id, planHash: hashes[index], confirm: id, key };
        return service().restores.startRestore(StartRestoreRequest.create(wish));
      }),
    );
    expect(outcomes.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
    expect(outcomes.find(({ status }) => status === 'rejected')).toMatchObject({
      reason: { code: 'invalid_argument' },
    });
  });

  it('is refused for a target that may not use the storage of the backup, whose keys its TiKVs would get', async () => {
    const storages = service().db.collection<{ _id: string }>('storages');
    const { hash: planHash } = await plan();
    const usableBy = { clusters: ['somebody-else'], labels: {} };
    await storages.updateOne({ _id: 'local' }, { $set: { usableBy } });
    await using _ = {
      [Symbol.asyncDispose]: async () => void (await storages.updateOne({ _id: 'local' }, { $unset: { usableBy: 1 } })),
    };
    const wish = { backupId, targetClusterId: target.id, planHash, confirm: target.id };
    await expect(plan()).rejects.toMatchObject({ code: 'storage_not_found' });
    await expect(service().restores.startRestore(StartRestoreRequest.create(wish))).rejects.toMatchObject({
      code: 'storage_not_found',
    });
  });

  it('keeps the target from backups, and the source from being deleted, until it is over', async () => {
    const id = await startRestore();
    await vi.waitFor(() => expect(rung).toContain(id));
    expect(await holds()).toEqual([`restore:${id}`]);
    await expect(service().backups.startBackup(wishFor(target.id))).rejects.toMatchObject({ code: 'cluster_busy' });
    await expect(service().registry.deleteCluster({ id: target.id })).rejects.toMatchObject({ code: 'cluster_in_use' });
    const deletion = { id: backupId, clusterId: '', reason: '', byRetention: false, forget: false };
    await expect(service().backups.deleteBackup(deletion)).rejects.toMatchObject({ code: 'backup_in_use' });

    await service().restores.cancelRestore({ id, reason: 'wrong cluster' });
    expect(await read(id)).toMatchObject({
      state: RestoreState.RESTORE_STATE_CANCELED,
      targetState: TargetState.TARGET_STATE_UNTOUCHED,
      cancellation: { reason: 'wrong cluster' },
    });
    await vi.waitFor(async () => expect(await holds()).toEqual([]));
    await service().backups.startBackup(wishFor(target.id));
    expect((await service().backups.deleteBackup(deletion)).backup?.deletion?.state).not.toBe(
      DeletionState.DELETION_STATE_NONE,
    );
  });
});

describe('a restore of a part of a backup', () => {
  const options = RestoreOptions.create({ filter: ['shop.orders', 'crm.*', '!crm.tmp'] });

  it('is blocked where br would write into tables that exist, until somebody says that there are none', async () => {
    const { checks, filter } = await plan({ options });
    expect(filter).toEqual(options.filter);
    expect(checks).toContainEqual(expect.objectContaining({ name: 'existingTables', result: 'blocked' }));
    expect(checks.map(({ name }) => name)).not.toContain('targetEmpty');
    await expect(startRestore({ options })).rejects.toMatchObject({
      code: 'plan_blocked',
      details: { info: { checks: 'existingTables' } },
    });
    const id = await startRestore({ options, acknowledge: ['existingTables'] });
    expect((await working(id)).grant).toMatchObject({
      options: { filter: options.filter },
      existingTablesAccepted: true,
    });
  });

  it('needs no such word where br refuses them, and then no other br is to run', async () => {
    await calls.register({ version: '8.5.5' });
    const id = await startRestore({ options });
    expect((await working(id, 'v8.5.5')).grant).toMatchObject({ existingTablesAccepted: false });
    expect((await read(id)).options?.filter).toEqual(options.filter);
  });

  it('ends at once, and leaves its target as it was, where nobody has a br that refuses tables', async () => {
    await calls.register({ version: '8.5.5' });
    const id = await startRestore({ options });
    await vi.waitFor(() => expect(rung).toContain(id));
    const wish = { restoreId: id, claim: randomUUID(), worker: 'w1', pool: 'default', brVersions: ['v8.5.4'] };
    expect((await service().executor.claimRestore(wish)).grant).toBeUndefined();
    expect(await read(id)).toMatchObject({
      state: RestoreState.RESTORE_STATE_FAILED,
      targetState: TargetState.TARGET_STATE_UNTOUCHED,
      reason: { code: 'NO_FITTING_BR', message: expect.stringContaining('a br from v8.5.5 on') },
    });
  });

  it('is another plan and another start where its rules are others, or in another order', async () => {
    await calls.register({ version: '8.5.5' });
    const key = randomUUID();
    const id = await startRestore({ options, key });
    expect(await startRestore({ options, key })).toBe(id);
    const { hash: planHash } = await plan({ options });
    for (const filter of [[], ['shop.orders'], options.filter.toReversed()]) {
      const other = RestoreOptions.create({ filter });
      expect((await plan({ options: other })).hash).not.toBe(planHash);
      await expect(startRestore({ options: other, key, planHash })).rejects.toMatchObject({ code: 'invalid_argument' });
      await expect(startRestore({ options: other, planHash })).rejects.toMatchObject({ code: 'plan_stale' });
    }
  });

  it('is refused by the place of a rule that is none, and beside users and grants', async () => {
    const wrong = RestoreOptions.create({ filter: ['shop.*', 'mysql.user', '@/etc/passwd'], withSystemTables: true });
    await expect(plan({ options: wrong })).rejects.toMatchObject({
      code: 'invalid_argument',
      details: { fields: [{ field: 'withSystemTables' }, { field: 'filter[1]' }, { field: 'filter[2]' }] },
    });
  });

  it('that ends in the middle names what it was to bring, and has nothing dropped that its br may have found there', async () => {
    const id = await startRestore({ options, acknowledge: ['existingTables'] });
    const worker = await working(id);
    await worker.starts();
    await worker.ends(RestoreEndKind.RESTORE_END_KIND_FAILED, { afterChange: true });
    const { targetState, cleanup } = await read(id);
    expect(targetState).toBe(TargetState.TARGET_STATE_PARTIAL);
    const tables = cleanup.find(({ what }) => what === 'tablesPartly');
    expect(tables?.message).toContain('(shop.orders, crm.*, !crm.tmp)');
    expect(tables).toMatchObject({ command: '', message: expect.stringContaining('Look at each before you drop it') });
    expect(cleanup.map(({ message, command }) => message + command).join()).not.toMatch(/DROP DATABASE `<|anew/);
  });
});

describe('the estimate of a plan', () => {
  const ended = (seconds: number) => ({
    result: { sizeBytes: 100n * 1024n * 1024n * BigInt(seconds), seconds, summary: '', remark: '' },
  });
  async function restored(seconds: number, options?: RestoreOptions): Promise<string> {
    const id = await startRestore(options && { options });
    const worker = await working(id);
    await worker.starts();
    await worker.ends(RestoreEndKind.RESTORE_END_KIND_SUCCEEDED, ended(seconds));
    await vi.waitFor(async () => expect(await holds()).toEqual([]));
    return id;
  }

  it('goes by what earlier restores into the same cluster took, at its version and rate limit', async () => {
    const slow = RestoreOptions.create({ rateLimit: 5 });
    expect((await plan()).estimateBasis).toContain('no earlier restore into the cluster');
    await restored(5);
    expect((await plan()).estimateBasis).toContain('no earlier restore into the cluster');
    const first = await restored(600);
    expect((await plan()).estimateBasis).toBe(
      `100 MiB a second, as the last restore into the cluster took it: ${first}.`,
    );
    const second = await restored(1_200);
    expect((await plan()).estimateBasis).toContain(
      `the last 2 restores into the cluster took it: ${second}, ${first}.`,
    );
    expect((await plan({ options: slow })).estimateBasis).toContain('no earlier restore into the cluster');
    await calls.register({ version: '8.5.1' });
    expect((await plan()).estimateBasis).toContain('no earlier restore into the cluster');
  });

  it('leaves out what took several runs of br, of which only the last one is timed, and what cannot be read', async () => {
    const backups = service().db.collection<{ _id: string }>('backups');
    const [first, second, third] = [await restored(600), await restored(600), await restored(600)];
    const stored = await backups.findOne({ _id: first });
    const [attempt] = (stored as unknown as { restore: { attempts: unknown[] } }).restore.attempts;
    await backups.updateOne({ _id: first }, { $set: { 'restore.attempts': [attempt, attempt] } });
    await backups.updateOne({ _id: second }, { $set: { 'restore.attempts': 'none' } });
    expect((await plan()).estimateBasis).toMatch(new RegExp(`the last restore into the cluster took it: ${third}\\.$`));
  });
});

describe('a scratch cluster', () => {
  const scratch = { purpose: ClusterPurpose.CLUSTER_PURPOSE_SCRATCH };

  it('is restored into by operators too, who restore into no other', async () => {
    const refused = { code: 'permission_denied', message: expect.stringContaining('needs the role admin') };
    await expect(startRestore({ scratchOnly: true })).rejects.toMatchObject(refused);
    await calls.register({ purpose: ClusterPurpose.CLUSTER_PURPOSE_DR });
    await expect(startRestore({ scratchOnly: true })).rejects.toMatchObject(refused);
    expect(await holds()).toEqual([]);
    await calls.register(scratch);
    expect((await read(await startRestore({ scratchOnly: true }))).target?.purpose).toBe(scratch.purpose);
  });

  it('takes no plan and no confirmation, but none that is wrong, and what is blocked there is acknowledged too', async () => {
    await calls.register(scratch);
    const without = { planHash: '', confirm: '' };
    await expect(startRestore({ ...without, planHash: 'of-another-plan' })).rejects.toMatchObject({
      code: 'plan_stale',
    });
    await expect(startRestore({ ...without, confirm: 'another' })).rejects.toMatchObject({
      details: { fields: [{ field: 'confirm' }] },
    });
    const { hash } = await plan();
    expect((await read(await startRestore(without))).state).toBe(RestoreState.RESTORE_STATE_QUEUED);

    target.id = cluster();
    await calls.register({ ...scratch, pd: [`${cluster()}:2379`] });
    expect((await plan()).hash).not.toBe(hash);
    await expect(startRestore(without)).rejects.toMatchObject({ code: 'plan_blocked' });
  });

  it('that has become one of production since the plan was made is not restored into by that plan', async () => {
    await calls.register(scratch);
    const { hash } = await plan();
    await calls.register();
    await expect(startRestore({ planHash: hash })).rejects.toMatchObject({ code: 'plan_stale' });
    await expect(startRestore({ planHash: '', confirm: '' })).rejects.toMatchObject({
      details: { fields: [{ field: 'planHash' }, { field: 'confirm' }] },
    });
  });
});

describe('the registration of a target', () => {
  it('keeps its PD, TLS files and pool while a restore has it, also one that ended in the middle', async () => {
    const id = await startRestore();
    const worker = await working(id);
    await worker.starts();
    const refused = {
      code: 'cluster_in_use',
      message: expect.stringContaining(id),
      details: { info: { restoreId: id } },
    };
    const elsewhere = [
      { pd: ['127.0.0.1:4379'] },
      { pool: 'another' },
      { tls: { ca: '/tls/ca.pem', cert: '/tls/cert.pem', key: '/tls/key.pem' } },
    ];
    for (const fields of elsewhere) await expect(calls.register(fields)).rejects.toMatchObject(refused);
    await service().restores.cancelRestore({ id, reason: '' });
    await worker.ends(RestoreEndKind.RESTORE_END_KIND_STOPPED);
    expect((await read(id)).targetState).toBe(TargetState.TARGET_STATE_PARTIAL);
    for (const fields of elsewhere) await expect(calls.register(fields)).rejects.toMatchObject(refused);
    // Nothing else of it is kept from being changed.
    await calls.register({ name: 'the standby', labels: { env: 'dr' }, pool: 'default' });

    await service().restores.releaseRestore({ id, targetCleaned: true, note: '', hostDead: false });
    await calls.register({ pd: ['127.0.0.1:4379'] });
  });

  it('says whether its restores are strict about a lost worker, and a restore keeps what it was accepted with', async () => {
    const { hash } = await plan();
    await calls.register({ restore: { strictLoss: true } });
    await expect(startRestore({ planHash: hash })).rejects.toMatchObject({ code: 'plan_stale' });
    const id = await startRestore();
    await calls.register({ restore: undefined });
    expect((await read(id)).target).toMatchObject({ strictLoss: true });
  });
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
    const wish = { restoreId: id, claim: randomUUID(), worker: 'w1', pool: 'default', brVersions: [] };
    expect((await service().executor.claimRestore(wish)).grant).toBeUndefined();
    await granted({ ...wish, claim: randomUUID(), brVersions: ['v8.5.0'] });
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
      executor.claimRestore({ restoreId, claim: randomUUID(), worker: 'old', pool, brVersions: ['v7.5.0'] });
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
      verdict: `Restore ${id} found it damaged. The backup is damaged: 1.sst is missing.`,
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
    expect(await shown()).toMatchObject({ damaged: true, earlier: { verdict: expect.stringContaining(id) } });
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
      { result: 'blocked', message: expect.stringContaining(`Restore ${id} found it without its signature.`) },
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
});

const targetFree = async () => (await plan()).checks.find(({ name }) => name === 'targetFree');

/** Does something about another registration, which is the target of the test meanwhile. */
async function alsoAs<T>(fields: Partial<Cluster>, act: (first: string) => Promise<T>): Promise<T> {
  const first = target.id;
  target.id = `target-${randomUUID().slice(0, 8)}`;
  try {
    await calls.register(fields);
    return await act(first);
  } finally {
    target.id = first;
  }
}

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
      const wish = { restoreId: id, claim: randomUUID(), worker: 'w1', pool: 'default', brVersions: ['v8.5.0'] };
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

describe('recovery points', () => {
  const list = (fields: Partial<ListRecoveryPointsRequest> = {}) =>
    service().backups.listRecoveryPoints({ clusterId: cluster(), pageSize: 10, pageToken: '', ...fields });

  it('are the good backups of a cluster, newest first, page by page, and say what would be lost', async () => {
    const newer = await goodBackup();
    const { points, newest, newestVerified, rpoSeconds, estimatedSeconds } = await list();
    expect(points.map((point) => point.backupId)).toEqual([newer, backupId]);
    expect(newest).toMatchObject({ backupId: newer, tso: 5n, sizeBytes: 7n, verifiedAt: undefined });
    expect(newestVerified).toBeUndefined();
    expect(rpoSeconds).toBeGreaterThan(0);
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
