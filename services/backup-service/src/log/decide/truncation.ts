/**
 * What is taken out of the logs of a cluster, as one pure function: log-life 6 and 7, on the tasks that backups have too.
 *
 * U1. What is promised shrinks in the write that asks for it, before any file goes (P6).
 * U2. Of a log one thing at a time is taken, and nothing while a restore reads it (P7).
 * U3. What retention takes is judged when it is written, and again when the first worker takes it up: it is taken back where a point of
 *     the horizon would be lost by then (P5). After that files may be gone, and it goes on to its end.
 * U4. What a person takes loses what the person knew of, and nothing else (P10).
 * U5. It ends when a worker says that the files are gone, whichever worker that is, and however many were lost before.
 * U6. What is still written is never taken whole. What was taken whole leaves the document.
 * U7. Of a log in whose place somebody began another, no file is taken with the whole of it: they go when that one is truncated. And
 *     that one is not taken whole while the first is there.
 * U8. Logs that a person wants gone with their files are promised no more from that write on, and no restore begins to read them. Each
 *     is taken whole once its task is stopped, and nobody reads it or takes from it.
 */
import {
  grantTask,
  type Holder,
  isClaimable,
  isHeldBy,
  newTask,
  reapTask,
  releaseTask,
  renewTask,
  requeued,
  ringTask,
  type TaskLimits,
} from '@tidemark/task/task';
import { plus } from '@tidemark/task/time';
import type { Reason } from '../../backup.ts';
import { beginTruncation, mayRemoveGeneration, mayTruncate } from '../../recovery/judge.ts';
import { type LogView, planLogs } from '../../recovery/log-plan.ts';
import { horizonOf } from '../../recovery/needed-as-base.ts';
import { generationsOf } from '../../recovery/recovery-state.ts';
import type { Snapshot } from '../../recovery/state.ts';
import { isAcknowledged, isNothing, type Loss, lossBetween } from '../../recovery/would-lose.ts';
import { tsoAt } from '../../snapshot-time.ts';
import { instantOf, type LogBackup, type LogGeneration, type LogTruncation, openGeneration } from '../log-backup.ts';
import { closed } from './vocabulary.ts';
import { want } from './want.ts';

const MINUTE_MS = 60_000;
/** From a failure to the next try: a minute, and twice as long each time, up to an hour. */
const LONGEST_RETRY_MS = 60 * MINUTE_MS;
const MOST_DOUBLINGS = 6;

export type TruncationCommand =
  /** Takes what no point of the horizon needs. */
  | { readonly kind: 'retain' }
  /** A person takes all before a point, which is a TSO. */
  | {
      readonly kind: 'truncate';
      readonly until: string;
      /** What the person was told of the points that go. */
      readonly acknowledge?: string;
      readonly requestId: string;
    }
  /** A person wants the log backup off, and all logs gone with their files. */
  | {
      readonly kind: 'remove';
      readonly acknowledge?: string;
      readonly by: string;
      readonly requestId: string;
      readonly callId: string;
    }
  | { readonly kind: 'ring' }
  | { readonly kind: 'reap' }
  | { readonly kind: 'claim'; readonly claim: string; readonly worker: string }
  | (Holder & { readonly kind: 'renew' | 'release' })
  /** The files are gone; only when no process of it lives. */
  | (Holder & { readonly kind: 'done' })
  | (Holder & { readonly kind: 'failed'; readonly reason: Reason });

export type TruncationRefusal =
  /** A restore reads a log that would be truncated. */
  | { readonly why: 'held'; readonly n: number; readonly restoreId: string }
  /** Less is being taken from it already. */
  | { readonly why: 'truncating'; readonly n: number }
  /** The log is still written, and does not reach that point yet. */
  | { readonly why: 'beyondEnd'; readonly n: number; readonly max: string }
  | { readonly why: 'pointsLost'; readonly loss: Loss };

export type TruncationAnswer =
  | { readonly kind: 'ok' }
  /** Nothing is to be done, or it is not, or no longer, the caller's. */
  | { readonly kind: 'lost' }
  | { readonly kind: 'held'; readonly n: number; readonly fence: number }
  | { readonly kind: 'refused'; readonly refusal: TruncationRefusal };

