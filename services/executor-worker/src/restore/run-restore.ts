/**
 * One run of `br restore` under a held lease: from its spawn until nobody is left in its process group.
 *
 * V1. `br` prints into files, which are read while it runs and to their ends after it: it ends as it would have ended also
 *     when this worker is gone by then, and the guard writes down how.
 * V2. Whoever asks for its end, it gets TERM, a minute for its checkpoint, TERM again, another minute, KILL; a drain has the
 *     grace of a worker's other stops. A drain and a want of progress end only a `br` that keeps a checkpoint: half a restore
 *     that cannot go on is worse than one that takes long.
 * V3. All that it prints is redacted before it is sent on. In the files it lies as it was printed, for this worker alone.
 */
import { join } from 'node:path';
import { MAX_RUN_OUTPUT_BYTES } from '@tidemark/limits/limits';
import type { Progress } from '@tidemark/protocol/grpc/tidemark/backup/v1/backup';
import type { TlsFiles } from '@tidemark/protocol/grpc/tidemark/backup/v1/registry_service';
import type { Timing } from '@tidemark/service-kit/timing';
import { readGoroutines } from '../br/goroutine-dump.ts';
import type { ProgressLine } from '../br/output.ts';
import type { BrExit, Guard } from '../br/process.ts';
import { startWatchdog } from '../br/watchdog.ts';
import { brStarted, type RestoreTaskFacts } from '../events.ts';
import type { Lease } from '../lease-keeper.ts';
import { log } from '../logger.ts';
import type { OutputRecorder } from '../output-recorder.ts';
import { createRedactor } from '../redact.ts';
import { LONGEST_TIMER_MS, onStops, type StopReason } from '../run-br.ts';
import { followFile } from './follow-file.ts';
import { createRestoreOutputReader, type RestoreOutput } from './output.ts';
import { type RunFolder, readGuardEnd } from './run-folders.ts';
import { watchForFiles } from './waiting.ts';

export interface FinishedRestore {
  readonly exit: BrExit;
  /** False: the guard wrote down that it started no `br`. */
  readonly started: boolean;
  readonly output: RestoreOutput;
  readonly stoppedFor: StopReason | undefined;
}

export interface RestoreRunOptions {
  readonly guard: Guard;
  /** Until when `br` may start, by `performance.now()`. */
  readonly startBy: number;
  readonly facts: RestoreTaskFacts;
  readonly lease: Pick<Lease, 'lost' | 'canceling' | 'report' | 'waitsFor' | 'guardWith'>;
  /** Aborts when this worker is to stop. */
  readonly drain: AbortSignal;
  readonly timing: Pick<Timing, 'guardMs' | 'killMs' | 'graceMs'>;
  /** Between the steps of a stop, but for that of a drain, for which the worker has no more time than `timing` says. */
  readonly graceMs?: number;
  /** Without progress for so long it is stopped, or, without a checkpoint, warned of. */
  readonly stallMs?: number;
  /** Until the deadline of the restore. */
  readonly remainingMs: number;
  /** The program, and its arguments. */
  readonly argv: readonly [string, ...string[]];
  readonly env: Readonly<Record<string, string>>;
  readonly folder: RunFolder;
  /** Whether the same command goes on where this `br` stops. */
  readonly keepsCheckpoint: boolean;
  readonly tls: TlsFiles | undefined;
  /** What must not be passed on, wherever `br` prints it. */
  readonly secrets: readonly string[];
  readonly recorder: Pick<OutputRecorder, 'push'>;
}

const GRACE_MS = 60_000;
const STALL_MS = 2 * 60 * 60_000;

/** Runs `br restore` to its end. */
export async function runRestore(options: RestoreRunOptions): Promise<FinishedRestore> {
  const { guard, facts, lease, drain, timing, argv, folder, keepsCheckpoint, recorder } = options;
  const { graceMs = GRACE_MS, stallMs = STALL_MS } = options;
  const progress = createRestoreProgress();
  const overdue = new AbortController();
  const stalled = new AbortController();
  using watchdog = startWatchdog(stallMs, () => {
    if (keepsCheckpoint) stalled.abort();
    else log.warn(facts, 'br makes no progress; it keeps no checkpoint, so it is left to go on');
  });
  using waiting = watchForFiles(lease.waitsFor);
  const reader = createRestoreOutputReader((line) => {
    if (watchdog.saw(line)) waiting.goesOn();
    lease.report(progress(line));
  }, waiting.saw);
  const passOn = (take: (chunk: Buffer) => void) => (chunk: Buffer) => {
    recorder.push(chunk);
    take(chunk);
  };
  const follow = (file: 'stdout' | 'stderr', take: (chunk: Buffer) => void) => {
    const redact = createRedactor(options.secrets);
    const followed = followFile({
      path: join(folder.path, file),
      onChunk: (chunk) => take(redact(chunk)),
      onCut() {
        reader.cut();
        folder.noteCut();
      },
      maxBytes: MAX_RUN_OUTPUT_BYTES,
    });
    return async () => {
      await followed.finish();
      take(redact.end());
    };
  };

  let dumped = false;
  const dump = async (): Promise<void> => {
    const address = reader.now().statusAddress;
    if (dumped || address === undefined) return;
    dumped = true;
    try {
      const text = await readGoroutines(address, options.tls);
      recorder.push(Buffer.from(`\n--- tidemark: br hangs; its goroutines ---\n${text}\n--- end of goroutines ---\n`));
    } catch (error) {
      log.warn({ ...facts, error }, 'br hangs, and its goroutines could not be read');
    }
  };

  const br = guard.startBr({
    argv,
    env: options.env,
    cwd: folder.temporary,
    startBy: options.startBy,
    keepIn: folder.path,
    guardMs: timing.guardMs,
    killMs: timing.killMs,
    graceMs,
    onStdout: () => undefined,
    onStderr: () => undefined,
    onHang: dump,
  });
  brStarted(facts, guard.group?.pid, argv);
  lease.guardWith(br.keepAlive);
  const finishStdout = follow('stdout', passOn(reader.stdout));
  const finishStderr = follow('stderr', passOn(reader.stderr));

  const deadline = setTimeout(() => overdue.abort(), Math.min(options.remainingMs, LONGEST_TIMER_MS));
  const stops: readonly (readonly [StopReason, AbortSignal])[] = [
    ['lost', lease.lost],
    ['canceled', lease.canceling],
    ...(keepsCheckpoint ? [['drained', drain] as const] : []),
    ['overdue', overdue.signal],
    ['stalled', stalled.signal],
  ];
  using asked = onStops(stops, (reason) => {
    if (reason === 'stalled') void dump().then(() => br.stop());
    else if (reason === 'drained') void br.stop(timing.graceMs);
    else void br.stop();
  });
  const exit = await br.exited;
  clearTimeout(deadline);
  const stoppedFor = asked.first;
  await Promise.all([finishStdout(), finishStderr()]);
  if (stoppedFor !== undefined) log.info({ ...facts, stoppedFor }, 'br was stopped');
  const written = await readGuardEnd(folder.path);
  return { exit, started: written?.started ?? true, output: reader.result(), stoppedFor };
}

/** The progress of the step that a restore is at; within a step it never goes back. */
export function createRestoreProgress(): (line: ProgressLine) => Progress {
  let current = '';
  let highest = 0;
  return ({ step, percent, remainingSeconds, speed }) => {
    if (step !== current) highest = 0;
    current = step;
    highest = Math.max(highest, percent ?? 0);
    return { step, percent: highest, remainingSeconds, speed };
  };
}
