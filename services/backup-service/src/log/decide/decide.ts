/**
 * The life of a log backup, as one pure function: `log-life` 1 to 5, on the tasks that backups have too.
 *
 * L1.  Acts name a task by a name that nobody else can have, so that none ever touches another's.
 * L2.  The task of a generation is the one with its name, its place and its start.
 * L3.  A name and a path are used for one start. A stop, a task that is gone, a start that was lost and a history that is gone end it.
 * L4.  The end of what is promised grows only by what was read before a status that shows the same start; its beginning only grows.
 * L5.  What is about to be done is on the document before `br` runs; an end that nobody knows changes nothing.
 * L6.  A wish is carried out once. What somebody does by hand afterwards stands, with an alarm, until the next wish.
 * L7.  Nothing is started or resumed while a restore has the cluster, and it gets it only where nothing of that may be under way.
 * L8.  No task ends without a note of what it may have left in the cluster.
 * L9.  Only a checkpoint that moves is well, and that is computed when it is read.
 * L10. After an error it is resumed three times at most, until the checkpoint moved.
 * L11. When the faults stop, what is wanted is reached after a few acts, or an alarm stands; then nothing is done any more.
 * L12. A log that a restore reads is held, and a restore that gave back what it had gets nothing again.
 */
import { MAX_GIVEN_BACK } from '@tidemark/limits/limits';
import {
  grantTask,
  isClaimable,
  isHeldBy,
  newTask,
  reapTask,
  releaseTask,
  renewTask,
  requeued,
  ringTask,
  unowned,
} from '@tidemark/task/task';
import { plus } from '@tidemark/task/time';
import { isInTheWay } from '../in-the-way.ts';
import { isAtRest, type LogBackup, type LogTask, lastGeneration } from '../log-backup.ts';
import { nextAct, withIntent, withResumeTime } from './act.ts';
import { LOST, type LogCommand, type LogDecision, type LogLimits, OK, refused } from './command.ts';
import { ended } from './complete.ts';
import { seenIn } from './look.ts';
import { withLast } from './vocabulary.ts';
import { want } from './want.ts';

type Of<K extends LogCommand['kind']> = Extract<LogCommand, { kind: K }>;

/** After a lost look that had begun a start or a resume, which may still come late, a restore waits for this long (R6). */
const LATE_ACT_MS = 600_000;
/** A cluster whose log is off is looked at so many times as seldom: a start that comes late, or by hand, is still to be found. */
const AT_REST = 10;

/**
 * What `command` does to `log` at `now` (database time). A command recognises its own effect, so a write whose outcome is unknown is
 * simply decided again.
 */
export function decideLog(log: LogBackup, command: LogCommand, now: Date, limits: LogLimits): LogDecision {
  switch (command.kind) {
    case 'want':
      return want(log, command, now);
    case 'ring':
      return ring(log, now, limits);
    case 'reap':
      return reap(log, now, limits);
    case 'claim':
      return claim(log, command, now, limits);
    case 'release': {
      const released = log.task?.act ? undefined : releaseTask(log, command, now);
      return released ? { answer: { kind: 'held' }, next: released } : LOST;
    }
    case 'report':
      return report(log, command, now, limits);
    case 'complete':
      return complete(log, command, now);
    case 'based': {
      const last = lastGeneration(log);
      if (last?.n !== command.n || last.baseId !== null) return OK;
      return { ...OK, next: withLast(log, { baseId: command.baseId }) };
    }
    case 'baseLost': {
      const last = lastGeneration(log);
      const lostBases = last?.lostBases ?? 0;
      if (last?.n !== command.n || lostBases !== command.lostBases) return OK;
      const lost = last.baseId !== null && { baseLostAt: now };
      return { ...OK, next: withLast(log, { baseId: null, lostBases: lostBases + 1, ...lost }) };
    }
    case 'block':
      return block(log, command, now);
    case 'hold':
      return hold(log, command);
    case 'giveBack':
      return giveBack(log, command, now);
  }
}

function ring(log: LogBackup, now: Date, limits: LogLimits): LogDecision {
  const rung = ringTask(log, now, limits);
  return rung ? { ...OK, next: rung, ring: true } : OK;
}

/** What a lost look had begun is on record, and the next look tells what became of it. */
function reap(log: LogBackup, now: Date, limits: LogLimits): LogDecision {
  const act = log.task?.act;
  const reaped = reapTask(log, now, limits);
  if (!reaped) return OK;
  const isLate = act?.kind === 'start' || act?.kind === 'resume';
  return { ...OK, next: { ...withoutAct(reaped), ...(isLate && { quietUntil: plus(now, LATE_ACT_MS) }) } };
}

function claim(log: LogBackup, { claim: token, worker }: Of<'claim'>, now: Date, limits: LogLimits): LogDecision {
  const held = renewTask(log, { claim: token }, now, limits);
  if (held) return { answer: { kind: 'held' }, next: held };
  if (!isClaimable(log, now)) return LOST;
  const granted = grantTask<LogBackup>(log, { claim: token, worker }, now, limits);
  return { answer: { kind: 'held' }, next: { ...granted, task: granted.task && { ...granted.task, wish: log.wish } } };
}

