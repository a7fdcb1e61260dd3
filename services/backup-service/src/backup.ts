/**
 * A backup as it is stored: one document, which is the truth about it (architecture 2).
 * What may happen to it is decided in `decide/`; nothing else writes these fields.
 */
import type {
  AzureLocation,
  GcsLocation,
  LocalLocation,
  S3Location,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/registry_service';
import type { Task as AnyTask } from '@tidemark/task/task';

export type BackupState = 'Queued' | 'Running' | 'Canceling' | 'Succeeded' | 'Failed' | 'Canceled';
export type ActiveState = 'Queued' | 'Running' | 'Canceling';
export type FinishedState = 'Succeeded' | 'Failed' | 'Canceled';
export const FINISHED: readonly FinishedState[] = ['Succeeded', 'Failed', 'Canceled'];
export type DeletionState = 'None' | 'Trashed' | 'Requested' | 'Deleting' | 'Deleted' | 'DeleteFailed' | 'Forgotten';
export type AttemptOutcome = 'succeeded' | 'failed' | 'retry' | 'newPath' | 'wait' | 'stopped' | 'released' | 'lost';

/** Why something ended as it did: a constant, a sentence for people, and the original words below it. */
export interface Reason {
  readonly code: string;
  readonly message: string;
  readonly detail?: string;
}

/** A path that `br` wrote to and that is to be removed, but not before `after` (T11). */
export interface Leftover {
  readonly path: string;
  readonly after: Date;
  /** Where `br` had no lock the path is listed twice; this is set after the first time. */
  readonly listedOnce?: true;
  /** Files of a good backup that nobody has announced to remove yet: that they are not there is no proof of a removal. */
  readonly untouched?: true;
  /** When the removal of its files was last announced: that counts for the place in which they lay then. */
  readonly announcedAt?: Date;
}

/** A worker gave the task back, because of what is wrong with that worker. */
export interface HandBack {
  /** Of the run of the worker: a new one was not asked yet. */
  readonly instance: string;
  readonly worker: string;
  /** The last claim under which it did. */
  readonly claim: string;
  readonly at: Date;
  /** How often. */
  readonly times: number;
  /** It may pass without a person, as when a network is down. */
  readonly passing: boolean;
  /** It cannot reach the storage, which its presence says for as long as it is so. */
  readonly storage: boolean;
  readonly reason: Reason;
}

/** Unfinished work on the backup (T1). `started`: `br` may have been spawned under its claim. */
export interface Task extends AnyTask {
  readonly kind: 'backup' | 'remove';
  /** How often a removal failed. */
  readonly tries: number;
}

/** One claim of the backup task; its place in `attempts` is its number. */
export interface Attempt {
  readonly claim: string;
  readonly fence: number;
  readonly path: string;
  readonly worker: string;
  /** False: the claim may find a finished backup but not start `br`. */
  readonly mayRun: boolean;
  readonly startedAt: Date;
  readonly endedAt?: Date;
  readonly outcome?: AttemptOutcome;
  readonly reason?: Reason;
  readonly argv?: readonly string[];
  readonly brVersion?: string;
  readonly hasLock?: boolean;
  /** It succeeded, and its `br` was seen to exit with 0; not set where a finished backup was found. */
  readonly exitSeen?: true;
}

/** Something outside that a running `br` waits for. */
export interface Waiting {
  readonly code: string;
  readonly message: string;
  /** Id of the TiKV store; empty where `br` does not say which. */
  readonly store: string;
  readonly since: Date;
}

/** How far a running backup may be, as long as `br` has not said so. */
export interface Estimate {
  /** What lies in the path. */
  readonly writtenBytes: number;
  /** 0 to 99, where an earlier backup of the cluster shows how large this one may become. */
  readonly percent?: number;
}

export interface Progress {
  /** The phase in BR's words. */
  readonly step: string;
  /** 0 to 100 over all phases; never falls within an attempt. */
  readonly percent: number;
  readonly remainingSeconds?: number;
  readonly speed: string;
}

/** What a finished backup is, read from its `backupmeta`. 64-bit numbers are decimal text. */
export interface Result {
  readonly tso: string;
  readonly sizeBytes: number;
  readonly files: number;
  readonly tidbClusterId: string;
  readonly clusterVersion: string;
  readonly remark?: string;
  /** Of the key with which its manifest was signed; absent where it was not, or nobody knows. */
  readonly manifestKeyId?: string;
}

/** By which a backup or a restore was asked for. */
export interface AcceptedRequest {
  readonly key?: string;
  readonly hash: string;
  readonly id: string;
  /** The trace that it was a part of (`traceparent` of the W3C Trace Context); absent where it was none. */
  readonly trace?: string;
}

export interface Cancellation {
  readonly at: Date;
  readonly by: string;
  readonly reason: string;
  readonly requestId: string;
  /** Where a rule canceled and no person: the constant that the backup then has as its reason. */
  readonly code?: string;
}

/** What a verification found of the signature of the manifest. */
export interface ManifestSignature {
  readonly state: 'good' | 'none' | 'unknownKey' | 'wrong';
  /** Of the key that it says it was signed with. */
  readonly keyId?: string;
}

/** How a verification of the backup ended. */
export interface VerificationOutcome {
  readonly state: 'Good' | 'Damaged' | 'Unknown' | 'Canceled';
  readonly level: 'meta' | 'bytes';
  readonly sample: number;
  readonly sentence: string;
  readonly problemCount: number;
  readonly at: Date;
  readonly signature?: ManifestSignature;
}

/** What the record knows of its verifications; they are documents of their own (`verification.ts`). */
export interface BackupVerification {
  /** The newest that is known. */
  readonly run: number;
  /** That one is under way, and holds the backup. */
  readonly active: boolean;
  /** How the last ended. */
  readonly last?: VerificationOutcome;
  /** The verdict that counts; `Unknown` where the backup was signed, and is not now. */
  readonly counts?: VerificationOutcome;
  /** One of them found that a key of its storage had signed it; absent in records of earlier versions. */
  readonly signed?: true;
}

/** Retention is distinguished from people: a person's wish overrides it, and only its own is withdrawn. */
export type DeletedBy = { readonly kind: 'person' | 'retention'; readonly name: string };

export interface Deletion {
  readonly state: DeletionState;
  readonly by?: DeletedBy;
  readonly reason?: string;
  readonly at?: Date;
  readonly requestId?: string;
  /** Freed so far. */
  readonly bytes?: number;
  /** What to know about it, such as that the bucket keeps old versions. */
  readonly remark?: string;
  /** What the last try said. */
  readonly error?: string;
  /** Of that, a constant. */
  readonly errorCode?: string;
  /** Of what lies in the bin: until when it does, unless it is held. */
  readonly trashUntil?: Date;
  /** Of a forgotten one: somebody may have begun to remove its files. */
  readonly begun?: true;
}

/** The cluster as it was when the backup was accepted; no secrets. */
export interface Target {
  readonly pd: readonly string[];
  /** The id that TiDB gave it, decimal, where an earlier backup tells. */
  readonly tidbClusterId?: string;
  readonly version: string;
  readonly pool: string;
  readonly tls?: { readonly ca: string; readonly cert: string; readonly key: string };
  readonly brOptions?: {
    readonly rateLimit: number;
    readonly concurrency: number;
    readonly compression: string;
    readonly filters: readonly string[];
    readonly checksum?: boolean;
    readonly crypterMethod?: string;
    readonly crypterKeyFile?: string;
    /** Further flags, by name without dashes. */
    readonly extra?: Readonly<Record<string, string>>;
  };
}

/** Where a storage is: one of the four; and where the workers find its secrets, never the secrets themselves. */
export interface StorageLocation {
  readonly local?: LocalLocation;
  readonly s3?: S3Location;
  readonly azure?: AzureLocation;
  readonly gcs?: GcsLocation;
  readonly credentials?: { readonly envPrefix?: string; readonly file?: string };
  /** True when left out. */
  readonly sendCredentialsToTikv?: boolean;
}

/** The storage as it was when the backup was accepted; no secrets. */
export interface StorageSnapshot extends StorageLocation {
  readonly id: string;
  /** 0 is unlimited. */
  readonly maxConcurrent: number;
  /** When the storage was so, where that was not when the backup was accepted. */
  readonly takenAt?: Date;
}

export interface Backup {
  /** 22 characters of base64url. */
  readonly _id: string;
  readonly request: AcceptedRequest;
  readonly createdBy: string;
  readonly clusterId: string;
  readonly mode: 'manual' | 'auto';
  readonly type: 'full';
  readonly method: 'physical';
  readonly origin: 'request' | 'schedule' | 'log';
  /** The rule of the strategy that it was started by or for. */
  readonly rule?: string;
  readonly target: Target;
  readonly storage: StorageSnapshot;
  /** Unique, never changed, kept by the tombstone (T10). */
  readonly basePath: string;
  /** Where the current attempt writes: `basePath`, or `<basePath>-r<n>` with the fence of the attempt before. */
  readonly path: string;
  readonly leftovers: readonly Leftover[];
  readonly state: BackupState;
  /** Unique: `cluster:<id>` while active, else `backup:<_id>` (T6). */
  readonly activeKey: string;
  /** Unique: `storage:<id>:<n>` while Running or Canceling where a storage has a limit, else `backup:<_id>` (T6). */
  readonly slotKey: string;
  readonly deadline: Date;
  /** Number of the last grant; only grows. */
  readonly fence: number;
  readonly task: Task | null;
  readonly progress: Progress | null;
  readonly result: Result | null;
  readonly reason: Reason | null;
  readonly failures: number;
  readonly losses: number;
  readonly attempts: readonly Attempt[];
  /** Who gave the task back since an attempt last ended otherwise, one entry for each worker. */
  readonly handBacks?: readonly HandBack[];
  /** Only while `br` runs. */
  readonly waiting?: Waiting | null;
  /** Only while `br` runs and has not reported its progress. */
  readonly estimate?: Estimate | null;
  readonly cancel: Cancellation | null;
  readonly deletion: Deletion;
  /** Ids that keep it from being deleted: a pin, a verification or a restore that reads it. */
  readonly holds: readonly string[];
  /** Ids of holds that were given back, which are never taken again. */
  readonly unheld?: readonly string[];
  /** Once one was asked for. */
  readonly verification?: BackupVerification;
  /** When the request was accepted. */
  readonly startTime: Date;
  readonly endTime: Date | null;
  readonly createTime: Date;
  readonly updateTime: Date;
  readonly deleteTime: Date | null;
  readonly revision: number;
  readonly schemaVersion: 1;
}

/** Whether the backup still occupies its cluster. */
export function isActive(backup: Pick<Backup, 'state'>): boolean {
  return backup.state === 'Queued' || backup.state === 'Running' || backup.state === 'Canceling';
}

/** Begins the hold of a restore. */
const RESTORE = 'restore:';
/** Begins the holds that are pins; other holds are of those who read the backup. */
export const PIN = 'pin:';
/** The hold of a restore on its source. */
export function restoreHold(restoreId: string): string {
  return `${RESTORE}${restoreId}`;
}

/** Begins the hold of a verification. */
const VERIFY = 'verify:';

/** The hold of a verification of the backup. */
export function verificationHold(run: number): string {
  return `${VERIFY}${run}`;
}

/** Whether a verification is under way, which reads it. */
export function isBeingVerified({ holds }: Pick<Backup, 'holds'>): boolean {
  return holds.some((hold) => hold.startsWith(VERIFY));
}

/** Whether a verification found the backup damaged, and no other found it good since. */
export function isDamaged({ verification }: Pick<Backup, 'verification'>): boolean {
  return verification?.counts?.state === 'Damaged';
}

/** Whether it is known to have been signed: from then on it is not believed without. */
export function wasSigned({ verification, result }: Partial<Pick<Backup, 'verification' | 'result'>>): boolean {
  return result?.manifestKeyId !== undefined || verification?.signed === true || isOfSigned(verification?.counts);
}

/** Whether a verdict is of a backup that was signed. */
export function isOfSigned(verdict: Pick<VerificationOutcome, 'state' | 'signature'> | null | undefined): boolean {
  return verdict?.state === 'Unknown' || verdict?.signature?.state === 'good';
}

/** Whether it lies in the bin: deleted, with all of its files. */
export function isTrashed({ deletion }: Pick<Backup, 'deletion'>): boolean {
  return deletion.state === 'Trashed';
}

/** Whether somebody pinned the backup. */
export function isPinned({ holds }: Pick<Backup, 'holds'>): boolean {
  return holds.some((hold) => hold.startsWith(PIN));
}
