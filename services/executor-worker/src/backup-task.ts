/**
 * Runs one granted backup from its first look at the path to its reported end.
 *
 * T9, in this order, before each spawn, and the first two once more after a `br` that did not succeed:
 *  1. Is `backupmeta` there? Verify it: good → succeeded; bad or unproven → new path.
 *  2. Is the path locked by somebody else's `br`? → wait for the lock's end.
 *  3. May this claim not run? → failed, nothing is started.
 *  4. `starting` is answered → what an ended `br` left of its lock, listed before, is removed, and if that was soon enough →
 *     spawn. Not earlier: a worker that was frozen after its claim would take the lock of the one that has the path by now.
 * T4. Once the task is lost, `br` is stopped, no file is touched, and the path is reported as stray.
 * T5. The end is reported only when nobody is left in br's process group.
 * No failure is reported where the storage is not known any more by its marker (M1): then that is what went wrong.
 */

import type { KeyObject } from 'node:crypto';
import { metadataLimit, type Verification, type VerifyOptions, verifyBackup } from '@tidemark/backupmeta/backupmeta';
import { openCrypter } from '@tidemark/backupmeta/crypter';
import { AppError } from '@tidemark/errors/app-error';
import type { Reason } from '@tidemark/protocol/grpc/tidemark/backup/v1/backup';
import type {
  BackupGrant,
  ExecutorServiceServer,
  TaskRef,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/executor_service';
import type { Storage } from '@tidemark/protocol/grpc/tidemark/backup/v1/registry_service';
import { withTimeout } from '@tidemark/service-kit/abort';
import type { Env } from '@tidemark/service-kit/env';
import type { ServiceClient } from '@tidemark/service-kit/grpc/client';
import type { Timing } from '@tidemark/service-kit/timing';
import { type BackupFiles, backupFilesIn } from '@tidemark/storage/backup-files';
import { secretsOf, storageCredentials } from '@tidemark/storage/credentials';
import { secretsFolder } from '@tidemark/storage/secret-file';
import type { StorageFiles } from '@tidemark/storage/storage-files';
import { recorded, type TraceHeaders } from '@tidemark/tracing/trace';
import { type End, failed, handBack, isFailure, stopped, takesHandBacks, wait, waitForStorage } from './backup-end.ts';
import { requireSoundPlace, requireSoundTarget, requireTlsFiles } from './br/check-grant.ts';
import { type FoundLock, findLocks, lockedForMs } from './br/checkpoint-lock.ts';
import { backupArguments, brEnvironment, takesChecksum } from './br/command.ts';
import { classifyFailure, whyNotStarted } from './br/outcome.ts';
import type { Guards } from './br/process.ts';
import { type BrProgram, chooseProgram, hasCheckpointLock, type Programs } from './br/programs.ts';
import type { TaskCompletion } from './completion.ts';
import { brEnded, leaseLost, markerSettled, strayReported, type TaskFacts } from './events.ts';
import type { Lease } from './lease-keeper.ts';
import { log } from './logger.ts';
import { writeManifest } from './manifest.ts';
import { startOutputRecorder } from './output-recorder.ts';
import { type Reach, type Trouble, troubleOf } from './reach.ts';
import { type FinishedRun, type RunOptions, runBr } from './run-br.ts';
import type { RunRecords } from './run-records.ts';
import { isOfMarker, openKnownStorage, requireKnown, rootOf, settleMarker } from './storage/marker.ts';
import { untilAnswered } from './until-answered.ts';

export interface BackupTaskDependencies {
  readonly completion: TaskCompletion;
  readonly records: RunRecords;
  readonly client: ServiceClient<ExecutorServiceServer>;
  readonly programs: Programs;
  readonly guards: Guards;
  readonly env: Env;
  readonly timing: Timing;
  /** How much of `backupmeta` and of each of its metafiles is read. */
  readonly metadataBytes: number;
  readonly reach: Reach;
  /** Of this run of the worker. */
  readonly instance: string;
  /** Aborts when this worker is to stop. */
  readonly drain: AbortSignal;
}

export interface GrantedBackup {
  readonly task: TaskRef;
  readonly grant: BackupGrant;
  readonly facts: TaskFacts;
  readonly lease: Lease;
  /** With which its manifest is signed; undefined: it is not. */
  readonly manifestKey: KeyObject | undefined;
  /** Of the task; empty where it is not traced. */
  readonly trace: TraceHeaders;
}

/** How the metadata of a backup is read. */
type Reading = Required<Pick<VerifyOptions, 'decrypt' | 'limit'>>;

/** A large backup on an object store takes a request for each thousand of its files. */
const LOOK_MS = 15 * 60_000;
const SETTLE_MS = 60_000;
const LOCK_MARGIN_SECONDS = 5;
const LOCKED: Reason = {
  code: 'PATH_LOCKED',
  message: 'Another br may still be at work in this path; its lock is waited out.',
  detail: '',
};
const BR_CHANGED = {
  code: 'BR_CHANGED',
  message: 'The last attempt ran under another version of br, which this one must not resume; another try starts anew.',
};
const EXHAUSTED = {
  code: 'EXHAUSTED',
  message:
    'The backup failed or was lost too often, and no finished backup was found: look at its attempts before you start it again.',
};
const OVERDUE = {
  code: 'DEADLINE',
  message: 'The backup did not finish before its deadline, and no finished backup was found.',
};

/** Runs the backup; answers how it ended, for the log. */
export async function runBackupTask(granted: GrantedBackup, dependencies: BackupTaskDependencies): Promise<string> {
  const { task, grant, facts, lease } = granted;
  const { completion, records } = dependencies;
  let ran = false;
  const ending = await endOf(granted, dependencies, () => {
    ran = true;
  });

  let answer: string;
  if (lease.lost.aborted) answer = 'lost';
  else if (ending.kind === 'complete') answer = await completion.complete(task, ending.outcome, facts.requestId);
  else answer = await completion.release(task, facts.requestId);

  if (answer === 'lost') {
    leaseLost(facts);
    if (ran) {
      strayReported(facts, grant.path);
      if ((await completion.stray(task, grant.path, facts.requestId)) === 'unanswered') return 'lost, unreported';
    }
  }
  // R2: a record outlives its run only where it was not reported.
  if (answer !== 'unanswered') await records.remove(task.claim);
  return answer === 'held' ? (ending.kind === 'complete' ? ending.why : 'released') : answer;
}

async function endOf(granted: GrantedBackup, dependencies: BackupTaskDependencies, onRan: () => void): Promise<End> {
  const { grant, lease, facts } = granted;
  const { env, reach, instance } = dependencies;
  let ran = grant.previousBrVersion !== '';
  let stored: StorageFiles | undefined;
  try {
    requireSoundPlace(grant);
    stored = await openKnownStorage(known(grant), env, { signal: withTimeout(LOOK_MS, lease.lost) });
    const files = await backupFilesIn(stored, grant.path);
    const named = AbortSignal.any([lease.lost, lease.canceling]);
    const reading = {
      decrypt: await openCrypter(grant.target?.brOptions, secretsFolder(env), named),
      limit: metadataLimit(dependencies.metadataBytes),
    };
    const found = await look(granted, files, reading);
    if (!found || isFailure(found)) await requireStillKnown(granted, stored);
    reach.worked(grant.storageDigest);
    const mayNotRun = () => failed('permanent', { ...(grant.remainingSeconds > 0 ? EXHAUSTED : OVERDUE), detail: '' });
    const place = { stored, files };
    const runIt = () =>
      run(granted, place, reading, dependencies, () => {
        ran = true;
        onRan();
      });
    const end = found ?? (grant.mayRun ? await runIt() : mayNotRun());
    if (end.kind === 'complete' && end.outcome?.$case === 'succeeded') await settle(granted, stored, dependencies);
    return end;
  } catch (error) {
    if (lease.lost.aborted) return { kind: 'release' };
    if (lease.canceling.aborted && !ran) return stopped();
    log.warn({ ...facts, error }, 'the backup could not be run');
    if (error instanceof AppError && error.code === 'invalid_argument')
      return failed('permanent', { code: 'OPTIONS_REFUSED', message: error.message, detail: '' });
    const trouble = troubleOf(error) ?? (stored && (await troubleWith(granted, stored)));
    if (lease.lost.aborted) return { kind: 'release' };
    if (trouble) {
      const { code, message, passing } = trouble;
      reach.failed(known(grant), grant.storageDigest, trouble);
      if (takesHandBacks(grant)) return handBack({ code, message, detail: '' }, { instance, passing, storage: true });
      // Where br has run, a finished backup may lie in the path: as long as nobody can look, it must not end as failed.
      if (!ran && !passing) return failed('permanent', { code, message, detail: '' });
      return waitForStorage(message);
    }
    const detail = error instanceof Error ? error.message : String(error);
    return failed('retry', {
      code: 'WORKER_TROUBLE',
      message: 'The worker could not read or write the storage.',
      detail,
    });
  }
}

/**
 * Has the storage of a good backup be known by its marker from now on.
 *
 * @throws AppError `unavailable` when it is known by another one: then the backup lies elsewhere
 */
async function settle(
  { task, grant, facts, lease }: GrantedBackup,
  files: StorageFiles,
  { client, timing }: BackupTaskDependencies,
): Promise<void> {
  const signal = withTimeout(SETTLE_MS, lease.lost);
  const report = (number: string) =>
    untilAnswered(
      () =>
        client.settleMarker(
          { holder: { $case: 'task', value: task }, number },
          { timeoutMs: timing.callMs, requestId: facts.requestId, signal },
        ),
      { forMs: timing.claimMs, signal, facts },
    );
  try {
    markerSettled(facts, await settleMarker({ ...known(grant), files, report, signal }));
  } catch (error) {
    if (isOfMarker(error)) throw error;
    log.warn({ ...facts, error }, 'the storage could not be marked; the backup is good without it');
  }
}

const known = ({ storage, marker, path }: BackupGrant) => ({ storage, marker, root: rootOf(path) });

/** @throws AppError `unavailable` when the share went away, or another one came: what was read and run there proves nothing */
const requireStillKnown = ({ grant, lease }: GrantedBackup, files: StorageFiles): Promise<void> =>
  requireKnown(known(grant), files, { signal: withTimeout(LOOK_MS, lease.lost) });

/** What is wrong with a storage that could not be read, where its marker shows it. */
async function troubleWith(granted: GrantedBackup, files: StorageFiles): Promise<Trouble | undefined> {
  try {
    await requireStillKnown(granted, files);
    return undefined;
  } catch (error) {
    return troubleOf(error);
  }
}

/** T9, 1 and 2: what lies in the path already. Undefined: nothing that stands in the way. */
async function look(granted: GrantedBackup, files: BackupFiles, reading: Reading): Promise<End | undefined> {
  const { grant, lease } = granted;
  const signal = withTimeout(LOOK_MS, lease.lost);
  const found = await verifyBackup(files, signal, reading);
  if (found.kind !== 'absent') return adopt(found, granted, files, grant.previousBrVersion, signal);
  const lockedMs = grant.previousEnded ? 0 : await lockedForMs(files, signal);
  return lockedMs > 0 ? wait(lockedMs / 1000 + LOCK_MARGIN_SECONDS, LOCKED) : undefined;
}

/** What a finished path means of which no success was reported. */
async function adopt(
  found: Exclude<Verification, { kind: 'absent' }>,
  granted: GrantedBackup,
  files: BackupFiles,
  brVersion: string,
  signal: AbortSignal,
): Promise<End> {
  const { grant } = granted;
  // br-contract 5.5: where checksums are compared, old versions do so after writing backupmeta, so it proves nothing.
  const unproven = grant.target && takesChecksum(grant.target);
  if (found.kind === 'good' && !unproven) return keep(found, 'adopted', granted, files, brVersion, signal);
  const detail = found.kind === 'bad' ? found.why : 'the checksum of the finished files was never confirmed';
  return failed('newPath', {
    code: 'PATH_UNUSABLE',
    message: 'The path holds a backup that cannot be proven good; another try takes the backup in a new path.',
    detail,
  });
}

/** A good backup: its manifest is written beside it, by whoever finds it first. */
async function keep(
  good: Extract<Verification, { kind: 'good' }>,
  why: string,
  { task, grant, facts, manifestKey }: GrantedBackup,
  files: BackupFiles,
  brVersion: string,
  signal: AbortSignal,
): Promise<End> {
  let manifestKeyId = '';
  try {
    const manifest = { backupId: task.backupId, grant, good, brVersion, key: manifestKey };
    manifestKeyId = (await writeManifest(files, manifest, signal)) ?? '';
  } catch (error) {
    log.warn({ ...facts, error }, 'tidemark.json could not be written; the backup is good without it');
  }
  return {
    kind: 'complete',
    outcome: { $case: 'succeeded', value: { result: good.result, exitSeen: why === 'succeeded', manifestKeyId } },
    why,
  };
}

/** Where a backup is written. */
interface Place {
  readonly stored: StorageFiles;
  readonly files: BackupFiles;
}

async function run(
  granted: GrantedBackup,
  { stored, files }: Place,
  reading: Reading,
  dependencies: BackupTaskDependencies,
  onRan: () => void,
): Promise<End> {
  const { task, grant, facts, lease } = granted;
  const { client, programs, guards, records, timing, drain, env, instance } = dependencies;
  const { target, storage } = grant;
  if (!target || !storage) throw new Error('the grant names no target or no storage');
  const program = chooseProgram(programs.usable(), target.version);
  if (!program) {
    const reason = noProgram(programs.usable(), target.version);
    if (takesHandBacks(grant)) return handBack(reason, { instance, passing: false, storage: false });
    return failed('permanent', reason);
  }
  if (drain.aborted) return { kind: 'release' };
  const { previousBrVersion } = grant;
  if (previousBrVersion !== '' && previousBrVersion !== program.version)
    return failed('newPath', { ...BR_CHANGED, detail: `${previousBrVersion} before, ${program.version} now` }, 0);

  requireSoundTarget(target);
  const named = AbortSignal.any([lease.lost, lease.canceling]);
  const credentials = await storageCredentials(storage, env, named);
  await requireTlsFiles(target.tls, secretsFolder(env), named);
  const argv = [program.path, ...backupArguments(target, storage, grant.path)] as const;
  const folder = await records.temporaryFolder(task.claim);
  const locks = grant.previousEnded ? await findLocks(files, withTimeout(LOOK_MS, lease.lost)) : [];
  using guard = guards.take();
  const { backupId, claim, fence } = task;
  await records.write({ backupId, claim, fence: Number(fence), path: grant.path, group: guard.group });
  const hasLock = hasCheckpointLock(program.version, target);
  const startBy = await lease.announce({ argv: [...argv], brVersion: program.version, hasLock });
  const mayStart = startBy !== undefined && (locks.length === 0 || (await removeLocks(files, locks, startBy)));
  if (!mayStart || drain.aborted || lease.lost.aborted) {
    if (lease.canceling.aborted) return stopped();
    return { kind: 'release' };
  }

  const recorder = startOutputRecorder({ client, task, facts, callMs: timing.callMs });
  onRan();
  const attributes = {
    'tidemark.backup_id': backupId,
    'tidemark.attempt': grant.attempt,
    'br.version': program.version,
  };
  const options: RunOptions = {
    guard,
    startBy,
    facts,
    lease,
    drain,
    timing,
    remainingMs: grant.remainingSeconds * 1000,
    argv,
    env: brEnvironment(env, folder, credentials),
    folder,
    tls: target.tls,
    files,
    lastSizeBytes: grant.lastSizeBytes,
    secrets: secretsOf(credentials),
    recorder,
  };
  const finished = await recorded('br backup', { from: granted.trace, attributes }, () => runBr(options));
  let ending: End;
  try {
    [ending] = await Promise.all([
      conclude(granted, dependencies, { stored, files }, reading, program, finished),
      recorder.finish(),
    ]);
    if (isFailure(ending)) await requireStillKnown(granted, stored);
  } catch (error) {
    brEnded(facts, finished.exit, 'storage away');
    throw error;
  }
  brEnded(facts, finished.exit, ending.kind === 'complete' ? ending.why : 'stopped');
  return ending;
}

/** Removes what a `br` whose end was reported left of its lock; whether that was done in time. */
async function removeLocks(files: BackupFiles, locks: readonly FoundLock[], startBy: number): Promise<boolean> {
  const signal = AbortSignal.timeout(Math.max(0, Math.ceil(startBy - performance.now())));
  try {
    await files.remove(
      locks.map(({ name }) => name),
      signal,
    );
  } catch (error) {
    if (!signal.aborted) throw error;
  }
  return performance.now() < startBy;
}

/** What a finished run means; nobody is left in its process group. */
async function conclude(
  granted: GrantedBackup,
  { drain, timing, instance }: BackupTaskDependencies,
  { stored, files }: Place,
  reading: Reading,
  program: BrProgram,
  { exit, output, stoppedFor }: FinishedRun,
): Promise<End> {
  const { lease, grant } = granted;
  if (lease.lost.aborted) return { kind: 'release' };
  const signal = withTimeout(LOOK_MS, lease.lost);
  // What br wrote while the share was away lies elsewhere, and is not there any more once the share is back: so the share is looked for before
  // the files are, and not only behind them.
  if (exit.code === 0 && output.success) {
    await requireStillKnown(granted, stored);
    const found = await verifyBackup(files, signal, { ...reading, tso: output.success.get('BackupTS') });
    if (found.kind === 'good') return keep(found, 'succeeded', granted, files, program.version, signal);
    return failed('newPath', {
      code: 'BACKUPMETA_BAD',
      message:
        'br said that it succeeded, but its backup cannot be read back; another try takes the backup in a new path.',
      detail: found.kind === 'bad' ? found.why : 'there is no backupmeta',
    });
  }
  if (lease.canceling.aborted) return stopped();
  const failure = classifyFailure(exit, output, {
    failures: grant.failures,
    storageClass: storageClassOf(grant.storage),
  });
  if (whyNotStarted(exit, output) !== undefined && takesHandBacks(grant))
    return handBack(failure, { instance, passing: false, storage: false, notStarted: true });
  // A br that wrote everything and was killed before it could say so did its work (T14: never Failed beside a good backup).
  await requireStillKnown(granted, stored);
  const found = await verifyBackup(files, signal, reading);
  if (found.kind === 'good' && failure.kind !== 'newPath') return adopt(found, granted, files, program.version, signal);
  if (drain.aborted || exit.silenced) return { kind: 'release' };
  if (stoppedFor === 'overdue')
    return failed('permanent', {
      code: 'DEADLINE',
      message: 'The backup did not finish before its deadline and was stopped.',
      detail: failure.detail,
    });
  if (stoppedFor === 'stalled')
    return failed('retry', {
      code: 'STALLED',
      message: `br made no progress for ${Math.round(timing.stallMs / 1_000)} s and was stopped; another try goes on where it stopped. What it was doing is in the log of the attempt.`,
      detail: failure.detail,
    });
  if (failure.kind === 'wait') return wait(failure.seconds ?? LOCK_MARGIN_SECONDS, failure);
  const seconds = failure.seconds && Math.min(failure.seconds, timing.retryMs / 1_000);
  return failed(failure.kind, failure, seconds);
}

function storageClassOf(storage: Storage | undefined): string {
  const location = storage?.location;
  if (location?.$case === 's3' || location?.$case === 'gcs') return location.value.storageClass;
  return location?.$case === 'azure' ? location.value.accessTier : '';
}

function noProgram(programs: readonly BrProgram[], clusterVersion: string): Reason {
  const there = programs.map(({ path, version }) => `${path} (${version})`).join(', ');
  return {
    code: 'NO_FITTING_BR',
    message: `No br of this worker fits a cluster of version ${clusterVersion}. There are: ${there}.`,
    detail: '',
  };
}
