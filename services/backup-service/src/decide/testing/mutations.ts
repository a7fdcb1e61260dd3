/**
 * The rules of the design about a backup that is to be made, each switched off. With each goes the smallest world that shows what
 * the rule is for.
 */
import { unowned } from '@tidemark/task/task';
import type { Backup, Cancellation } from '../../backup.ts';
import { LOST, OK } from '../command.ts';
import { attemptOf, finish } from '../vocabulary.ts';
import { decided, type Mutation, seen, withTask, written } from './alterations.ts';

const CANCEL: Cancellation = { at: new Date(1), by: 'alice', reason: '', requestId: 'c' };

const asRunning = (backup: Backup): Backup => (backup.state === 'Canceling' ? { ...backup, state: 'Running' } : backup);

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
    without: 'what br may have finished is looked for past the deadline too (T14)',
    of: decided(['reap'], (decision, backup, _, now) =>
      backup.state === 'Queued' && backup.deadline < now
        ? { ...OK, next: finish(backup, 'Failed', now, { code: 'DEADLINE', message: '' }, 0) }
        : decision,
    ),
    in: { faults: 2, fault: ['crash', 'deadline'] },
    breaks: 'Failed never beside a complete backup, but for losses and a storage of others',
  },
  {
    without: 'past the deadline a claim may only look (T14)',
    of: decided(['claim'], ({ answer, ...rest }, { deadline }, _, now) => ({
      ...rest,
      answer: answer.kind === 'backupGrant' && deadline <= now ? { ...answer, mayRun: true } : answer,
    })),
    in: { faults: 2, fault: ['brRetry', 'deadline'] },
    breaks: 'no spawn that was granted past the deadline',
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
