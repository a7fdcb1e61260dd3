/**
 * A small world of one cluster: its log backup on record, two workers, what is really in the cluster, and a restore that wants it.
 * Instants are whole numbers of looks: from one to the next two hours pass, so that nothing waits for a clock.
 */
import type { WorldStep } from '../../../testing/exploration.ts';
import { type LogAct, type LogActResult, type LogBackup, newLogBackup } from '../../log-backup.ts';
import type { LogCommand, LogDecision, LogLimits, LogRange, LogSeen } from '../command.ts';

export type Rules = (log: LogBackup, command: LogCommand, now: Date, limits: LogLimits) => LogDecision;

/** What may happen, and how often. */
export interface Setting {
  readonly wishes: number;
  /** What people and the cluster do by themselves. */
  readonly events: number;
  /** Workers that die or freeze, answers that are lost. */
  readonly faults: number;
  /** `br` says whether a person paused (8.5.5 and later). */
  readonly tellsWho?: true;
  /** Others use the name that Tidemark's tasks have. */
  readonly sameNames?: true;
  /** It begins with a log that is written, as is wanted. */
  readonly running?: true;
  /** What comes of each state at last is not looked at: many more states are. */
  readonly withoutRest?: true;
  /** Workers read the metadata after the status. */
  readonly metadataLast?: true;
}

/** What is really there. */
export interface Cluster {
  /** Name of the task; `F` is of others, empty is none. */
  readonly task: string;
  /** The how-manieth task that ever ran is the one there; its start. */
  readonly run: number;
  readonly runs: number;
  readonly mode: 'normal' | 'paused' | 'error';
  /** Who paused it, under which wish, and the how-manieth pause that is. */
  readonly pausedBy: '' | 'us' | 'person' | 'error';
  readonly pausedUnder: number;
  readonly pauses: number;
  /** The checkpoint moves. */
  readonly moves: boolean;
  /** The history that the paused task needs is gone. */
  readonly historyGone: boolean;
  /** A task left a safepoint. */
  readonly safepoint: boolean;
  /** A restore by Tidemark has it; `busy` while its `br` runs. */
  readonly restore: '' | 'idle' | 'busy';
  readonly answers: boolean;
  readonly storageAway: boolean;
  /** Under which wish somebody stopped a task that was as wanted; -1: nobody did. */
  readonly stoppedUnder: number;
  /** Paths that were written to before something that no log holds. */
  readonly stale: readonly string[];
  /** Runs before which something happened that their log does not hold. */
  readonly holes: readonly number[];
  /** The last run that wrote to each path. */
  readonly written: Readonly<Record<string, number>>;
}

export interface Worker {
  readonly phase: 'idle' | 'claimed' | 'half' | 'looked' | 'acting' | 'acted';
  readonly claim: string;
  readonly fence: number;
  /** Frozen beyond its lease. */
  readonly late: boolean;
  readonly path: string;
  readonly seen?: LogSeen;
  readonly range?: LogRange;
  readonly act?: LogAct;
  /** The pause that it saw. */
  readonly pause: number;
  readonly result?: LogActResult;
}

export interface World {
  readonly setting: Setting;
  readonly decide: Rules;
  now: number;
  log: LogBackup;
  cluster: Cluster;
  workers: readonly Worker[];
  claims: number;
  left: { readonly wishes: number; readonly events: number; readonly faults: number };
}

export type Step = WorldStep<World>;

export const IDLE: Worker = { phase: 'idle', claim: '', fence: 0, late: false, path: '', pause: 0 };
export const LIMITS: LogLimits = { ringMs: 60_000, leaseMs: 90_000, reapMarginMs: 5_000 };
export const CLUSTER_ID = 'one';
export const FOREIGN = 'F';
/** More than any pause of the life. */
export const LOOK_MS = 7_200_000;

export function beginning(setting: Setting, decide: Rules): World {
  const { wishes, events, faults } = setting;
  return {
    ...{ setting, decide },
    now: 1_800_000_000_000,
    log: newLogBackup(CLUSTER_ID, new Date(0)),
    cluster: {
      ...{ task: '', run: 0, runs: 0, mode: 'normal', pausedBy: '', pausedUnder: -1, pauses: 0, moves: true },
      ...{ historyGone: false, safepoint: false, restore: '', answers: true, storageAway: false, stoppedUnder: -1 },
      ...{ stale: [], holes: [], written: {} },
    },
    workers: [IDLE, IDLE],
    claims: 0,
    left: { wishes, events, faults },
  };
}

/** A step of it may change the copy. */
export function copyOf(world: World): World {
  return { ...world };
}

export const isOwn = ({ task }: Cluster) => task !== '' && task !== FOREIGN;

export function setCluster(world: World, change: Partial<Cluster>): void {
  world.cluster = { ...world.cluster, ...change };
}

export function setWorker(world: World, index: number, change: Partial<Worker>): void {
  world.workers = world.workers.map((one, at) => (at === index ? { ...one, ...change } : one));
}

/** It has nothing to do any more. */
export function rest(world: World, index: number): void {
  world.workers = world.workers.map((one, at) => (at === index ? IDLE : one));
}

/** Steps that happen by themselves, are somebody's, or are nobody's and happen so often at most. */
export const free = (name: string, act: Step['act']): Step => ({ name, kind: 'free', act });

export function counted(world: World, of: keyof World['left'], name: string, act: Step['act']): Step[] {
  if (world.left[of] === 0) return [];
  const spend: Step['act'] = (next) => {
    next.left = { ...next.left, [of]: next.left[of] - 1 };
    act(next);
  };
  return [{ name, kind: of === 'faults' ? 'fault' : 'wish', act: spend }];
}

/** Applies a command to the document of the world. */
export function ask(world: World, command: LogCommand): LogDecision {
  const decision = world.decide(world.log, command, new Date(world.now), LIMITS);
  if (decision.next) world.log = decision.next;
  return decision;
}
