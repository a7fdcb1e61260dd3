import type { TaskLimits } from '@tidemark/task/task';
import type {
  Backup,
  BackupState,
  DeletedBy,
  Estimate,
  HandBack,
  Progress,
  Reason,
  Result,
  StorageSnapshot,
  VerificationOutcome,
  Waiting,
} from '../backup.ts';
import type { Loss } from '../recovery/would-lose.ts';

/** Limits and durations of the table, in milliseconds; a part of service-kit's `Timing`. */
export interface Limits extends TaskLimits {
  /** How long a task rests after a worker gave it back for the first time. */
  readonly handBackMs: number;
  readonly quietMs: number;
  readonly unlockedQuietMs: number;
  readonly retryMs: number;
  readonly failureLimit: number;
  readonly lossLimit: number;
}

/** A worker of the task's pool that reported itself a moment ago, and would take new tasks. */
export interface Peer {
  readonly instance: string;
  readonly worker: string;
  /** It would take a task now. */
  readonly free: boolean;
  /** It says that it cannot reach the storage of the task. */
  readonly outOfReach?: { readonly passing: boolean; readonly reason: Reason };
}

/** The files of a backup are looked for where its storage was moved to. */
export interface Moved {
  readonly at: Date;
  /** Where they were before, in words. */
  readonly from: string;
}

export type Outcome =
  | {
      readonly kind: 'succeeded';
      readonly result: Result;
      /** The `br` of this attempt was seen to exit with 0; else a finished backup was found. */
      readonly exitSeen?: true;
    }
  | { readonly kind: 'failed'; readonly reason: Reason }
  | { readonly kind: 'retry' | 'newPath'; readonly reason: Reason; readonly delayMs?: number }
  | {
      readonly kind: 'wait';
      readonly waitMs: number;
      readonly reason: Reason;
      /** The reason lies with this worker. */
      readonly handBack?: Pick<HandBack, 'instance' | 'passing' | 'storage'> & {
        /** `br` was announced, but nothing ran. */
        readonly notStarted?: boolean;
      };
    }
  | { readonly kind: 'stopped' }
  | {
      readonly kind: 'removed';
      readonly paths: readonly string[];
      readonly bytes: number;
      readonly remark?: string;
      /** Those of the paths in which nothing was found. */
      readonly empty?: readonly string[];
    }
  | { readonly kind: 'removeFailed'; readonly reason: Reason };

