import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  type CompleteLogRequest,
  type ExecutorServiceServer,
  LogAct,
  LogActKind,
  LogActResult,
  LogGrant,
  LogTaskState,
  type ReleaseLogRequest,
  type ReportLogRequest,
  Target,
  TaskStanding,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/executor_service';
import { S3Location, Storage } from '@tidemark/protocol/grpc/tidemark/backup/v1/registry_service';
import { CommandKind } from '@tidemark/protocol/queue/v1/commands';
import { configReader } from '@tidemark/service-kit/env';
import type { ServiceClient } from '@tidemark/service-kit/grpc/client';
import { readTiming } from '@tidemark/service-kit/timing';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { openPrograms } from '../br/programs.ts';
import { createCompletion } from '../completion.ts';
import { createWorks } from '../works.ts';
import { claimLog } from './handle-log.ts';

const SECRET = 'a-secret-that-nobody-prints';
const KEYS = { AWS_ACCESS_KEY_ID: 'an-id', AWS_SECRET_ACCESS_KEY: SECRET };
const TASK = 'tidemark_c1_1_a';
const PATH = 'nfs/c1/log-1-a';
const TS = 470814526146609153n;
const HELD = { standing: TaskStanding.TASK_STANDING_HELD };
const bucket = (name: string) =>
  Storage.create({ id: 's1', location: { $case: 's3', value: S3Location.create({ bucket: name }) } });
const timing = readTiming(configReader({ TIDEMARK_CALL_SECONDS: '1', TIDEMARK_CLAIM_SECONDS: '0.5' }));
const act = (kind: LogActKind) =>
  LogAct.create({ kind, taskName: TASK, storage: bucket('b'), path: PATH, gcTtlSeconds: 86_400 });

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tidemark-log-'));
  // What it was asked, and whether it had keys; then what it prints of a running task, and how each act ends.
  const script = `#!/bin/sh
echo "$*\${AWS_SECRET_ACCESS_KEY:+ (with keys)}" >> ${folder}/asked
case "$*" in
  -V) echo 'Release Version: v8.5.0' ;;
  'log metadata '*) echo '[2026/11/30 05:01:51.324 +00:00] [INFO] [collector.go:268] ["log metadata"] [log-min-ts=${TS}] [log-max-ts=${TS + 2n}]' ;;
  'log status '*--json) echo '[{"name":"${TASK}","start_ts":${TS},"storage":"s3://b/${PATH}","checkpoint":${TS + 1n},"last_errors":[]}]' ;;
  'log status '*) printf '  name: ${TASK}\\n  status: ● NORMAL\\n' ;;
  *) . ${folder}/act ;;
esac
`;
  writeFileSync(join(folder, 'br'), script, { mode: 0o755 });
  ends('exit 0');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** How an act ends, as lines of a shell. */
const ends = (lines: string) => writeFileSync(join(folder, 'act'), `${lines}\n`);
/** What `br` was asked. */
const asked = () =>
  readFileSync(join(folder, 'asked'), 'utf8')
    .split('\n')
    .filter((line) => line.startsWith('log '));
const askedToAct = () => asked().filter((line) => !/^log (status|metadata) /.test(line));

interface Situation {
  readonly grant?: Partial<LogGrant>;
  readonly env?: Readonly<Record<string, string>>;
  readonly leaseMs?: number;
  readonly isLost?: boolean;
  /** This worker is to stop while it looks. */
  readonly isStopping?: boolean;
}

/** Claims a look and does it, where this is asked then. */
async function look(asks: LogAct | undefined, situation: Situation = {}) {
  const { grant, env = KEYS, leaseMs = timing.leaseMs, isLost = false, isStopping = false } = situation;
  const reported: ReportLogRequest[] = [];
  const completed: CompleteLogRequest[] = [];
  const released: ReleaseLogRequest[] = [];
  const drain = new AbortController();
  const client = {
    claimLog: async () => ({
      grant: LogGrant.create({
        ...{ fence: 3n, storage: bucket('b'), path: PATH, taskName: TASK, readMetadata: true, requestId: 'r1' },
        ...{ target: Target.create({ pd: ['pd:2379'], version: 'v8.5.0' }), ...grant },
      }),
    }),
    async reportLog(report: ReportLogRequest) {
      reported.push(report);
      return isLost ? { standing: TaskStanding.TASK_STANDING_LOST, act: asks } : { ...HELD, act: asks };
    },
    async completeLog(end: CompleteLogRequest) {
      completed.push(end);
      return HELD;
    },
    async releaseLog(end: ReleaseLogRequest) {
      released.push(end);
      return HELD;
    },
  } as Partial<ServiceClient<ExecutorServiceServer>> as ServiceClient<ExecutorServiceServer>;
  const ofWorker = { PATH: process.env.PATH ?? '', ...env };
  await using programs = await openPrograms([join(folder, 'br')], ofWorker);
  const works = createWorks();
  const run = await claimLog(
    {
      clusterIdIn: async () => 7n,
      cutsIn: async () => [{ from: 5n, to: 6n }],
      ...{ client, programs, works, env: ofWorker, timing: { ...timing, leaseMs }, drain: drain.signal },
      ...{ worker: 'w1', pool: 'default', instance: 'instance-of-the-test', stateDir: folder },
      completion: createCompletion(client, { callMs: timing.callMs, giveUp: new AbortController().signal }),
    },
    { kind: CommandKind.COMMAND_KIND_LOG, id: 'c1' },
    'r1',
  );
  const running = run?.();
  if (isStopping) drain.abort();
  await running;
  return { reported, completed, released };
}

