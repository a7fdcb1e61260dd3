import type { TaskLimits } from '@tidemark/task/task';
import type { Reason, StorageSnapshot } from '../../backup.ts';
import type { LogAct, LogActResult, LogBackup, LogCut, LogSettings, LogTaskError, LogWish } from '../log-backup.ts';

/** Durations in milliseconds; a part of service-kit's `Timing`. */
export type LogLimits = TaskLimits;

/** A task as `br log status` shows it. */
export interface LogTaskSeen {
  readonly name: string;
  readonly storage: string;
  /** It writes to where the open generation does. */
  readonly samePlace: boolean;
  readonly startTs: string;
  readonly state: 'normal' | 'paused' | 'error';
  readonly checkpoint: string;
  readonly errors: readonly LogTaskError[];
  /** A person paused it, where `br` says so (8.5.5 and later). */
  readonly pausedByHand: boolean;
}

/** What a look saw. */
export type LogSeen =
  | { readonly kind: 'unreachable'; readonly reason: Reason }
  | { readonly kind: 'tasks'; readonly tasks: readonly LogTaskSeen[] };

/** From and to when the log in a storage reaches, as `br log metadata` says. */
export interface LogRange {
  readonly min: string;
  readonly max: string;
  /** The id that TiDB gave the cluster that writes it, decimal; absent where nobody knows. */
  readonly upstreamClusterId?: string;
  /** What cannot be replayed across; absent where that could not be read. */
  readonly cuts?: readonly LogCut[];
}

/** Where a start would write, should it come to that. */
export interface LogPlace {
  readonly taskName: string;
  readonly path: string;
  readonly storage: StorageSnapshot;
  readonly pool: string;
}

/** What can be asked of a log backup. */
export type LogCommand =
  | {
      readonly kind: 'want';
      readonly wanted: LogWish;
      /** Those it has, where they are left out. */
      readonly settings?: LogSettings;
      readonly by: string;
      readonly requestId: string;
      readonly callId: string;
    }
  /** Rings for a look that is due. */
  | { readonly kind: 'ring' }
  | { readonly kind: 'reap' }
  | { readonly kind: 'claim'; readonly claim: string; readonly worker: string }
  /** Without a fence when the answer to the claim never came. */
  | { readonly kind: 'release'; readonly claim: string; readonly fence?: number }
  | {
      readonly kind: 'report';
      readonly claim: string;
      readonly fence: number;
      readonly seen: LogSeen;
      /** Read before the status (L4); absent where it was not. */
      readonly range?: LogRange;
      /** Absent where the storage cannot be used now; `placeless` says why. */
      readonly place?: LogPlace;
      readonly placeless?: Reason;
    }
  | {
      readonly kind: 'complete';
      readonly claim: string;
      readonly fence: number;
      readonly result: LogActResult;
      readonly reason?: Reason;
    }
  /** A good backup was seen from which a generation can be replayed. */
  | { readonly kind: 'based'; readonly n: number; readonly baseId: string }
  /** There is none: it was deleted, was found damaged, or failed. `lostBases` is how many were so before. */
  | { readonly kind: 'baseLost'; readonly n: number; readonly lostBases: number }
  /** A restore wants the cluster for itself (L7). */
  | { readonly kind: 'block'; readonly restoreId: string }
  /** A restore wants to read a log from a snapshot on, whose TSO is given. */
  | { readonly kind: 'hold'; readonly n: number; readonly from: string; readonly restoreId: string }
  /** A restore needs neither any more. */
  | { readonly kind: 'giveBack'; readonly restoreId: string };

export type LogAnswer =
  | { readonly kind: 'ok' }
  /** The task is not, or no longer, the caller's. */
  | { readonly kind: 'lost' }
  | { readonly kind: 'held'; readonly act?: LogAct }
  | { readonly kind: 'refused'; readonly why: 'neverSet' | 'logRuns' | 'logGone' | 'truncating' | 'givenBack' };

/** What a command does: the document after it (absent: no change), and what the caller is answered. */
export interface LogDecision {
  readonly answer: LogAnswer;
  readonly next?: LogBackup;
  /** Publish a RunCommand, now that the document says so. */
  readonly ring?: true;
}

export const OK: LogDecision = { answer: { kind: 'ok' } };
export const LOST: LogDecision = { answer: { kind: 'lost' } };
export const refused = (why: Extract<LogAnswer, { kind: 'refused' }>['why']): LogDecision => ({
  answer: { kind: 'refused', why },
});
