/**
 * The looks for what is to be told, as a document whose task one copy has at a time.
 *
 * RD1. A cursor moves on only after everything before it was taken in; a round that broke off is done again from there, by any copy.
 * RD2. Each step forward names claim and fence, and keeps the lease: a copy that stood still for longer has lost the round.
 */
import {
  grantTask,
  isClaimable,
  isHeldBy,
  newTask,
  reapTask,
  renewTask,
  requeued,
  type Task,
  type TaskLimits,
} from '@tidemark/task/task';

/** Where the looks go on. */
export interface Cursors {
  readonly backups?: Date;
  readonly windows?: Date;
  readonly restores?: Date;
  readonly review?: Date;
  /** Restores that had not ended at the last look. */
  readonly openRestores?: readonly string[];
}

export interface Round {
  readonly _id: string;
  readonly cursors: Cursors;
  readonly task: Task;
  readonly fence: number;
  readonly createTime: Date;
  readonly updateTime: Date;
  /** When one was last done whole. */
  readonly doneAt: Date | null;
  readonly revision: number;
}

export type RoundCommand =
  | { readonly kind: 'claim'; readonly claim: string; readonly worker: string }
  | { readonly kind: 'advance'; readonly claim: string; readonly fence: number; readonly cursors: Cursors }
  /** It is done whole, and the next may begin so much later. */
  | { readonly kind: 'end'; readonly claim: string; readonly fence: number; readonly pauseMs: number }
  /** It broke off. */
  | { readonly kind: 'release'; readonly claim: string; readonly fence: number; readonly pauseMs: number };

export interface RoundDecision {
  readonly answer: 'held' | 'lost';
  readonly next?: Round;
}

export const ROUND_LIMITS: TaskLimits = { ringMs: 60_000, leaseMs: 60_000, reapMarginMs: 5_000 };

const LOST: RoundDecision = { answer: 'lost' };

export function newRound(id: string, now: Date): Round {
  return {
    ...{ _id: id, cursors: {}, task: newTask(now), fence: 0 },
    ...{ createTime: now, updateTime: now, doneAt: null, revision: 1 },
  };
}

/** What `command` does to `round` at `now` (database time). */
export function decideRound(round: Round, command: RoundCommand, now: Date): RoundDecision {
  if (command.kind === 'claim') {
    if (isHeldBy(round, { claim: command.claim })) return { answer: 'held' };
    const free: Round = reapTask<Round>(round, now, ROUND_LIMITS) ?? round;
    return isClaimable<Round>(free, now)
      ? { answer: 'held', next: grantTask<Round>(free, command, now, ROUND_LIMITS) }
      : LOST;
  }
  if (!isHeldBy(round, command)) return LOST;
  if (command.kind === 'advance') {
    const renewed = renewTask<Round>(round, command, now, ROUND_LIMITS);
    return renewed ? { answer: 'held', next: { ...renewed, cursors: { ...round.cursors, ...command.cursors } } } : LOST;
  }
  const task = requeued(round.task, now, command.pauseMs);
  return { answer: 'held', next: { ...round, task, ...(command.kind === 'end' && { doneAt: now }) } };
}
