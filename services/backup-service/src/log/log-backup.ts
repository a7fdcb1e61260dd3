/**
 * The log backup of a cluster as it is stored: what is wanted of it, what was seen, and the logs that were written.
 * What may happen to it is decided in `decide/`; nothing else writes these fields. A TSO is decimal text here.
 */
import type { Task as AnyTask, Tasked } from '@tidemark/task/task';
import type { DeletedBy, Reason, StorageSnapshot } from '../backup.ts';
import { larger } from '../recovery/state.ts';

export type LogWish = 'off' | 'on' | 'paused';
export type LogState = 'Unknown' | 'Off' | 'Running' | 'Lagging' | 'Paused' | 'Error' | 'Missing' | 'Foreign' | 'Stray';
export type LogActKind = 'start' | 'pause' | 'resume' | 'stop';
export type LogActResult = 'ok' | 'refused' | 'newLog' | 'unknown';

/** Why a log ended. */
export type LogEnd =
  /** Tidemark stopped its task. */
  | 'stopped'
  /** Somebody else did. */
  | 'vanished'
  /** Its start was refused, and it is not wanted any more. */
  | 'neverStarted'
  /** Nobody saw how its start ended, and no task is there. */
  | 'startLost'
  /** Somebody stopped its task and started another with the same name and path. */
  | 'replacedByHand'
  /** It was interrupted for longer than the cluster keeps its history. */
  | 'historyLost';

export interface LogSettings {
  readonly storageId: string;
  /** For how long back every point is to stay restorable. */
  readonly retentionDays: number;
  /** From which age of the checkpoint on it is told. */
  readonly lagWarnSeconds: number;
  readonly lagCriticalSeconds: number;
}

/** What is being taken out of a log: its beginning, or all of it. Its task is one of the storage, which asks no cluster. */
export interface LogTruncation extends Tasked {
  /** What came before it goes; null: the whole log does. */
  readonly until: string | null;
  /** From where on the log was promised before. */
  readonly minBefore: string | null;
  readonly by: DeletedBy['kind'];
  /** For the logs. */
  readonly requestId: string;
  readonly since: Date;
  /** How often a worker could not do it. */
  readonly tries: number;
  /** Why not, the last time. */
  readonly trouble: Reason | null;
}

/** A person wants a log gone with its files: it goes once its task is stopped, and nobody reads it or takes from it any more. */
export interface LogRemoval {
  /** For the logs. */
  readonly requestId: string;
  readonly since: Date;
  /** When it is next looked at whether it can go. */
  readonly ringAt: Date;
}

/** No backup before its end serves a point behind its beginning. */
export interface LogCut {
  readonly from: string;
  readonly to: string;
}

/** One task from its start to its end, with the log that it writes. */
export interface LogGeneration {
  readonly n: number;
  /** Of no other generation, and cannot be guessed (L1). */
  readonly taskName: string;
  /** Below the storage; of no other generation (L3). */
  readonly path: string;
  readonly createTime: Date;
  readonly storage: StorageSnapshot;
  /** From its status, when it was first seen; null before. */
  readonly startTs: string | null;
  /** What is promised lies between the two (L4); null until it was seen. */
  readonly min: string | null;
  readonly max: string | null;
  readonly open: boolean;
  /** Set while a start of it is under way, or nobody knows how that ended: for which wish, and when. */
  readonly begun: { readonly wish: number; readonly at: Date } | null;
  /** A start of it went well. */
  readonly started: boolean;
  /** A stop of it was begun. */
  readonly stopping: boolean;
  /** It cannot go on: its task is stopped, and another log begun. */
  readonly dead: boolean;
  /** A good backup from which it could be replayed when that was last looked up; null where there was none. */
  readonly baseId: string | null;
  /** How many backups were asked for as its base and are none; absent where every one was. */
  readonly lostBases?: number;
  /** When its base was found to be none any more; absent where none ever was. */
  readonly baseLostAt?: Date;
  /** The wish under which its task was found gone. */
  readonly vanished: number | null;
  readonly endedWhy: LogEnd | null;
  readonly endedAt: Date | null;
  /** Of its cluster, when it began; absent in records of earlier versions. */
  readonly pool?: string;
  /** The id that TiDB gave the cluster that writes it, decimal, as lies in its path; absent until that was read. */
  readonly upstreamClusterId?: string;
  /** Of restores that `br` let into its cluster while it was written; absent where there were none. */
  readonly cuts?: readonly LogCut[];
  /** The restores that read it; absent where none ever did. */
  readonly holds?: readonly string[];
  /** Absent, or null, where nothing is being taken out of it. */
  readonly truncating?: LogTruncation | null;
  /** Nothing of it is promised any more; absent where nobody wants it gone. */
  readonly removal?: LogRemoval;
}

/** What TiKV says went wrong. */
export interface LogTaskError {
  readonly store: string;
  readonly code: string;
  readonly message: string;
}

/** What was last seen in the cluster. */
export interface LogObservation {
  readonly state: LogState;
  /** When the cluster last answered; null where it never did. */
  readonly seenAt: Date | null;
  /** When it was last asked. */
  readonly askedAt: Date | null;
  /** Why it did not answer the last time. */
  readonly unreachable: Reason | null;
  readonly checkpoint: string | null;
  /** When the task was last seen to run: a pause keeps the history from then on. */
  readonly ranAt: Date | null;
  readonly errors: readonly LogTaskError[];
  /** Of a task that is not Tidemark's: its name, and where it writes to. */
  readonly foreign: { readonly name: string; readonly storage: string } | null;
}

