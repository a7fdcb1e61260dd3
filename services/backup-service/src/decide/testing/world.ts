/**
 * A small world around the documents: a queue, workers, `br` processes, files, calls under way, a clock. All of it is
 * plain data, so that a state can be copied, compared and looked up.
 *
 * Time is logical: it stands still while things happen and is moved to the next instant at which something is due. So
 * `decide` sees ordinary dates, and yet there are only so many states.
 */
import { type Backup, isTrashed, type Reason } from '../../backup.ts';
import type { Answer, Command, Limits, Outcome, Peer } from '../command.ts';
import type { decide } from '../decide.ts';
import { start } from '../start.ts';

export type Decide = typeof decide;

/** What may go wrong; each time costs one of the world's faults. */
export type Fault =
  /** A message, or a ring that died before it was published. */
  | 'lostMessage'
  | 'doubledMessage'
  /** A call that was carried out, but whose answer never came: it is sent again, or the claim given up. */
  | 'lostAnswer'
  /** A call of which a copy, or which itself, arrives at any later time. */
  | 'lateCall'
  | 'crash'
  /** The worker stands still; the guard of its `br` does not. */
  | 'freeze'
  /** T13: worker and guard stand still, and `br` does not. */
  | 'hostFreeze'
  | 'partition'
  | 'drain'
  /** What is wrong with one worker alone: it cannot reach the storage, until somebody puts that right. */
  | 'unreach'
  /** The storage is closed to the cluster. */
  | 'deny'
  | 'brRetry'
  | 'brPermanent'
  | 'brNewPath'
  | 'removal'
  /** The storage is not mounted where its files are to be removed. */
  | 'unmounted'
  /** Somebody said that the storage was moved, of which the files are copied later. */
  | 'moved'
  /** Time goes on although somebody has something to do at once. */
  | 'slow'
  /** Time goes on to the deadline. */
  | 'deadline';

/** What people and rules may ask for; each time costs one of the world's wishes. */
export type Wish =
  | 'cancel'
  | 'delete'
  | 'retention'
  | 'undelete'
  | 'deleteForGood'
  | 'forget'
  /** Of a storage that was declared gone. */
  | 'forgetGone'
  | 'rebuild'
  | 'pin'
  | 'unpin'
  | 'nudge'
  | 'retry'
  | 'start';

export interface Setting {
  /** How many backups are asked for at once, each of a cluster of its own. */
  readonly backups: number;
  /** How many more may be started of the first one's cluster, with the wish `start`. */
  readonly further?: number;
  readonly workers: number;
  readonly faults: number;
  readonly fault: readonly Fault[];
  readonly wishes: number;
  readonly wish: readonly Wish[];
  /** Whether `br` keeps others out of its path by a lock of its own. */
  readonly lock: boolean;
  /** How many backups the storage takes at once; unlimited when left out. */
  readonly slots?: number;
  /** For how long the storage keeps deleted backups in its bin; not at all when left out. */
  readonly trashMs?: number;
  readonly failureLimit?: number;
  readonly lossLimit?: number;
  /** Nothing happens here that could make a backup Failed. */
  readonly calm?: true;
  /** Begins the names of everything, so that worlds can share a database. */
  readonly name?: string;
}

export type Holding = 'nothing' | 'part' | 'all' | 'bad';

export interface Files {
  readonly holds: Holding;
  /** Until when a lock that its `br` left behind is valid; a living `br` renews its own. */
  readonly lockedUntil: number;
  /** When a `br` last ended here otherwise than by itself with 0. */
  readonly endedBadly: number;
}

/** A living `br`. */
export interface Run {
  readonly document: number;
  readonly claim: string;
  readonly path: string;
  readonly worker: number;
  readonly lock: boolean;
  /** What it wrote was removed meanwhile, so that what it finishes is worth nothing. */
  readonly spoiled: boolean;
  /** When the guard kills it at the latest, once its worker is dead. */
  readonly until?: number;
  /** T13: its host stood still for longer than its guard would have allowed. */
  readonly exempt: boolean;
}

