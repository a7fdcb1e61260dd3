/**
 * What a look at the cluster says, and what is written because of it: the first table of log-life 2.
 */
import { plus } from '@tidemark/task/time';
import type { LogBackup, LogCut, LogEnd, LogGeneration, LogState } from '../log-backup.ts';
import { instantOf, lastGeneration } from '../log-backup.ts';
import type { LogCommand, LogRange, LogTaskSeen } from './command.ts';
import { closed, withCleanup, withLast } from './vocabulary.ts';

type Report = Extract<LogCommand, { kind: 'report' }>;

/** The document as it is after a look, before anything is done about it. */
export function seenIn(log: LogBackup, { seen, range }: Report, now: Date): LogBackup {
  if (seen.kind === 'unreachable')
    return { ...log, observed: { ...log.observed, state: 'Unknown', askedAt: now, unreachable: seen.reason } };
  // The claim carries the wish: a look that began before it says nothing about it.
  const answered = log.task?.wish === log.wish ? { ...log, looked: log.wish } : log;
  const { log: classified, state, task } = classify(answered, seen.tasks, range, now);
  const ran = state === 'Running' || state === 'Lagging';
  return noteReached({
    ...classified,
    observed: {
      state,
      seenAt: now,
      askedAt: now,
      unreachable: null,
      checkpoint: task ? task.checkpoint : classified.observed.checkpoint,
      ranAt: ran ? now : classified.observed.ranAt,
      errors: task ? task.errors : [],
      foreign: foreignOf(state, seen.tasks),
    },
  });
}

interface Classified {
  readonly log: LogBackup;
  readonly state: LogState;
  /** The open generation's own. */
  readonly task?: LogTaskSeen;
}

function classify(log: LogBackup, tasks: readonly LogTaskSeen[], range: LogRange | undefined, now: Date): Classified {
  const last = lastGeneration(log);
  const open = last?.open ? last : undefined;
  const own = tasks.find(({ name, samePlace }) => open !== undefined && name === open.taskName && samePlace);
  if (open && own) return ofOwnTask(log, open, own, range, now);
  const isStray = (name: string) => log.generations.some((one) => !one.open && one.taskName === name);
  if (tasks.some(({ name }) => isStray(name))) return { log, state: 'Stray' };
  const gone = withoutTask(log, now);
  return tasks.length > 0 ? { ...gone, state: 'Foreign' } : gone;
}

/** No task of the open generation is there. */
function withoutTask(log: LogBackup, now: Date): Classified {
  const open = lastGeneration(log);
  if (!open?.open) return { log, state: 'Off' };
  const wasThere = open.startTs !== null || open.started;
  const close = (why: LogEnd): Classified => ({ log: closed(log, why, now), state: 'Off' });
  if (open.stopping || log.wanted === 'off') {
    const left = wasThere || open.begun !== null || open.stopping ? withCleanup(log, open.taskName, now) : log;
    return { log: closed(left, open.stopping ? 'stopped' : wasThere ? 'vanished' : 'neverStarted', now), state: 'Off' };
  }
  if (wasThere) {
    const left = withCleanup(log, open.taskName, now);
    // A person stopped it: it is not started again before another wish (L6).
    if (open.vanished === null || open.vanished === log.wish)
      return { log: withLast(left, { vanished: log.wish }), state: 'Missing' };
    return { log: closed(left, 'vanished', now), state: 'Off' };
  }
  if (open.begun) return { log: withCleanup(close('startLost').log, open.taskName, now), state: 'Off' };
  return { log, state: 'Off' };
}

function ofOwnTask(
  log: LogBackup,
  open: LogGeneration,
  task: LogTaskSeen,
  range: LogRange | undefined,
  now: Date,
): Classified {
  const { seen, isKnown } = identified(log, open, task, range, now);
  const isBack = lastGeneration(seen)?.vanished === seen.wish && seen.wanted === 'on';
  const { upstreamClusterId } = range ?? {};
  const back = withLast(isBack ? { ...seen, reached: true } : seen, {
    vanished: null,
    // It lies in the path, into which br lets no other cluster write.
    ...(upstreamClusterId !== undefined && { upstreamClusterId }),
  });
  const known = range?.cuts ? withCuts(back, open.path, range.cuts) : back;
  // Somebody may have truncated it by hand, also one that cannot go on.
  const cut = isKnown && range ? withLast(known, { min: later(open.min, range.min) }) : known;
  const read = isKnown && range && !open.dead ? withLast(cut, { max: later(open.max, range.max) }) : cut;
  return { log: read, state: stateOf(read, task, now), task };
}

