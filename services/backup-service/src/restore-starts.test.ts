/** What a plan and a start of a restore must say, and what stands in their way, over the real calls and database. */
import { randomUUID } from 'node:crypto';
import { DeletionState } from '@tidemark/protocol/grpc/tidemark/backup/v1/backup';
import { ClusterPurpose } from '@tidemark/protocol/grpc/tidemark/backup/v1/registry_service';
import {
  RestoreEndKind,
  RestoreOptions,
  RestoreState,
  TargetState,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/restore';
import { PlanRestoreRequest, StartRestoreRequest } from '@tidemark/protocol/grpc/tidemark/backup/v1/restore_service';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { restoreCalls, tidbIdOf } from './testing/restore-calls.ts';
import { wishFor } from './testing/running-service.ts';

const calls = restoreCalls();
const { service, cluster, rung, target, goodBackup, plan, startRestore, read, working, holds } = calls;
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
    const wish = {
      restoreId: id,
      claim: randomUUID(),
      worker: 'w1',
      pool: 'default',
      brVersions: ['v8.5.4'],
      replaysLogs: true,
    };
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
    result: { sizeBytes: 100n * 1024n * 1024n * BigInt(seconds), seconds, logSeconds: 0, summary: '', remark: '' },
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
    await restored(600);
    expect((await plan()).estimateBasis).toBe('100 MiB a second, as the last restore into the cluster took it.');
    await restored(1_200);
    expect((await plan()).estimateBasis).toContain('the last 2 restores into the cluster took it.');
    expect((await plan({ options: slow })).estimateBasis).toContain('no earlier restore into the cluster');
    await calls.register({ version: '8.5.1' });
    expect((await plan()).estimateBasis).toContain('no earlier restore into the cluster');
  });

  it('leaves out what took several runs of br, of which only the last one is timed, and what cannot be read', async () => {
    const backups = service().db.collection<{ _id: string }>('backups');
    const [first, second] = [await restored(600), await restored(600)];
    await restored(600);
    const stored = await backups.findOne({ _id: first });
    const [attempt] = (stored as unknown as { restore: { attempts: unknown[] } }).restore.attempts;
    await backups.updateOne({ _id: first }, { $set: { 'restore.attempts': [attempt, attempt] } });
    await backups.updateOne({ _id: second }, { $set: { 'restore.attempts': 'none' } });
    expect((await plan()).estimateBasis).toMatch(/the last restore into the cluster took it\.$/);
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

  it('is guarded as the strictest of its registrations, also where it has another name', async () => {
    const pd = [`${cluster()}:2379`];
    await calls.register({ pd, restore: { strictLoss: true } });
    await calls.alsoAs({ ...scratch, pd: [pd[0]?.toUpperCase() ?? ''] }, async () => {
      const guarded = { purpose: ClusterPurpose.CLUSTER_PURPOSE_PRODUCTION, strictLoss: true };
      expect((await plan()).target).toMatchObject(guarded);
      await expect(startRestore({ scratchOnly: true })).rejects.toMatchObject({ code: 'permission_denied' });
      await expect(startRestore({ planHash: '', confirm: '' })).rejects.toMatchObject({ code: 'invalid_argument' });
    });
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