/** What a task may have left in the cluster (L8). */
export interface LogCleanup {
  readonly taskName: string;
  readonly since: Date;
}

/** An act that was begun, and is on record before `br` runs (L5). */
export interface LogAct {
  readonly kind: LogActKind;
  readonly taskName: string;
  readonly wish: number;
  readonly at: Date;
}

/** A claim is always a look, which may turn into one act. */
export interface LogTask extends AnyTask {
  /** The wish that was made when it was claimed. */
  readonly wish?: number;
  readonly act?: LogAct;
}

/** How the last act ended that did not go well. */
export interface LogRefusal {
  readonly kind: LogActKind;
  readonly reason: Reason;
  readonly at: Date;
  /** Since when it is refused again and again. */
  readonly since: Date;
}

export interface LogBackup {
  /** The cluster. */
  readonly _id: string;
  readonly wanted: LogWish;
  /** Grows with each change of what is wanted. */
  readonly wish: number;
  readonly wishedBy: string;
  readonly wishedAt: Date;
  /** For the logs. */
  readonly requestId: string;
  /** Of the call that wished: a repeat of it is no other wish. */
  readonly callId: string;
  /** Null where nothing but `off` was ever wanted. */
  readonly settings: LogSettings | null;
  /** The wish was seen, or answered by `br`, as carried out since it was made (L6). */
  readonly reached: boolean;
  /** The wish of the last look that began after it, and was answered. */
  readonly looked: number;
  /** A resume of a pause was begun for this wish, and nobody knows that it was refused. */
  readonly resumeBegun: boolean;
  /** It is wanted on, was so, and was then seen paused. */
  readonly manual: boolean;
  /** Resumes after an error, since the checkpoint moved (L10). */
  readonly resumeTries: number;
  readonly resumeNotBefore: Date | null;
  /** Starts that were refused one after another. */
  readonly startTries: number;
  readonly startNotBefore: Date | null;
  /** The restore that has the cluster (L7). */
  readonly block: string | null;
  /** The last restores that gave back what they had here: none of them gets it again. Absent where there was none. */
  readonly givenBack?: readonly string[];
  /** Until then a start or a resume of a lost worker may still come late. */
  readonly quietUntil: Date | null;
  /** The last one alone may be open. */
  readonly generations: readonly LogGeneration[];
  readonly observed: LogObservation;
  readonly cleanup: readonly LogCleanup[];
  readonly refusal: LogRefusal | null;
  /** When the next truncation is to be looked at; null, or absent, where none is under way. */
  readonly truncationDue?: Date | null;
  readonly task: LogTask | null;
  /** Number of the last grant; only grows. */
  readonly fence: number;
  readonly createTime: Date;
  readonly updateTime: Date;
  readonly revision: number;
}

/** The document of a cluster whose log backup nobody has wanted yet. */
export function newLogBackup(clusterId: string, now: Date): LogBackup {
  return {
    _id: clusterId,
    wanted: 'off',
    wish: 0,
    wishedBy: '',
    wishedAt: now,
    requestId: '',
    callId: '',
    settings: null,
    reached: true,
    looked: 0,
    resumeBegun: false,
    manual: false,
    resumeTries: 0,
    resumeNotBefore: null,
    startTries: 0,
    startNotBefore: null,
    block: null,
    quietUntil: null,
    generations: [],
    observed: {
      state: 'Off',
      seenAt: null,
      askedAt: null,
      unreachable: null,
      checkpoint: null,
      ranAt: null,
      errors: [],
      foreign: null,
    },
    cleanup: [],
    refusal: null,
    task: null,
    fence: 0,
    createTime: now,
    updateTime: now,
    revision: 1,
  };
}

/** From which point on a backup serves what is written now: where the log begins, or where the last of what cuts it ends. */
export function servedFrom({ min, cuts = [] }: Pick<LogGeneration, 'min' | 'cuts'>): bigint {
  return cuts.map(({ to }) => BigInt(to)).reduce(larger, BigInt(min ?? 0));
}

/** The generation that was begun last. */
export function lastGeneration({ generations }: Pick<LogBackup, 'generations'>): LogGeneration | undefined {
  return generations.at(-1);
}

/** The generation whose task is, or may be, in the cluster. */
export function openGeneration(log: Pick<LogBackup, 'generations'>): LogGeneration | undefined {
  const last = lastGeneration(log);
  return last?.open ? last : undefined;
}

/** Nothing is wanted, and nothing of Tidemark's is there or under way. */
export function isAtRest(log: LogBackup): boolean {
  return (
    log.wanted === 'off' &&
    log.reached &&
    log.observed.state === 'Off' &&
    log.task?.claim === undefined &&
    openGeneration(log) === undefined
  );
}

/** The instant of a TSO: its upper bits are the milliseconds since 1970. */
export function instantOf(tso: string): Date {
  return new Date(Number(BigInt(tso) >> 18n));
}

/** For how long the cluster keeps its history while the task is paused; what `br` takes where nothing is said. */
export const PAUSE_TTL_SECONDS = 86_400;

/** Until when a paused task can certainly go on; undefined where it is not paused, or was never seen to run. */
export function resumableUntil({ observed: { state, ranAt } }: Pick<LogBackup, 'observed'>): Date | undefined {
  if (ranAt === null || (state !== 'Paused' && state !== 'Error')) return undefined;
  return new Date(ranAt.getTime() + PAUSE_TTL_SECONDS * 1_000);
}