/** What a command does: the document after it (absent: no change), and what the caller is answered. */
export interface TruncationDecision {
  readonly answer: TruncationAnswer;
  readonly next?: LogBackup;
  /** Publish a RunCommand for each of these generations, now that the document says so. */
  readonly ring?: readonly number[];
}

const OK: TruncationDecision = { answer: { kind: 'ok' } };
const LOST: TruncationDecision = { answer: { kind: 'lost' } };

type Of<K extends TruncationCommand['kind']> = Extract<TruncationCommand, { kind: K }>;
type Truncating = LogGeneration & { readonly truncating: LogTruncation };

/**
 * What `command` does to `log` at `now` (database time). A command recognises its own effect.
 *
 * @param snapshots of the cluster, as `readAllSnapshots` reads them; only what takes something, or begins with it, looks at them
 */
export function decideTruncation(
  log: LogBackup,
  command: TruncationCommand,
  snapshots: readonly Snapshot[],
  now: Date,
  limits: TaskLimits,
): TruncationDecision {
  switch (command.kind) {
    case 'retain':
      return retain(log, snapshots, now);
    case 'truncate':
      return truncate(log, command, snapshots, now);
    case 'remove':
      return remove(log, command, snapshots, now);
    case 'ring':
      return ring(log, now, limits);
    case 'reap':
      return changed(log, (one) => reapTask(one, now, limits));
    case 'claim':
      return claim(log, command, snapshots, now, limits);
    case 'renew':
      return ofHolder(log, command, (one) => ({ truncating: renewTask(one, command, now, limits) ?? one }));
    case 'release':
      return ofHolder(log, command, (one) => ({ truncating: releaseTask(one, command, now) ?? one }));
    case 'done':
      return done(log, command);
    case 'failed':
      return ofHolder(log, command, (one) => ({ truncating: failed(one, command.reason, now) }));
  }
}

/** What is being taken out of logs now. */
export function truncatingIn({ generations }: Pick<LogBackup, 'generations'>): Truncating[] {
  return generations.filter((one): one is Truncating => Boolean(one.truncating));
}

/** Undefined where no horizon was ever set. */
export function viewOf({ settings }: Pick<LogBackup, 'settings'>, now: Date): LogView | undefined {
  const tell = (point: bigint) => instantOf(String(point)).toISOString();
  return settings ? { from: horizonOf(settings.retentionDays, now), tell } : undefined;
}

function retain(log: LogBackup, snapshots: readonly Snapshot[], now: Date): TruncationDecision {
  const view = viewOf(log, now);
  if (!view) return OK;
  const { truncate: some, removeGenerations } = planLogs({ snapshots, generations: generationsOf(log) }, view);
  const taken = new Map<number, string | null>([
    ...some.map(({ generation, until }) => [generation, String(until)] as const),
    ...removeGenerations.map((n) => [n, null] as const),
  ]);
  return taken.size === 0
    ? OK
    : { ...OK, next: taking(log, taken, { by: 'retention', requestId: log.requestId }, now) };
}

function truncate(
  log: LogBackup,
  { until, acknowledge, requestId }: Of<'truncate'>,
  snapshots: readonly Snapshot[],
  now: Date,
): TruncationDecision {
  const point = BigInt(until);
  const taken = new Map<number, string | null>();
  for (const { n, min, max, open, holds = [], truncating } of log.generations) {
    if (min === null || max === null || BigInt(min) >= point || truncating?.until === null) continue;
    if (truncating) return refused({ why: 'truncating', n });
    const [restoreId] = holds;
    if (restoreId !== undefined) return refused({ why: 'held', n, restoreId });
    const isWhole = BigInt(max) < point;
    if (isWhole && open) return refused({ why: 'beyondEnd', n, max });
    taken.set(n, isWhole ? null : until);
  }
  if (taken.size === 0) return OK;
  return known(log, taking(log, taken, { by: 'person', requestId }, now), acknowledge, snapshots, now);
}

/** What a person changes, unless it loses what the person does not know of (U4). */
function known(
  log: LogBackup,
  next: LogBackup,
  acknowledge: string | undefined,
  snapshots: readonly Snapshot[],
  now: Date,
): TruncationDecision {
  const [before, after] = [log, next].map((one) => ({ snapshots, generations: generationsOf(one) }));
  const loss = before && after && lossBetween(before, after, tsoAt(now));
  if (loss && !isNothing(loss) && !isAcknowledged(loss, acknowledge)) return refused({ why: 'pointsLost', loss });
  return { ...OK, next };
}

