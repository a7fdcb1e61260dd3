/**
 * The rules of a restore's life, each switched off from outside: `decideRestore` is given another document, command or limit than it
 * should be, or what it decided is altered. With each goes a small world that shows what the rule is for.
 */
import { leftAsItWas } from '@tidemark/br-restore/end';
import { unowned } from '@tidemark/task/task';
import { isActive, type Restore } from '../../restore.ts';
import type { RestoreCommand, RestoreDecision, RestoreLimits } from '../command.ts';
import { attemptOf, firstTask, ownKey, whole } from '../vocabulary.ts';
import type { Rules, Setting } from './world.ts';

export interface Mutation {
  /** What holds no longer. */
  readonly without: string;
  readonly of: (decide: Rules) => Rules;
  readonly in: Partial<Setting>;
  /** The invariant that is broken first. */
  readonly breaks: string;
}

type Kind = RestoreCommand['kind'];
type Of<K extends Kind> = Extract<RestoreCommand, { kind: K }>;

const isOf = <K extends Kind>(command: RestoreCommand, kinds: readonly K[]): command is Of<K> =>
  (kinds as readonly Kind[]).includes(command.kind);

/** Alters what is decided about, for commands of some kinds. */
const seen =
  <K extends Kind>(
    kinds: readonly K[],
    alter: (
      restore: Restore,
      command: Of<K>,
    ) => {
      readonly restore?: Restore;
      readonly command?: RestoreCommand;
      readonly limits?: Partial<RestoreLimits>;
    },
  ): Mutation['of'] =>
  (decide) =>
  (restore, command, now, limits) => {
    const altered = isOf(command, kinds) ? alter(restore, command) : {};
    return decide(altered.restore ?? restore, altered.command ?? command, now, { ...limits, ...altered.limits });
  };

/** Alters what was decided, for commands of some kinds. */
const decided =
  <K extends Kind>(
    kinds: readonly K[],
    alter: (decision: RestoreDecision, restore: Restore, command: Of<K>, now: Date) => RestoreDecision,
  ): Mutation['of'] =>
  (decide) =>
  (restore, command, now, limits) => {
    const decision = decide(restore, command, now, limits);
    return isOf(command, kinds) ? alter(decision, restore, command, now) : decision;
  };

/** Alters the document that was decided on. */
const written = <K extends Kind>(
  kinds: readonly K[],
  alter: (next: Restore, restore: Restore, command: Of<K>, now: Date) => Partial<Restore>,
): Mutation['of'] =>
  decided(kinds, (decision, restore, command, now) =>
    decision.next
      ? { ...decision, next: { ...decision.next, ...alter(decision.next, restore, command as Of<K>, now) } }
      : decision,
  );

const ENDS: readonly Kind[] = [
  'reap',
  'complete',
  'release',
  'lateEnd',
  'cancel',
  'sourceGone',
  'targetUnclean',
  'targetTaken',
];
const asRunning = (restore: Restore): Restore =>
  restore.state === 'Canceling' ? { ...restore, state: 'Running' } : restore;
const withoutResumes = (restore: Restore): Restore => ({ ...restore, resumes: [] });

