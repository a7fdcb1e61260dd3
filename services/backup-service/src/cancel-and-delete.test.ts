/** Cancels, deletions and pins, who may ask for them, and how they are followed. */
import { randomUUID } from 'node:crypto';
import { BackupState } from '@tidemark/protocol/grpc/tidemark/backup/v1/backup';
import { BackupServiceService } from '@tidemark/protocol/grpc/tidemark/backup/v1/backup_service';
import { CompleteTaskRequest } from '@tidemark/protocol/grpc/tidemark/backup/v1/executor_service';
import { HONORED } from '@tidemark/service-kit/grpc/metadata-names';
import { beforeEach, expect, it, vi } from 'vitest';
import { backupCalls } from './testing/backup-calls.ts';
import { callWithSight } from './testing/call-with-sight.ts';

const { service, cluster, start, claim } = backupCalls();
const backups = () => service().backups;
const executor = () => service().executor;
let clusterId: string;
beforeEach(() => {
  clusterId = cluster();
});

it('cancels a waiting backup at once, and refuses to cancel one that is over', async () => {
  const { id } = await start();
  const { backup } = await backups().cancelBackup({ id, clusterId, reason: 'test', reasonCode: '' });
  expect(backup?.state).toBe(BackupState.BACKUP_STATE_CANCELED);
  await expect(backups().cancelBackup({ id, clusterId, reason: '', reasonCode: '' })).rejects.toMatchObject({
    code: 'backup_over',
  });
  await start();
});

it('treats a backup of another cluster as unknown', async () => {
  const { id } = await start();
  await expect(backups().cancelBackup({ id, clusterId: 'another', reason: '', reasonCode: '' })).rejects.toMatchObject({
    code: 'backup_not_found',
  });
  await expect(
    backups().deleteBackup({ id, clusterId: 'another', reason: '', byRetention: false, forget: false }),
  ).rejects.toMatchObject({
    code: 'backup_not_found',
  });
});

it('refuses to delete an active backup, and lists a deleted one no more (C4)', async () => {
  const { id } = await start();
  await expect(
    backups().deleteBackup({ id, clusterId: '', reason: '', byRetention: false, forget: false }),
  ).rejects.toMatchObject({
    code: 'backup_in_use',
  });
  await backups().cancelBackup({ id, clusterId: '', reason: '', reasonCode: '' });
  await backups().deleteBackup({ id, clusterId: '', reason: 'test', byRetention: false, forget: false });
  const grant = await vi.waitFor(
    async () => {
      const answer = await claim(id);
      if (answer.grant?.$case !== 'remove') throw new Error('not yet');
      return answer.grant.value;
    },
    { timeout: 5_000 },
  );
  expect(grant.paths).toHaveLength(1);
});

it('ends what a rule cancels with the reason of the rule', async () => {
  const { id } = await start();
  const asked = { id, clusterId, reason: 'window over', reasonCode: 'WINDOW_CLOSED' };
  await expect(backups().cancelBackup({ ...asked, reasonCode: 'window' })).rejects.toMatchObject({
    details: { fields: [{ field: 'reasonCode' }] },
  });
  const { backup } = await backups().cancelBackup(asked, { caller: 'scheduler-service' });
  expect(backup).toMatchObject({
    state: BackupState.BACKUP_STATE_CANCELED,
    reason: { code: 'WINDOW_CLOSED' },
    cancellation: { by: 'scheduler-service', reason: 'window over' },
  });
});

it('keeps a pinned backup until it is unpinned, and pins only good ones', async () => {
  const { id } = await start();
  await expect(backups().pinBackup({ id })).rejects.toMatchObject({
    code: 'backup_not_good',
    message: expect.stringContaining('it is Queued'),
  });
  const token = randomUUID();
  const { grant } = await executor().claimTask({
    backupId: id,
    claim: token,
    worker: 'w1',
    pool: 'default',
    instance: '',
    outOfReach: [],
  });
  await executor().completeTask(
    CompleteTaskRequest.create({
      task: { backupId: id, claim: token, fence: grant?.value.fence ?? 0n },
      outcome: {
        $case: 'succeeded',
        value: {
          result: { tso: 5n, sizeBytes: 7n, files: 1n, tidbClusterId: 1n, clusterVersion: '8.5.0', remark: '' },
        },
      },
    }),
  );
  await backups().pinBackup({ id }, { requestId: 'r-1' });
  expect((await backups().pinBackup({ id }, { requestId: 'r-2' })).backup?.holds).toEqual(['pin:r-1']);
  await expect(
    backups().deleteBackup({ id, clusterId, reason: '', byRetention: false, forget: false }),
  ).rejects.toMatchObject({
    code: 'backup_in_use',
    message: expect.stringContaining('unpin it'),
  });
  for (let i = 0; i < 2; i += 1) expect((await backups().unpinBackup({ id })).backup?.holds).toEqual([]);
  await backups().deleteBackup({ id, clusterId, reason: '', byRetention: false, forget: false });
  await expect(backups().pinBackup({ id })).rejects.toMatchObject({ message: expect.stringContaining('deletion') });
  await expect(backups().unpinBackup({ id: 'nobody' })).rejects.toMatchObject({ code: 'backup_not_found' });
});

it('tells a caller of no backup whose cluster that one does not see, says so with each answer, and changes nothing', async () => {
  const { id } = await start();
  const [OK, NOT_FOUND] = [0, 5];
  const call = (method: Parameters<typeof callWithSight>[1], request: object, sight: string) =>
    callWithSight(service().address, method, request, sight);
  const { getBackup, cancelBackup, deleteBackup, pinBackup, unpinBackup } = BackupServiceService;
  const rest = { clusterId: '', reason: '', reasonCode: '', byRetention: false, forget: false };
  for (const method of [getBackup, cancelBackup, deleteBackup, pinBackup, unpinBackup])
    for (const sight of ['', 'another', `${clusterId}-too,another`])
      expect(await call(method, { id, ...rest }, sight), method.path).toMatchObject({ code: NOT_FOUND });
  expect((await backups().getBackup({ id })).backup).toMatchObject({
    state: BackupState.BACKUP_STATE_QUEUED,
    holds: [],
  });
  for (const sight of ['*', `another,${clusterId}`])
    expect(await call(getBackup, { id }, sight)).toEqual({ code: OK, told: HONORED });
  expect(await call(cancelBackup, { id, ...rest }, clusterId)).toMatchObject({ code: OK });
});
