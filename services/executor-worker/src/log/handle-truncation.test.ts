/** What is taken out of a log by a worker, with a real program in its place: every file that goes, and every one that stays. */
import { execFile, execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { type DemoCluster, demoCluster } from '@tidemark/demo-br/demo-cluster';
import { performTask } from '@tidemark/demo-br/demo-cluster-task';
import {
  type CompleteLogTruncationRequest,
  type ExecutorServiceServer,
  LogTruncationGrant,
  TaskStanding,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/executor_service';
import { Storage } from '@tidemark/protocol/grpc/tidemark/backup/v1/registry_service';
import { CommandKind } from '@tidemark/protocol/queue/v1/commands';
import { configReader } from '@tidemark/service-kit/env';
import type { ServiceClient } from '@tidemark/service-kit/grpc/client';
import { readTiming } from '@tidemark/service-kit/timing';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { openGuards } from '../br/process.ts';
import { openPrograms } from '../br/programs.ts';
import { createCompletion } from '../completion.ts';
import { createWorks } from '../works.ts';
import { claimTruncation } from './handle-truncation.ts';

const DEMO_BR = join(import.meta.dirname, '..', '..', '..', '..', 'tools', 'demo-br', 'bin', 'demo-br');
const PD = '10.0.0.1:2379';
const PATH = 'nfs/c1/log-1-aaaaaaaa';
const TASK = 'tidemark_c1_1_aaaaaaaa';
const LOCK = 'truncating.lock';
const timing = readTiming(
  configReader({ TIDEMARK_RENEW_SECONDS: '0.2', TIDEMARK_CALL_SECONDS: '1', TIDEMARK_GRACE_SECONDS: '0.3' }),
);
const signal = AbortSignal.timeout(60_000);
const WAIT = { timeout: 20_000, interval: 20 };

let root: string;
let cluster: DemoCluster;
let storage: Storage;
const folder = () => join(root, 'storage', PATH);
const env = () => ({ PATH: process.env.PATH ?? '', DEMO_BR_CLUSTERS: join(root, 'clusters') });
/** Says how `br` behaves from now on. */
const script = (log: object) => {
  const file = join(root, 'demo-br.json');
  writeFileSync(file, JSON.stringify({ log }));
  return file;
};
const br = (words: string) => promisify(execFile)(DEMO_BR, words.split(' '), { env: env() });
/** The points at which files of changes end, the first first. */
const ends = () =>
  readdirSync(folder(), { recursive: true, encoding: 'utf8' })
    .flatMap((name) => /(\d+)\.log$/.exec(name)?.[1] ?? [])
    .map(BigInt)
    .sort((one, other) => (one < other ? -1 : 1));

beforeEach(async () => {
  root = mkdtempSync(join(tmpdir(), 'tidemark-truncate-'));
  mkdirSync(join(root, 'storage'));
  mkdirSync(join(root, 'state'));
  script({});
  cluster = demoCluster(join(root, 'clusters'), [PD], { regions: 2, bytesPerFile: 100 });
  storage = Storage.create({ id: 's', location: { $case: 'local', value: { path: join(root, 'storage') } } });
  await cluster.touch();
  await br(`log start --task-name ${TASK} --pd ${PD} --storage local://${folder()}`);
  for (const handle of [1, 2, 3, 4]) {
    await performTask(cluster, { verb: 'insert', name: { db: 'shop', table: 'orders' }, handle, value: 'one' }, signal);
    await br(`log status --pd ${PD}`);
  }
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

interface Situation {
  readonly isLost?: boolean;
  /** Looks at what runs, and ends it. */
  readonly meanwhile?: (drain: AbortController) => Promise<void>;
  readonly grant?: Partial<LogTruncationGrant>;
}

/** Claims what is to be taken, all before a point or all of it, and takes it. */
async function take(untilTs: bigint, { isLost = false, meanwhile, grant = {} }: Situation = {}) {
  const completed: CompleteLogTruncationRequest[] = [];
  let released = 0;
  const HELD = { standing: TaskStanding.TASK_STANDING_HELD };
  const client = {
    claimLogTruncation: async () => ({
      grant: LogTruncationGrant.create({
        ...{ fence: 1n, storage, storageDigest: 'd', path: PATH, taskName: TASK, untilTs, requestId: 'r1' },
        ...grant,
      }),
    }),
    renewLogTruncation: async () => (isLost ? { standing: TaskStanding.TASK_STANDING_LOST } : HELD),
    async completeLogTruncation(end: CompleteLogTruncationRequest) {
      completed.push(end);
      return HELD;
    },
    async releaseLogTruncation() {
      released += 1;
      return HELD;
    },
  } as Partial<ServiceClient<ExecutorServiceServer>> as ServiceClient<ExecutorServiceServer>;
  const ofWorker = { ...env(), DEMO_BR_SCRIPT: join(root, 'demo-br.json') };
  const stateDir = join(root, 'state');
  await using programs = await openPrograms([DEMO_BR], ofWorker);
  using guards = openGuards(stateDir);
  const drain = new AbortController();
  const run = await claimTruncation(
    {
      ...{ client, programs, guards, env: ofWorker, timing, drain: drain.signal, works: createWorks(), stateDir },
      ...{ worker: 'w1', pool: 'default', instance: 'instance-of-the-test' },
      completion: createCompletion(client, { callMs: timing.callMs, giveUp: new AbortController().signal }),
    },
    { kind: CommandKind.COMMAND_KIND_LOG_TRUNCATION, id: 'c1' },
    'r1',
  );
  const running = run?.();
  await meanwhile?.(drain);
  await running;
  return { completed, released };
}

/** The end of what was written second, before which the first two go. */
const point = () => (ends()[1] ?? 0n) + 1n;

it('takes what came before a point, and leaves all from there on', async () => {
  const before = ends();
  const until = point();
  const { completed } = await take(until);
  expect(completed).toMatchObject([{ log: { clusterId: 'c1', fence: 1n }, trouble: undefined }]);
  expect(before.length).toBeGreaterThanOrEqual(4);
  expect(ends()).toEqual(before.slice(2));
  const { stdout } = await promisify(execFile)(DEMO_BR, ['log', 'metadata', '--storage', `local://${folder()}`], {
    env: { ...env(), BR_LOG_TO_TERM: '1' },
  });
  expect(stdout).toContain(`[log-min-ts=${until}]`);
  expect(existsSync(join(folder(), LOCK))).toBe(false);
});

it('runs br again until no file is left, although br calls each run a success', async () => {
  script({ truncateFiles: 1 });
  const until = (ends()[2] ?? 0n) + 1n;
  const { completed } = await take(until);
  expect(completed).toMatchObject([{ trouble: undefined }]);
  expect(ends()[0]).toBeGreaterThanOrEqual(until);
});

it('tells of files that stay, however often br is run', async () => {
  script({ truncateFiles: 0 });
  const before = ends();
  const { completed } = await take(point());
  expect(completed).toMatchObject([{ trouble: { code: 'FILES_LEFT', message: expect.stringContaining('2 files') } }]);
  expect(ends()).toEqual(before);
});

it('removes the lock of its own run that was killed, and goes on', async () => {
  script({ truncateSeconds: 60 });
  const until = point();
  const killBr = async () => {
    const lock = await vi.waitFor(() => readFileSync(join(folder(), LOCK), 'utf8'), WAIT);
    await vi.waitFor(() => expect(readdirSync(join(root, 'state', 'truncations'))).toHaveLength(1), WAIT);
    process.kill(JSON.parse(lock).locker_pid, 'SIGKILL');
  };
  const killed = await take(until, { meanwhile: killBr });
  expect(killed.completed).toMatchObject([{ trouble: { code: 'UNKNOWN_END' } }]);
  expect(existsSync(join(folder(), LOCK))).toBe(true);
  script({});
  const { completed } = await take(until);
  expect(completed).toMatchObject([{ trouble: undefined }]);
  expect(ends()[0]).toBeGreaterThanOrEqual(until);
});

it('leaves the lock of anybody else, and tells whose it is', async () => {
  const dead = Number(execFileSync('sh', ['-c', 'echo $$'], { encoding: 'utf8' }));
  for (const [host, pid, whose] of [
    ['another-host', 7, 'pid 7 on host another-host'],
    // Of this host, and of no run that is on record.
    [hostname(), dead, `pid ${dead} on host ${hostname()}`],
  ] as const) {
    const lock = JSON.stringify({ locked_at: new Date().toISOString(), locker_host: host, locker_pid: pid, hint: '' });
    writeFileSync(join(folder(), LOCK), lock);
    const before = ends();
    const { completed } = await take(point());
    expect(completed).toMatchObject([
      { trouble: { code: 'TRUNCATE_LOCKED', message: expect.stringContaining(whose) } },
    ]);
    expect(readFileSync(join(folder(), LOCK), 'utf8')).toBe(lock);
    expect(ends()).toEqual(before);
  }
});

it('removes a whole log, and nothing beside it', async () => {
  const beside = join(root, 'storage', 'nfs/c1/log-1-aaaaaaaab');
  mkdirSync(beside);
  writeFileSync(join(beside, 'backupmeta'), '');
  const { completed } = await take(0n);
  expect(completed).toMatchObject([{ trouble: undefined }]);
  expect(existsSync(folder())).toBe(false);
  expect(readdirSync(beside)).toEqual(['backupmeta']);
});

it("takes nothing once it is somebody else's", async () => {
  const before = ends();
  const { completed, released } = await take(point(), { isLost: true });
  expect([completed, released]).toEqual([[], 0]);
  expect(ends()).toEqual(before);
});

it('gives back what it does not end, and nothing of it runs any more', async () => {
  script({ truncateSeconds: 60 });
  let pid = 0;
  const drainIt = async (drain: AbortController) => {
    pid = JSON.parse(await vi.waitFor(() => readFileSync(join(folder(), LOCK), 'utf8'), WAIT)).locker_pid;
    drain.abort(new Error('this worker is stopping'));
  };
  const { completed, released } = await take(point(), { meanwhile: drainIt });
  expect([completed, released]).toEqual([[], 1]);
  expect(() => process.kill(pid, 0)).toThrow('ESRCH');
});

it('takes nothing where the log is not, nor where another storage is mounted', async () => {
  const { completed } = await take(point(), { grant: { path: 'nfs/c1/log-2-bbbbbbbb' } });
  expect(completed).toMatchObject([{ trouble: { code: 'NO_LOG' } }]);
  const before = ends();
  const marker = { number: '0'.repeat(32), adopt: false };
  for (const until of [point(), 0n])
    expect((await take(until, { grant: { marker } })).completed).toMatchObject([{ trouble: { code: 'STORAGE_AWAY' } }]);
  expect(ends()).toEqual(before);
});