export const MUTATIONS: readonly Mutation[] = [
  {
    without: 'a Partial target stays occupied (R1)',
    of: written(ENDS, (next) => (isActive(next) ? {} : { activeKey: ownKey(next) })),
    in: { faults: 1, fault: ['crash'] },
    breaks: 'the target is occupied exactly while its restore is active or Partial (R1)',
  },
  {
    without: 'nobody claims before the source is held (R2)',
    of: (decide) =>
      decided(['ring'], (decision) => (decision.step === 'hold' ? { ...decision, ring: true } : decision))(
        seen(['claim'], (restore) => ({ restore: { ...restore, held: true } }))(decide),
      ),
    in: {},
    breaks: 'nobody claims what is not held (R2)',
  },
  {
    without: 'an end owes the hold although the document does not know of it (R2)',
    of: written(ENDS, (next, before) => (next.task?.kind === 'unhold' && !before.held ? { task: null } : {})),
    in: { copies: 2 },
    breaks: 'no hold leaks (R2)',
  },
  {
    without: 'the source stays held while the target is Partial (R2)',
    of: written(ENDS, (next, _, __, now) =>
      !isActive(next) && next.targetState === 'Partial' ? { task: firstTask('unhold', now) } : {},
    ),
    in: {},
    breaks: 'it has a task exactly as long as work remains (R14)',
  },
  {
    without: 'a refused hold ends it only as long as it waits for the hold (R2)',
    of: seen(['sourceGone'], (restore) => ({ restore: { ...restore, state: 'Queued', held: false } })),
    in: { copies: 2, deletion: true },
    breaks: 'what is over never changes',
  },
  {
    without: 'Partial is written before br is started (R4)',
    of: written(['renew'], (_, { targetState }) => ({ targetState })),
    in: {},
    breaks: 'while br writes, its restore says Partial (R4)',
  },
  {
    without: 'a start is refused once a cancel was recorded',
    of: decided(['renew'], (decision, _, { starting }) =>
      starting && decision.answer.kind === 'held'
        ? { ...decision, answer: { ...decision.answer, mayStart: true } }
        : decision,
    ),
    in: {},
    breaks: 'no spawn without an answered `starting` (R4)',
  },
  {
    without: 'Untouched needs the proof that no attempt before had touched the target (R4)',
    of: seen(['complete', 'release'], (restore) => ({
      restore: { ...restore, attempts: restore.attempts.map((attempt) => ({ ...attempt, wasPartial: false })) },
    })),
    in: { faults: 2, fault: ['crash', 'brFails'] },
    breaks: 'a touched target becomes free by a person or a proven success alone (R1)',
  },
  {
    without: 'a failure before the target was touched leaves it Untouched (R4)',
    of: written(['complete', 'release'], (next, before) =>
      next.targetState === 'Untouched' && before.targetState === 'Partial'
        ? {
            targetState: before.targetState,
            brVersion: before.brVersion,
            hasCheckpoint: before.hasCheckpoint,
            activeKey: before.activeKey,
            task: isActive(next) ? next.task : null,
          }
        : {},
    ),
    in: {},
    breaks: 'a target that nobody can have touched is not called Partial (R4)',
  },
  {
    without: 'a loss says that it may have finished (R9)',
    of: written(['reap'], (_, { outcomeUnknown }) => ({ outcomeUnknown })),
    in: { faults: 1, fault: ['hostGone'] },
    breaks: 'Failed or Canceled over a complete target says that it may have finished (R9)',
  },
  {
    without: 'an end after the summary says that it may have finished (R9)',
    of: written(['complete'], (_, __, { end }) => (end.kind === 'afterSummary' ? { outcomeUnknown: false } : {})),
    in: { faults: 1, fault: ['brKilled'] },
    breaks: 'Failed or Canceled over a complete target says that it may have finished (R9)',
  },
  {
    without: 'a br that was stopped proves nothing (R9)',
    of: written(['complete', 'release'], (_, __, { end }) => (end.kind === 'stopped' ? { outcomeUnknown: false } : {})),
    in: { faults: 1, fault: ['brKilled'] },
    breaks: 'Failed or Canceled over a complete target says that it may have finished (R9)',
  },
  {
    without: 'a br that fails and had not looked proves nothing of those before it (R9)',
    of: written(['complete'], (_, __, { end }) => (end.kind === 'failed' ? { outcomeUnknown: false } : {})),
    in: { blind: true, faults: 2, fault: ['hostGone', 'brFails'] },
    breaks: 'Failed or Canceled over a complete target says that it may have finished (R9)',
  },
  {
    without: 'success needs exit 0 (R8)',
    of: seen(['complete'], (_, command) =>
      command.end.kind === 'afterSummary' ? { command: { ...command, end: { kind: 'succeeded' } } } : {},
    ),
    in: { faults: 1, fault: ['brKilled'] },
    breaks: 'Restored only after exit 0 and the summary (R8)',
  },
  {
    without: 'a late success counts only if nobody touched the target since (R10)',
    of: decided(['lateEnd', 'complete'], (decision, restore, { claim, end }, now) =>
      end?.kind === 'succeeded' && decision.next?.state === 'Queued' && attemptOf(restore, claim)?.outcome === 'lost'
        ? { ...decision, next: whole(decision.next, end, now) }
        : decision,
    ),
    in: { workers: 2, faults: 2, fault: ['hostFreeze', 'brFails'] },
    breaks: 'a proven success holds the data (R11)',
  },
  {
    without: 'a late success over an ended restore is only recorded (R10)',
    of: decided(['lateEnd'], (decision, restore, { end }) =>
      end?.kind === 'succeeded' && decision.next && !isActive(restore) && restore.targetState === 'Partial'
        ? {
            ...decision,
            next: {
              ...decision.next,
              state: 'Succeeded',
              targetState: 'Restored',
              activeKey: ownKey(restore),
              task: firstTask('unhold', new Date(0)),
              checksums: 'proven',
            },
          }
        : decision,
    ),
    in: { faults: 1, fault: ['crash'] },
    breaks: 'an answered cancel, resume or release holds until the next (R12)',
  },
  {
    without: 'a resume closes the door for a late success (R10)',
    of: seen(['lateEnd', 'complete'], (restore) => ({ restore: withoutResumes(restore) })),
    in: { workers: 2, faults: 2, fault: ['crash', 'brFails'] },
    breaks: 'a proven success holds the data (R11)',
  },
  {
    without: 'a success after an end that nobody knows says unproven (R11)',
    of: written(['complete', 'lateEnd'], ({ checksums }) => (checksums ? { checksums: 'proven' } : {})),
    in: { workers: 2, faults: 2, fault: ['hostGone', 'brMismatch'] },
    breaks: 'a proven success holds the data (R11)',
  },
  {
    without: 'wrong data that become known late end it (R10)',
    of: seen(['lateEnd', 'complete'], (restore, command) =>
      command.end?.kind === 'dirty' && attemptOf(restore, command.claim)?.outcome === 'lost'
        ? { command: { ...command, end: { kind: 'failed' } } }
        : {},
    ),
    in: { workers: 2, faults: 2, fault: ['crash', 'brMismatch'] },
    breaks: 'a proven success holds the data (R11)',
  },
  {
    without: 'wrong data are never resumed (R11)',
    of: written(['complete'], (next, _, { end }) =>
      end.kind === 'dirty' && !isActive(next) ? { spoilt: false, resumable: true } : {},
    ),
    in: { faults: 1, fault: ['brMismatch'] },
    breaks: 'a proven success holds the data (R11)',
  },
  {
    without: 'every attempt after a touch has the same version of br (R5)',
    of: seen(['claim'], (restore) => ({ restore: { ...restore, brVersion: null } })),
    in: { workers: 2, versions: true, faults: 1, fault: ['crash'] },
    breaks: 'one version of br goes on at a checkpoint (R5)',
  },
  {
    without: 'the next attempt rests after a loss (R6)',
    of: seen(['reap'], () => ({ limits: { lossRestMs: 0 } })),
    in: { workers: 2, faults: 1, fault: ['hostFreeze'] },
    breaks: 'no br of a restore that is over is at work',
  },
  {
    without: 'resume and release wait as long after a loss (R6)',
    of: seen(['resume', 'releaseTarget'], (restore) => ({
      restore: { ...restore, quietUntil: null, lastBrEnd: null },
    })),
    in: { restores: 2, workers: 2, faults: 1, fault: ['hostFreeze'] },
    breaks: 'no br of a restore that is over is at work',
  },
  {
    without: 'the next attempt rests after a failure (R6)',
    of: seen(['complete'], () => ({ limits: { restMs: 0 } })),
    in: { faults: 1, fault: ['brFails'] },
    breaks: 'br does not start before the last one has rested (R6)',
  },
  {
    without: 'the next attempt rests after a drain (R6)',
    of: seen(['release'], () => ({ limits: { restMs: 0 } })),
    in: { faults: 1, fault: ['drain'] },
    breaks: 'br does not start before the last one has rested (R6)',
  },
  {
    without: 'a recorded cancel wins over the end that a worker tells',
    of: seen(['complete'], (restore) => ({ restore: asRunning(restore) })),
    in: {},
    breaks: 'what an honest worker tells of its end is never refused',
  },
  {
    without: 'a lost restore that is being canceled ends as Canceled',
    of: seen(['reap'], (restore) => ({ restore: asRunning(restore) })),
    in: { faults: 1, fault: ['crash'] },
    breaks: 'Canceling becomes nothing but Canceled',
  },
  {
    without: 'a doubled cancel is known for ever (R12)',
    of: seen(['cancel'], (restore) => ({
      restore: { ...restore, cancels: restore.cancels.filter(({ current }) => current) },
    })),
    in: { faults: 1, fault: ['doubledCommand'] },
    breaks: 'an answered cancel, resume or release holds until the next (R12)',
  },
  {
    without: 'a doubled resume is known for ever (R12)',
    of: seen(['resume'], (restore) => ({ restore: withoutResumes(restore) })),
    in: { cancels: 2, resumes: 2, faults: 1, fault: ['doubledCommand'] },
    breaks: 'resume, asked again, is answered as the first time',
  },
  {
    without: 'a target that was released as it is takes no other restore (R13)',
    of: written(['releaseTarget'], () => ({ needsCleaning: false })),
    in: { restores: 2, users: true },
    breaks: 'br never writes over data of users (R13)',
  },
  {
    without: 'a completion needs the claim (R7)',
    of: seen(['complete'], (restore, command) => ({
      command: { ...command, fence: restore.fence, claim: restore.task?.claim ?? command.claim },
    })),
    in: { workers: 2, faults: 2, fault: ['freeze', 'lateCall'] },
    breaks: 'no br of a restore that is over is at work',
  },
  {
    without: 'only an unowned task is claimed (R7)',
    of: seen(['claim'], (restore, { claim }) =>
      restore.state === 'Running' && !attemptOf(restore, claim)
        ? { restore: { ...restore, state: 'Queued', task: restore.task && unowned(restore.task, new Date(0)) } }
        : {},
    ),
    in: { workers: 2, faults: 1, fault: ['doubledMessage'] },
    breaks: 'only an unowned task is granted, and not before its time (R6)',
  },
  {
    without: 'a restore looks who has its target by another registration before it may begin (R7)',
    of: (decide) => decide,
    in: { twin: 'blind' },
    breaks: 'never two br on one target (R7)',
  },
  {
    without: 'a restore waits until no log is written into its target (R15)',
    of: (decide) => (restore, command, now, limits) =>
      decide(restore, command.kind === 'targetLogs' ? { kind: 'held' } : command, now, limits),
    in: { log: true },
    breaks: 'no log is written where br restores (R15)',
  },
  {
    without: 'what may have touched its target is not given up for want of a br (R4)',
    of: seen(['claim'], (restore, { misfit }) => (misfit ? { restore: { ...restore, targetState: 'Untouched' } } : {})),
    in: { faults: 2, fault: ['crash', 'noBr'] },
    breaks: 'what br wrote into is never called Untouched (R4)',
  },
  {
    without: 'an end that proves nothing leaves Partial (R4)',
    of: written(['complete', 'release'], (next, _, { end }) =>
      !leftAsItWas(end.kind) && end.kind !== 'succeeded' && !isActive(next)
        ? {
            targetState: 'Untouched',
            activeKey: ownKey(next),
            task: firstTask('unhold', new Date(0)),
            resumable: false,
          }
        : {},
    ),
    in: {},
    breaks: 'what br wrote into is never called Untouched (R4)',
  },
];
