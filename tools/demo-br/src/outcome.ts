import type { FailureName } from './named-failures.ts';

/**
 * How a run can be made to end (the `outcome` of a script). Those about `backupmeta` and SSTs are of backups alone:
 *
 * - `success`: all is well.
 * - `fail`: `Error: <message>: [<code>]…`, exit `exitCode` (1); checkpoint flushed, lock removed. With a `name` it is
 *   that failure of named-failures.ts, in BR's words, at BR's stage, after BR's time × `waitScale` of the script.
 * - `panic`: a Go panic on stderr, exit 2; nothing is cleaned up.
 * - `crash`: it kills itself with SIGKILL, as when memory runs out; nothing is cleaned up.
 * - `hang`: no further progress, for ever; it still obeys signals.
 * - `ignore-term`: deaf to TERM, INT, HUP and QUIT from the start; else a success.
 * - `kill-parent`: SIGKILL to an ancestor, then on as if nothing had happened. See `levels` and `thenHangs`.
 * - `exit-0-without-meta`: success summary and exit 0, but no `backupmeta` (a harsher form of tidb#70034).
 * - `truncated-meta`: as a success, but `backupmeta` is cut in half.
 * - `missing-sst`: as a success, but one file that `backupmeta` names is not there.
 * - `checksum-mismatch`: exit 1 although `backupmeta` is written and the checkpoint gone; from v8.5.5 on, before either
 *   (br-contract 5.5).
 * - `flood`: `megabytes` of log lines as fast as they go, then on.
 * - `long-line`: one log line of `megabytes`, then on.
 * - `close-pipes`: closes stdout and stderr, then on.
 * - `fork`: leaves a child process behind that ignores TERM and keeps stdout and stderr open for `childSeconds`.
 * - `noisy`: ERROR lines in the log and JSON lines on stderr, then on, to a success (br-contract 14.4).
 * - `stall`: no further progress, for ever, while log lines go on; it still obeys signals.
 * - `store-away`: a TiKV is down for `awaySeconds`: round after round says so in WARN lines alone; then on, to a success.
 * - `download-fails`: of a restore: TiKV may not read the storage for `awaySeconds`, and BR tries again until then or until it
 *   gives up, after 587 s × `waitScale`.
 * - `checkpoint-stays`: of a restore: a success that cannot remove its checkpoint.
 * - `tikv-silent`: no TiKV answers while the schema is loaded: for ever, and the first signal is not obeyed.
 */
export const OUTCOME_KINDS = [
  'success',
  'fail',
  'panic',
  'crash',
  'hang',
  'ignore-term',
  'kill-parent',
  'exit-0-without-meta',
  'truncated-meta',
  'missing-sst',
  'checksum-mismatch',
  'flood',
  'long-line',
  'close-pipes',
  'fork',
  'noisy',
  'stall',
  'store-away',
  'tikv-silent',
  'download-fails',
  'checkpoint-stays',
] as const;

export type OutcomeKind = (typeof OUTCOME_KINDS)[number];

/**
 * When it happens in a restore: `tables` once they are created, `files` at the fraction `at` of the regions, `checksum` and
 * `system-tables` before that work, `summary` after the success summary, before the checkpoint goes. Of `point`, `summary` is
 * the second one, `snapshot-summary` the first, and `log-files` at the fraction `at` of the files of the log.
 */
export const RESTORE_STEPS = [
  'tables',
  'files',
  'checksum',
  'system-tables',
  'snapshot-summary',
  'log-files',
  'summary',
] as const;

export type RestoreStep = (typeof RESTORE_STEPS)[number];

export interface Outcome {
  readonly kind: OutcomeKind;
  /** Which failure `fail` is. */
  readonly name?: FailureName;
  /** Text of `fail` and `panic`. */
  readonly message: string;
  /** Code of `fail`, such as `BR:KV:ErrKVStorage`. */
  readonly code?: string;
  /** Exit code of `fail`. */
  readonly exitCode: number;
  /** When it happens, as a fraction of the regions: 0 before the first, 1 after the last. */
  readonly at: number;
  /** Where in a restore it happens; a backup takes no notice of it. */
  readonly step: RestoreStep;
  /** Only the first so many runs under this script; later ones succeed. Without it, all. */
  readonly times?: number;
  /**
   * Which ancestor `kill-parent` kills: 1 is the direct parent, 2 (the default) its parent. Behind the guard process
   * of an executor-worker, 2 is the worker itself.
   */
  readonly levels: number;
  /** Whether it stands still once `kill-parent` has killed, instead of going on; it still obeys signals. */
  readonly thenHangs: boolean;
  /** How much `flood` and `long-line` print. */
  readonly megabytes: number;
  /** How long the child of `fork` lives. */
  readonly childSeconds: number;
  /** How long the TiKV of `store-away` and `download-fails` is away. */
  readonly awaySeconds: number;
}

export const SUCCESS: Outcome = {
  kind: 'success',
  message: '',
  exitCode: 1,
  at: 0.5,
  step: 'files',
  levels: 2,
  thenHangs: false,
  megabytes: 16,
  childSeconds: 60,
  awaySeconds: 5,
};
