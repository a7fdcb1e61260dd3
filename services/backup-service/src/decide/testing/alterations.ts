/**
 * How a rule is switched off from outside: `decide` is given another document, command or limit than it should be, or what it
 * decided is altered.
 */
import type { Backup, Task } from '../../backup.ts';
import type { Command, Decision, Limits } from '../command.ts';
import type { Decide, Setting } from './world.ts';

export interface Mutation {
  /** What holds no longer. */
  readonly without: string;
  readonly of: (decide: Decide) => Decide;
  readonly in: Partial<Setting>;
  /** The invariant that is broken first. */
  readonly breaks: string;
}

type Kind = Command['kind'];
type Of<K extends Kind> = Extract<Command, { kind: K }>;

/** Alters what is decided about, for commands of some kinds. */
export const seen =
  <K extends Kind>(
    kinds: readonly K[],
    alter: (
      backup: Backup,
      command: Of<K>,
    ) => { readonly backup?: Backup; readonly command?: Command; readonly limits?: Partial<Limits> },
  ): Mutation['of'] =>
  (decide) =>
  (backup, command, now, limits) => {
    const altered = isOf(command, kinds) ? alter(backup, command) : {};
    return decide(altered.backup ?? backup, altered.command ?? command, now, { ...limits, ...altered.limits });
  };

/** Alters what was decided, for commands of some kinds. */
export const decided =
  <K extends Kind>(
    kinds: readonly K[],
    alter: (decision: Decision, backup: Backup, command: Of<K>, now: Date) => Decision,
  ): Mutation['of'] =>
  (decide) =>
  (backup, command, now, limits) => {
    const decision = decide(backup, command, now, limits);
    return isOf(command, kinds) ? alter(decision, backup, command, now) : decision;
  };

/** Alters the document that was decided on. */
export const written = <K extends Kind>(
  kinds: readonly K[],
  alter: (next: Backup, backup: Backup, command: Of<K>, now: Date) => Partial<Backup>,
): Mutation['of'] =>
  decided(kinds, (decision, backup, command, now) =>
    decision.next
      ? { ...decision, next: { ...decision.next, ...alter(decision.next, backup, command as Of<K>, now) } }
      : decision,
  );

const isOf = <K extends Kind>(command: Command, kinds: readonly K[]): command is Of<K> =>
  (kinds as readonly Kind[]).includes(command.kind);

/** The backup with another task. */
export const withTask = (backup: Backup, change: Partial<Task>): Backup => ({
  ...backup,
  task: backup.task && { ...backup.task, ...change },
});
