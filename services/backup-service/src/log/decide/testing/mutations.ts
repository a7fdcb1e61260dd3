/**
 * The rules of a log backup's life, each switched off from outside: `decideLog` is given another document or command than it should
 * be, or what it decided is altered. With each goes a small world that shows what the rule is for.
 */
import type { LogBackup, LogGeneration } from '../../log-backup.ts';
import type { LogCommand } from '../command.ts';
import type { Rules, Setting } from './world.ts';

export interface Mutation {
  /** What holds no longer. */
  readonly without: string;
  readonly of: (decide: Rules) => Rules;
  readonly in: Partial<Setting>;
  /** The invariant that is broken first. */
  readonly breaks: string;
}

type Kind = LogCommand['kind'];

/** Alters what is decided about, for commands of one kind. */
const seen =
  <K extends Kind>(
    kind: K,
    alter: (
      log: LogBackup,
      command: Extract<LogCommand, { kind: K }>,
    ) => { readonly log?: LogBackup; readonly command?: LogCommand },
  ): Mutation['of'] =>
  (decide) =>
  (log, command, now, limits) => {
    const altered = command.kind === kind ? alter(log, command as Extract<LogCommand, { kind: K }>) : {};
    return decide(altered.log ?? log, altered.command ?? command, now, limits);
  };

/** Alters the document that was decided on. */
const written =
  (
    kinds: readonly Kind[],
    alter: (next: LogBackup, before: LogBackup, command: LogCommand) => LogBackup,
  ): Mutation['of'] =>
  (decide) =>
  (log, command, now, limits) => {
    const decision = decide(log, command, now, limits);
    return decision.next && kinds.includes(command.kind)
      ? { ...decision, next: alter(decision.next, log, command) }
      : decision;
  };

const everyGeneration = (log: LogBackup, change: (one: LogGeneration) => Partial<LogGeneration>): LogBackup => ({
  ...log,
  generations: log.generations.map((one) => ({ ...one, ...change(one) })),
});

/** The one place of a cluster in which every log of it is written. */
const onePlace: Mutation['of'] = seen('report', (_log, command) => ({
  command: { ...command, ...(command.place && { place: { ...command.place, taskName: 'same', path: 'same' } }) },
}));

const REACHED = 'what is wanted is reached, or an alarm stands (L11)';

export const MUTATIONS: readonly Mutation[] = [
  {
    without: 'a name is used by nobody else (L1)',
    of: onePlace,
    in: { wishes: 2, events: 2, sameNames: true },
    breaks: 'the task of others is never touched (L1)',
  },
  {
    without: 'the task of a generation has its start (L2)',
    of: seen('report', (log, command) => {
      const startTs = log.generations.at(-1)?.startTs;
      if (command.seen.kind !== 'tasks' || !startTs) return {};
      return {
        command: {
          ...command,
          seen: { ...command.seen, tasks: command.seen.tasks.map((one) => ({ ...one, startTs })) },
        },
      };
    }),
    in: { wishes: 1, events: 3 },
    breaks: 'no point is promised over a hole (L4)',
  },
  {
    without: 'the metadata are read before the status (L4)',
    of: (decide) => decide,
    in: { wishes: 1, events: 3, metadataLast: true },
    breaks: 'no point is promised over a hole (L4)',
  },
  {
    without: 'a resume is on record before br runs (L5)',
    of: written(['report'], (next, before) => ({ ...next, resumeBegun: before.resumeBegun })),
    in: { running: true, wishes: 1, events: 2, faults: 1, withoutRest: true },
    breaks: 'what somebody paused stays paused (L6)',
  },
  {
    without: 'a wish is carried out once (L6)',
    of: seen('report', (log) => ({ log: { ...log, reached: false, resumeBegun: false } })),
    in: { wishes: 1, events: 1 },
    breaks: 'what somebody paused stays paused (L6)',
  },
  {
    without: 'a task that is gone waits for a wish (L6)',
    of: seen('report', (log) => ({ log: everyGeneration(log, () => ({ vanished: -1 })) })),
    in: { wishes: 1, events: 1 },
    breaks: 'what somebody stopped is not started again (L6)',
  },
  {
    without: 'no restore gets a cluster of which a look is under way (L7)',
    of: seen('block', (log) => ({
      log: { ...everyGeneration(log, () => ({ open: false })), reached: true, task: null },
    })),
    in: { wishes: 2, events: 1 },
    breaks: 'nothing is started while a restore has the cluster (L7)',
  },
  {
    without: 'a restore that gave the cluster back does not get it again (L12)',
    of: seen('block', (log) => ({ log: { ...log, givenBack: [] } })),
    in: { wishes: 1, events: 1 },
    breaks: 'a cluster that was given back is not taken again (L12)',
  },
  {
    without: 'what a stop may leave is on record before it (L8)',
    of: written(['report'], (next, before) => ({ ...next, cleanup: before.cleanup })),
    in: { wishes: 3 },
    breaks: 'what a stop leaves is on record before it (L8)',
  },
  {
    without: 'only a checkpoint that moves is well (L9)',
    of: seen('report', (_log, command) => {
      if (command.seen.kind !== 'tasks') return {};
      const tasks = command.seen.tasks.map((one) => ({ ...one, checkpoint: String(1n << 62n) }));
      return { command: { ...command, seen: { ...command.seen, tasks } } };
    }),
    in: { wishes: 1, events: 1 },
    breaks: REACHED,
  },
  {
    without: 'after an error it is resumed so often and no more (L10)',
    of: seen('report', (log) => ({ log: { ...log, resumeTries: 0 } })),
    in: { wishes: 1, events: 1 },
    breaks: 'it comes to rest (L11)',
  },
  {
    without: 'nothing is started while a restore has the cluster (L7)',
    of: (decide) => (log, command, now, limits) => {
      const decision = decide(command.kind === 'report' ? { ...log, block: null } : log, command, now, limits);
      const isReport = command.kind === 'report' && decision.next !== undefined;
      return isReport && decision.next ? { ...decision, next: { ...decision.next, block: log.block } } : decision;
    },
    in: { wishes: 1, events: 1 },
    breaks: 'nothing is started while a restore has the cluster (L7)',
  },
  {
    without: 'a stop ends its generation (L3)',
    of: written(['report', 'complete'], (next) =>
      everyGeneration(next, ({ endedWhy, open, stopping }) =>
        endedWhy === 'stopped' || endedWhy === 'vanished'
          ? { open: true, endedWhy: null, stopping: false }
          : { open, stopping },
      ),
    ),
    in: { wishes: 2 },
    breaks: 'a restore gets a cluster whose log is off (L7)',
  },
  {
    without: 'a log whose history is gone is stopped, and another begun',
    of: seen('complete', (_log, command) => ({
      command: { ...command, result: command.result === 'newLog' ? 'refused' : command.result },
    })),
    in: { wishes: 2, events: 2 },
    breaks: 'it comes to rest (L11)',
  },
];
