/**
 * A restore as it is stored: one document, beside the backups in their collection, so that one unique index of `activeKey` keeps
 * any two that want a cluster apart. What may happen to it is decided in `decide/`; nothing else writes these fields.
 */
import type { TargetLook } from '@tidemark/br-restore/cleanup';
import type { CollectionLook } from '@tidemark/br-restore/collection';
import type { EndKind } from '@tidemark/br-restore/end';
import type { Task as AnyTask } from '@tidemark/task/task';
import type { AcceptedRequest, Progress, Reason, StorageSnapshot } from '../backup.ts';
import type { ClusterPurpose } from '../cluster-purpose.ts';

export type RestoreState = 'Queued' | 'Running' | 'Canceling' | 'Succeeded' | 'Failed' | 'Canceled';
export type EndedState = 'Succeeded' | 'Failed' | 'Canceled';

/**
 * What the restore made of its target: nothing yet; perhaps part of the data; all of it. `Released`: it was Partial, and a person
 * freed it.
 */
export type TargetState = 'Untouched' | 'Partial' | 'Restored' | 'Released';

/** What `br` says of a restore that succeeded. */
export interface RestoreResult {
  readonly sizeBytes: number;
  readonly seconds: number;
  /** Of them, those for the log that was replayed; absent where none was, or that is not known. */
  readonly logSeconds?: number;
  /** Its summary, as it printed it. */
  readonly summary: string;
  /** Something to know, such as that it finished while it was being canceled. */
  readonly remark?: string;
}

/** The end of `br`, as whoever saw it tells it. */
export interface End {
  readonly kind: EndKind;
  readonly reason?: Reason;
  readonly result?: RestoreResult;
  /** It succeeded, but could not remove its checkpoint: the next restore would go on at that. */
  readonly checkpointLeft?: true;
  /** It goes on only after a person changed something, as when the target's disks are full. */
  readonly afterChange?: true;
  /** How long the next attempt waits at least, in milliseconds. */
  readonly waitMs?: number;
  /** It was ended by KILL, or may have been. */
  readonly killed?: true;
  /** It shows that the backup itself is damaged. */
  readonly sourceDamaged?: true;
  /** What PD said of the target after it; absent where nobody asked. */
  readonly look?: TargetLook;
  /** The backup was signed, and is not now. */
  readonly sourceNotSigned?: true;
}

/** The end of an attempt; written once, by whoever knows it first. */
export interface KnownEnd extends End {
  /** By the worker that ran it, or by what its guard left on the host. */
  readonly toldBy: 'worker' | 'record';
  readonly at: Date;
}

/** The announcement of a start; from then on `br` may be at work. */
export interface Starting {
  readonly at: Date;
  readonly brVersion: string;
  readonly host: string;
  /** What the TiKVs of the target said before, where a log is replayed. */
  readonly collection?: CollectionLook;
}

/** One claim of the restore task; its place in `attempts` is its number. */
export interface RestoreAttempt {
  readonly claim: string;
  readonly fence: number;
  readonly worker: string;
  readonly startedAt: Date;
  readonly starting: Starting | null;
  /** Whether the target was Partial when it was granted. */
  readonly wasPartial: boolean;
  /** Absent while it is under way. */
  readonly outcome?: 'ended' | 'released' | 'lost';
  readonly endedAt?: Date;
  readonly end: KnownEnd | null;
}

/** Unfinished work on the restore: to run it, or to give the hold on its source back. */
export interface RestoreTask extends AnyTask {
  readonly kind: 'restore' | 'unhold';
}

/** A cancel; `current` until a resume takes it out of force. */
export interface RestoreCancel {
  readonly requestId: string;
  /** Of the call that brought it; absent in records of earlier versions. */
  readonly callId?: string;
  readonly at: Date;
  readonly by: string;
  readonly reason: string;
  readonly current: boolean;
}

export interface Resume {
  readonly requestId: string;
  /** As in a cancel. */
  readonly callId?: string;
  readonly at: Date;
  readonly by: string;
  /** How many attempts there were: those cannot end in a success any more, for the target may have been emptied (R10). */
  readonly attempts: number;
  /** The person said that the host of the lost worker is dead. */
  readonly hostDead?: true;
}

/** A person freed the target: it was cleaned, or is taken as it is. */
export interface Release extends Omit<Resume, 'attempts'> {
  readonly how: 'cleaned' | 'asIs';
  readonly note: string;
}

/** The backup that is read, as it was when the restore was accepted. */
export interface RestoreSource {
  readonly backupId: string;
  readonly clusterId: string;
  /** The id that TiDB gave the cluster, decimal. */
  readonly upstreamClusterId: string;
  readonly path: string;
  readonly storage: StorageSnapshot;
  readonly tso: string;
  readonly sizeBytes: number;
  readonly clusterVersion: string;
  /** How it is encrypted; absent where it is not. */
  readonly crypter?: { readonly method: string; readonly keyFile: string };
  /** The moment that is restored, by a log that begins before the backup's; absent where the backup alone is restored. */
  readonly point?: RestorePoint;
}

/** A moment between two backups, and the log that leads there from the backup of the source. A TSO is decimal text. */
export interface RestorePoint {
  readonly tso: string;
  /** Number of the log of its cluster. */
  readonly generation: number;
  /** Of the log, below its storage. */
  readonly path: string;
  readonly storage: StorageSnapshot;
}

