/**
 * From the doorbell of a log backup to the end of a look: claim, let the consumer acknowledge, look, report, and do what is asked then.
 *
 * A look that is lost is only forgotten: what it was about to do is on record, and the next look tells what became of it. A worker
 * that stops gives it back before the report, and ends an act that it has begun, which takes seconds.
 */
import { randomBytes } from 'node:crypto';
import type { Run } from '@tidemark/messaging/consumer';
import {
  type ExecutorServiceServer,
  type LogAct,
  LogActKind,
  LogActResult,
  type LogGrant,
  LogRef,
  LogTaskState,
  type ReportLogRequest,
  type Target,
  TaskStanding,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/executor_service';
import type { RunCommand } from '@tidemark/protocol/queue/v1/commands';
import type { Env } from '@tidemark/service-kit/env';
import type { ServiceClient } from '@tidemark/service-kit/grpc/client';
import type { Timing } from '@tidemark/service-kit/timing';
import { secretsOf, storageCredentials } from '@tidemark/storage/credentials';
import { secretsFolder } from '@tidemark/storage/secret-file';
import { requireSoundPlace, requireSoundTarget, requireTlsFiles } from '../br/check-grant.ts';
import { brEnvironment } from '../br/command.ts';
import { chooseProgram, type Programs } from '../br/programs.ts';
import { runShortly } from '../br/short-run.ts';
import type { LogCompletion } from '../completion.ts';
import { claimMade, type LogFacts, logActEnded, logLookBegan, logLookEnded } from '../events.ts';
import { log } from '../logger.ts';
import { redacted } from '../redact.ts';
import { claimUntilAnswered } from '../until-answered.ts';
import type { Works } from '../works.ts';
import { type ActEnd, type ActKind, readActEnd } from './act-end.ts';
import { isPlace, type LogPlace, pauseArguments, resumeArguments, startArguments, stopArguments } from './command.ts';
import { look, type ReadClusterId, type ReadCuts, type RunShortly, type SeenTask, type Sight } from './look.ts';
import type { TaskState } from './status.ts';

export interface LogDependencies {
  readonly client: ServiceClient<ExecutorServiceServer>;
  readonly completion: LogCompletion;
  readonly programs: Programs;
  readonly clusterIdIn: ReadClusterId;
  readonly cutsIn: ReadCuts;
  readonly env: Env;
  readonly timing: Timing;
  /** Aborts when this worker is to stop. */
  readonly drain: AbortSignal;
  readonly worker: string;
  readonly pool: string;
  /** Of this run of the worker. */
  readonly instance: string;
  /** What this worker is at. */
  readonly works: Works;
  /** A folder for what `br` puts down. */
  readonly stateDir: string;
}

/** A look lasts no longer than a lease: backup-service waits for three. */
const RUNS_PER_LEASE = 3;

/** Claims the look that a command rings for. */
export async function claimLog(
  dependencies: LogDependencies,
  { id: clusterId }: RunCommand,
  requestId: string,
): Promise<Run | undefined> {
  const { client, worker, pool, instance, timing } = dependencies;
  const claim = randomBytes(24).toString('base64url');
  const answer = await claimUntilAnswered(
    () => client.claimLog({ clusterId, claim, worker, pool, instance }, { timeoutMs: timing.callMs, requestId }),
    { forMs: timing.claimMs, facts: { clusterId, requestId } },
  );
  const grant = answer?.grant;
  claimMade(answer ? (grant ? 'log' : 'lost') : 'unknown', clusterId, requestId);
  if (!grant) return undefined;
  return () => run(dependencies, LogRef.create({ clusterId, claim, fence: grant.fence }), grant);
}

async function run(dependencies: LogDependencies, ref: LogRef, grant: LogGrant): Promise<void> {
  const { clusterId } = ref;
  const facts: LogFacts = { requestId: grant.requestId, clusterId };
  using _ = dependencies.works.began({ kind: 'log', id: clusterId, clusterId });
  logLookBegan(facts);
  let outcome = 'ended by a bug';
  try {
    outcome = await lookAndAct(dependencies, ref, grant, facts);
  } finally {
    logLookEnded(facts, outcome);
  }
}

/** Looks, reports, and does what is asked then; answers how it ended, for the log. */
async function lookAndAct(
  dependencies: LogDependencies,
  ref: LogRef,
  grant: LogGrant,
  facts: LogFacts,
): Promise<string> {
  const { client, completion, timing, drain } = dependencies;
  const { requestId, target } = grant;
  if (!target) throw new Error('the grant names no cluster');
  const sight = await sightOf(dependencies, target, grant, facts);
  if (drain.aborted) {
    await completion.releaseLog(ref, requestId);
    return 'left to another worker';
  }
  const place = grant.storage && { storage: grant.storage, path: grant.path };
  const report = { log: ref, ...toReport(sight, place) };
  const answer = await claimUntilAnswered(() => client.reportLog(report, { timeoutMs: timing.callMs, requestId }), {
    forMs: timing.leaseMs,
    facts,
  });
  if (answer?.standing !== TaskStanding.TASK_STANDING_HELD) return answer ? 'lost' : 'unanswered';
  const { act } = answer;
  if (!act) return sight.kind === 'tasks' ? 'seen' : sight.reason.message;
  const end = await endOf(dependencies, target, act, ref.clusterId);
  logActEnded(facts, KINDS[act.kind] ?? 'unknown', act.taskName, end);
  const standing = await completion.completeLog(
    { log: ref, result: RESULTS[end.result], reason: end.reason },
    requestId,
  );
  return standing === 'held' ? end.result : standing;
}

/** What cannot be asked, whatever the reason, is not seen. */
async function sightOf(
  dependencies: LogDependencies,
  target: Target,
  grant: LogGrant,
  facts: LogFacts,
): Promise<Sight> {
  const { storage, path, readMetadata } = grant;
  const place = storage && readMetadata ? { storage, path } : undefined;
  try {
    const run = await runner(dependencies, target);
    const { clusterIdIn, cutsIn } = dependencies;
    return await look(target, place, { run, clusterIdIn, cutsIn }, (message, error) =>
      log.warn({ ...facts, error }, message),
    );
  } catch (error) {
    const { message } = error as Error;
    return { kind: 'unreachable', reason: { code: 'CANNOT_LOOK', message, detail: '' } };
  }
}

/**
 * Runs a `br` that fits the cluster, which gets the credentials of a storage only where it reads or writes there.
 *
 * @throws Error that says why there is none, or that the cluster's keys cannot be read
 */
async function runner({ programs, env, timing, stateDir }: LogDependencies, target: Target): Promise<RunShortly> {
  const usable = programs.usable();
  const program = chooseProgram(usable, target.version);
  if (!program) {
    const there = usable.map(({ path, version }) => `${path} (${version})`).join(', ');
    throw new Error(`No br of this worker fits a cluster of version ${target.version}. There are: ${there}.`);
  }
  requireSoundTarget(target);
  await requireTlsFiles(target.tls, secretsFolder(env), AbortSignal.timeout(timing.callMs));
  const forMs = timing.leaseMs / RUNS_PER_LEASE;
  return async (args, place) => {
    if (place) requireSoundPlace(place);
    const credentials = place ? await storageCredentials(place.storage, env) : {};
    const secrets = secretsOf(credentials);
    const brEnv = brEnvironment(env, stateDir, credentials);
    const ended = await runShortly({ program: program.path, args, env: brEnv, cwd: stateDir, forMs });
    return { ...ended, stdout: redacted(ended.stdout, secrets), stderr: redacted(ended.stderr, secrets) };
  };
}

async function endOf(dependencies: LogDependencies, target: Target, act: LogAct, clusterId: string): Promise<ActEnd> {
  const kind = KINDS[act.kind];
  try {
    const args = argumentsOf(target, act);
    if (!kind || !args)
      throw new Error(`Cluster ${clusterId} is to be acted on in a way that this worker does not know: update it.`);
    const { storage, path } = act;
    const place = kind === 'start' && storage ? { storage, path } : undefined;
    const run = await runner(dependencies, target);
    return readActEnd(kind, await run(args, place));
  } catch (error) {
    // No br was started.
    return { result: 'refused', reason: { code: 'CANNOT_ACT', message: (error as Error).message, detail: '' } };
  }
}

function argumentsOf(target: Target, { kind, taskName, storage, path, gcTtlSeconds }: LogAct): string[] | undefined {
  switch (kind) {
    case LogActKind.LOG_ACT_KIND_START:
      return storage && startArguments(target, taskName, { storage, path });
    case LogActKind.LOG_ACT_KIND_PAUSE:
      return pauseArguments(target, taskName, gcTtlSeconds);
    case LogActKind.LOG_ACT_KIND_RESUME:
      return resumeArguments(target, taskName);
    case LogActKind.LOG_ACT_KIND_STOP:
      return stopArguments(target, taskName);
    default:
      return undefined;
  }
}

const KINDS: Readonly<Partial<Record<LogActKind, ActKind>>> = {
  [LogActKind.LOG_ACT_KIND_START]: 'start',
  [LogActKind.LOG_ACT_KIND_PAUSE]: 'pause',
  [LogActKind.LOG_ACT_KIND_RESUME]: 'resume',
  [LogActKind.LOG_ACT_KIND_STOP]: 'stop',
};

const RESULTS = {
  ok: LogActResult.LOG_ACT_RESULT_OK,
  refused: LogActResult.LOG_ACT_RESULT_REFUSED,
  newLog: LogActResult.LOG_ACT_RESULT_NEW_LOG,
  unknown: LogActResult.LOG_ACT_RESULT_UNKNOWN,
} as const satisfies Record<ActEnd['result'], LogActResult>;

const STATES = {
  normal: LogTaskState.LOG_TASK_STATE_NORMAL,
  paused: LogTaskState.LOG_TASK_STATE_PAUSED,
  error: LogTaskState.LOG_TASK_STATE_ERROR,
} as const satisfies Record<TaskState, LogTaskState>;

function toReport(
  sight: Sight,
  place: LogPlace | undefined,
): Pick<ReportLogRequest, 'unreachable' | 'tasks' | 'range'> {
  if (sight.kind === 'unreachable') return { unreachable: sight.reason, tasks: [], range: undefined };
  const { tasks, range } = sight;
  return {
    unreachable: undefined,
    tasks: tasks.map((task) => toTaskMessage(task, place)),
    range: range && {
      ...{ minTs: range.min, maxTs: range.max, tidbClusterId: range.tidbClusterId ?? 0n },
      cuts: range.cuts && { cuts: range.cuts.map(({ from, to }) => ({ fromTs: from, toTs: to })) },
    },
  };
}

function toTaskMessage(
  { name, storage, startTs, checkpoint, errors, state, pausedByHand }: SeenTask,
  place: LogPlace | undefined,
) {
  return {
    ...{ name, storage, startTs, pausedByHand },
    samePlace: place !== undefined && isPlace(storage, place),
    state: STATES[state],
    checkpointTs: checkpoint,
    errors: errors.map((error) => ({ ...error })),
  };
}
