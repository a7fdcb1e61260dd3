/**
 * A small world around restores of one backup into one cluster: a queue, workers with their `br` and its guard, copies of the
 * service, the source, the target and a backup of it, people, calls under way, a clock. All of it is plain data, so that a state can be
 * copied, compared and looked up.
 *
 * `br` is as a real one was seen (architecture 5): it refuses a target that is not empty, unless it finds a checkpoint; it goes on at any
 * checkpoint; a second one takes the checkpoint of the first along. Time is logical, as in the worlds of backups.
 */
import type { Backup } from '../../../backup.ts';
import { start } from '../../../decide/start.ts';
import { type LogBackup, newLogBackup } from '../../../log/log-backup.ts';
import type { WorldStep } from '../../../testing/exploration.ts';
import type { End, Restore } from '../../restore.ts';
import type { RestoreCommand, RestoreLimits } from '../command.ts';
import type { decideRestore } from '../decide.ts';
import { startRestore } from '../start.ts';

export type Rules = typeof decideRestore;
export type Step = WorldStep<World> & {
  /** Happens at once where nothing is in the way, so that time waits for it. */
  readonly urgent: boolean;
};

/** What may go wrong; each time costs one of the world's faults. */
export type Fault =
  | 'lostMessage'
  | 'doubledMessage'
  /** A call that was carried out, but whose answer never came: it is sent again. */
  | 'lostAnswer'
  /** A call that arrives at any later time. */
  | 'lateCall'
  /** A person's command arrives a second time. */
  | 'doubledCommand'
  | 'crash'
  /** The host of a worker is gone for ever, with its records. */
  | 'hostGone'
  /** The worker stands still, or is cut off; the guard of its `br` does not. */
  | 'freeze'
  /** R7: worker and guard stand still, and `br` does not. */
  | 'hostFreeze'
  | 'drain'
  | 'copyCrash'
  /** The storage is away, or its files are damaged, when the worker looks. */
  | 'storage'
  /** A worker claims that has no fitting `br`, and no other one has. */
  | 'noBr'
  /** `br` fails, before it touched anything or later. */
  | 'brFails'
  | 'brMismatch'
  | 'brKilled'
  | 'checkpointStays'
  /** Time goes on although somebody has something to do at once. */
  | 'slow'
  | 'deadline';

export interface Setting {
  /** Restores that may be started, one after the other. */
  readonly restores: number;
  readonly workers: number;
  /** Copies of the service that hold and give back. */
  readonly copies: number;
  readonly faults: number;
  readonly fault: readonly Fault[];
  /** How often one restore may be canceled, and resumed. */
  readonly cancels: number;
  readonly resumes: number;
  /** Whether `br` keeps a checkpoint. */
  readonly checkpoint: boolean;
  /** A filter chooses what is restored, and `br` does not look whether that is in the target already. */
  readonly blind?: true;
  readonly strictLoss?: true;
  /** Each worker has another version of `br`. */
  readonly versions?: true;
  /** Somebody may start a backup of the target. */
  readonly backup?: true;
  /** Somebody may delete the source. */
  readonly deletion?: true;
  /**
   * The target is registered twice, and somebody may restore into it by its other name. Blind: this restore does not look whether one
   * does.
   */
  readonly twin?: 'seen' | 'blind';
  /** Users may write into a target that is free. */
  readonly users?: true;
  /** The log backup of the target may be turned on. */
  readonly log?: true;
}

/** A living `br`. */
export interface Run {
  readonly document: number;
  readonly claim: string;
  readonly worker: number;
  readonly phase: 'checks' | 'writing' | 'summary';
  /** When the guard kills it at the latest, once its worker is dead. */
  readonly until?: number;
  /** R7: on a frozen host it outlived the lease and the rest after a loss. */
  readonly exempt: boolean;
}

/** What a host remembers of a run until somebody was told how it ended. */
export interface RunRecord {
  readonly document: number;
  readonly claim: string;
  readonly end?: End;
  /** Nobody will complete it any more. */
  readonly late: boolean;
}

export interface Job {
  readonly document: number;
  readonly claim: string;
  readonly phase: 'claiming' | 'granted' | 'started' | 'running' | 'ended';
  readonly fence: number;
  readonly canceling: boolean;
  readonly draining: boolean;
  readonly sentAt: number;
  readonly end?: End;
  /** The task is given back instead of completed. */
  readonly givesBack?: true;
}

