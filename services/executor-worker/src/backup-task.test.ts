import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { BackupState } from '@tidemark/protocol/grpc/tidemark/backup/v1/backup';
import {
  BackupGrant,
  type ExecutorServiceServer,
  Target,
  TaskRef,
  TaskStanding,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/executor_service';
import { Storage } from '@tidemark/protocol/grpc/tidemark/backup/v1/registry_service';
import { configReader } from '@tidemark/service-kit/env';
import type { ServiceClient } from '@tidemark/service-kit/grpc/client';
import { readTiming } from '@tidemark/service-kit/timing';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { runBackupTask } from './backup-task.ts';
import { LOCK_FILES } from './br/checkpoint-lock.ts';
import { openGuards } from './br/process.ts';
import { createEndOfTask } from './end-of-task.ts';
import { keepLease } from './lease-keeper.ts';
import { openRunRecords } from './run-records.ts';

const timing = readTiming(configReader({}));
const PATH = 'nfs/c1/p';
const [LOCK] = LOCK_FILES;
const facts = { requestId: 'r1', backupId: 'b1', clusterId: 'c1' };
let folder: string;
let lock: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tidemark-task-'));
  lock = join(folder, PATH, LOCK);
  mkdirSync(dirname(lock), { recursive: true });
  writeFileSync(lock, JSON.stringify({ 'lock-id': 1, 'expire-at': Date.now() + 60_000 }));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** A claim after an attempt whose end was told, with this `br`; `standing` is what its first renewal is answered. */
async function run(standing: TaskStanding, br: string): Promise<string> {
  const state = BackupState.BACKUP_STATE_RUNNING;
  const client = {
    renewTask: async () => ({ standing, state }),
    completeTask: async () => ({ standing }),
    releaseTask: async () => ({ standing }),
    reportOutput: async () => ({}),
  } as unknown as ServiceClient<ExecutorServiceServer>;
  const task = TaskRef.create({ backupId: 'b1', claim: 'claim', fence: 2n });
  const grant = BackupGrant.create({
    fence: 2n,
    clusterId: 'c1',
    path: PATH,
    target: Target.create({ pd: ['127.0.0.1:2379'], version: '8.5.0' }),
    storage: Storage.create({ id: 's1', root: 'nfs', location: { $case: 'local', value: { path: folder } } }),
    remainingSeconds: 60,
    mayRun: true,
    attempt: 2,
    previousEnded: true,
    previousBrVersion: 'v8.5.0',
  });
  const records = await openRunRecords(join(folder, 'state'));
  using guards = openGuards(join(folder, 'state'));
  await using lease = keepLease({ client, task, facts, timing });
  return await runBackupTask(
    { task, grant, facts, lease },
    {
      end: createEndOfTask(client, { callMs: timing.callMs, giveUp: new AbortController().signal }),
      records,
      guards,
      client,
      programs: {
        usable: () => [{ path: br, version: 'v8.5.0' }],
        oneUsable: Promise.resolve(),
        check: () => undefined,
        [Symbol.asyncDispose]: async () => undefined,
      },
      env: {},
      timing,
      drain: new AbortController().signal,
    },
  );
}

it('leaves the lock of whoever has the path now, when it was frozen after its claim and the task was given away (T4)', async () => {
  expect(await run(TaskStanding.TASK_STANDING_LOST, '/bin/false')).toBe('lost');
  expect(existsSync(lock)).toBe(true);
});

it('removes the lock of a br whose end was told before it starts another (T9)', async () => {
  expect(await run(TaskStanding.TASK_STANDING_HELD, '/bin/false')).toBe('retry: BR_FAILED');
  expect(existsSync(lock)).toBe(false);
});
