/**
 * How a run can be told to end (the `outcome` of a script):
 *
 * - `success`: all is well.
 * - `fail`: `Error: <message>: [<code>]…`, exit `exitCode` (1); checkpoint flushed, lock removed.
 * - `panic`: a Go panic on stderr, exit 2; nothing is cleaned up.
 * - `crash`: it kills itself with SIGKILL, as when memory runs out; nothing is cleaned up.
 * - `hang`: no further progress, for ever; it still obeys signals.
 * - `ignore-term`: deaf to TERM, INT, HUP and QUIT from the start; else a success.
 * - `kill-parent`: SIGKILL to an ancestor, then on as if nothing had happened. See `levels`.
 * - `exit-0-without-meta`: success summary and exit 0, but no `backupmeta` (a harsher form of tidb#70034).
 * - `truncated-meta`: as a success, but `backupmeta` is cut in half.
 * - `missing-sst`: as a success, but one file that `backupmeta` names is not there.
 * - `checksum-mismatch`: exit 1 although `backupmeta` is written and the checkpoint gone (br-contract 5.5).
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
] as const;

export type OutcomeKind = (typeof OUTCOME_KINDS)[number];

export interface Outcome {
  readonly kind: OutcomeKind;
  /** Text of `fail` and `panic`. */
  readonly message: string;
  /** Code of `fail`, such as `BR:KV:ErrKVStorage`. */
  readonly code?: string;
  /** Exit code of `fail`. */
  readonly exitCode: number;
  /** When it happens, as a fraction of the regions: 0 before the first, 1 after the last. */
  readonly at: number;
  /** Only the first so many runs under this script; later ones succeed. Without it, all. */
  readonly times?: number;
  /**
   * Which ancestor `kill-parent` kills: 1 is the direct parent, 2 (the default) its parent. Behind the guard process
   * of an executor-worker, 2 is the worker itself.
   */
  readonly levels: number;
}

export const SUCCESS: Outcome = { kind: 'success', message: '', exitCode: 1, at: 0.5, levels: 2 };
