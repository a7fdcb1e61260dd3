/**
 * Runs one granted backup from its first look at the path to its reported end.
 *
 * T9, in this order, before each spawn, and the first two once more after a `br` that did not succeed:
 *  1. Is `backupmeta` there? Verify it: good → succeeded; bad or unproven → new path.
 *  2. Is the path locked by somebody else's `br`? → wait for the lock's end.
 *  3. May this claim not run? → failed, nothing is started.
 *  4. `starting` is answered → what an ended `br` left of its lock is removed, and if that was soon enough → spawn. Not
 *     earlier: a worker that was frozen after its claim would take the lock of the one that has the path by now.
 * T4. Once the task is lost, `br` is stopped, no file is touched, and the path is reported as stray.
 * T5. The end is told only when nobody is left in br's process group.
 */
import { AppError } from '@tidemark/errors/app-error';
import type { BackupResult, Reason } from '@tidemark/protocol/grpc/tidemark/backup/v1/backup';
import {
  type BackupGrant,
  type ExecutorServiceServer,
  FailureClass,
  type TaskRef,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/executor_service';
import { withTimeout } from '@tidemark/service-kit/abort';
import type { Env } from '@tidemark/service-kit/env';
import type { ServiceClient } from '@tidemark/service-kit/grpc/client';
import type { Timing } from '@tidemark/service-kit/timing';
import { type Verification, verifyBackup } from './br/backupmeta.ts';
import { LOCK_FILES, lockedForMs } from './br/checkpoint-lock.ts';
import { backupArguments, brEnvironment, takesChecksum } from './br/command.ts';
import { type Decrypt, openCrypter } from './br/crypter.ts';
import { classifyFailure } from './br/outcome.ts';
import type { Guards } from './br/process.ts';
import { type BrProgram, chooseProgram, hasCheckpointLock, type Programs } from './br/programs.ts';
import type { EndOfTask, Outcome } from './end-of-task.ts';
import { brEnded, leaseLost, strayReported, type TaskFacts } from './events.ts';
import type { Lease } from './lease-keeper.ts';
import { log } from './logger.ts';
import { writeManifest } from './manifest.ts';
import { startOutputRecorder } from './output-recorder.ts';
import { type FinishedRun, runBr } from './run-br.ts';
import type { RunRecords } from './run-records.ts';
import { type BackupFiles, openBackupFiles } from './storage/backup-files.ts';
import { secretsOf, storageCredentials } from './storage/credentials.ts';

export interface BackupTaskDependencies {
  readonly end: EndOfTask;
  readonly records: RunRecords;
  readonly client: ServiceClient<ExecutorServiceServer>;
  readonly programs: Programs;
  readonly guards: Guards;
  readonly env: Env;
  readonly timing: Timing;
  /** Aborts when this worker is to stop. */
  readonly drain: AbortSignal;
}

export interface GrantedBackup {
  readonly task: TaskRef;
  readonly grant: BackupGrant;
  readonly facts: TaskFacts;
  readonly lease: Lease;
}

/** How a granted backup ended: an outcome to complete with, or the task goes back, or it was lost. */
type End =
  | { readonly kind: 'complete'; readonly outcome: Outcome; readonly why: string }
  | { readonly kind: 'release' };

/** A large backup on an object store takes a request for each thousand of its files. */
const LOOK_MS = 15 * 60_000;
const LOCK_MARGIN_SECONDS = 5;
/** How soon a storage that cannot be reached is looked at again; that is not counted as a failure. */
const STORAGE_AWAY_SECONDS = 60;
const LOCKED: Reason = {
  code: 'PATH_LOCKED',
  message: 'Another br may still be at work in this path; its lock is waited out.',
  detail: '',
};
const BR_CHANGED = {
  code: 'BR_CHANGED',
  message: 'The last attempt ran under another version of br, which this one must not resume; the backup starts anew.',
};
const EXHAUSTED =
  'The backup failed or was lost too often, and no finished backup was found: look at its attempts before you start it again.';

/** Runs the backup; answers how it ended, for the log. */
export async function runBackupTask(granted: GrantedBackup, dependencies: BackupTaskDependencies): Promise<string> {
  const { task, grant, facts, lease } = granted;
  const { end, records } = dependencies;
  let ran = false;
  const ending = await endOf(granted, dependencies, () => {
    ran = true;
  });

  let answer: string;
  if (lease.lost.aborted) answer = 'lost';
  else if (ending.kind === 'complete') answer = await end.complete(task, ending.outcome, facts.requestId);
  else answer = await end.release(task, facts.requestId);

  if (answer === 'lost') {
    leaseLost(facts);
    if (ran) {
      strayReported(facts, grant.path);
      if ((await end.stray(task, grant.path, facts.requestId)) === 'unanswered') return 'lost, unreported';
    }
  }
  // R2: a record outlives its run only where nobody was told of it.
  if (answer !== 'unanswered') await records.remove(task.claim);
  return answer === 'held' ? (ending.kind === 'complete' ? ending.why : 'released') : answer;
}

async function endOf(granted: GrantedBackup, dependencies: BackupTaskDependencies, onRan: () => void): Promise<End> {
  const { grant, lease, facts } = granted;
  const { env } = dependencies;
  let ran = grant.previousBrVersion !== '';
  try {
    const files = await openBackupFiles(grant.storage, grant.path, env);
    const decrypt = await openCrypter(grant.target?.brOptions);
    const found = await look(granted, files, decrypt);
    if (found) return found;
    if (!grant.mayRun) return failed('permanent', { code: 'EXHAUSTED', message: EXHAUSTED, detail: '' });
    return await run(granted, files, decrypt, dependencies, () => {
      ran = true;
      onRan();
    });
  } catch (error) {
    if (lease.lost.aborted) return { kind: 'release' };
    log.warn({ ...facts, error }, 'the backup could not be run');
    if (error instanceof AppError && (error.code === 'storage_unusable' || error.code === 'unavailable')) {
      // Where br has run, a finished backup may lie in the path: as long as nobody can look, it must not end as failed.
      if (!ran && error.code === 'storage_unusable')
        return failed('permanent', { code: 'STORAGE_UNUSABLE', message: error.message, detail: '' });
      return wait(STORAGE_AWAY_SECONDS, { code: 'STORAGE_AWAY', message: error.message, detail: '' });
    }
    const detail = error instanceof Error ? error.message : String(error);
    return failed('retry', {
      code: 'WORKER_TROUBLE',
      message: 'The worker could not read or write the storage.',
      detail,
    });
  }
}

/** T9, 1 and 2: what lies in the path already. Undefined: nothing that stands in the way. */
async function look(granted: GrantedBackup, files: BackupFiles, decrypt: Decrypt): Promise<End | undefined> {
  const { grant, lease } = granted;
  const signal = withTimeout(LOOK_MS, lease.lost);
  const found = await verifyBackup(files, signal, { decrypt });
  if (found.kind !== 'absent') return adopt(found, granted, files, grant.previousBrVersion, signal);
  const lockedMs = grant.previousEnded ? 0 : await lockedForMs(files, signal);
  return lockedMs > 0 ? wait(lockedMs / 1000 + LOCK_MARGIN_SECONDS, LOCKED) : undefined;
}

/** What a finished path means that no success was told of. */
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
  if (found.kind === 'good' && !unproven) return keep(found.result, 'adopted', granted, files, brVersion, signal);
  const detail = found.kind === 'bad' ? found.why : 'the checksum of the finished files was never confirmed';
  return failed('newPath', {
    code: 'PATH_UNUSABLE',
    message: 'The path holds a backup that cannot be proven good; the backup is taken again in a new path.',
    detail,
  });
}

