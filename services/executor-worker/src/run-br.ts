/**
 * One run of `br` under a held lease: from its spawn until nobody is left in its process group.
 *
 * R1. Whatever asks for its end (task lost, cancel, drain, deadline, no progress), `br` gets the same gentle stop; the
 *     first to ask is remembered as the reason.
 * R2. Of a `br` that does not get on, or does not go when told to, the goroutines are taken down before it is killed.
 * R3. Everything that it prints is read, redacted, told on and kept; none of that can hold it up.
 */
import type { TlsFiles } from '@tidemark/protocol/grpc/tidemark/backup/v1/registry_service';
import type { Timing } from '@tidemark/service-kit/timing';
import { readGoroutines } from './br/goroutine-dump.ts';
import { createOutputReader, type Output } from './br/output.ts';
import type { BrExit, Guard } from './br/process.ts';
import { startWatchdog } from './br/watchdog.ts';
import { brStarted, type TaskFacts } from './events.ts';
import type { Lease } from './lease-keeper.ts';
import { log } from './logger.ts';
import type { OutputRecorder } from './output-recorder.ts';
import { createRedactor } from './redact.ts';
import { createReporter } from './reporter.ts';

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
}

const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** Runs `br` to its end. */
export async function runBr(options: RunOptions): Promise<FinishedRun> {
  const { guard, facts, lease, drain, timing, argv, recorder } = options;
  const report = createReporter();
  const overdue = new AbortController();
  const stalled = new AbortController();
  using watchdog = startWatchdog(timing.stallMs, () => stalled.abort());
  const reader = createOutputReader((line) => {
    watchdog.saw(line);
    lease.report(report(line));
  });
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
    onHang: dump,
  });
  brStarted(facts, guard.group?.pid, argv);
  lease.guardWith(br.keepAlive);

  let stoppedFor: StopReason | undefined;
  const deadline = setTimeout(() => overdue.abort(), Math.min(options.remainingMs, LONGEST_TIMER_MS));
  const stops: readonly (readonly [StopReason, AbortSignal])[] = [
    ['lost', lease.lost],
    ['canceled', lease.canceling],
    ['drained', drain],
    ['overdue', overdue.signal],
    ['stalled', stalled.signal],
  ];
  const removals = stops.map(([reason, signal]) => {
    const stop = () => {
      stoppedFor ??= reason;
      if (reason === 'stalled') void dump().then(br.stop);
      else void br.stop();
    };
    if (signal.aborted) stop();
    signal.addEventListener('abort', stop, { once: true });
    return () => signal.removeEventListener('abort', stop);
  });
  const exit = await br.exited;
  clearTimeout(deadline);
  for (const remove of removals) remove();
  onStdout(redactOut.end());
  onStderr(redactErr.end());
  if (stoppedFor !== undefined) log.info({ ...facts, stoppedFor }, 'br was stopped');
  return { exit, output: reader.result(), stoppedFor };
}
