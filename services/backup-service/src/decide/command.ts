import type { Backup, BackupState, DeletedBy, Progress, Reason, Result } from '../backup.ts';

/** Limits and durations of the table, in milliseconds; a part of service-kit's `Timing`. */
export interface Limits {
  readonly leaseMs: number;
  readonly reapMarginMs: number;
  readonly ringMs: number;
  readonly quietMs: number;
  readonly unlockedQuietMs: number;
  readonly retryMs: number;
  readonly failureLimit: number;
  readonly lossLimit: number;
}

export type Outcome =
  | { readonly kind: 'succeeded'; readonly result: Result }
  | { readonly kind: 'failed'; readonly reason: Reason }
  | { readonly kind: 'retry' | 'newPath'; readonly reason: Reason; readonly delayMs?: number }
  | { readonly kind: 'wait'; readonly waitMs: number; readonly reason: Reason }
  | { readonly kind: 'stopped' }
  | { readonly kind: 'removed'; readonly paths: readonly string[]; readonly bytes: number; readonly remark?: string }
  | { readonly kind: 'removeFailed'; readonly reason: Reason };

/** What can be asked of a backup; each is a row of the table in design section 3. */
export type Command =
  | { readonly kind: 'ring' }
  /** Its turn may have come: rung for now instead of at the end of its interval. */
  | { readonly kind: 'nudge' }
  | { readonly kind: 'reap' }
  | {
      readonly kind: 'claim';
      readonly claim: string;
      readonly worker: string;
      readonly pool: string;
      /**
       * A slot of the storage that looked free, or `own` where the storage has no limit; absent when all are taken, or
       * wanted by backups whose turn comes first.
       */
      readonly slotKey?: string;
      /** Whether a newer good backup of the cluster exists: what retention may count on. */
      readonly newerGood: boolean;
    }
  | {
      readonly kind: 'renew';
      readonly claim: string;
      readonly fence: number;
      readonly progress?: Progress;
      readonly starting?: { readonly argv: readonly string[]; readonly brVersion: string; readonly hasLock: boolean };
    }
  | { readonly kind: 'complete'; readonly claim: string; readonly fence: number; readonly outcome: Outcome }
  /** Without a fence when the answer to the claim never came. */
  | { readonly kind: 'release'; readonly claim: string; readonly fence?: number }
  | { readonly kind: 'stray'; readonly claim: string; readonly fence: number; readonly path: string }
  | {
      readonly kind: 'cancel';
      readonly requestId: string;
      readonly by: string;
      readonly reason: string;
      /** Where a rule cancels: the constant that the backup then has as its reason. */
      readonly code?: string;
    }
  | {
      readonly kind: 'delete';
      readonly by: DeletedBy;
      readonly reason: string;
      readonly requestId: string;
      /** Whether a newer good backup of the cluster exists: only then retention may remove this one. */
      readonly newerGood: boolean;
    }
  /** The id begins with `PIN`. */
  | { readonly kind: 'pin'; readonly id: string }
  | { readonly kind: 'unpin' }
  | { readonly kind: 'hold'; readonly id: string }
  | { readonly kind: 'unhold'; readonly id: string };

export type Answer =
  | { readonly kind: 'ok' }
  /** The task is not, or no longer, the caller's: it stops and forgets. */
  | { readonly kind: 'lost' }
  | { readonly kind: 'held'; readonly state: BackupState }
  | {
      readonly kind: 'backupGrant';
      readonly fence: number;
      readonly path: string;
      readonly mayRun: boolean;
      readonly attempt: number;
      readonly remainingMs: number;
      /** The last attempt in this path told its end, so a lock that it left may be removed (T9). */
      readonly previousEnded: boolean;
      /** Of the last `br` that ran in this path; empty if none did. */
      readonly previousBrVersion: string;
    }
  | { readonly kind: 'removeGrant'; readonly fence: number; readonly paths: readonly string[] }
  /** The state does not allow it; `why` tells which of the refusals it is. */
  | { readonly kind: 'refused'; readonly why: Refusal };

/** `notScheduled` and `newest` refuse retention alone; `notGood` is for holds. */
export type Refusal = 'over' | 'active' | 'held' | 'notGood' | 'notScheduled' | 'newest' | 'wrongPair';

/** What a command does: the document after it (absent: no change), what the caller is told, and what rings afterwards. */
export interface Decision {
  readonly answer: Answer;
  readonly next?: Backup;
  /** Publish a RunCommand, now that the document says so. */
  readonly ring?: true;
  /** Tell all workers of the cancel. */
  readonly broadcast?: true;
}

export const OK: Decision = { answer: { kind: 'ok' } };
export const LOST: Decision = { answer: { kind: 'lost' } };
