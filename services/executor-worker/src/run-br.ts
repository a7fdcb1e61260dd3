/**
 * One run of `br` under a held lease: from its spawn until nobody is left in its process group.
 *
 * R1. Whatever asks for its end (task lost, cancel, drain, deadline, no progress), `br` gets the same gentle stop, but that
 *     a cancel, which is to leave nothing, is less patient; the first to ask is remembered as the reason.
 * R2. Of a `br` that does not get on, or does not go when it should, the goroutines are taken down before it is killed.
 * R3. Everything that it prints is read, redacted, sent on and kept; none of that can hold it up.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { TlsFiles } from '@tidemark/protocol/grpc/tidemark/backup/v1/registry_service';
import type { Timing } from '@tidemark/service-kit/timing';
import type { BackupFiles } from '@tidemark/storage/backup-files';
import { startEstimation } from './br/estimate.ts';
import { readGoroutines } from './br/goroutine-dump.ts';
import { createOutputReader, type Output } from './br/output.ts';
import type { BrExit, Guard } from './br/process.ts';
import { mayTellOfStall, watchForStalls } from './br/stall.ts';
import { startWatchdog } from './br/watchdog.ts';
import { brStarted, type TaskFacts } from './events.ts';
import type { Lease } from './lease-keeper.ts';
import { log } from './logger.ts';
import type { OutputRecorder } from './output-recorder.ts';
import { createOverallProgress } from './overall-progress.ts';
import { createRedactor } from './redact.ts';

/** Who asked for the end of a run first. */
export type StopReason = 'lost' | 'canceled' | 'drained' | 'overdue' | 'stalled';

export interface FinishedRun {
  readonly exit: BrExit;
  readonly output: Output;
  readonly stoppedFor: StopReason | undefined;
}

export interface RunOptions {
  readonly guard: Guard;
  /** Until when `br` may start, by `performance.now()`. */
  readonly startBy: number;
  readonly facts: TaskFacts;
  readonly lease: Lease;
  /** Aborts when this worker is to stop. */
  readonly drain: AbortSignal;
  readonly timing: Pick<Timing, 'guardMs' | 'killMs' | 'graceMs' | 'stallMs'>;
  /** Until the deadline of the backup. */
  readonly remainingMs: number;
  /** The program, and its arguments. */
  readonly argv: readonly [string, ...string[]];
  readonly env: Readonly<Record<string, string>>;
  /** A folder for its temporary files. */
  readonly folder: string;
  readonly tls: TlsFiles | undefined;
  /** What must not be passed on, wherever `br` prints it. */
  readonly secrets: readonly string[];
  readonly recorder: OutputRecorder;
  /** What it writes, to be looked at while it reports nothing. */
  readonly files: Pick<BackupFiles, 'list'>;
  /** Of the last good backup of the cluster; 0 if there is none. */
  readonly lastSizeBytes: bigint;
}

/** While it loads the schema and no TiKV answers, `br` ignores the first TERM, and a cancel is to end within 10 s. */
const CANCEL_GRACE_MS = 3_000;
/** For how long a `br` that hangs in a cancel is asked what it is doing. */
const CANCEL_DUMP_MS = 1_000;
export const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** Runs `br` to its end. */
export async function runBr(options: RunOptions): Promise<FinishedRun> {
  const { guard, facts, lease, drain, timing, argv, recorder } = options;
  const overall = createOverallProgress();
  const overdue = new AbortController();
  const stalled = new AbortController();
  using watchdog = startWatchdog(timing.stallMs, () => stalled.abort());
  await using estimation = startEstimation({
    files: options.files,
    lastSizeBytes: options.lastSizeBytes,
    report: lease.estimates,
  });
  using stalls = watchForStalls(lease.waitsFor);
  const reader = createOutputReader(
    (line) => {
      if (watchdog.saw(line)) stalls.goesOn();
      if (line.percent !== undefined) estimation.known();
      lease.report(overall(line));
    },
    { saw: stalls.saw, isOne: mayTellOfStall },
  );
  const [redactOut, redactErr] = [createRedactor(options.secrets), createRedactor(options.secrets)];
  const onStdout = (chunk: Buffer) => {
    recorder.push(chunk);
    reader.stdout(chunk);
  };
  const onStderr = (chunk: Buffer) => {
    recorder.push(chunk);
    reader.stderr(chunk);
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
    cwd: options.folder,
    startBy: options.startBy,
    guardMs: timing.guardMs,
    killMs: timing.killMs,
    graceMs: timing.graceMs,
    onStdout: (chunk) => onStdout(redactOut(chunk)),
    onStderr: (chunk) => onStderr(redactErr(chunk)),
    onHang: () => (lease.canceling.aborted ? Promise.race([dump(), sleep(CANCEL_DUMP_MS)]) : dump()),
  });
  brStarted(facts, guard.group?.pid, argv);
  lease.guardWith(br.keepAlive);

  const deadline = setTimeout(() => overdue.abort(), Math.min(options.remainingMs, LONGEST_TIMER_MS));
  const stops: readonly (readonly [StopReason, AbortSignal])[] = [
    ['lost', lease.lost],
    ['canceled', lease.canceling],
    ['drained', drain],
    ['overdue', overdue.signal],
    ['stalled', stalled.signal],
  ];
  using asked = onStops(stops, (reason) => {
    // What a cancel leaves behind is removed, so nothing is lost by the second TERM, which `br` obeys at once.
    if (reason === 'canceled') void br.stop(CANCEL_GRACE_MS);
    else if (reason === 'stalled') void dump().then(() => br.stop());
    else void br.stop();
  });
  const exit = await br.exited;
  clearTimeout(deadline);
  const stoppedFor = asked.first;
  onStdout(redactOut.end());
  onStderr(redactErr.end());
  if (stoppedFor !== undefined) log.info({ ...facts, stoppedFor }, 'br was stopped');
  return { exit, output: reader.result(), stoppedFor };
}

/** Whoever asked for the end of a run. */
export interface Stops extends Disposable {
  /** The first one. */
  readonly first: StopReason | undefined;
}

/** Calls back for each signal that aborts, and for those that have, until it is disposed. */
export function onStops(
  stops: readonly (readonly [StopReason, AbortSignal])[],
  stop: (reason: StopReason) => void,
): Stops {
  let first: StopReason | undefined;
  const removals = stops.map(([reason, signal]) => {
    const asked = () => {
      first ??= reason;
      stop(reason);
    };
    if (signal.aborted) asked();
    signal.addEventListener('abort', asked, { once: true });
    return () => signal.removeEventListener('abort', asked);
  });
  return {
    get first() {
      return first;
    },
    [Symbol.dispose]() {
      for (const remove of removals) remove();
    },
  };
}
