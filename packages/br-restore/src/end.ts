/**
 * How a `br restore` ended. Pure.
 *
 * - `succeeded`: exit code 0 and the success summary.
 * - `refused`, `notFresh`: `br` looked and wrote nothing; `notFresh` means a target that holds tables.
 * - `failedBefore`: it failed for a while, and provably before it wrote anything.
 * - `none`, `wait`: it was not started, or wrote nothing and is to be tried again later.
 * - `failed`: it failed, and provably after it began to write.
 * - `dirty`: what it wrote is wrong or cannot be completed.
 * - `afterSummary`: it said that it succeeded, and was ended before it had put everything back.
 * - `stopped`: it was ended from outside, or nothing is known for certain.
 */
export type EndKind =
  | 'succeeded'
  | 'refused'
  | 'notFresh'
  | 'failedBefore'
  | 'none'
  | 'wait'
  | 'failed'
  | 'dirty'
  | 'afterSummary'
  | 'stopped';

const AS_IT_WAS: ReadonlySet<EndKind> = new Set(['refused', 'notFresh', 'failedBefore', 'none', 'wait']);

/** Whether an end proves that this `br` changed nothing in the target. */
export const leftAsItWas = (kind: EndKind): boolean => AS_IT_WAS.has(kind);