it('tells what it sees under its claim and fence, and nothing more where nothing is asked', async () => {
  const { reported, completed, released } = await look(undefined);
  expect(reported).toMatchObject([
    {
      log: { clusterId: 'c1', fence: 3n },
      unreachable: undefined,
      tasks: [
        { name: TASK, samePlace: true, startTs: TS, checkpointTs: TS + 1n, state: LogTaskState.LOG_TASK_STATE_NORMAL },
      ],
      range: { minTs: TS, maxTs: TS + 2n, tidbClusterId: 7n, cuts: { cuts: [{ fromTs: 5n, toTs: 6n }] } },
    },
  ]);
  expect(reported[0]?.log?.claim.length).toBeGreaterThanOrEqual(22);
  expect([completed, released, askedToAct()]).toEqual([[], [], []]);
});

it('takes a task that writes elsewhere for another, whatever its name', async () => {
  const { reported } = await look(undefined, { grant: { path: 'nfs/c1/log-2-b' } });
  expect(reported[0]?.tasks).toMatchObject([{ name: TASK, samePlace: false }]);
});

it.each([
  [LogActKind.LOG_ACT_KIND_START, `log start --task-name ${TASK} --pd pd:2379 --storage s3://b/${PATH}`],
  [LogActKind.LOG_ACT_KIND_PAUSE, `log pause --task-name ${TASK} --pd pd:2379 --gc-ttl 86400`],
  [LogActKind.LOG_ACT_KIND_RESUME, `log resume --task-name ${TASK} --pd pd:2379`],
  [LogActKind.LOG_ACT_KIND_STOP, `log stop --task-name ${TASK} --pd pd:2379`],
])('does what is asked, once, and tells that it went well: act %i', async (kind, line) => {
  const { completed } = await look(act(kind));
  expect(askedToAct()).toEqual([expect.stringContaining(line)]);
  expect(completed).toMatchObject([
    { log: { clusterId: 'c1', fence: 3n }, result: LogActResult.LOG_ACT_RESULT_OK, reason: undefined },
  ]);
});

it('gives br the keys of a storage only where it reads or writes there', async () => {
  await look(act(LogActKind.LOG_ACT_KIND_START));
  expect(asked().map((line) => [line.split(' ')[1], line.endsWith('(with keys)')])).toEqual([
    ['metadata', true],
    ['status', false],
    ['status', false],
    ['start', true],
  ]);
  expect(asked().join()).not.toContain(SECRET);
});

it('passes on why br refused, without the keys that it may have printed', async () => {
  ends(`echo "Error: AccessDenied for ${SECRET}" >&2; exit 1`);
  const { completed } = await look(act(LogActKind.LOG_ACT_KIND_START));
  expect(completed).toMatchObject([
    {
      result: LogActResult.LOG_ACT_RESULT_REFUSED,
      reason: { code: 'STORAGE_DENIED', detail: 'Error: AccessDenied for [redacted]' },
    },
  ]);
});

it('does nothing for a look that was lost', async () => {
  const { reported, completed } = await look(act(LogActKind.LOG_ACT_KIND_STOP), { isLost: true });
  expect([reported.length, completed, askedToAct()]).toEqual([1, [], []]);
});

it('gives a look back where this worker stops meanwhile', async () => {
  const { reported, released } = await look(act(LogActKind.LOG_ACT_KIND_STOP), { isStopping: true });
  expect(released).toMatchObject([{ log: { clusterId: 'c1', fence: 3n } }]);
  expect([reported, askedToAct()]).toEqual([[], []]);
});

it('does not say how an act ended that took too long', async () => {
  ends('exec sleep 60');
  const { completed } = await look(act(LogActKind.LOG_ACT_KIND_PAUSE), { leaseMs: 3_000 });
  expect(completed).toMatchObject([
    { result: LogActResult.LOG_ACT_RESULT_UNKNOWN, reason: { message: 'br did not end within 1 s.' } },
  ]);
});

it('sees the task also where the keys of its storage are missing; only what lies there stays unknown', async () => {
  const storage = { ...bucket('b'), credentials: { source: { $case: 'envPrefix' as const, value: 'NONE_' } } };
  const { reported } = await look(undefined, { grant: { storage } });
  expect(reported).toMatchObject([{ unreachable: undefined, tasks: [{ name: TASK }], range: undefined }]);
});

it('begins no log in a place that is another than it says', async () => {
  const evil = { ...act(LogActKind.LOG_ACT_KIND_START), storage: bucket('b?endpoint=http://evil') };
  const { completed } = await look(evil);
  expect(completed).toMatchObject([{ result: LogActResult.LOG_ACT_RESULT_REFUSED, reason: { code: 'CANNOT_ACT' } }]);
  expect(askedToAct()).toEqual([]);
});

it('says why it cannot look: no br of this worker fits the cluster', async () => {
  const target = Target.create({ pd: ['pd:2379'], version: 'v4.0.0' });
  const { reported } = await look(undefined, { grant: { target } });
  expect(reported).toMatchObject([
    { unreachable: { code: 'CANNOT_LOOK', message: expect.stringContaining('No br of this worker fits') }, tasks: [] },
  ]);
  expect(asked()).toEqual([]);
});