function report(log: LogBackup, command: Of<'report'>, now: Date, limits: LogLimits): LogDecision {
  if (!isHeldBy<LogBackup>(log, command)) return LOST;
  if (log.task.act) return { answer: { kind: 'held', act: log.task.act } };
  const { seen } = command;
  const after = withResumeTime(seenIn(log, command, now), now);
  const kind = nextAct(after, now);
  const stray = after.observed.state === 'Stray' && seen.kind === 'tasks' ? strayOf(after, seen.tasks) : undefined;
  const { place } = command;
  const intent =
    kind && withIntent(after, kind, { ...(stray !== undefined && { stray }), ...(place && { place }) }, now);
  if (!intent)
    return { answer: { kind: 'held' }, next: lookedAt(withPlaceless(after, kind, command, now), now, limits) };
  const renewed = renewTask<LogBackup>(intent, command, now, limits) ?? intent;
  return { answer: { kind: 'held', ...(renewed.task?.act && { act: renewed.task.act }) }, next: renewed };
}

function strayOf({ generations }: LogBackup, tasks: readonly { readonly name: string }[]): string | undefined {
  return tasks.find(({ name }) => generations.some((one) => !one.open && one.taskName === name))?.name;
}

/** A start that is due, and whose storage cannot be used. */
function withPlaceless(log: LogBackup, kind: string | undefined, { placeless }: Of<'report'>, now: Date): LogBackup {
  if (kind !== 'start' || !placeless) return log;
  const since = log.refusal?.kind === 'start' ? log.refusal.since : now;
  return { ...log, refusal: { kind: 'start', reason: placeless, at: now, since } };
}

/** The look is over: nobody has the task, and the next look is at its time; where no log was ever begun, there is none. */
function lookedAt(log: LogBackup, now: Date, { ringMs }: Pick<LogLimits, 'ringMs'>): LogBackup {
  const idle = withoutAct({ ...log, task: log.task && unowned(log.task, now) });
  // A wish that was made meanwhile has not been looked at.
  if (log.task?.wish !== log.wish) return rungSoon(idle, now);
  if (!isAtRest(idle)) return { ...idle, task: idle.task && unowned(idle.task, plus(now, ringMs)) };
  const isNothingLeft = idle.generations.length === 0;
  return { ...idle, task: isNothingLeft || !idle.task ? null : unowned(idle.task, plus(now, AT_REST * ringMs)) };
}

function complete(log: LogBackup, { claim: token, fence, result, reason }: Of<'complete'>, now: Date): LogDecision {
  if (!isHeldBy<LogBackup>(log, { claim: token, fence }) || !log.task.act) return LOST;
  const after = ended(log, log.task.act, result, reason, now);
  // What the act did is seen at once.
  return { answer: { kind: 'held' }, next: rungSoon(withoutAct({ ...after, task: unowned(log.task, now) }), now) };
}

/** @returns refused, where the log does not reach back so far, or nothing was promised from it; and as long as it is truncated (P7) */
function hold(log: LogBackup, { n, from, restoreId }: Of<'hold'>): LogDecision {
  if (log.givenBack?.includes(restoreId)) return refused('givenBack');
  const generation = log.generations.find((one) => one.n === n && one.max !== null);
  if (generation?.holds?.includes(restoreId)) return OK;
  if (
    !generation ||
    generation.removal ||
    generation.truncating?.until === null ||
    BigInt(generation.min ?? from) > BigInt(from)
  )
    return refused('logGone');
  if (generation.truncating) return refused('truncating');
  const held = { ...generation, holds: [...(generation.holds ?? []), restoreId] };
  return { ...OK, next: { ...log, generations: log.generations.map((one) => (one === generation ? held : one)) } };
}

/** Once given back, nothing is taken again: a copy that was slow may still ask for it (L12). */
function giveBack(log: LogBackup, { restoreId }: Of<'giveBack'>, now: Date): LogDecision {
  const { givenBack = [] } = log;
  if (givenBack.includes(restoreId)) return OK;
  const generations = log.generations.map((one) =>
    one.holds?.includes(restoreId) ? { ...one, holds: one.holds.filter((other) => other !== restoreId) } : one,
  );
  const given = { ...log, generations, givenBack: [...givenBack, restoreId].slice(-MAX_GIVEN_BACK) };
  return { ...OK, next: log.block === restoreId ? rungSoon({ ...given, block: null }, now) : given };
}

/** @returns refused, where a log task is there, is wanted, or may still be begun by a look that was lost */
function block(log: LogBackup, { restoreId }: Of<'block'>, now: Date): LogDecision {
  if (log.block === restoreId) return OK;
  if (log.givenBack?.includes(restoreId)) return refused('givenBack');
  if (isInTheWay(log, now)) return refused('logRuns');
  return { ...OK, next: { ...log, block: restoreId } };
}

function withoutAct<L extends LogBackup>(log: L): L {
  if (!log.task) return log;
  const { act: _act, wish: _wish, ...task } = log.task;
  return { ...log, task };
}

function rungSoon(log: LogBackup, now: Date): LogBackup {
  const task: LogTask = log.task ? (log.task.claim === undefined ? requeued(log.task, now) : log.task) : newTask(now);
  return { ...log, task };
}
