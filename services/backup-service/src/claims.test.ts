/** Which claim gets a backup, what it is granted, and whose word about it counts. */
import { randomUUID } from 'node:crypto';
import { BackupState } from '@tidemark/protocol/grpc/tidemark/backup/v1/backup';
import { CompleteTaskRequest, TaskStanding } from '@tidemark/protocol/grpc/tidemark/backup/v1/executor_service';
import { Cluster, Storage } from '@tidemark/protocol/grpc/tidemark/backup/v1/registry_service';
import { beforeEach, expect, it } from 'vitest';
import { backupCalls } from './testing/backup-calls.ts';

const { service, cluster, start, claim } = backupCalls();
const backups = () => service().backups;
const executor = () => service().executor;
const registry = () => service().registry;
let clusterId: string;
beforeEach(() => {
  clusterId = cluster();
});

it('grants a claim raced by ten workers to one of them (T3)', async () => {
  const { id } = await start();
  const answers = await Promise.all(Array.from({ length: 10 }, () => claim(id)));
  expect(answers.filter(({ grant }) => grant !== undefined)).toHaveLength(1);
});

it('takes the end from the holder of the claim alone, and a repeat of it as the first (T4, T5)', async () => {
  const { id } = await start();
  const { grant } = await claim(id);
  if (grant?.$case !== 'backup') throw new Error('no grant');
  const [attempt] = (await backups().getBackup({ id })).backup?.attempts ?? [];
  expect(attempt?.worker).toBe('w1');
  const outcome = {
    $case: 'succeeded' as const,
    value: {
      result: { tso: 5n, sizeBytes: 7n, files: 1n, tidbClusterId: 1n, clusterVersion: '8.5.0', remark: '' },
      exitSeen: true,
    },
  };
  const stranger = { backupId: id, claim: randomUUID(), fence: grant.value.fence };
  const lost = await executor().completeTask(CompleteTaskRequest.create({ task: stranger, outcome }));
  expect(lost.standing).toBe(TaskStanding.TASK_STANDING_LOST);
  expect((await backups().getBackup({ id })).backup?.state).toBe(BackupState.BACKUP_STATE_RUNNING);
});

it('reads, cancels and removes a backup where it was written, wherever its storage is by now (C3)', async () => {
  const at = (path: string) => ({ $case: 'local' as const, value: { path } });
  await registry().putStorage({ storage: Storage.create({ id: 'moving', location: at('/tmp/before') }) });
  const { id } = await start({ storageId: 'moving' });
  await registry().putStorage({ storage: Storage.create({ id: 'moving', location: at('/tmp/after') }) });
  const { grant } = await claim(id);
  expect(grant).toMatchObject({ value: { storage: { id: 'moving', location: { value: { path: '/tmp/before' } } } } });
});

it('lets a limited storage run only so many backups at once (T6)', async () => {
  await registry().putStorage({
    storage: Storage.create({
      id: 'narrow',
      maxConcurrent: 1,
      location: { $case: 'local', value: { path: '/tmp/narrow' } },
    }),
  });
  const ids: string[] = [];
  for (const name of ['one', 'two']) {
    const cluster = Cluster.create({ id: `${clusterId}-${name}`, pd: ['127.0.0.1:2379'], storageId: 'narrow' });
    await registry().putCluster({ cluster });
    ids.push((await start({ clusterId: cluster.id })).id);
  }
  const answers = await Promise.all(ids.map(claim));
  expect(answers.filter(({ grant }) => grant !== undefined)).toHaveLength(1);
});