export interface Worker {
  readonly mode: 'up' | 'frozen' | 'hostFrozen' | 'down';
  /** Its last renewal was answered then at the latest, where it stands still. */
  readonly unheardSince: number;
  readonly job: Job | null;
  readonly record: RunRecord | null;
}

/** What a copy of the service is at. */
export type CopyStep = 'hold' | 'block' | 'held' | 'refused' | 'logs' | 'unhold' | 'unheld';
export interface Copy {
  readonly step: CopyStep;
  readonly document: number;
}

/** The cluster that is restored into. */
export interface Target {
  readonly data: 'none' | 'part' | 'all' | 'wrong';
  /** The restore whose data it is. */
  readonly by: number;
  /** Of which restore, by which version of `br`. */
  readonly checkpoint: { readonly by: number; readonly version: string } | null;
  /** Users' own data. */
  readonly users: boolean;
}

/** What is true of a restore, whatever its document says. */
export interface Truth {
  /** A `br` of it wrote into the target. */
  readonly wrote: boolean;
  /** The last `br` that wrote exited with 0 after its summary. */
  readonly proven: boolean;
  /** When a `br` of it that had passed its checks last ended. */
  readonly lastEnd: number;
  /** What a person was last answered. */
  readonly wanted: 'cancel' | 'resume' | 'release' | '';
}

export interface LateCall {
  readonly document: number;
  readonly command: RestoreCommand;
}

export interface World {
  readonly setting: Setting;
  readonly limits: RestoreLimits;
  readonly decide: Rules;
  now: number;
  readonly documents: Restore[];
  readonly truths: Truth[];
  readonly bells: boolean[];
  readonly workers: Worker[];
  copies: readonly Copy[];
  runs: readonly Run[];
  late: readonly LateCall[];
  source: Backup;
  /** Of the target. */
  log: LogBackup;
  target: Target;
  /** A backup of the target. */
  backup: 'none' | 'waits' | 'runs' | 'over';
  /** A restore into the target by its other registration. */
  twin: 'none' | 'accepted' | 'runs' | 'over';
  /** A `br` outlived lease and rest on a frozen host. */
  exempted: boolean;
  faults: number;
  tokens: number;
}

export const SECOND = 1_000;
/** After this long without an answered renewal, `br` is dead: the guard's patience, and its TERM to KILL. */
export const SILENCE_MS = 25 * SECOND;
export const KILL_MS = 5 * SECOND;
/** `br` is spawned this soon after `starting` was sent, or not at all. */
export const SPAWN_MS = 20 * SECOND;
const DEADLINE_MS = 7 * 86_400 * SECOND;
const START = Date.UTC(2026, 0, 1);
const CLUSTER = 'target';

const LIMITS: RestoreLimits = {
  leaseMs: 30 * SECOND,
  reapMarginMs: 5 * SECOND,
  ringMs: 60 * SECOND,
  restMs: 300 * SECOND,
  lossRestMs: 600 * SECOND,
  deadlineMs: DEADLINE_MS,
};

const EMPTY: Target = { data: 'none', by: -1, checkpoint: null, users: false };
const UNTOLD: Truth = { wrote: false, proven: false, lastEnd: -Infinity, wanted: '' };

/** A cluster that was made anew, or from which a person dropped everything. */
export function emptied(world: World): void {
  world.target = EMPTY;
}

function source(): Backup {
  const backup = start({
    _id: 'source',
    request: { hash: 'h', id: 'r' },
    createdBy: 'alice',
    clusterId: 'orders',
    mode: 'manual',
    origin: 'request',
    target: { pd: ['127.0.0.1:2379'], version: '8.5.0', pool: 'default' },
    storage: { id: 's', local: { path: '/s' }, maxConcurrent: 0 },
    path: 'root/orders/1',
    acceptedAt: new Date(START),
    deadlineMs: DEADLINE_MS,
  });
  return { ...backup, state: 'Succeeded', task: null, endTime: new Date(START) };
}

