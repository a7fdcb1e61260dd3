/** How long a backup is followed. */
import { randomUUID } from 'node:crypto';
import { BackupState } from '@tidemark/protocol/grpc/tidemark/backup/v1/backup';
import {
  ClaimTaskRequest,
  CompleteTaskRequest,
  RenewTaskRequest,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/executor_service';
import { beforeEach, expect, it } from 'vitest';
import { backupCalls } from './testing/backup-calls.ts';

const { service, cluster, start } = backupCalls();
const backups = () => service().backups;
const executor = () => service().executor;
let clusterId: string;
beforeEach(() => {
  clusterId = cluster();
});

it('follows a backup until nothing more can happen to it', async () => {
  const { id } = await start();
  const states: (BackupState | undefined)[] = [];
  for await (const { backup } of backups().watchBackup({ id, untilRemoved: false })) {
    states.push(backup?.state);
    if (states.length === 1) await backups().cancelBackup({ id, clusterId: '', reason: '', reasonCode: '' });
  }
  expect(states[0]).toBe(BackupState.BACKUP_STATE_QUEUED);
  expect(states.at(-1)).toBe(BackupState.BACKUP_STATE_CANCELED);
});

it('says that a canceled backup is over as soon as it is, and not when its files are gone', async () => {
  const { id } = await start();
  const token = randomUUID();
  const { grant } = await executor().claimTask(
    ClaimTaskRequest.create({ backupId: id, claim: token, worker: 'w1', pool: 'default' }),
  );
  const task = { backupId: id, claim: token, fence: grant?.value.fence ?? 0n };
  const starting = { argv: ['br', 'backup', 'full'], brVersion: '8.5.0', hasLock: true };
  await executor().renewTask(RenewTaskRequest.create({ task, starting }));
  await backups().cancelBackup({ id, clusterId, reason: '', reasonCode: '' });
  await executor().completeTask(CompleteTaskRequest.create({ task, outcome: { $case: 'stopped', value: {} } }));
  const watched = async (untilRemoved: boolean) => {
    const last: { state: BackupState } = { state: BackupState.BACKUP_STATE_UNSPECIFIED };
    const limit = AbortSignal.timeout(2_000);
    try {
      for await (const { backup } of backups().watchBackup({ id, untilRemoved }, { signal: limit }))
        last.state = backup?.state ?? last.state;
    } catch (error) {
      if (!limit.aborted) throw error;
      return { ...last, ended: false };
    }
    return { ...last, ended: true };
  };
  const canceled = BackupState.BACKUP_STATE_CANCELED;
  expect(await watched(false)).toEqual({ state: canceled, ended: true });
  // Its files are still there: nobody has removed them yet.
  expect(await watched(true)).toEqual({ state: canceled, ended: false });
  await backups().deleteBackup({ id, clusterId, reason: '', byRetention: false, forget: false });
  expect(await watched(false)).toEqual({ state: canceled, ended: false });
});