export type Exit = 'done' | 'retry' | 'permanent' | 'newPath' | 'silenced' | 'overdue';
export type End = Outcome | { readonly kind: 'release' };

/** What a worker is busy with. */
export interface Job {
  readonly document: number;
  readonly claim: string;
  readonly phase: 'claiming' | 'granted' | 'announced' | 'started' | 'running' | 'ended';
  readonly kind: 'backup' | 'remove';
  readonly fence: number;
  readonly path: string;
  readonly paths: readonly string[];
  readonly mayRun: boolean;
  readonly previousEnded: boolean;
  /** It was told to stop. */
  readonly canceling: boolean;
  /** When `starting` was sent. */
  readonly sentAt: number;
  readonly exit?: Exit;
  readonly end?: End;
}

/** What a host remembers of a run until somebody was told how it ended. */
export interface RunRecord {
  readonly document: number;
  readonly claim: string;
  readonly fence: number;
  readonly path: string;
  /** Nobody will complete it any more: its path is to be reported. */
  readonly stray: boolean;
}

export interface Worker {
  readonly mode: 'up' | 'frozen' | 'hostFrozen' | 'down';
  /** It cannot reach the service. */
  readonly cut: boolean;
  /** When it became unreachable: its last renewal was answered then at the latest. */
  readonly unheardSince: number;
  /** It cannot reach the storage. */
  readonly away: boolean;
  readonly job: Job | null;
  readonly records: readonly RunRecord[];
}

/** A command under way, which arrives whenever it likes, or never. */
export interface LateCall {
  readonly document: number;
  readonly command: Command;
}

/** What was asked of a document, and what became of it. */
export interface Asked {
  readonly number: number;
  /** How many documents there were. */
  readonly documents: number;
  readonly command: Command;
  readonly at: Date;
  readonly answer: Answer;
  readonly before: Backup;
  readonly backup: Backup;
  /** Whether the clusters may not use the storage. */
  readonly denied: boolean;
  /** The workers that the service heard of a moment ago. */
  readonly peers: readonly Peer[];
}

export interface World {
  readonly setting: Setting;
  readonly limits: Limits;
  readonly decide: Decide;
  /** Is told of every command. */
  readonly onAsked?: (asked: Asked) => void;
  now: number;
  readonly documents: Backup[];
  /** Whether a message about the document lies in the queue. */
  readonly bells: boolean[];
  readonly workers: Worker[];
  runs: readonly Run[];
  late: readonly LateCall[];
  files: Readonly<Record<string, Files>>;
  /** Every path that a document ever had, and whose it is. */
  owners: Readonly<Record<string, number>>;
  /** For each document, whether somebody was answered that it is being canceled. */
  readonly promised: boolean[];
  /** Faults and wishes left. */
  faults: number;
  wishes: number;
  further: number;
  /** The clusters may not use the storage. */
  denied: boolean;
  /** When the storage was moved, and whether the files are there by now. */
  moved: { readonly at: Date; readonly copied: boolean } | null;
  /** Makes tokens that were never used. */
  tokens: number;
}

export const SECOND = 1_000;
/** After this long without an answered renewal, `br` is dead: the guard's patience, and its TERM to KILL. */
export const SILENCE_MS = 25 * SECOND;
export const KILL_MS = 5 * SECOND;
/** `br` is spawned this soon after `starting` was sent, or not at all. */
export const SPAWN_MS = 20 * SECOND;
/** How long the lock of a `br` that was killed stays valid. */
export const LOCK_MS = 300 * SECOND;
export const LOCK_MARGIN_MS = 5 * SECOND;
const START = Date.UTC(2026, 0, 1);
const DEADLINE_MS = 30 * 86_400 * SECOND;

export const EMPTY: Files = { holds: 'nothing', lockedUntil: 0, endedBadly: 0 };

/** The numbers of the design, with few failures and losses allowed so that small worlds reach the limits. */
export const limitsOf = ({ failureLimit = 2, lossLimit = 1 }: Partial<Setting>): Limits => ({
  // Near the longest pause, so that there are few different ones.
  handBackMs: 150 * SECOND,
  leaseMs: 30 * SECOND,
  reapMarginMs: 5 * SECOND,
  ringMs: 60 * SECOND,
  quietMs: 60 * SECOND,
  unlockedQuietMs: 600 * SECOND,
  retryMs: 300 * SECOND,
  failureLimit,
  lossLimit,
});

