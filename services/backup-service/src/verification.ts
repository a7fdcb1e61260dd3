/**
 * The verification of a backup in its storage, as a document beside that of the backup, with the same id: so there is one at
 * a time, and the newest takes the place of the one before. Copies and workers of earlier versions do not know it, and do
 * nothing with it. What may happen to it is decided in `verification-transitions.ts`; nothing else writes these fields.
 *
 * Y1. It has a task until its outcome is on the record of the backup. What is to be done follows from the documents alone,
 *     so that any copy can do it.
 * Y2. It is written first, then the backup is held for its run, then `held` is set, and no worker gets it before. Its outcome
 *     is written first, then the record takes the outcome and gives the hold back, then the task ends. Each step can be done
 *     twice, and by another copy.
 * Y3. Runs are numbered upwards, and the record keeps the number of the newest: a slow copy cannot hold a backup for a run
 *     that is over.
 * Y4. The standing only grows. Where a worker was lost or gave the verification back, the next goes on from it.
 * Y5. Every verification ends: losses and failures in a row without a step forward are bounded, and so is the wait for a
 *     worker.
 * Y6. What could not be verified is Unknown, and never Damaged.
 * Y7. A verdict counts until another outweighs it: damage always does, and where damage counts, only a verdict that is good
 *     and of at least the same extent. Unknown and Canceled outweigh nothing, but for one: a backup that was signed, and is not
 *     now, counts as good no more. Damage that a restore found stands on the record alone (`decide/verify.ts`), where the later
 *     verdict of both counts.
 * Y8. A recorded cancel stops the worker. What it had found by then stands all the same.
 */
import type { Task } from '@tidemark/task/task';
import type { ManifestSignature, VerificationOutcome } from './backup.ts';

export type VerificationLevel = 'meta' | 'bytes';
/** How a verification ends; the record of the backup has the same. */
export type EndedState = 'Good' | 'Damaged' | 'Unknown' | 'Canceled';
export type VerificationState = 'Queued' | 'Running' | 'Canceling' | EndedState;

/** What is wrong with a file. */
export interface VerificationProblem {
  readonly kind: string;
  readonly name: string;
  readonly why: string;
}

/** How far it got: all that was found of the files before `next`, and nothing of those behind it. */
export interface VerificationStanding {
  /** The place of the next file in the catalogue. */
  readonly next: number;
  readonly files: number;
  readonly bytes: number;
  /** The first ones; `found` is the hash of what lies in place of the file. */
  readonly problems: readonly (VerificationProblem & { readonly found?: string })[];
  readonly problemCount: number;
}

/** What was read so far. */
export interface VerificationProgress {
  readonly bytesRead: number;
  readonly bytesInAll: number;
  readonly files: number;
}

/** How one ended that could say something of the backup; `Unknown` says that it was signed, and is not now. */
export interface Verdict {
  readonly state: 'Good' | 'Damaged' | 'Unknown';
  readonly level: VerificationLevel;
  readonly sample: number;
  readonly sentence: string;
  readonly problems: readonly VerificationProblem[];
  readonly problemCount: number;
  readonly at: Date;
  readonly signature?: ManifestSignature;
}

export interface Verification {
  /** Of the backup. */
  readonly _id: string;
  readonly clusterId: string;
  readonly storageId: string;
  /** Names the storage as it was when the verification was asked for: a worker that cannot reach it says so by that. */
  readonly storageDigest: string;
  readonly pool: string;
  /** From 1; only grows. */
  readonly run: number;
  readonly level: VerificationLevel;
  /** Above 0 and up to 1. */
  readonly sample: number;
  /** In MiB/s; 0 is as fast as can be. */
  readonly rateLimit: number;
  readonly createdBy: string;
  readonly requestId: string;
  readonly state: VerificationState;
  /** The backup is held for this run. */
  readonly held: boolean;
  readonly task: Task | null;
  /** Number of the last grant; only grows. */
  readonly fence: number;
  /** Unique: `storage:<id>:<n>` while Running or Canceling, else `backup:<_id>`. */
  readonly slotKey: string;
  /** In a row, without a step forward. */
  readonly losses: number;
  readonly failures: number;
  /** Who took it last; empty before. */
  readonly worker: string;
  readonly standing: VerificationStanding | null;
  readonly progress: VerificationProgress | null;
  /** Why it is tried again; empty where it has not failed. */
  readonly waitsFor: string;
  /** What was found, or why nothing could be; empty until it is over. */
  readonly sentence: string;
  readonly problems: readonly VerificationProblem[];
  readonly problemCount: number;
  /** Once it is over, where its worker looked. */
  readonly signature?: ManifestSignature;
  /** The backup is known to have been signed; absent where it is not, and in documents of earlier versions. */
  readonly signed?: true;
  /** The verdict that counts (Y7). */
  readonly counts: Verdict | null;
  /** The claim that ended it, so that a repeat is answered as the first time. */
  readonly endedBy: string | null;
  /** Since when it waits for a worker. */
  readonly waitsSince: Date;
  /** When it was asked for. */
  readonly createTime: Date;
  readonly updateTime: Date;
  readonly endTime: Date | null;
  readonly revision: number;
}

/** Whether it has an outcome. */
export function isEnded({ state }: Pick<Verification, 'state'>): boolean {
  return state !== 'Queued' && state !== 'Running' && state !== 'Canceling';
}

/** What the record of the backup keeps of one that ended. */
export function toOutcome(verification: Verification): VerificationOutcome {
  const { state, level, sample, sentence, problemCount, signature, endTime, createTime } = verification;
  const at = endTime ?? createTime;
  return { state: state as EndedState, level, sample, sentence, problemCount, at, ...(signature && { signature }) };
}

/** What the record is to take over: the outcome, and the verdict that counts. */
export function toRecord(verification: Verification): {
  readonly run: number;
  readonly last: VerificationOutcome;
  readonly counts?: VerificationOutcome;
} {
  const { run, counts } = verification;
  if (!counts) return { run, last: toOutcome(verification) };
  const { problems: _problems, ...verdict } = counts;
  return { run, last: toOutcome(verification), counts: verdict };
}

/** The verdict that counts after another one was found (Y7). */
export function counting(before: Verdict | null, found: Verdict): Verdict {
  if (before?.state !== 'Damaged' || found.state === 'Damaged') return found;
  return found.state === 'Good' && covers(found, before) ? found : before;
}

/** The same files are chosen again by the same part, and more by a larger one. */
function covers(one: Verdict, other: Verdict): boolean {
  if (one.level === other.level) return one.sample >= other.sample;
  return one.level === 'bytes';
}
