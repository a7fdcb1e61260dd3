/**
 * Runs one granted backup from its first look at the path to its reported end.
 *
 * T9, in this order, before each spawn, and the first two once more after a `br` that did not succeed:
 *  1. Is `backupmeta` there? Verify it: good → succeeded; bad or unproven → new path.
 *  2. Is the path locked by somebody else's `br`? → wait for the lock's end.
 *  3. May this claim not run? → failed, nothing is started.
 *  4. `starting` is answered, and soon enough → spawn.
 * T4. Once the task is lost, `br` is stopped, no file is touched, and the path is reported as stray.
 * T5. The end is told only when nobody is left in br's process group.
 */
import { AppError } from '@tidemark/errors/app-error';
import type { BackupResult, Reason } from '@tidemark/protocol/grpc/tidemark/backup/v1/backup';
import {
  type BackupGrant,
  FailureClass,
  type TaskRef,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/executor_service';
import { withTimeout } from '@tidemark/service-kit/abort';
import type { Env } from '@tidemark/service-kit/env';
import type { Timing } from '@tidemark/service-kit/timing';
import { type Verification, verifyBackup } from './br/backupmeta.ts';
import { LOCK_FILES, lockedForMs } from './br/checkpoint-lock.ts';
import { backupArguments, brEnvironment, takesChecksum } from './br/command.ts';
import { classifyFailure, type Failure } from './br/outcome.ts';
import { createOutputReader } from './br/output.ts';
import { type BrExit, processStart, startBr } from './br/process.ts';
import { type BrProgram, chooseProgram, hasCheckpointLock } from './br/programs.ts';
import type { EndOfTask, Outcome } from './end-of-task.ts';
import { brEnded, brStarted, leaseLost, strayReported, type TaskFacts } from './events.ts';
import type { Lease } from './lease-keeper.ts';
import { log } from './logger.ts';
import { writeManifest } from './manifest.ts';
import { createReporter } from './reporter.ts';
import type { RunRecords } from './run-records.ts';
import { type BackupFiles, openBackupFiles } from './storage/backup-files.ts';

export interface BackupTaskDependencies {
  readonly end: EndOfTask;
  readonly records: RunRecords;
  readonly programs: readonly BrProgram[];
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

const LOOK_MS = 60_000;
const LOCK_MARGIN_SECONDS = 5;
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
  try {
    const files = await openBackupFiles(grant.storage, grant.path);
    const found = await look(files, grant);
    if (found) return found;
    if (!grant.mayRun) return failed('permanent', { code: 'EXHAUSTED', message: EXHAUSTED, detail: '' });
    if (grant.previousEnded) await files.remove(LOCK_FILES, AbortSignal.timeout(LOOK_MS));
    return await run(granted, files, dependencies, onRan);
  } catch (error) {
    if (lease.lost.aborted) return { kind: 'release' };
    log.warn({ ...facts, error }, 'the backup could not be run');
    if (error instanceof AppError && error.code === 'storage_unusable')
      return failed('permanent', { code: 'STORAGE_UNUSABLE', message: error.message, detail: '' });
    const detail = error instanceof Error ? error.message : String(error);
    return failed('retry', {
      code: 'WORKER_TROUBLE',
      message: 'The worker could not read or write the storage.',
      detail,
    });
  }
}

/** T9, 1 and 2: what lies in the path already. Undefined: nothing that stands in the way. */
async function look(files: BackupFiles, grant: BackupGrant): Promise<End | undefined> {
  const signal = AbortSignal.timeout(LOOK_MS);
  const found = await verifyBackup(files, signal);
  if (found.kind !== 'absent') return adopt(found, grant);
  const lockedMs = grant.previousEnded ? 0 : await lockedForMs(files, signal);
  return lockedMs > 0 ? wait(lockedMs / 1000 + LOCK_MARGIN_SECONDS) : undefined;
}

function adopt(found: Exclude<Verification, { kind: 'absent' }>, grant: BackupGrant): End {
  // br-contract 5.5: where checksums are compared, old versions do so after writing backupmeta, so it proves nothing.
  const unproven = grant.target && takesChecksum(grant.target);
  if (found.kind === 'good' && !unproven) return succeeded(found.result, 'adopted');
  const detail = found.kind === 'bad' ? found.why : 'the checksum of the finished files was never confirmed';
  return failed('newPath', {
    code: 'PATH_UNUSABLE',
    message: 'The path holds a backup that cannot be proven good; the backup is taken again in a new path.',
    detail,
  });
}

async function run(
  granted: GrantedBackup,
  files: BackupFiles,
  dependencies: BackupTaskDependencies,
  onRan: () => void,
): Promise<End> {
  const { task, grant, facts, lease } = granted;
  const { programs, records, timing, drain, env } = dependencies;
  const target = grant.target;
  if (!target) throw new Error('the grant names no target');
  const program = chooseProgram(programs, target.version);
  if (!program) return failed('permanent', noProgram(programs, target.version));
  if (drain.aborted) return { kind: 'release' };

  const args = backupArguments(target, files.folder);
  const argv = [program.path, ...args];
  const temporary = await records.temporaryFolder(task.claim);
  const record = { backupId: task.backupId, claim: task.claim, fence: Number(task.fence), path: grant.path };
  await records.write(record);
  const starting = { argv, brVersion: program.version, hasLock: hasCheckpointLock(program.version) };
  if (!(await lease.announce(starting)) || drain.aborted) {
    if (lease.canceling.aborted) return stopped();
    return { kind: 'release' };
  }

  const report = createReporter();
  const output = createOutputReader((line) => lease.report(report(line)));
  const br = startBr({
    program: program.path,
    args,
    env: brEnvironment(env, temporary),
    cwd: temporary,
    guardMs: timing.guardMs,
    killMs: timing.killMs,
    graceMs: timing.graceMs,
    onStdout: output.stdout,
    onStderr: output.stderr,
  });
  onRan();
  brStarted(facts, br.group, argv);
  lease.guardWith(br.keepAlive);
  const start = processStart(br.group);
  if (start !== undefined) {
    // br runs now: whatever fails from here on must not end the task before br has ended (T5).
    await records
      .write({ ...record, group: { pid: br.group, start } })
      .catch((error: unknown) =>
        log.warn({ ...facts, error }, 'the run could not be recorded; its guard still watches it'),
      );
  }

  const overdue = new AbortController();
  const deadline = setTimeout(() => overdue.abort(), Math.min(grant.remainingSeconds * 1000, 2 ** 31 - 1));
  const stop = AbortSignal.any([lease.lost, lease.canceling, drain, overdue.signal]);
  const onStop = () => void br.stop();
  stop.addEventListener('abort', onStop, { once: true });
  if (stop.aborted) onStop();
  const exit = await br.exited;
  clearTimeout(deadline);
  stop.removeEventListener('abort', onStop);

  const ending = await conclude(granted, files, program, exit, output.result(), {
    overdue: overdue.signal.aborted,
    drain,
  });
  brEnded(facts, exit, ending.kind === 'complete' ? ending.why : 'stopped');
  return ending;
}

/** What a finished run means; nobody is left in its process group. */
async function conclude(
  { task, grant, lease, facts }: GrantedBackup,
  files: BackupFiles,
  program: BrProgram,
  exit: BrExit,
  output: ReturnType<ReturnType<typeof createOutputReader>['result']>,
  stops: { readonly overdue: boolean; readonly drain: AbortSignal },
): Promise<End> {
  if (lease.lost.aborted) return { kind: 'release' };
  const signal = withTimeout(LOOK_MS, lease.lost);
  if (exit.code === 0 && output.success) {
    const found = await verifyBackup(files, signal);
    if (found.kind === 'good') {
      await writeManifest(files, task.backupId, grant, found.result, program.version, signal).catch((error: unknown) =>
        log.warn({ ...facts, error }, 'tidemark.json could not be written; the backup is good without it'),
      );
      return succeeded(found.result, 'succeeded');
    }
    return failed('newPath', {
      code: 'BACKUPMETA_BAD',
      message: 'br said that it succeeded, but its backup cannot be read back; it is taken again in a new path.',
      detail: found.kind === 'bad' ? found.why : 'there is no backupmeta',
    });
  }
  if (lease.canceling.aborted) return stopped();
  const failure = classifyFailure(exit, output);
  // A br that wrote everything and was killed before it could say so did its work (T14: never Failed beside a good backup).
  const found = await verifyBackup(files, signal);
  if (found.kind === 'good' && failure.kind !== 'newPath') return adopt(found, grant);
  if (stops.drain.aborted || exit.silenced) return { kind: 'release' };
  if (stops.overdue)
    return failed('permanent', {
      code: 'DEADLINE',
      message: 'The backup did not finish before its deadline and was stopped.',
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

function succeeded(result: BackupResult, why: string): End {
  return { kind: 'complete', outcome: { $case: 'succeeded', value: { result } }, why };
}

function failed(kind: keyof typeof CLASSES, { code, message, detail }: Reason): End {
  const reason: Reason = { code, message, detail };
  const value = { class: CLASSES[kind], reason, delaySeconds: undefined };
  return { kind: 'complete', outcome: { $case: 'failed', value }, why: `${kind}: ${code}` };
}

function wait(seconds: number, failure?: Failure): End {
  const reason: Reason = {
    code: failure?.code ?? 'PATH_LOCKED',
    message: failure?.message ?? 'Another br may still be at work in this path; its lock is waited out.',
    detail: failure?.detail ?? '',
  };
  return { kind: 'complete', outcome: { $case: 'wait', value: { seconds, reason } }, why: 'wait' };
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
