import type { ConfigReader } from './env.ts';

/**
 * The numbers of the protocol between backup-service and its workers (architecture 2, "Leases"), in milliseconds.
 * Both sides read them from the same variables, so that one setting cannot contradict another.
 */
export interface Timing {
  /** How long a granted task stays with its worker unless renewed. */
  readonly leaseMs: number;
  /** How often a worker renews. */
  readonly renewMs: number;
  /** Deadline of one call of a worker. */
  readonly callMs: number;
  /** After this long without an answered renewal the guard stops `br`. */
  readonly guardMs: number;
  /** From the guard's TERM to its KILL. */
  readonly killMs: number;
  /** How long after a lease's end it is reaped. */
  readonly reapMarginMs: number;
  /** How often unfinished, unclaimed work rings again. */
  readonly ringMs: number;
  /** How long after the end of a `br` its files are left alone. */
  readonly quietMs: number;
  /** The same after a loss, where `br` has no lock of its own. */
  readonly unlockedQuietMs: number;
  /** From a failure to the next try. */
  readonly retryMs: number;
  /** From the first time that a worker gives a task back to the next try; it doubles from there. */
  readonly handBackMs: number;
  /** How long a dispatcher's own polls must have succeeded before it may reap. */
  readonly reaperHealthyMs: number;
  /** After this long without an answer a claim's outcome counts as unknown. */
  readonly claimMs: number;
  /** A `br` may only be spawned this soon after `starting` was sent. */
  readonly spawnMs: number;
  /** Between the steps TERM, TERM and KILL of an ordered stop. */
  readonly graceMs: number;
  /** A `br` that reports no progress for this long is stopped and tried again. */
  readonly stallMs: number;
  /** After this long a backup is given up. */
  readonly deadlineMs: number;
  /** From the end of a `br restore` to the next attempt. */
  readonly restoreRestMs: number;
  /** The same after a loss, and until the target may be released. */
  readonly restoreLossRestMs: number;
  /** After this long a restore that nobody runs is given up. */
  readonly restoreDeadlineMs: number;
  /** How often each dispatcher looks for due tasks. */
  readonly pollMs: number;
  /** Failures that end a backup. */
  readonly failureLimit: number;
  /** Losses after which a backup is only looked for, no longer run. */
  readonly lossLimit: number;
}

/** Time that clocks and schedulers may be off in the comparison below. */
const SKEW_SHARE = 0.25;

/** Reads the numbers and checks them against each other; problems go to the reader. */
export function readTiming(reader: ConfigReader): Timing {
  const seconds = (name: string, fallback: number, about: string) =>
    reader.seconds(`TIDEMARK_${name}_SECONDS`, { about, default: fallback, min: 0.01, max: 30 * 86_400 });
  const timing: Timing = {
    leaseMs: seconds('LEASE', 30, 'How long a task stays with its worker unless renewed.'),
    renewMs: seconds('RENEW', 10, 'Between two renewals.'),
    callMs: seconds('CALL', 5, 'Deadline of one call of a worker.'),
    guardMs: seconds('GUARD', 20, 'After so long without an answered renewal a worker’s guard stops `br`.'),
    killMs: seconds('KILL', 5, 'From the guard’s TERM to its KILL.'),
    reapMarginMs: seconds('REAP_MARGIN', 5, 'From the end of a lease to its reaping.'),
    ringMs: seconds('RING', 60, 'Between two messages about work that nobody took.'),
    quietMs: seconds('QUIET', 60, 'How long the files of a `br` that ended are left alone.'),
    unlockedQuietMs: seconds('UNLOCKED_QUIET', 600, 'The same after a loss, where `br` has no lock of its own.'),
    retryMs: seconds('RETRY', 300, 'From a failure to the next try.'),
    handBackMs: seconds(
      'HAND_BACK',
      5,
      'From the first time that a worker gives a task back to the next try; it doubles from there.',
    ),
    reaperHealthyMs: seconds(
      'REAPER_HEALTHY',
      30,
      'How long a process must have read the database without failure before it reaps.',
    ),
    claimMs: seconds('CLAIM', 10, 'After so long without an answer the outcome of a claim counts as unknown.'),
    spawnMs: seconds('SPAWN', 20, 'From a worker’s report that it starts `br` to the start, at most.'),
    graceMs: seconds('GRACE', 30, 'Between the steps TERM, TERM and KILL of a stop.'),
    stallMs: seconds('STALL', 2_700, 'A `br` without progress for so long is stopped and tried again.'),
    deadlineMs: seconds('DEADLINE', 86_400, 'After so long a backup is given up.'),
    restoreRestMs: seconds('RESTORE_REST', 300, 'From the end of a `br restore` to the next attempt.'),
    restoreLossRestMs: seconds(
      'RESTORE_LOSS_REST',
      600,
      'The same after its worker was lost, and until its target may be released.',
    ),
    restoreDeadlineMs: seconds('RESTORE_DEADLINE', 7 * 86_400, 'After so long a restore that nobody runs is given up.'),
    pollMs: seconds('POLL', 1, 'Between two looks for tasks that are due.'),
    failureLimit: reader.integer('TIDEMARK_FAILURE_LIMIT', {
      about: 'Failed attempts that end a backup.',
      default: 3,
      min: 1,
      max: 100,
    }),
    lossLimit: reader.integer('TIDEMARK_LOSS_LIMIT', {
      about: 'Lost workers after which a backup is only looked for, no longer run.',
      default: 5,
      min: 1,
      max: 100,
    }),
  };
  const { leaseMs, renewMs, callMs, guardMs, killMs, reapMarginMs, claimMs, spawnMs } = timing;
  const skewMs = SKEW_SHARE * (leaseMs - guardMs);
  if (guardMs + killMs + skewMs > leaseMs + reapMarginMs)
    reader.problem(
      'TIDEMARK_GUARD_SECONDS + TIDEMARK_KILL_SECONDS must end well before TIDEMARK_LEASE_SECONDS + TIDEMARK_REAP_MARGIN_SECONDS, or a second br could start beside the first',
    );
  if (renewMs + callMs > guardMs)
    reader.problem('TIDEMARK_RENEW_SECONDS + TIDEMARK_CALL_SECONDS must not exceed TIDEMARK_GUARD_SECONDS');
  if (claimMs >= leaseMs) reader.problem('TIDEMARK_CLAIM_SECONDS must be less than TIDEMARK_LEASE_SECONDS');
  if (spawnMs > guardMs) reader.problem('TIDEMARK_SPAWN_SECONDS must not exceed TIDEMARK_GUARD_SECONDS');
  return timing;
}