/** A restore as it is accepted. */
export function accepted(world: World): Restore {
  const { setting, documents, source, now, limits } = world;
  return startRestore({
    _id: `d${documents.length}`,
    request: { hash: 'h', id: 'r' },
    createdBy: 'alice',
    source: {
      backupId: source._id,
      clusterId: source.clusterId,
      upstreamClusterId: '1',
      path: source.path,
      storage: source.storage,
      tso: '5',
      sizeBytes: 7,
      clusterVersion: '8.5.0',
    },
    target: {
      clusterId: CLUSTER,
      pd: ['127.0.0.1:3379'],
      version: '8.5.0',
      pool: 'default',
      strictLoss: setting.strictLoss === true,
    },
    plan: { hash: 'p', acknowledged: [], confirmedBy: 'alice' },
    options: {
      rateLimit: 0,
      withSystemTables: false,
      withoutStats: false,
      placementPolicies: '',
      waitTiflashReady: false,
      ...(setting.blind && { filter: ['shop.*'] }),
      extra: {},
    },
    acceptedAt: new Date(now),
    deadlineMs: limits.deadlineMs,
  });
}

/** The world in which nothing was asked for yet. */
export function beginning(setting: Setting, decide: Rules): World {
  return {
    setting,
    limits: LIMITS,
    decide,
    now: START,
    documents: [],
    truths: [],
    bells: [],
    workers: Array.from({ length: setting.workers }, () => IDLE),
    copies: [],
    runs: [],
    late: [],
    source: source(),
    log: newLogBackup(CLUSTER, new Date(START)),
    target: EMPTY,
    backup: 'none',
    twin: 'none',
    exempted: false,
    faults: setting.faults,
    tokens: 0,
  };
}

const IDLE: Worker = { mode: 'up', unheardSince: 0, job: null, record: null };

/** A world that can be changed without changing this one. */
export function copyOf(world: World): World {
  const { documents, truths, bells, workers } = world;
  return { ...world, documents: [...documents], truths: [...truths], bells: [...bells], workers: [...workers] };
}

export const documentOf = ({ documents }: World, number: number): Restore => must(documents[number]);
export const truthOf = ({ truths }: World, number: number): Truth => must(truths[number]);
export const workerOf = ({ workers }: World, number: number): Worker => must(workers[number]);
export const runOf = ({ runs }: World, claim: string): Run | undefined => runs.find((run) => run.claim === claim);
/** The version of `br` that a worker has. */
export const versionOf = ({ setting }: World, worker: number): string => (setting.versions ? `v${worker}` : 'v');

export function insert(world: World): void {
  world.documents.push(accepted(world));
  world.truths.push(UNTOLD);
  world.bells.push(false);
}

export function setWorker(world: World, number: number, change: Partial<Worker>): void {
  world.workers[number] = { ...workerOf(world, number), ...change };
}

export function setJob(world: World, number: number, change: Partial<Job>): void {
  const job = must(workerOf(world, number).job);
  setWorker(world, number, { job: { ...job, ...change } });
}

export function setTruth(world: World, number: number, change: Partial<Truth>): void {
  world.truths[number] = { ...truthOf(world, number), ...change };
}

/** Whether a restore or a backup has the target. */
export function isOccupied({ documents, backup }: World): boolean {
  return (
    backup === 'waits' || backup === 'runs' || documents.some(({ activeKey }) => activeKey === `cluster:${CLUSTER}`)
  );
}

/** Whether the look of a restore, or of a backup of the target, finds a restore that has it by its other name. */
export function isTakenByItsOtherName({ setting, twin }: World): boolean {
  return setting.twin === 'seen' && (twin === 'accepted' || twin === 'runs');
}

export const free = (name: string, act: Step['act']): Step => ({ name, kind: 'free', urgent: false, act });
export const urgent = (name: string, act: Step['act']): Step => ({ name, kind: 'free', urgent: true, act });
export const wish = (name: string, act: Step['act']): Step => ({ name, kind: 'wish', urgent: false, act });

/** The step, if the world allows for such a fault and has one left. */
export function fault({ setting, faults }: World, which: Fault, name: string, act: Step['act']): Step[] {
  if (faults === 0 || !setting.fault.includes(which)) return [];
  const costs = (world: World) => {
    world.faults -= 1;
    act(world);
  };
  return [{ name: `${name} (${which})`, kind: 'fault', urgent: false, act: costs }];
}

export function must<T>(value: T | undefined | null): T {
  if (value === undefined || value === null) throw new Error('the world is not as its steps assume');
  return value;
}