/** What can be asked of a backup; each is a row of the table in architecture 3. */
export type Command =
  | { readonly kind: 'ring' }
  /** Its turn may have come: rung for now instead of at the end of its interval. */
  | { readonly kind: 'nudge' }
  /** What stood in the way of its task may have been put right. */
  | { readonly kind: 'retry' }
  | { readonly kind: 'reap' }
  | {
      readonly kind: 'claim';
      readonly claim: string;
      readonly worker: string;
      readonly pool: string;
      /** Of this run of the worker. */
      readonly instance?: string;
      /** The worker says that it cannot reach the storage of the task. */
      readonly outOfReach?: true;
      /** Looked up only where somebody cannot do the task. */
      readonly peers?: readonly Peer[];
      /** For how long the task rests where it is left to another worker (H4). */
      readonly passOnMs?: number;
      /**
       * A slot of the storage that looked free, or `own` where the storage has no limit; absent when all are taken, or
       * wanted by backups whose turn comes first.
       */
      readonly slotKey?: string;
      /** Of a backup that is to be written: its cluster may not use the storage, as both are registered now. */
      readonly storageDenied?: true;
      /** Of a backup that is to be written: a restore has its cluster by another registration, as a sentence says. */
      readonly taken?: string;
      /** Whether a newer good backup of the cluster exists: what retention may count on. */
      readonly newerGood: boolean;
      /** Points of the cluster's log backup would be lost with it: retention leaves it. */
      readonly isBase?: boolean;
    }
  | {
      readonly kind: 'renew';
      readonly claim: string;
      readonly fence: number;
      readonly progress?: Progress;
      /** Absent once `br` reports its progress. */
      readonly estimate?: Estimate;
      /** What `br` waits for, and for how long already; absent while it goes on. */
      readonly stall?: Omit<Waiting, 'since'> & { readonly forMs: number };
      readonly starting?: { readonly argv: readonly string[]; readonly brVersion: string; readonly hasLock: boolean };
      /** Paths whose files are about to be removed. */
      readonly removing?: readonly string[];
    }
  | {
      readonly kind: 'complete';
      readonly claim: string;
      readonly fence: number;
      readonly outcome: Outcome;
      /** Looked up where the worker gives the task back. */
      readonly peers?: readonly Peer[];
      /** Said with a removal that fails: that the storage is registered elsewhere today, and what to do. */
      readonly elsewhere?: string;
      /** Said with paths in which nothing was found: the last move that the backup came along with. */
      readonly moved?: Moved;
    }
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
      /** Points of the cluster's log backup would be lost with it: retention leaves it. */
      readonly isBase?: boolean;
      /** For how long the storage keeps deleted good backups in its bin; 0 where it has none. */
      readonly trashMs: number;
      /** Past the bin, and out of it. */
      readonly permanently?: true;
      /** What would be lost with it, as far as the person who wishes it did not acknowledge that. */
      readonly unacknowledged?: Loss;
    }
  /** Its time in the bin may be over. */
  | {
      readonly kind: 'expire';
      /** As with a deletion, where retention put it into the bin. */
      readonly newerGood: boolean;
      /** Points of the cluster's log backup would be lost with it: retention leaves it. */
      readonly isBase?: boolean;
    }
  | { readonly kind: 'undelete'; readonly requestId: string }
  | {
      readonly kind: 'forget';
      readonly by: DeletedBy;
      readonly reason: string;
      readonly requestId: string;
      /** The storage was declared gone. */
      readonly gone: boolean;
      /** As with a deletion. */
      readonly unacknowledged?: Loss;
    }
  /** A rebuild found a forgotten backup in its path, in this storage. */
  | { readonly kind: 'remember'; readonly storage: StorageSnapshot }
  /** The id begins with `PIN`. */
  | { readonly kind: 'pin'; readonly id: string }
  | { readonly kind: 'unpin' }
  | { readonly kind: 'hold'; readonly id: string }
  | { readonly kind: 'unhold'; readonly id: string }
  /** Of the verification that begins. */
  | { readonly kind: 'verify'; readonly run: number }
  /** How the verification of that number ended, and the verdict that counts from now on. */
  | {
      readonly kind: 'verified';
      readonly run: number;
      readonly last: VerificationOutcome;
      readonly counts?: VerificationOutcome;
    }
  /** A restore that read it found it damaged, or not signed any more. */
  | { readonly kind: 'foundUnsound'; readonly found: VerificationOutcome };

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
      /** The last attempt in this path reported its end, so a lock that it left may be removed (T9). */
      readonly previousEnded: boolean;
      /** Of the last `br` that ran in this path; empty if none did. */
      readonly previousBrVersion: string;
    }
  | { readonly kind: 'removeGrant'; readonly fence: number; readonly paths: readonly string[] }
  /** The state does not allow it; `why` says which of the refusals it is. */
  | { readonly kind: 'refused'; readonly why: Refusal }
  /** A person must know first what is lost. */
  | { readonly kind: 'refused'; readonly why: 'losesPoints'; readonly loss: Loss };

/** `notScheduled`, `newest` and `base` refuse retention alone; `notGood` is for holds, `notForgotten` for what a rebuild found, `notTrashed` for what is to be had back. */
export type Refusal =
  | 'over'
  | 'active'
  | 'held'
  | 'notGood'
  | 'notScheduled'
  | 'newest'
  | 'base'
  | 'notFailed'
  | 'notForgotten'
  | 'notTrashed'
  | 'wrongPair';

/** What a command does: the document after it (absent: no change), what the caller is answered, and what rings afterwards. */
export interface Decision {
  readonly answer: Answer;
  readonly next?: Backup;
  /** Publish a RunCommand, now that the document says so. */
  readonly ring?: true;
  /** Announce the cancel to all workers. */
  readonly broadcast?: true;
}

export const OK: Decision = { answer: { kind: 'ok' } };
export const LOST: Decision = { answer: { kind: 'lost' } };