/** The task of a log that is to go is stopped, also where the next log is wanted before that. */
function remove(
  log: LogBackup,
  { acknowledge, by, requestId, callId }: Of<'remove'>,
  snapshots: readonly Snapshot[],
  now: Date,
): TruncationDecision {
  const { next: off = log } = want(log, { kind: 'want', wanted: 'off', by, requestId, callId }, now);
  const open = openGeneration(off);
  const isNowhere = open?.begun === null && open.startTs === null && !open.started;
  const stopped = isNowhere ? closed(off, 'neverStarted', now) : off;
  const removal = { requestId, since: now, ringAt: now };
  const generations = stopped.generations.map((one) => ({ removal, ...one, dead: one.dead || one.open }));
  return known(log, removing({ ...stopped, generations }, now), acknowledge, snapshots, now);
}

/** Takes each log whole that is to go and can (U8). */
function removing(log: LogBackup, now: Date): LogBackup {
  const { generations } = log;
  const isReady = ({ removal, open, holds = [], truncating }: LogGeneration) =>
    removal !== undefined && !open && holds.length === 0 && !truncating;
  const ready = generations.filter((one) =>
    generations.every((other) => other.path !== one.path || other.n > one.n || isReady(other)),
  );
  const [first] = ready;
  if (!first?.removal) return withGenerations(log, generations);
  const { requestId } = first.removal;
  return taking(log, new Map(ready.map(({ n }) => [n, null])), { by: 'person', requestId }, now);
}

const refused = (refusal: TruncationRefusal): TruncationDecision => ({ answer: { kind: 'refused', refusal } });

/** Takes all before a point, or, with null, all of them, from some logs (U1). */
function taking(
  log: LogBackup,
  taken: ReadonlyMap<number, string | null>,
  { by, requestId }: Pick<LogTruncation, 'by' | 'requestId'>,
  now: Date,
): LogBackup {
  return withGenerations(
    log,
    log.generations.flatMap((one) => {
      const until = taken.get(one.n);
      if (until === undefined) return [one];
      if (until === null && hasSuccessor(log, one)) return [];
      const truncating = { until, minBefore: one.min, by, requestId, since: now, tries: 0, trouble: null };
      return [{ ...one, min: minAfter(log, one, until), truncating: { ...truncating, task: newTask(now), fence: 0 } }];
    }),
  );
}

/** Whether a later log is written in the place of a log. */
function hasSuccessor({ generations }: LogBackup, { n, path }: LogGeneration): boolean {
  return generations.some((one) => one.n > n && one.path === path);
}

/** From where on a log is promised once all before a point is taken. */
function minAfter(log: LogBackup, one: LogGeneration, until: string | null): string | null {
  const [generation] = generationsOf({ ...log, generations: [one] });
  if (until === null || !generation) return one.min;
  return String(beginTruncation(generation, BigInt(until)).min);
}

/** The document with other generations; when the next truncation is looked at follows from them. */
function withGenerations(log: LogBackup, generations: readonly LogGeneration[]): LogBackup {
  const due = generations.flatMap(({ truncating, removal }) => {
    const ringAt = truncating ? truncating.task?.ringAt : removal?.ringAt;
    return ringAt ? [ringAt.getTime()] : [];
  });
  return { ...log, generations, truncationDue: due.length === 0 ? null : new Date(Math.min(...due)) };
}

/** Changes what is being taken, where there is anything to change. */
function changed(
  log: LogBackup,
  change: (one: LogTruncation) => LogTruncation | undefined,
): TruncationDecision & { readonly of: readonly number[] } {
  const after = new Map(
    truncatingIn(log).flatMap(({ n, truncating }) => {
      const next = change(truncating);
      return next ? [[n, next] as const] : [];
    }),
  );
  if (after.size === 0) return { ...OK, of: [] };
  const generations = log.generations.map((one) => ({
    ...one,
    truncating: after.get(one.n) ?? one.truncating ?? null,
  }));
  return { ...OK, next: withGenerations(log, generations), of: [...after.keys()] };
}