/** The cluster that is restored into, as it was when the restore was accepted; no secrets. */
export interface RestoreTarget {
  readonly clusterId: string;
  readonly pd: readonly string[];
  /** PDs of its other registrations when it was accepted; absent where there were none, and in records of earlier versions. */
  readonly otherPd?: readonly string[];
  /** The id that TiDB gave it, decimal, where a backup of it tells. */
  readonly tidbClusterId?: string;
  readonly version: string;
  readonly pool: string;
  readonly tls?: { readonly ca: string; readonly cert: string; readonly key: string };
  /** Absent in records of earlier versions. */
  readonly purpose?: ClusterPurpose;
  /** After a worker was lost, nothing goes on until a person says that its host is dead. */
  readonly strictLoss: boolean;
}

/** What a person chose. */
export interface RestoreOptions {
  /** MiB per second and TiKV; 0 is unlimited. */
  readonly rateLimit: number;
  readonly withSystemTables: boolean;
  readonly withoutStats: boolean;
  /** `strict`, `ignore`, or empty: strict. */
  readonly placementPolicies: string;
  readonly waitTiflashReady: boolean;
  /** Rules that choose what is restored; absent where that is the whole backup. */
  readonly filter?: readonly string[];
  readonly extra: Readonly<Record<string, string>>;
}

/** What was shown to the person who started it, and what they said to it. */
export interface AcceptedPlan {
  readonly hash: string;
  /** The checks that were blocked, and that they passed over; of earlier versions whatever was acknowledged. */
  readonly acknowledged: readonly string[];
  readonly confirmedBy: string;
}

export interface Restore {
  /** 22 characters of base64url. */
  readonly _id: string;
  readonly kind: 'restore';
  readonly request: AcceptedRequest;
  readonly createdBy: string;
  readonly source: RestoreSource;
  readonly target: RestoreTarget;
  readonly plan: AcceptedPlan;
  readonly options: RestoreOptions;
  /** Of the `br` that touched the target first; both are free while the target is Untouched (R5). */
  readonly brVersion: string | null;
  /** The command line that every attempt has since, but for its log file and rate limit. */
  readonly argv: readonly string[] | null;
  /** Whether that `br` keeps a checkpoint, at which the next attempt goes on. */
  readonly hasCheckpoint: boolean | null;
  /** The source is held. */
  readonly held: boolean;
  readonly state: RestoreState;
  readonly targetState: TargetState;
  /** A checkpoint lies in the target, at which another restore would go on (R13). */
  readonly needsCleaning: boolean;
  /** It waits for a person who says that the host of the lost worker is dead (R7). */
  readonly needsConfirm: boolean;
  /** It may have finished unseen (R9). */
  readonly outcomeUnknown: boolean;
  /** Of one that succeeded: whether it is certain that `br` compared the checksums (R11). */
  readonly checksums: 'proven' | 'unproven' | null;
  /** Its target is known to hold wrong data (R10). */
  readonly spoilt: boolean;
  /** A person may let it go on. */
  readonly resumable: boolean;
  readonly reason: Reason | null;
  /** Unique: `cluster:<target>` while it is active or the target Partial, else `restore:<_id>` (R1). */
  readonly activeKey: string;
  /** Unique: `storage:<id>:<n>` while Running or Canceling where a storage has a limit, else `restore:<_id>`. */
  readonly slotKey: string;
  /** Unique among the paths of backups, which this is none of: `restore:<_id>`. */
  readonly basePath: string;
  readonly deadline: Date;
  /** Number of the last grant; only grows. */
  readonly fence: number;
  readonly task: RestoreTask | null;
  /** How often it goes on by itself. */
  readonly resumesLeft: number;
  readonly lastBrEnd: Date | null;
  /** Until then a `br` of a frozen host may still be at work (R6). */
  readonly quietUntil: Date | null;
  readonly attempts: readonly RestoreAttempt[];
  readonly cancels: readonly RestoreCancel[];
  readonly resumes: readonly Resume[];
  readonly released: Release | null;
  readonly progress: Progress | null;
  readonly result: RestoreResult | null;
  readonly startTime: Date;
  readonly endTime: Date | null;
  readonly createTime: Date;
  readonly updateTime: Date;
  readonly revision: number;
  readonly schemaVersion: 1;
}

/** Whether it waits, runs or is being canceled. */
export function isActive({ state }: Pick<Restore, 'state'>): boolean {
  return state === 'Queued' || state === 'Running' || state === 'Canceling';
}

/** Whether nothing changes it any more: it has ended, and its target is not Partial. */
export function isOver(restore: Pick<Restore, 'state' | 'targetState'>): boolean {
  return !isActive(restore) && restore.targetState !== 'Partial';
}

const FAILURES: ReadonlySet<EndKind> = new Set(['failedBefore', 'failed', 'afterSummary', 'stopped']);

/** How often `br` failed, and how often it found another restore at work in the target: what is odd once may not be so twice. */
export function countEnds({ attempts }: Pick<Restore, 'attempts'>): {
  readonly failures: number;
  readonly waits: number;
} {
  const ended = attempts.flatMap(({ outcome, starting, end }) =>
    outcome === 'ended' && starting && end ? [end.kind] : [],
  );
  return {
    failures: ended.filter((kind) => FAILURES.has(kind)).length,
    waits: ended.filter((kind) => kind === 'wait').length,
  };
}
