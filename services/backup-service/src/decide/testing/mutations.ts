/**
 * The rules of the design, each switched off from outside: `decide` is given another document, command or limit than it
 * should be, or what it decided is altered. With each goes the smallest world that shows what the rule is for.
 */

import { unowned } from '@tidemark/task/task';
import { plus } from '@tidemark/task/time';
import { type Backup, type Cancellation, isTrashed, type Task } from '../../backup.ts';
import { type Command, type Decision, type Limits, LOST, OK } from '../command.ts';
import { attemptOf, removeTask } from '../vocabulary.ts';
import type { Decide, Setting } from './world.ts';
import { BIN } from './worlds.ts';

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
const seen =
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
const decided =
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
const written = <K extends Kind>(
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

const asRunning = (backup: Backup): Backup => (backup.state === 'Canceling' ? { ...backup, state: 'Running' } : backup);

const withTask = (backup: Backup, change: Partial<Task>): Backup => ({
  ...backup,
  task: backup.task && { ...backup.task, ...change },
});

const CANCEL: Cancellation = { at: new Date(1), by: 'alice', reason: '', requestId: 'c' };

export const MUTATIONS: readonly Mutation[] = [
  {
    without: 'a recorded cancel wins over the end that a worker tells (T12)',
    of: seen(['complete'], (backup) => ({ backup: asRunning(backup) })),
    in: { wishes: 1, wish: ['cancel'] },
    breaks: 'what an honest worker tells of its end is never refused',
  },
  {
    without: 'a recorded end refuses the cancel (T12)',
    of: decided(['cancel'], (decision, backup) =>
      decision.answer.kind === 'refused' ? { ...OK, next: { ...backup, state: 'Canceled', cancel: CANCEL } } : decision,
    ),
    in: { wishes: 1, wish: ['cancel'] },
    breaks: 'a finished state never changes',
  },
  {
    without: 'a released backup that is being canceled ends as Canceled',
    of: seen(['release'], (backup) => ({ backup: asRunning(backup) })),
    in: { wishes: 1, wish: ['cancel'], faults: 1, fault: ['drain'] },
    breaks: 'Canceling becomes nothing but Canceled',
  },
  {
    without: 'a lost backup that is being canceled ends as Canceled',
    of: seen(['reap'], (backup) => ({ backup: asRunning(backup) })),
    in: { wishes: 1, wish: ['cancel'], faults: 1, fault: ['crash'] },
    breaks: 'Canceling becomes nothing but Canceled',
  },
  {
    without: 'no start is granted once a cancel was recorded',
    of: decided(['renew'], (decision, _, { starting }) =>
      starting && decision.answer.kind === 'held'
        ? { ...decision, answer: { kind: 'held', state: 'Running' } }
        : decision,
    ),
    in: { wishes: 1, wish: ['cancel'] },
    breaks: 'no spawn without an answered `starting`',
  },
  {
    without: 'a loss counts only after an applied `starting` (T14)',
    of: seen(['reap'], (backup) => ({ backup: withTask(backup, { started: true }) })),
    in: { faults: 1, fault: ['crash'] },
    breaks: 'a loss counts exactly if it may have cost a run',
  },
  {
    without: 'losses are counted (T14)',
    of: written(['reap'], (_, { losses }) => ({ losses })),
    in: { faults: 1, fault: ['crash'] },
    breaks: 'a loss counts exactly if it may have cost a run',
  },
  {
    without: 'failures are limited (T14)',
    of: seen(['complete', 'claim'], () => ({ limits: { failureLimit: 99 } })),
    in: { faults: 3, fault: ['brRetry'] },
    breaks: 'no spawn beyond the limits of failures and losses',
  },
  {
    without: 'after the last allowed loss a claim may only look (T14)',
    of: decided(['claim'], ({ answer, ...rest }) => ({
      ...rest,
      answer: answer.kind === 'backupGrant' ? { ...answer, mayRun: true } : answer,
    })),
    in: { faults: 1, fault: ['crash'] },
    breaks: 'no spawn beyond the limits of failures and losses',
  },
  {
    without: 'waiting for a lock is not counted',
    of: seen(['complete'], (_, command) =>
      command.outcome.kind === 'wait'
        ? { command: { ...command, outcome: { kind: 'retry', reason: command.outcome.reason } } }
        : {},
    ),
    in: { faults: 1, fault: ['crash'] },
    breaks: 'only a failure that was told counts',
  },
  {
    without: 'what a worker gives back counts nothing',
    of: seen(['complete'], (_, command) =>
      command.outcome.kind === 'wait' && command.outcome.handBack
        ? { command: { ...command, outcome: { kind: 'retry', reason: command.outcome.reason } } }
        : {},
    ),
    in: { faults: 1, fault: ['unreach'] },
    breaks: 'only a failure that was told counts',
  },
  {
    without: 'what a worker gives back opens no attempt',
    of: written(['complete'], (next, backup, { outcome }) =>
      outcome.kind === 'wait' && outcome.handBack
        ? { attempts: backup.attempts.map((one) => ({ ...one, outcome: one.outcome ?? 'wait' })), state: next.state }
        : {},
    ),
    in: { faults: 1, fault: ['unreach'] },
    breaks: 'what a worker gives back counts nothing and opens no attempt',
  },
  {
    without: 'a backup waits for workers that have not said yet that they cannot do it',
    of: seen(['complete'], (_, command) => ({ command: { ...command, peers: [] } })),
    in: { faults: 1, fault: ['unreach'] },
    breaks: 'a backup fails for what is wrong with workers only once all present ones said so',
  },
  {
    without: 'a worker that says that it cannot do a task is left alone while another can',
    of: seen(['claim'], (_, { outOfReach: _told, ...command }) => ({ command })),
    in: { faults: 1, fault: ['unreach'] },
    breaks: 'what a worker cannot do is left to another who can',
  },
  {
    without: 'nothing is granted before its time (T3)',
    of: seen(['claim'], (backup) => ({ backup: withTask(backup, { notBefore: new Date(1) }) })),
    in: { faults: 2, fault: ['brRetry', 'doubledMessage'] },
    breaks: 'nothing is granted before notBefore',
  },
  {
    without: 'only an unowned task is granted (T3)',
    of: seen(['claim'], (backup, { claim }) =>
      backup.task?.kind === 'backup' && backup.task.claim !== claim && backup.state === 'Running'
        ? { backup: { ...withTask(backup, { claim: undefined }), state: 'Queued' } }
        : {},
    ),
    in: { faults: 1, fault: ['doubledMessage'] },
    breaks: 'only an unowned task is granted',
  },
  {
    without: 'a token opens one attempt (T3)',
    of: (decide) => (backup, command, now, limits) => {
      if (command.kind !== 'claim' || backup.task?.claim === command.claim) return decide(backup, command, now, limits);
      const others = backup.attempts.filter(({ claim }) => claim !== command.claim);
      const { next, ...decision } = decide({ ...backup, attempts: others }, command, now, limits);
      if (!next) return decision;
      return { ...decision, next: { ...next, attempts: [...backup.attempts, ...next.attempts.slice(others.length)] } };
    },
    in: { faults: 2, fault: ['lostAnswer', 'partition'] },
    breaks: 'a claim opens one attempt',
  },
  {
    without: 'the same token gets the same grant again (T3)',
    of: (decide) => (backup, command, now, limits) =>
      command.kind === 'claim' && backup.task?.claim === command.claim ? LOST : decide(backup, command, now, limits),
    in: { faults: 1, fault: ['lostAnswer'] },
    breaks: 'claim, asked again, is answered as the first time',
  },
  {
    without: 'each grant raises the fence (T3)',
    of: decided(['claim'], ({ answer, next }, { fence }) => ({
      answer: 'fence' in answer ? { ...answer, fence } : answer,
      ...(next && { next: { ...next, fence } }),
    })),
    in: {},
    breaks: 'each grant raises the fence',
  },
  {
    without: 'a write names the claim and fence that hold the task (T4)',
    of: seen(['renew', 'complete', 'release'], ({ task, fence }, command) =>
      task?.claim === undefined ? {} : { command: { ...command, claim: task.claim, fence } },
    ),
    in: { faults: 1, fault: ['partition'] },
    breaks: 'only the owner of a task changes it',
  },
  {
    without: 'a completion recognises its repeat (T5)',
    of: decided(['complete'], (decision, backup, { claim }) =>
      attemptOf(backup, claim)?.outcome !== undefined ? LOST : decision,
    ),
    in: {},
    breaks: 'complete, asked again, is answered as the first time',
  },
  {
    without: 'a completion after a loss is LOST (T5)',
    of: decided(['complete'], (decision, backup, { claim }) =>
      attemptOf(backup, claim)?.outcome === 'lost' ? OK : decision,
    ),
    in: { faults: 1, fault: ['partition'] },
    breaks: 'a repeat of a completion is answered as the first time, and one of a lost attempt LOST',
  },
  {
    without: 'the cluster stays occupied between retries (T6)',
    of: written(['complete'], (next) => (next.state === 'Queued' ? { activeKey: `backup:${next._id}` } : {})),
    in: { faults: 1, fault: ['brRetry'] },
    breaks: 'activeKey is the cluster exactly while Queued, Running or Canceling',
  },
  {
    without: 'the cluster is free once the backup is over (T6)',
    of: written(['complete'], (_, { activeKey }) => ({ activeKey })),
    in: {},
    breaks: 'activeKey is the cluster exactly while Queued, Running or Canceling',
  },
  {
    without: 'the slot is free while the backup waits (T6)',
    of: written(['release'], (_, { slotKey }) => ({ slotKey })),
    in: { faults: 1, fault: ['drain'], slots: 1 },
    breaks: 'slotKey is a slot only while Running or Canceling',
  },
  {
    without: 'two backups never share a slot (T6)',
    of: seen(['claim'], (_, command) => ({ command: { ...command, slotKey: 'storage:s1:1' } })),
    in: { backups: 2, slots: 1 },
    breaks: 'at most one backup per slot',
  },
  {
    without: 'a lost message is rung again (T2)',
    of: decided(['ring'], (decision, { task }) => (task && task.rings > 0 ? OK : decision)),
    in: { faults: 1, fault: ['lostMessage'] },
    breaks: 'when the faults stop, every document reaches no task',
  },
  {
    without: 'a lease outlasts the guard of br',
    of: seen(['claim', 'renew'], () => ({ limits: { leaseMs: 10_000 } })),
    in: { faults: 1, fault: ['partition'], lock: false, lossLimit: 2 },
    breaks: 'no two br in one cluster',
  },
  {
    without: 'a loss takes a new path where br has no lock (T13)',
    of: seen(['reap'], (backup) => ({
      backup: { ...backup, attempts: backup.attempts.map((attempt) => ({ ...attempt, hasLock: true })) },
    })),
    in: { faults: 1, fault: ['hostFreeze'], lock: false, lossLimit: 2 },
    breaks: 'no two br in one path',
  },
  {
    without: 'a path that was left is never written again (T10)',
    of: written(['complete'], (next, backup) => ({
      path: next.path === backup.path ? next.path : `${backup.basePath}-r`,
    })),
    in: { faults: 2, fault: ['brNewPath'], failureLimit: 3 },
    breaks: 'the path is not among the leftovers while it is wanted',
  },
  {
    without: 'the path that is left becomes a leftover',
    of: written(['complete'], (next) => (next.state === 'Queued' ? { leftovers: [] } : {})),
    in: { faults: 1, fault: ['brNewPath'] },
    breaks: 'finished without a task has no files but the good ones, unless a worker owes a stray',
  },
  {
    without: 'the files of a failed backup become leftovers',
    of: written(['complete'], (next) => (next.state === 'Failed' ? { leftovers: [], task: null } : {})),
    in: { faults: 1, fault: ['brPermanent'] },
    breaks: 'finished without a task has no files but the good ones, unless a worker owes a stray',
  },
  {
    without: 'the files of a backup that is canceled while it waits become leftovers',
    of: written(['cancel'], (next) => (next.state === 'Canceled' ? { leftovers: [], task: null } : {})),
    in: { faults: 1, fault: ['brRetry'], wishes: 1, wish: ['cancel'] },
    breaks: 'finished without a task has no files but the good ones, unless a worker owes a stray',
  },
  {
    without: 'leftovers are left alone for a while (T11)',
    of: seen(['complete'], () => ({ limits: { quietMs: 0 } })),
    in: { wishes: 1, wish: ['cancel'], lock: false },
    breaks: 'no removal sooner than 60 s after a br ended there otherwise than by itself',
  },
  {
    without: 'a good backup whose br was not seen to end by itself rests before it is deleted (T11)',
    of: seen(['delete'], (backup) => ({
      backup: { ...backup, attempts: backup.attempts.map((attempt) => ({ ...attempt, exitSeen: true })) },
    })),
    in: { faults: 1, fault: ['drain'], wishes: 1, wish: ['delete'], lock: false },
    breaks: 'no removal sooner than 60 s after a br ended there otherwise than by itself',
  },
  {
    without: 'a good backup rests for those who ended badly in its path before, too (T11)',
    of: (decide) => (backup, command, now, limits) => {
      if (command.kind !== 'delete') return decide(backup, command, now, limits);
      const attempts = backup.attempts.filter(({ exitSeen }) => exitSeen);
      const { next, ...decision } = decide({ ...backup, attempts }, command, now, limits);
      return next ? { ...decision, next: { ...next, attempts: backup.attempts } } : decision;
    },
    in: { faults: 1, fault: ['drain'], wishes: 1, wish: ['delete'] },
    breaks: 'no removal sooner than 60 s after a br ended there otherwise than by itself',
  },
  {
    without: 'a leftover is granted only after its `after` (T11)',
    of: decided(['claim'], (decision, { leftovers }) =>
      decision.answer.kind === 'removeGrant'
        ? { ...decision, answer: { ...decision.answer, paths: leftovers.map(({ path }) => path) } }
        : decision,
    ),
    in: { faults: 1, fault: ['brNewPath'], wishes: 1, wish: ['cancel'] },
    breaks: 'a leftover is granted only after its `after`',
  },
  {
    without: 'a stray makes a leftover (T4)',
    of: (decide) => (backup, command, now, limits) =>
      command.kind === 'stray' ? OK : decide(backup, command, now, limits),
    in: { faults: 1, fault: ['hostFreeze'], wishes: 1, wish: ['cancel'], lock: false },
    breaks: 'finished without a task has no files but the good ones, unless a worker owes a stray',
  },
  {
    without: 'a stray leaves the path alone that is still wanted',
    of: decided(['stray'], (decision, backup, { path }, now) =>
      decision.next || backup.task?.kind === 'remove'
        ? decision
        : { ...OK, next: { ...backup, leftovers: [{ path, after: plus(now, 60_000) }] } },
    ),
    in: { faults: 1, fault: ['crash'] },
    breaks: 'the path is not among the leftovers while it is wanted',
  },
  {
    without: 'a path that a stray made busy again meanwhile is removed again (T11)',
    of: seen(['complete'], (backup) => ({
      backup: { ...backup, leftovers: backup.leftovers.map((leftover) => ({ ...leftover, after: new Date(1) })) },
    })),
    in: { faults: 1, fault: ['hostFreeze'], wishes: 1, wish: ['cancel'], lock: false },
    breaks: 'a leftover whose time has not come stays',
  },
  {
    without: 'a removal that failed is tried again',
    of: seen(['complete'], ({ leftovers }, command) =>
      command.outcome.kind === 'removeFailed'
        ? { command: { ...command, outcome: { kind: 'removed', paths: leftovers.map(({ path }) => path), bytes: 0 } } }
        : {},
    ),
    in: { faults: 1, fault: ['removal'], wishes: 1, wish: ['delete'] },
    breaks: 'finished without a task has no files but the good ones, unless a worker owes a stray',
  },
  {
    without: 'a deletion is done only when the files are gone',
    of: written(['delete'], ({ deletion }) => ({
      deletion: { ...deletion, state: 'Deleted' },
      task: null,
      leftovers: [],
    })),
    in: { wishes: 1, wish: ['delete'] },
    breaks: 'finished without a task has no files but the good ones, unless a worker owes a stray',
  },
  {
    without: 'retention asks only where a newer good backup is',
    of: seen(['delete'], (_, command) => ({ command: { ...command, newerGood: true } })),
    in: { wishes: 1, wish: ['retention'] },
    breaks: 'retention removes only where a newer good backup is',
  },
  {
    without: 'retention takes its wish back where no newer good backup is left',
    of: seen(['claim'], (_, command) => ({ command: { ...command, newerGood: true } })),
    in: { wishes: 3, wish: ['start', 'retention', 'delete'], further: 1, workers: 1 },
    breaks: 'retention removes only where a newer good backup is',
  },
  {
    without: "only retention's wish is taken back",
    of: seen(['claim'], ({ deletion, ...backup }) => ({
      backup: { ...backup, deletion: { ...deletion, by: { kind: 'retention', name: 'r' } } },
    })),
    in: { wishes: 1, wish: ['delete'] },
    breaks: "a person's answered deletion is kept",
  },
  {
    without: 'what is held is not deleted',
    of: seen(['delete'], (backup) => ({ backup: { ...backup, holds: [] } })),
    in: { wishes: 2, wish: ['pin', 'delete'] },
    breaks: 'what is held is not deleted',
  },
  {
    without: 'what lies in the bin stays there until its time is over (Z3)',
    of: seen(['expire'], (backup) => ({
      backup: isTrashed(backup) ? { ...backup, deletion: { ...backup.deletion, trashUntil: new Date(1) } } : backup,
    })),
    in: { ...BIN, wish: ['delete'] },
    breaks: 'nothing leaves the bin before its time, unless somebody asks',
  },
  {
    without: 'what is held in the bin is not deleted for good (Z3)',
    of: seen(['delete'], (backup) => ({ backup: isTrashed(backup) ? { ...backup, holds: [] } : backup })),
    in: { ...BIN, wish: ['delete', 'pin', 'deleteForGood'] },
    breaks: 'what is held is not deleted',
  },
  {
    without: 'what is held stays in the bin (Z3)',
    of: seen(['expire'], (backup) => ({ backup: { ...backup, holds: [] } })),
    in: { ...BIN, wish: ['delete', 'pin'] },
    breaks: 'what is held is not deleted',
  },
  {
    without: 'the time at which files in the bin may be removed never comes (Z2)',
    of: written(['delete'], (next, _, __, now) => {
      const leftovers = next.leftovers.map((leftover) => ({ ...leftover, after: now }));
      return isTrashed(next) ? { leftovers, task: removeTask(leftovers) } : {};
    }),
    in: { ...BIN, wish: ['delete'] },
    breaks: 'what lies in the bin is a good backup that nobody removes',
  },
  {
    without: 'a stray leaves what lies in the bin alone (Z2)',
    of: seen(['stray'], (backup) => {
      const { trashUntil: _, ...deletion } = backup.deletion;
      return isTrashed(backup) ? { backup: { ...backup, deletion: { ...deletion, state: 'Requested' } } } : {};
    }),
    in: { ...BIN, wish: ['delete'], faults: 1, fault: ['crash'] },
    breaks: 'nothing leaves the bin before its time, unless somebody asks',
  },
  {
    without: 'what is undeleted is on nobody’s list of files to remove (Z4)',
    of: written(['undelete'], (_, { leftovers, task }) => ({ leftovers, task })),
    in: { ...BIN, wish: ['delete', 'undelete'] },
    breaks: 'the path is not among the leftovers while it is wanted',
  },
  {
    without: 'only what lies in the bin is undeleted (Z4)',
    of: seen(['undelete'], (backup) =>
      backup.deletion.state === 'Deleting' ? { backup: { ...backup, deletion: { state: 'Trashed' } } } : {},
    ),
    in: { wishes: 2, wish: ['delete', 'undelete'] },
    breaks: "a person's answered deletion is kept",
  },
  {
    without: 'a good backup of which nothing is found is not removed, unless that was announced',
    of: seen(['complete'], (_, command) =>
      command.outcome.kind === 'removed' ? { command: { ...command, outcome: { ...command.outcome, empty: [] } } } : {},
    ),
    in: { faults: 1, fault: ['unmounted'], wishes: 1, wish: ['delete'] },
    breaks: 'finished without a task has no files but the good ones, unless a worker owes a stray',
  },
  {
    without: 'that a removal was announced counts for the place in which it was',
    of: seen(['complete'], (_, { moved: __, ...command }) => ({ command })),
    in: { faults: 2, fault: ['removal', 'moved'], wishes: 1, wish: ['delete'], workers: 1 },
    breaks: 'finished without a task has no files but the good ones, unless a worker owes a stray',
  },
  {
    without: 'an announced removal is on record',
    of: seen(['renew'], (_, { removing: __, ...command }) => ({ command })),
    in: { faults: 1, fault: ['crash'], wishes: 1, wish: ['delete'] },
    breaks: 'when the faults stop, every document reaches no task',
  },
  {
    without: 'a removal is announced by its owner alone',
    of: decided(['renew'], (decision, backup, { removing }) =>
      removing && decision.answer.kind === 'lost' ? { answer: { kind: 'held', state: backup.state } } : decision,
    ),
    in: { faults: 1, fault: ['partition'], wishes: 3, wish: ['delete', 'forgetGone', 'rebuild'] },
    breaks: 'Succeeded and not deleted has a verified backupmeta in its path',
  },
  {
    without: 'only what cannot be removed is forgotten',
    of: seen(['forget'], (_, command) => ({ command: { ...command, gone: true } })),
    in: { wishes: 1, wish: ['forget'] },
    breaks: 'only what cannot be removed is forgotten',
  },
  {
    without: 'what is held is not forgotten',
    of: seen(['forget'], (backup) => ({ backup: { ...backup, holds: [] } })),
    in: { wishes: 2, wish: ['pin', 'forgetGone'] },
    breaks: 'what is held is not deleted',
  },
  {
    without: 'what is active is not forgotten',
    of: seen(['forget'], (backup) => ({ backup: { ...backup, state: 'Failed' } })),
    in: { wishes: 1, wish: ['forgetGone'] },
    breaks: 'activeKey is the cluster exactly while Queued, Running or Canceling',
  },
  {
    without: 'forgetting gives leftovers and task up',
    of: written(['forget'], (_, { leftovers, task }) => ({ leftovers, task })),
    in: { wishes: 2, wish: ['delete', 'forgetGone'] },
    breaks: 'nobody works on what was forgotten',
  },
  {
    without: 'a stray makes no leftover of what was forgotten',
    of: decided(['stray'], (decision, backup, { path }, now) => {
      const leftovers = [{ path, after: plus(now, 60_000) }];
      return backup.deletion.state === 'Forgotten'
        ? { ...OK, next: { ...backup, leftovers, task: removeTask(leftovers) } }
        : decision;
    }),
    in: { faults: 1, fault: ['hostFreeze'], wishes: 2, wish: ['cancel', 'forgetGone'], lock: false },
    breaks: 'nobody works on what was forgotten',
  },
  {
    without: 'what somebody may have begun to remove is not brought back',
    of: seen(['remember'], ({ deletion: { begun: _, ...deletion }, ...backup }) => ({
      backup: { ...backup, deletion },
    })),
    in: { faults: 1, fault: ['partition'], wishes: 3, wish: ['delete', 'forgetGone', 'rebuild'] },
    breaks: 'Succeeded and not deleted has a verified backupmeta in its path',
  },
  {
    without: 'nothing is written to a storage that the cluster may not use',
    of: seen(['claim'], (_, { storageDenied: __, ...command }) => ({ command })),
    in: { faults: 1, fault: ['deny'] },
    breaks: 'no backup is granted whose cluster may not use the storage',
  },
  {
    without: 'a retry leaves what a worker is at to that worker',
    of: decided(['retry'], (decision, backup, _, now) =>
      backup.task ? { ...OK, next: { ...backup, task: unowned(backup.task, now) } } : decision,
    ),
    in: { wishes: 1, wish: ['retry'] },
    breaks: 'Running and Canceling are owned',
  },
];