function ring(log: LogBackup, now: Date, limits: TaskLimits): TruncationDecision {
  const looked = lookedAt(log, now, limits);
  const { of, ...decision } = changed(looked ?? log, (one) => ringTask(one, now, limits));
  if (of.length > 0) return { ...decision, ring: of };
  return looked ? { ...OK, next: looked } : OK;
}

/** The document after a look at the logs that are to go; undefined where none is due. */
function lookedAt(log: LogBackup, now: Date, { ringMs }: TaskLimits): LogBackup | undefined {
  const isDue = ({ removal, truncating }: LogGeneration) => removal && !truncating && removal.ringAt <= now;
  if (!log.generations.some(isDue)) return undefined;
  const after = removing(log, now);
  const generations = after.generations.map((one) =>
    one.removal && isDue(one) ? { ...one, removal: { ...one.removal, ringAt: plus(now, ringMs) } } : one,
  );
  return withGenerations(after, generations);
}

/** What a worker holds (T4). */
function heldBy(log: LogBackup, holder: Holder): Truncating | undefined {
  return truncatingIn(log).find(({ truncating }) => isHeldBy(truncating, holder));
}

function ofHolder(
  log: LogBackup,
  holder: Holder,
  change: (one: LogTruncation) => Pick<Truncating, 'truncating'>,
): TruncationDecision {
  const held = heldBy(log, holder);
  if (!held) return LOST;
  const { n, truncating } = held;
  const after = { ...held, ...change(truncating) };
  const generations = log.generations.map((one) => (one.n === n ? after : one));
  return { answer: { kind: 'held', n, fence: after.truncating.fence }, next: withGenerations(log, generations) };
}

function claim(
  log: LogBackup,
  claimant: Of<'claim'>,
  snapshots: readonly Snapshot[],
  now: Date,
  limits: TaskLimits,
): TruncationDecision {
  const again = ofHolder(log, { claim: claimant.claim }, (one) => ({
    truncating: renewTask(one, { claim: claimant.claim }, now, limits) ?? one,
  }));
  if (again.next) return again;
  const waiting = truncatingIn(log).find(({ truncating }) => isClaimable(truncating, now));
  if (!waiting) return LOST;
  const { n, truncating } = waiting;
  const replaced = (by: LogGeneration) =>
    withGenerations(
      log,
      log.generations.map((one) => (one.n === n ? by : one)),
    );
  if (truncating.by === 'retention' && truncating.fence === 0) {
    const back = takenBack(waiting);
    if (!isStillRight(replaced(back), truncating.until, n, snapshots, now)) return { ...LOST, next: replaced(back) };
  }
  if (!isClaimable(truncating, now)) return LOST;
  const granted = grantTask(truncating, claimant, now, limits);
  return { answer: { kind: 'held', n, fence: granted.fence }, next: replaced({ ...waiting, truncating: granted }) };
}

/** As if nobody had wanted anything taken from it. No file has gone. */
function takenBack({ truncating, ...one }: Truncating): LogGeneration {
  return { ...one, min: one.min === truncating.until ? truncating.minBefore : one.min, truncating: null };
}

function isStillRight(
  log: LogBackup,
  until: string | null,
  n: number,
  snapshots: readonly Snapshot[],
  now: Date,
): boolean {
  const view = viewOf(log, now);
  if (!view) return false;
  const state = { snapshots, generations: generationsOf(log) };
  if (until === null) return mayRemoveGeneration(state, n, view);
  return mayTruncate(state, { generation: n, until: BigInt(until) }, view);
}

function done(log: LogBackup, holder: Of<'done'>): TruncationDecision {
  const held = heldBy(log, holder);
  if (!held) return LOST;
  const { n, truncating } = held;
  const generations = log.generations.flatMap((one) => {
    if (one.n !== n) return [one];
    return truncating.until === null ? [] : [{ ...one, truncating: null }];
  });
  return { answer: { kind: 'held', n, fence: truncating.fence }, next: withGenerations(log, generations) };
}

function failed(one: LogTruncation, reason: Reason, now: Date): LogTruncation {
  const { tries, task } = one;
  const delayMs = Math.min(LONGEST_RETRY_MS, MINUTE_MS * 2 ** Math.min(tries, MOST_DOUBLINGS));
  return { ...one, tries: tries + 1, trouble: reason, task: task && requeued(task, now, delayMs) };
}
