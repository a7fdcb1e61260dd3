import type { TaskLimits } from '@tidemark/task/task';
import type { Progress } from '../../backup.ts';
import type { End, Restore, RestoreState, Starting } from '../restore.ts';

/** Limits and durations of the table, in milliseconds; a part of service-kit's `Timing`. */
export interface RestoreLimits extends TaskLimits {
  /** From the end of `br` to the next attempt: until then PD and TiKV hold what it set (R6). */
  readonly restMs: number;
  /** From a loss to the next attempt, or to the release of the target (R6). */
  readonly lossRestMs: number;
  /** From a resume to the moment at which the restore is given up, if nobody takes it. */
  readonly deadlineMs: number;
}

/** Who asks for something, and by what a repeat of that is known. */
export interface Asking {
  /** That the person sent, or that was made for the request; scripts send one with many requests. */
  readonly requestId: string;
  /** Of the call that brought it: of no other, and the same where that was repeated on its way. */
  readonly callId: string;
  readonly by: string;
}

/** What can be asked of a restore; each is a row of the table in restores 4. */
export type RestoreCommand =
  /** Rings for a worker, or says which step of the service is due: to take or to give back the hold on the source. */
  | { readonly kind: 'ring' }
  | { readonly kind: 'reap' }
  /** The source is held. */
  | { readonly kind: 'held' }
  /** The source cannot be held: the backup is being deleted or is not good any more, or the log is gone. */
  | { readonly kind: 'sourceGone'; readonly what?: 'log' }
  /** Something is being taken out of the log of the source. */
  | { readonly kind: 'sourceTruncating'; readonly clusterId: string }
  /** Another restore left a checkpoint in the target, and nobody said that it is gone. */
  | { readonly kind: 'targetUnclean'; readonly restoreId?: string }
  /** A backup or another restore has the target by another registration; `message` says which. */
  | { readonly kind: 'targetTaken'; readonly message: string }
  /** The target's log backup is on, or not seen to be off; `message` says what to do. */
  | { readonly kind: 'targetLogs'; readonly message: string }
  /** The hold was given back. */
  | { readonly kind: 'unheld' }
  | {
      readonly kind: 'claim';
      readonly claim: string;
      readonly worker: string;
      readonly pool: string;
      /** Those of `br` that the worker has. */
      readonly brVersions: readonly string[];
      /** It restores points in time, as workers of an earlier version do not. */
      readonly replaysLogs: boolean;
      /** None of them fits a target that is as it was: where no other worker that is there has one that does, a sentence says so. */
      readonly misfit?: { readonly nowhere?: string };
      /** As of backups: a slot of the storage, or its own key where that has no limit; absent when all are taken. */
      readonly slotKey?: string;
    }
  | {
      readonly kind: 'renew';
      readonly claim: string;
      readonly fence: number;
      readonly progress?: Progress;
      readonly starting?: Omit<Starting, 'at'> & { readonly hasCheckpoint: boolean; readonly argv: readonly string[] };
    }
  | { readonly kind: 'complete'; readonly claim: string; readonly fence: number; readonly end: End }
  /** Without a fence when the answer to the claim never came. */
  | { readonly kind: 'release'; readonly claim: string; readonly fence?: number; readonly end: End }
  /** What became known of an attempt after its task was lost; without an end where nobody knows it. */
  | { readonly kind: 'lateEnd'; readonly claim: string; readonly end?: End }
  | (Asking & { readonly kind: 'cancel'; readonly reason: string })
  | (Asking & { readonly kind: 'resume'; readonly hostDead?: true })
  | (Asking & {
      readonly kind: 'releaseTarget';
      readonly how: 'cleaned' | 'asIs';
      readonly note: string;
      readonly hostDead?: true;
    })
  /** A person says that nothing of the restore is left in the target. */
  | { readonly kind: 'cleaned' };

/** Why a state does not allow a command. */
export type RestoreRefusal =
  | 'over'
  | 'active'
  | 'notResumable'
  | 'needsConfirm'
  /** A `br` of a lost worker may still be at work: not before `quietUntil`. */
  | 'quiet'
  | 'notUnclean'
  | 'tooManyCommands'
  | 'wrongPair';

export type RestoreAnswer =
  | { readonly kind: 'ok' }
  /** The task is not, or no longer, the caller's: it stops, and tells the end of its `br` late. */
  | { readonly kind: 'lost' }
  | {
      readonly kind: 'held';
      readonly state: RestoreState;
      /** Whether `br` may be started; asked for with `starting`. */
      readonly mayStart: boolean;
    }
  | {
      readonly kind: 'grant';
      readonly fence: number;
      /** The only `br` that may go on; null is any. */
      readonly brVersion: string | null;
      /** Its command line; null where this worker makes it. */
      readonly argv: readonly string[] | null;
      /** An attempt before may have touched the target. */
      readonly wasPartial: boolean;
      readonly attempt: number;
      readonly remainingMs: number;
    }
  | { readonly kind: 'refused'; readonly why: RestoreRefusal; readonly until?: Date };

/** What a command does: the document after it (absent: no change), what the caller is answered, and what follows. */
export interface RestoreDecision {
  readonly answer: RestoreAnswer;
  readonly next?: Restore;
  /** Publish a RunCommand, now that the document says so. */
  readonly ring?: true;
  /** The step that a copy of the service takes next. */
  readonly step?: 'hold' | 'unhold';
  /** Announce the cancel to all workers. */
  readonly broadcast?: true;
}

export const OK: RestoreDecision = { answer: { kind: 'ok' } };
export const LOST: RestoreDecision = { answer: { kind: 'lost' } };

export const refused = (why: RestoreRefusal, until?: Date): RestoreDecision => ({
  answer: { kind: 'refused', why, ...(until && { until }) },
});