/** A good backup: its manifest is written beside it, by whoever finds it first. */
async function keep(
  result: BackupResult,
  why: string,
  { task, grant, facts }: GrantedBackup,
  files: BackupFiles,
  brVersion: string,
  signal: AbortSignal,
): Promise<End> {
  try {
    await writeManifest(files, task.backupId, grant, result, brVersion, signal);
  } catch (error) {
    log.warn({ ...facts, error }, 'tidemark.json could not be written; the backup is good without it');
  }
  return { kind: 'complete', outcome: { $case: 'succeeded', value: { result } }, why };
}

async function run(
  granted: GrantedBackup,
  files: BackupFiles,
  decrypt: Decrypt,
  dependencies: BackupTaskDependencies,
  onRan: () => void,
): Promise<End> {
  const { task, grant, facts, lease } = granted;
  const { client, programs, guards, records, timing, drain, env } = dependencies;
  const { target, storage } = grant;
  if (!target || !storage) throw new Error('the grant names no target or no storage');
  const program = chooseProgram(programs.usable(), target.version);
  if (!program) return failed('permanent', noProgram(programs.usable(), target.version));
  if (drain.aborted) return { kind: 'release' };
  const { previousBrVersion } = grant;
  if (previousBrVersion !== '' && previousBrVersion !== program.version)
    return failed('newPath', { ...BR_CHANGED, detail: `${previousBrVersion} before, ${program.version} now` }, 0);

  const credentials = await storageCredentials(storage, env);
  const argv = [program.path, ...backupArguments(target, storage, grant.path)] as const;
  const folder = await records.temporaryFolder(task.claim);
  using guard = guards.take();
  const { backupId, claim, fence } = task;
  await records.write({ backupId, claim, fence: Number(fence), path: grant.path, group: guard.group });
  const hasLock = hasCheckpointLock(program.version, target);
  const startBy = await lease.announce({ argv: [...argv], brVersion: program.version, hasLock });
  const mayStart = startBy !== undefined && (!grant.previousEnded || (await removeLock(files, startBy)));
  if (!mayStart || drain.aborted || lease.lost.aborted) {
    if (lease.canceling.aborted) return stopped();
    return { kind: 'release' };
  }

  const recorder = startOutputRecorder({ client, task, facts, callMs: timing.callMs });
  onRan();
  const finished = await runBr({
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
    secrets: secretsOf(credentials),
    recorder,
  });
  const [ending] = await Promise.all([
    conclude(granted, dependencies, files, decrypt, program, finished),
    recorder.finish(),
  ]);
  brEnded(facts, finished.exit, ending.kind === 'complete' ? ending.why : 'stopped');
  return ending;
}

