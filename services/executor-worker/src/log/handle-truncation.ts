/**
 * From the doorbell of a truncation to its end: claim, let the consumer acknowledge, take what is to be taken, and tell it.
 *
 * U1. The storage is looked at first: where its share is away, nothing would seem to be left.
 * U2. `br log truncate` is run again until it finds nothing any more, or removed all that it found twice in a row: files that it could
 *     not remove are told beside exit 0.
 * U3. A lock of a killed run is removed where that ran on this host and is dead; another's is told, and waited for.
 * U4. The end is told only when no process of it lives. A worker that is killed leaves what the next one goes on with.
 */
import { randomBytes } from 'node:crypto';
import { BACKUPMETA } from '@tidemark/backupmeta/backupmeta';
import { storageUrl } from '@tidemark/br-options/command-line';
import type { Run } from '@tidemark/messaging/consumer';
import type { Reason } from '@tidemark/protocol/grpc/tidemark/backup/v1/backup';
import {
  type ExecutorServiceServer,
  LogRef,
  type LogTruncationGrant,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/executor_service';
import type { Storage } from '@tidemark/protocol/grpc/tidemark/backup/v1/registry_service';
import type { RunCommand } from '@tidemark/protocol/queue/v1/commands';
import type { Env } from '@tidemark/service-kit/env';
import type { ServiceClient } from '@tidemark/service-kit/grpc/client';
import type { Timing } from '@tidemark/service-kit/timing';
import type { BackupFiles } from '@tidemark/storage/backup-files';
import { secretsOf, storageCredentials } from '@tidemark/storage/credentials';
import { requireSoundPlace } from '../br/check-grant.ts';
import { brEnvironment } from '../br/command.ts';
import type { Guards } from '../br/process.ts';
import { chooseProgram, type Programs } from '../br/programs.ts';
import type { LogCompletion } from '../completion.ts';
import { claimMade, type LogFacts, truncationBegan, truncationEnded } from '../events.ts';
import { log } from '../logger.ts';
import { type Reach, troubleOf } from '../reach.ts';
import { createRedactor } from '../redact.ts';
import { removePaths } from '../remove-task.ts';
import { LONGEST_TIMER_MS } from '../run-br.ts';
import { knownFilesIn, openKnownStorage, rootOf } from '../storage/marker.ts';
import { claimUntilAnswered } from '../until-answered.ts';
import type { Works } from '../works.ts';
import { truncateArguments } from './command.ts';
import { createTruncateReader, LOCKED, type TruncateEnd } from './truncate-output.ts';
import { keepTruncationLease, type TruncationLease } from './truncation-lease.ts';
import { parseLock, truncationRecords } from './truncation-records.ts';

export interface TruncationDependencies {
  readonly client: ServiceClient<ExecutorServiceServer>;
  readonly completion: LogCompletion;
  readonly programs: Programs;
  readonly guards: Pick<Guards, 'take'>;
  readonly reach?: Pick<Reach, 'failed' | 'worked'>;
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
  /** A folder for what `br` puts down, and for what is known of its runs. */
  readonly stateDir: string;
}

/** In BR's words. */
const TRUNCATING_LOCK = 'truncating.lock';
/** Runs of `br` under one claim; what is left then is tried again later. */
const RUNS_UNDER_ONE_CLAIM = 5;

/** Claims what a command rings for. */
export async function claimTruncation(
  dependencies: TruncationDependencies,
  { id: clusterId }: RunCommand,
  requestId: string,
): Promise<Run | undefined> {
  const { client, worker, pool, instance, timing } = dependencies;
  const claim = randomBytes(24).toString('base64url');
  const answer = await claimUntilAnswered(
    () =>
      client.claimLogTruncation({ clusterId, claim, worker, pool, instance }, { timeoutMs: timing.callMs, requestId }),
    { forMs: timing.claimMs, facts: { clusterId, requestId } },
  );
  const grant = answer?.grant;
  claimMade(answer ? (grant ? 'truncate' : 'lost') : 'unknown', clusterId, requestId);
  if (!grant) return undefined;
  return () => run(dependencies, LogRef.create({ clusterId, claim, fence: grant.fence }), grant);
}

async function run(dependencies: TruncationDependencies, ref: LogRef, grant: LogTruncationGrant): Promise<void> {
  const { client, timing, works } = dependencies;
  const facts: LogFacts = { requestId: grant.requestId, clusterId: ref.clusterId };
  using _ = works.began({ kind: 'truncate', id: ref.clusterId, clusterId: ref.clusterId });
  truncationBegan(facts, grant.taskName, grant.untilTs);
  let outcome = 'ended by a bug';
  try {
    await using lease = keepTruncationLease({ client, ref, facts, timing });
    outcome = await takeAndTell(dependencies, ref, grant, lease, facts);
  } finally {
    truncationEnded(facts, grant.taskName, outcome);
  }
}

/** Takes what is to be taken, and tells it; answers how it ended, for the log. */
async function takeAndTell(
  dependencies: TruncationDependencies,
  ref: LogRef,
  grant: LogTruncationGrant,
  lease: TruncationLease,
  facts: LogFacts,
): Promise<string> {
  const { completion, drain, reach } = dependencies;
  const { requestId, storageDigest } = grant;
  const signal = AbortSignal.any([lease.lost, drain]);
  let trouble: Reason | undefined;
  try {
    trouble = await take(dependencies, grant, lease, signal);
    signal.throwIfAborted();
    reach?.worked(storageDigest);
  } catch (error) {
    if (lease.lost.aborted) return 'lost';
    if (drain.aborted) return `released: ${await completion.releaseTruncation(ref, requestId)}`;
    log.warn({ ...facts, error }, 'a log could not be truncated; it is tried again');
    const away = troubleOf(error);
    if (away) reach?.failed(knownOf(grant), storageDigest, away);
    const message = (error instanceof Error ? error.message : String(error)).toWellFormed();
    trouble = { code: away?.code ?? 'TRUNCATE_FAILED', message, detail: '' };
  }
  const answer = await completion.completeTruncation({ log: ref, trouble }, requestId);
  return answer === 'held' ? (trouble?.message ?? 'done') : answer;
}

const knownOf = ({ storage, marker, path }: LogTruncationGrant) => ({ storage, marker, root: rootOf(path) });

/** @returns why something may be left */
async function take(
  dependencies: TruncationDependencies,
  grant: LogTruncationGrant,
  lease: TruncationLease,
  signal: AbortSignal,
): Promise<Reason | undefined> {
  const { storage, marker, path, untilTs } = grant;
  requireSoundPlace({ storage, path });
  if (!storage) throw new Error('the grant names no storage');
  if (untilTs === 0n) {
    const announced = { announceRemoval: async () => void (await lease.confirm()) };
    const outcome = await removePaths({ storage, marker, paths: [path] }, dependencies.env, signal, announced);
    return outcome?.$case === 'removeFailed' || outcome?.$case === 'wait' ? outcome.value.reason : undefined;
  }
  const stored = await openKnownStorage(knownOf(grant), dependencies.env, { signal });
  const files = await knownFilesIn(knownOf(grant), stored, path);
  if ((await files.read(BACKUPMETA, signal)) === undefined)
    return { code: 'NO_LOG', message: `There is no log in ${path} of storage ${storage.id} any more.`, detail: '' };
  const url = storageUrl(storage, path);
  let wasAllTaken = false;
  for (let runs = 1; ; runs += 1) {
    const inTheWay = await whoLocks(dependencies, files, url, signal);
    if (inTheWay) return inTheWay;
    const end = await truncateOnce(dependencies, grant, storage, lease, signal);
    signal.throwIfAborted();
    if (end.kind === 'clean') return undefined;
    if (end.kind === 'failed') return end.reason;
    if (wasAllTaken && end.left === 0) return undefined;
    wasAllTaken = end.left === 0;
    if (runs === RUNS_UNDER_ONE_CLAIM)
      return {
        code: 'FILES_LEFT',
        message: `${end.left} files of the log in ${path} could not be removed; it is tried again.`,
        detail: '',
      };
  }
}

/** Removes the lock of a dead run of this host (U3). @returns whose lock is in the way */
async function whoLocks(
  { stateDir }: TruncationDependencies,
  files: BackupFiles,
  url: string,
  signal: AbortSignal,
): Promise<Reason | undefined> {
  const records = truncationRecords(stateDir);
  const content = await files.read(TRUNCATING_LOCK, signal);
  if (content === undefined) {
    await records.remove(url);
    return undefined;
  }
  const lock = parseLock(content.toString('utf8'));
  const owner = lock ? await records.ownerOf(url, lock) : 'another';
  if (owner === 'dead') {
    const [failure] = await files.remove([TRUNCATING_LOCK], signal);
    if (failure)
      return { code: 'FILES_LEFT', message: `The lock of a br that is over stays: ${failure.why}`, detail: '' };
    await records.remove(url);
    return undefined;
  }
  if (owner === 'alive')
    return { code: 'TRUNCATE_RUNS', message: 'A br log truncate of this host is still at it.', detail: '' };
  const whose = lock
    ? `pid ${lock.pid} on host ${lock.host}, since ${lock.at.toISOString()}`
    : 'an owner that nobody can tell';
  return {
    code: LOCKED,
    message: `Another br log truncate has this log, or left its lock there: ${whose}. Once that process is gone, remove ${TRUNCATING_LOCK} in the path of the log.`,
    detail: '',
  };
}

async function truncateOnce(
  { programs, guards, env, timing, stateDir }: TruncationDependencies,
  { path, untilTs, clusterVersion }: LogTruncationGrant,
  storage: Storage,
  lease: TruncationLease,
  signal: AbortSignal,
): Promise<TruncateEnd> {
  const program = chooseProgram(programs.usable(), clusterVersion);
  if (!program) throw new Error(`No br of this worker fits a cluster of version ${clusterVersion}.`);
  const credentials = await storageCredentials(storage, env);
  const secrets = secretsOf(credentials);
  const [redactOut, redactErr] = [createRedactor(secrets), createRedactor(secrets)];
  const reader = createTruncateReader();
  const records = truncationRecords(stateDir);
  const startBy = await lease.confirm();
  using guard = guards.take();
  const { guardMs, killMs, graceMs } = timing;
  const br = guard.startBr({
    argv: [program.path, ...truncateArguments({ storage, path }, untilTs)],
    env: brEnvironment(env, stateDir, credentials),
    cwd: stateDir,
    ...{ startBy, guardMs, killMs, graceMs },
    onStdout: (chunk) => reader.stdout(redactOut(chunk)),
    onStderr: (chunk) => reader.stderr(redactErr(chunk)),
  });
  lease.guardWith(br.keepAlive);
  const stop = () => void br.stop();
  const overdue = setTimeout(stop, Math.min(timing.deadlineMs, LONGEST_TIMER_MS));
  signal.addEventListener('abort', stop, { once: true });
  try {
    if (signal.aborted) stop();
    const pid = await br.pid;
    if (pid !== undefined) await records.write(storageUrl(storage, path), pid);
    const exit = await br.exited;
    reader.stdout(redactOut.end());
    reader.stderr(redactErr.end());
    return reader.end(exit);
  } finally {
    // Also where the record could not be written: nothing of it may live on.
    await br.stop();
    clearTimeout(overdue);
    signal.removeEventListener('abort', stop);
    lease.guardWith(() => undefined);
  }
}
