/**
 * The rules of the design about files that are left, deleted, kept in the bin or given up, each switched off. With each goes the
 * smallest world that shows what the rule is for.
 */
import { plus } from '@tidemark/task/time';
import { isTrashed } from '../../backup.ts';
import { OK } from '../command.ts';
import { removeTask } from '../vocabulary.ts';
import { decided, type Mutation, seen, written } from './alterations.ts';
import { BIN } from './worlds.ts';

export const DELETION_MUTATIONS: readonly Mutation[] = [
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
];