/** Removes the lock of a `br` whose end was told; whether that was done in time. */
async function removeLock(files: BackupFiles, startBy: number): Promise<boolean> {
  const signal = AbortSignal.timeout(Math.max(0, Math.ceil(startBy - performance.now())));
  try {
    await files.remove(LOCK_FILES, signal);
  } catch (error) {
    if (!signal.aborted) throw error;
  }
  return performance.now() < startBy;
}

/** What a finished run means; nobody is left in its process group. */
async function conclude(
  granted: GrantedBackup,
  { drain, timing }: BackupTaskDependencies,
  files: BackupFiles,
  decrypt: Decrypt,
  program: BrProgram,
  { exit, output, stoppedFor }: FinishedRun,
): Promise<End> {
  const { lease } = granted;
  if (lease.lost.aborted) return { kind: 'release' };
  const signal = withTimeout(LOOK_MS, lease.lost);
  if (exit.code === 0 && output.success) {
    const found = await verifyBackup(files, signal, { decrypt, tso: output.success.get('BackupTS') });
    if (found.kind === 'good') return keep(found.result, 'succeeded', granted, files, program.version, signal);
    return failed('newPath', {
      code: 'BACKUPMETA_BAD',
      message: 'br said that it succeeded, but its backup cannot be read back; it is taken again in a new path.',
      detail: found.kind === 'bad' ? found.why : 'there is no backupmeta',
    });
  }
  if (lease.canceling.aborted) return stopped();
  const failure = classifyFailure(exit, output);
  // A br that wrote everything and was killed before it could say so did its work (T14: never Failed beside a good backup).
  const found = await verifyBackup(files, signal, { decrypt });
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
      message: `br made no progress for ${Math.round(timing.stallMs / 1_000)} s and was stopped; it is tried again and goes on where it stopped. What it was doing is in the log of the attempt.`,
      detail: failure.detail,
    });
  if (failure.kind === 'wait') return wait(failure.seconds ?? LOCK_MARGIN_SECONDS, failure);
  return failed(failure.kind, failure);
}

const CLASSES = {
  permanent: FailureClass.FAILURE_CLASS_PERMANENT,
  retry: FailureClass.FAILURE_CLASS_RETRY,
  newPath: FailureClass.FAILURE_CLASS_NEW_PATH,
} as const;

/** @param delaySeconds until it is tried again; five minutes when left out */
function failed(kind: keyof typeof CLASSES, { code, message, detail }: Reason, delaySeconds?: number): End {
  const reason: Reason = { code, message, detail };
  const value = { class: CLASSES[kind], reason, delaySeconds };
  return { kind: 'complete', outcome: { $case: 'failed', value }, why: `${kind}: ${code}` };
}

function wait(seconds: number, { code, message, detail }: Reason): End {
  const reason: Reason = { code, message, detail };
  return { kind: 'complete', outcome: { $case: 'wait', value: { seconds, reason } }, why: `wait: ${code}` };
}

function stopped(): End {
  return { kind: 'complete', outcome: { $case: 'stopped', value: {} }, why: 'stopped' };
}

function noProgram(programs: readonly BrProgram[], clusterVersion: string): Reason {
  const there = programs.map(({ path, version }) => `${path} (${version})`).join(', ');
  return {
    code: 'NO_FITTING_BR',
    message: `No br of this worker fits a cluster of version ${clusterVersion}. There are: ${there}.`,
    detail: '',
  };
}
