import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { BackupState } from '@tidemark/protocol/grpc/tidemark/backup/v1/backup';
import {
  BackupGrant,
  type CompleteTaskRequest,
  type ExecutorServiceServer,
  Target,
  TaskRef,
  TaskStanding,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/executor_service';
import { BrOptions, Storage } from '@tidemark/protocol/grpc/tidemark/backup/v1/registry_service';
import { configReader } from '@tidemark/service-kit/env';
import type { ServiceClient } from '@tidemark/service-kit/grpc/client';
import { readTiming } from '@tidemark/service-kit/timing';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { runBackupTask } from './backup-task.ts';
import { openGuards } from './br/process.ts';
import { createCompletion } from './completion.ts';
import { keepLease } from './lease-keeper.ts';
import { openRunRecords } from './run-records.ts';

const DEMO_BR = join(import.meta.dirname, '..', '..', '..', 'tools', 'demo-br', 'bin', 'demo-br');
const timing = readTiming(configReader({}));
const PATH = 'nfs/c1/p';
const LOCK = 'checkpoints/backup/checkpoint.lock';
const TARGET = { pd: ['127.0.0.1:2379'], version: '8.5.0' };
const facts = { requestId: 'r1', backupId: 'b1', clusterId: 'c1' };
let folder: string;
let lock: string;
let told: CompleteTaskRequest['outcome'];
let unreached: string[];
beforeEach(() => {
  told = undefined;
  unreached = [];
  folder = mkdtempSync(join(tmpdir(), 'tidemark-task-'));
  lock = join(folder, PATH, LOCK);
  mkdirSync(dirname(lock), { recursive: true });
  writeFileSync(lock, JSON.stringify({ 'lock-id': 1, 'expire-at': Date.now() + 60_000 }));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** A claim after an attempt whose end was told, with this `br`; `standing` is what its first renewal is answered. */
async function run(
  standing: TaskStanding,
  br: string,
  more: Partial<BackupGrant> = {},
  answers: { readonly reportOutput?: () => Promise<object> } = {},
): Promise<string> {
  const state = BackupState.BACKUP_STATE_RUNNING;
  const client = {
    renewTask: async () => ({ standing, state }),
    completeTask: async (request: CompleteTaskRequest) => {
      told = request.outcome;
      return { standing };
    },
    releaseTask: async () => ({ standing }),
    reportOutput: async () => ({}),
    ...answers,
  } as unknown as ServiceClient<ExecutorServiceServer>;
  const task = TaskRef.create({ backupId: 'b1', claim: 'claim', fence: 2n });
  const grant = BackupGrant.create({
    fence: 2n,
    clusterId: 'c1',
    path: PATH,
    target: Target.create(TARGET),
    storage: Storage.create({ id: 's1', root: 'nfs', location: { $case: 'local', value: { path: folder } } }),
    remainingSeconds: 60,
    mayRun: true,
    attempt: 2,
    previousEnded: true,
    previousBrVersion: 'v8.5.0',
    ...more,
  });
  const records = await openRunRecords(join(folder, 'state'));
  using guards = openGuards(join(folder, 'state'));
  await using lease = keepLease({ client, task, facts, timing });
  return await runBackupTask(
    { task, grant, facts, lease, manifestKey: undefined, trace: {} },
    {
      completion: createCompletion(client, { callMs: timing.callMs, giveUp: new AbortController().signal }),
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
      reach: {
        failed: (_, digest) => void unreached.push(digest),
        worked() {},
        outOfReach: () => [],
        remark: () => undefined,
        async [Symbol.asyncDispose]() {},
      },
      instance: 'instance-of-the-test',
      timing,
      metadataBytes: 1_000_000,
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

it('starts no br with what no cluster may say, whoever wrote it into the record', async () => {
  for (const brOptions of [
    BrOptions.create({ filters: ['@/etc/passwd'] }),
    BrOptions.create({ extra: { 'log-file': '/etc/cron.d/x' } }),
  ])
    expect(
      await run(TaskStanding.TASK_STANDING_HELD, '/bin/false', { target: Target.create({ ...TARGET, brOptions }) }),
    ).toBe('permanent: OPTIONS_REFUSED');
  expect(existsSync(lock)).toBe(true);
});

it('says that it saw br exit with 0, and not so of a finished backup that it only found', async () => {
  writeFileSync(join(folder, 'demo-br.json'), JSON.stringify({ seconds: 0.1 }));
  const seen = async () => {
    const ending = await run(TaskStanding.TASK_STANDING_HELD, DEMO_BR, { previousBrVersion: '' });
    return [ending, told?.$case === 'succeeded' && told.value.exitSeen];
  };
  expect(await seen()).toEqual(['succeeded', true]);
  expect(await seen()).toEqual(['adopted', false]);
});

it.each([
  ['was lost or failed too often', 60, 'permanent: EXHAUSTED'],
  ['is past its deadline', 0, 'permanent: DEADLINE'],
])(
  'starts no br for a backup that %s, and says which it is where no finished one is found',
  async (_, remainingSeconds, end) => {
    const told = { mayRun: false, remainingSeconds };
    expect(await run(TaskStanding.TASK_STANDING_HELD, '/bin/false', told)).toBe(end);
  },
);

describe('a worker that cannot do a backup', () => {
  const gone = {
    storage: Storage.create({ id: 's1', location: { $case: 'local', value: { path: '/nowhere/at/all' } } }),
  };
  const fresh = { previousBrVersion: '', attempt: 1 };
  const { TASK_STANDING_HELD: HELD } = TaskStanding;

  it('gives it back for another one when the storage is out of its reach, and remembers that', async () => {
    const outcome = await run(HELD, '/bin/false', { ...fresh, ...gone, storageDigest: 'digest' });
    expect(outcome).toBe('handed back: STORAGE_UNUSABLE');
    expect(told).toMatchObject({
      $case: 'wait',
      value: {
        reason: { code: 'STORAGE_UNUSABLE', message: expect.stringContaining('/nowhere/at/all') },
        handBack: { instance: 'instance-of-the-test', passing: false, storage: true, notStarted: false },
      },
    });
    expect(unreached).toEqual(['digest']);
  });

  it('gives it back when it has no br that fits, or br cannot be started', async () => {
    const target = Target.create({ pd: ['127.0.0.1:2379'], version: '9.9.0' });
    expect(await run(HELD, '/bin/false', { ...fresh, target, storageDigest: 'd' })).toBe('handed back: NO_FITTING_BR');
    expect(await run(HELD, '/none', { previousEnded: true, storageDigest: 'd' })).toBe('handed back: BR_NOT_STARTED');
    expect(told).toMatchObject({ value: { handBack: { storage: false, notStarted: true } } });
    expect(unreached).toEqual([]);
  });

  it('fails it as ever where backup-service is too old to give it to another one', async () => {
    expect(await run(HELD, '/bin/false', { ...fresh, ...gone })).toBe('permanent: STORAGE_UNUSABLE');
    expect(await run(HELD, '/bin/false', gone)).toBe('wait: STORAGE_AWAY');
    const target = Target.create({ pd: ['127.0.0.1:2379'], version: '9.9.0' });
    expect(await run(HELD, '/bin/false', { ...fresh, target })).toBe('permanent: NO_FITTING_BR');
  });

  it('tries a br that was killed again in seconds, the first time', async () => {
    const br = join(folder, 'killed');
    writeFileSync(br, '#!/bin/sh\nkill -9 $$\n', { mode: 0o755 });
    expect(await run(HELD, br, { previousEnded: true, failures: 0 })).toBe('retry: BR_KILLED');
    expect(told).toMatchObject({ $case: 'failed', value: { delaySeconds: 5 } });
    expect(await run(HELD, br, { previousEnded: true, failures: 1 })).toBe('retry: BR_KILLED');
    expect(told).toMatchObject({ $case: 'failed', value: { delaySeconds: undefined } });
  });
});

describe('a share that goes away while br runs', () => {
  const { TASK_STANDING_HELD: HELD } = TaskStanding;
  const number = '1'.repeat(32);
  const marker = { number, adopt: false };
  const share = () => join(folder, 'share');
  const granted = () => ({
    storage: Storage.create({ id: 's1', root: 'nfs', location: { $case: 'local', value: { path: share() } } }),
    path: 'nfs/em/c1/p',
    previousBrVersion: '',
    marker,
  });
  /** A `br` that ends so after it has done something to the share. */
  const brThat = (what: string, end: string) => {
    const br = join(folder, 'br');
    writeFileSync(br, `#!/bin/sh\n${what}\n${end}\n`, { mode: 0o755 });
    return br;
  };
  const leaves = () => `mv '${share()}' '${folder}/server'; mkdir '${share()}'`;
  const damages = () => `mkdir -p '${share()}/nfs/em/c1/p'; echo bad > '${share()}/nfs/em/c1/p/backupmeta'`;
  const SUCCEEDS =
    'echo \'[2024/05/01 01:00:00.123 +00:00] [INFO] [c.go:1] ["Full Backup success summary"] [BackupTS=5]\'; exit 0';
  beforeEach(() => {
    mkdirSync(join(share(), 'nfs/em/.tidemark'), { recursive: true });
    writeFileSync(join(share(), 'nfs/em/.tidemark/s1.json'), JSON.stringify({ schemaVersion: 1, number }));
  });

  it.each([
    ['br says that it succeeded', 'SUCCEEDS'],
    ['br fails', 'exit 1'],
  ])('is what went wrong, and no failure of the backup, whether %s', async (_, end) => {
    const br = brThat(leaves(), end === 'SUCCEEDS' ? SUCCEEDS : end);
    expect(await run(HELD, br, { ...granted(), storageDigest: 'digest' })).toBe('handed back: STORAGE_AWAY');
    expect(told).toMatchObject({
      $case: 'wait',
      value: {
        reason: { code: 'STORAGE_AWAY', message: expect.stringContaining('Storage s1 is not mounted here') },
        handBack: { passing: true, storage: true, notStarted: false },
      },
    });
    expect(unreached).toEqual(['digest']);
  });

  it('and comes back behind its end leaves no success: what br wrote meanwhile lies elsewhere', async () => {
    const written = join(share(), 'nfs/em/c1/p/tidemark.json');
    let isOver = false;
    const answers = {
      /** The share is back as soon as the worker took the backup for good. */
      async reportOutput() {
        while (!existsSync(written) && !isOver) await nextTurn();
        if (!isOver) {
          renameSync(share(), join(folder, 'beneath'));
          renameSync(join(folder, 'server'), share());
          isOver = true;
        }
        return {};
      },
    };
    try {
      const quick = `echo '{"seconds":0.1}' > '${share()}/demo-br.json'`;
      const br = brThat(`${leaves()}; ${quick}`, `exec '${DEMO_BR}' "$@"`);
      const ending = await run(HELD, br, { ...granted(), storageDigest: 'digest' }, answers);
      expect(ending).toBe('handed back: STORAGE_AWAY');
    } finally {
      isOver = true;
    }
  });

  it('is waited for where backup-service is too old to give the task to another one', async () => {
    expect(await run(HELD, brThat(leaves(), SUCCEEDS), granted())).toBe('wait: STORAGE_AWAY');
  });

  it('is told from a share that is there, where br fails or leaves what cannot be read', async () => {
    expect(await run(HELD, brThat('', 'exit 1'), granted())).toBe('retry: BR_FAILED');
    expect(await run(HELD, brThat(damages(), SUCCEEDS), granted())).toBe('newPath: BACKUPMETA_BAD');
    expect(await run(HELD, '/bin/false', granted()), 'found by the next look').toBe('newPath: PATH_UNUSABLE');
  });
});