/** They lie in the path, of whichever log there they are. */
function withCuts(log: LogBackup, path: string, cuts: readonly LogCut[]): LogBackup {
  const generations = log.generations.map((one) => (one.path === path ? { ...one, cuts } : one));
  return { ...log, generations };
}

/** Whether the task is the generation's, by its start (L2). */
function identified(
  log: LogBackup,
  open: LogGeneration,
  { startTs }: LogTaskSeen,
  range: LogRange | undefined,
  now: Date,
): { readonly seen: LogBackup; readonly isKnown: boolean } {
  const isOn = log.wanted === 'on';
  if (open.startTs === null) {
    const min = later(startTs, range?.min ?? startTs);
    const reached = log.reached || (isOn && open.begun?.wish === log.wish);
    return { seen: { ...withLast(log, { startTs, min, max: min, begun: null }), reached }, isKnown: false };
  }
  if (open.startTs === startTs) return { seen: log, isKnown: true };
  const before = withCleanup(closed(log, 'replacedByHand', now), open.taskName, now);
  const { taskName, path, storage, pool, removal, dead, n } = open;
  const replaced: LogGeneration = {
    ...{
      n: n + 1,
      taskName,
      path,
      storage,
      ...(pool !== undefined && { pool }),
      // In the place of a log that is to go it goes with that.
      ...(removal && { removal }),
      startTs,
      min: startTs,
      max: startTs,
      open: true,
      createTime: now,
    },
    ...{
      begun: null,
      started: true,
      stopping: false,
      dead: removal !== undefined && dead,
      vanished: null,
      baseId: null,
      endedWhy: null,
      endedAt: null,
    },
  };
  const generations = [...before.generations, replaced];
  return { seen: { ...before, generations, reached: log.reached || isOn }, isKnown: false };
}

function stateOf(log: LogBackup, task: LogTaskSeen, now: Date): LogState {
  if (task.state === 'normal') return isYoung(log, task.checkpoint, now) ? 'Running' : 'Lagging';
  if (task.state === 'paused' || task.pausedByHand || log.manual) return 'Paused';
  return 'Error';
}

/** Only a checkpoint that moves is well, whatever the status says (L9). */
function isYoung({ settings }: LogBackup, checkpoint: string, now: Date): boolean {
  return plus(instantOf(checkpoint), (settings?.lagWarnSeconds ?? Infinity) * 1_000) >= now;
}

function foreignOf(state: LogState, tasks: readonly LogTaskSeen[]): LogBackup['observed']['foreign'] {
  const [first] = state === 'Foreign' ? tasks : [];
  return first ? { name: first.name, storage: first.storage } : null;
}

function later(one: string | null, other: string): string {
  return one !== null && BigInt(one) > BigInt(other) ? one : other;
}

/** Whether what is wanted is so now (L6). */
function noteReached(log: LogBackup): LogBackup {
  const { state } = log.observed;
  const is = (...states: readonly LogState[]) => states.includes(state);
  switch (log.wanted) {
    case 'off':
      return is('Off') ? { ...log, reached: true } : log;
    case 'paused':
      return is('Paused', 'Error') ? { ...log, reached: true } : log;
    case 'on':
      if (is('Paused') && log.reached) return { ...log, manual: true };
      if (!is('Running', 'Lagging')) return log;
      return {
        ...log,
        reached: true,
        resumeBegun: false,
        manual: false,
        startTries: 0,
        startNotBefore: null,
        // An answer of `br` is not yet a checkpoint that moves (L10).
        ...(state === 'Running' && { resumeTries: 0, resumeNotBefore: null, refusal: null }),
      };
  }
}