/** A backup of a cluster, as it is accepted. */
export function accepted(number: number, cluster: number, at: number, { slots, name = '' }: Setting): Backup {
  return start({
    _id: `${name}b${number}`,
    request: { hash: 'h', id: `r${number}` },
    createdBy: 'alice',
    clusterId: `${name}c${cluster}`,
    mode: 'manual',
    origin: 'schedule',
    target: { pd: ['127.0.0.1:2379'], version: '8.5.0', pool: 'default' },
    storage: { id: `${name}s1`, local: { path: '/s' }, maxConcurrent: slots ?? 0 },
    path: `root/${name}c${cluster}/${number}`,
    acceptedAt: new Date(at),
    deadlineMs: DEADLINE_MS,
  });
}

/** The world in which the backups were just accepted. */
export function beginning(setting: Setting, decide: Decide, onAsked?: World['onAsked']): World {
  const numbers = Array.from({ length: setting.backups }, (_, number) => number);
  const documents = numbers.map((number) => accepted(number, number, START, setting));
  return {
    setting,
    limits: limitsOf(setting),
    decide,
    ...(onAsked && { onAsked }),
    now: START,
    documents,
    bells: documents.map(() => false),
    workers: Array.from({ length: setting.workers }, () => IDLE),
    runs: [],
    late: [],
    files: {},
    owners: Object.fromEntries(documents.map(({ path }, number) => [path, number])),
    promised: documents.map(() => false),
    faults: setting.faults,
    wishes: setting.wishes,
    further: setting.further ?? 0,
    denied: false,
    moved: null,
    tokens: 0,
  };
}

const IDLE: Worker = { mode: 'up', cut: false, unheardSince: 0, away: false, job: null, records: [] };

/** A world that can be changed without changing this one. */
export function copyOf(world: World): World {
  const { documents, bells, workers, promised } = world;
  return {
    ...world,
    documents: [...documents],
    bells: [...bells],
    workers: [...workers],
    promised: [...promised],
  };
}

export const documentOf = ({ documents }: World, number: number): Backup => must(documents[number]);
export const workerOf = ({ workers }: World, number: number): Worker => must(workers[number]);
export const filesIn = ({ files }: World, path: string): Files => files[path] ?? EMPTY;

export function setWorker(world: World, number: number, change: Partial<Worker>): void {
  world.workers[number] = { ...workerOf(world, number), ...change };
}

export function setFiles(world: World, path: string, change: Partial<Files>): void {
  world.files = { ...world.files, [path]: { ...filesIn(world, path), ...change } };
}

/** Until when the path is locked; 0 if it is not. */
export function lockedUntil(world: World, path: string): number {
  if (world.runs.some((run) => run.path === path && run.lock)) return world.now + LOCK_MS;
  const { lockedUntil } = filesIn(world, path);
  return lockedUntil > world.now ? lockedUntil : 0;
}

export const UNREACHED: Reason = { code: 'UNREACHED', message: 'UNREACHED' };

/** The workers as the service knows them. */
export function peersIn({ workers }: World): Peer[] {
  return workers.flatMap((worker, number) =>
    isReachable(worker)
      ? [
          {
            instance: `w${number}`,
            worker: `w${number}`,
            free: worker.job === null,
            ...(worker.away && { outOfReach: { passing: false, reason: UNREACHED } }),
          },
        ]
      : [],
  );
}

/** Whether the service hears from the worker. */
export const isReachable = ({ mode, cut }: Worker): boolean => mode === 'up' && !cut;

/** Whether nothing is left to do: what is held in the bin stays there. */
export function isAtRest(backup: Backup): boolean {
  const { task, holds, leftovers } = backup;
  return task === null || (isTrashed(backup) && holds.length > 0 && leftovers.length === 1);
}

export function must<T>(value: T | undefined | null): T {
  if (value === undefined || value === null) throw new Error('the world is not as it should be');
  return value;
}
