/** What may happen to a verification, and what then becomes of it (Y1 to Y8 of `verification.ts`). */
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
  type TaskLimits,
} from '@tidemark/task/task';
import { plus } from '@tidemark/task/time';
import { type Backup, isOfSigned, wasSigned } from './backup.ts';
import {
  counting,
  type EndedState,
  isEnded,
  type Verdict,
  type Verification,
  type VerificationProgress,
  type VerificationStanding,
} from './verification.ts';

/** What somebody asks for. */
export type VerificationWish = Pick<
  Verification,
  'level' | 'sample' | 'rateLimit' | 'storageDigest' | 'createdBy' | 'requestId'
> & {
  readonly backup: Backup;
};

export type VerificationCommand =
  | { readonly kind: 'ask'; readonly wish: VerificationWish }
  /** The backup is held for this run. */
  | { readonly kind: 'held'; readonly run: number }
  /** It is not a good one any more. */
  | { readonly kind: 'notHeld'; readonly run: number }
  /** The outcome of this run is on the record. */
  | { readonly kind: 'recorded'; readonly run: number }
  | { readonly kind: 'ring' }
  | { readonly kind: 'reap' }
  | {
      readonly kind: 'claim';
      readonly claim: string;
      readonly worker: string;
      readonly pool: string;
      /** That looked free; absent when all of the storage are taken. */
      readonly slotKey?: string;
    }
  | {
      readonly kind: 'renew';
      readonly claim: string;
      readonly fence: number;
      readonly standing?: VerificationStanding;
      readonly progress?: VerificationProgress;
    }
  | {
      readonly kind: 'release';
      readonly claim: string;
      readonly fence?: number;
      readonly standing?: VerificationStanding;
    }
  | {
      readonly kind: 'complete';
      readonly claim: string;
      readonly fence: number;
      readonly outcome: ReportedOutcome;
    }
  | { readonly kind: 'cancel' };

/** How a worker says that it ended. */
export type ReportedOutcome =
  | ({
      readonly kind: 'verified';
      readonly state: 'Good' | 'Damaged' | 'Unknown';
      readonly progress?: VerificationProgress;
    } & Pick<Verdict, 'sentence' | 'problems' | 'problemCount' | 'signature'>)
  | { readonly kind: 'failed'; readonly why: string; readonly standing?: VerificationStanding }
  | { readonly kind: 'stopped' };

/** What a command does: the document after it (absent: no change), and what the caller is answered. */
export interface VerificationDecision {
  /** `over`: there is nothing to cancel. */
  readonly answer: 'ok' | 'held' | 'lost' | 'over';
  readonly next?: Verification;
  /** Let the workers know, now that the document says so. */
  readonly announce?: true;
}

/** Durations in milliseconds; a part of service-kit's `Timing`. */
export interface VerificationLimits extends TaskLimits {
  /** How long it rests after it could not go on for the first time. */
  readonly handBackMs: number;
}

const RERUNS = 3;
/** The pauses between them, of which the first is 5 s, come to about two hours. */
const FAILURES = 14;
const MAX_RETRY_MS = 1_200_000;
const UNTAKEN_HOURS = 24;
const UNTAKEN_MS = UNTAKEN_HOURS * 3_600_000;

const OK: VerificationDecision = { answer: 'ok' };
const LOST: VerificationDecision = { answer: 'lost' };

/** The document of the first verification of a backup. */
export function newVerification(wish: VerificationWish, now: Date): Verification {
  return asked(wish, { run: wish.backup.verification?.run ?? 0, fence: 0, counts: null }, now);
}

/** What `command` does to `verification` at `now` (database time). A command recognises its own effect. */
export function decideVerification(
  verification: Verification,
  command: VerificationCommand,
  now: Date,
  limits: VerificationLimits,
): VerificationDecision {
  switch (command.kind) {
    case 'ask':
      return ask(verification, command.wish, now);
    case 'held':
      return held(verification, command.run, now);
    case 'notHeld':
      return notHeld(verification, command.run, now);
    case 'recorded':
      return recorded(verification, command.run);
    case 'ring':
      return ring(verification, now, limits);
    case 'reap':
      return reap(verification, now, limits);
    case 'claim':
      return claim(verification, command, now, limits);
    case 'renew':
      return renew(verification, command, now, limits);
    case 'release':
      return release(verification, command, now);
    case 'complete':
      return complete(verification, command, now, limits);
    case 'cancel':
      return cancel(verification, now);
  }
}

function asked(
  { backup, ...wish }: VerificationWish,
  { run, fence, counts, signed }: Pick<Verification, 'run' | 'fence' | 'counts' | 'signed'>,
  now: Date,
): Verification {
  return {
    ...wish,
    ...((signed || isOfSigned(counts) || wasSigned(backup)) && { signed: true as const }),
    _id: backup._id,
    clusterId: backup.clusterId,
    storageId: backup.storage.id,
    pool: backup.target.pool,
    run: run + 1,
    state: 'Queued',
    held: false,
    task: newTask(now),
    fence,
    slotKey: ownSlot(backup),
    losses: 0,
    failures: 0,
    worker: '',
    standing: null,
    progress: null,
    waitsFor: '',
    sentence: '',
    problems: [],
    problemCount: 0,
    counts,
    endedBy: null,
    waitsSince: now,
    createTime: now,
    updateTime: now,
    endTime: null,
    revision: 1,
  };
}

const ownSlot = ({ _id }: { readonly _id: string }) => `backup:${_id}`;

function ask(verification: Verification, wish: VerificationWish, now: Date): VerificationDecision {
  if (verification.task !== null) return OK; // that one is the answer
  const run = Math.max(verification.run, wish.backup.verification?.run ?? 0);
  return { answer: 'ok', next: asked(wish, { ...verification, run }, now) };
}

function held(verification: Verification, run: number, now: Date): VerificationDecision {
  if (verification.run !== run || verification.held || isEnded(verification)) return OK;
  const task = verification.task && { ...verification.task, ringAt: now, rings: 0 };
  return { answer: 'ok', next: { ...verification, held: true, task } };
}

function notHeld(verification: Verification, run: number, now: Date): VerificationDecision {
  if (verification.run !== run || verification.held || isEnded(verification)) return OK;
  const sentence = 'The backup could not be verified: it is being deleted, or gone.';
  return { answer: 'ok', next: ended(verification, 'Unknown', { sentence }, now) };
}

function recorded(verification: Verification, run: number): VerificationDecision {
  if (verification.run !== run || verification.task === null || !isEnded(verification)) return OK;
  return { answer: 'ok', next: { ...verification, task: null } };
}

/** Workers ask for what is queued by themselves: they are told once, so that they need not wait for their next report. */
function ring(verification: Verification, now: Date, limits: TaskLimits): VerificationDecision {
  const rung = ringTask(verification, now, limits);
  if (!rung) return OK;
  const isNew = verification.held && verification.state === 'Queued' && verification.task?.rings === 0;
  return { answer: 'ok', next: rung, ...(isNew && { announce: true as const }) };
}

function reap(verification: Verification, now: Date, limits: TaskLimits): VerificationDecision {
  const { state, pool, worker, waitsSince, losses } = verification;
  if (state === 'Queued' && plus(waitsSince, UNTAKEN_MS) < now) {
    const sentence = `The backup could not be verified: no worker of pool ${pool} took it within ${UNTAKEN_HOURS} hours.`;
    return { answer: 'ok', next: ended(verification, 'Unknown', { sentence }, now) };
  }
  const reaped = reapTask(verification, now, limits);
  if (!reaped || isEnded(verification)) return OK;
  if (state === 'Canceling') return { answer: 'ok', next: canceled(reaped, now) };
  if (losses < RERUNS) return { answer: 'ok', next: { ...queuedAgain(reaped, now), losses: losses + 1 } };
  const sentence = `The backup could not be verified: its worker was lost ${losses + 1} times, the last time ${worker}. Look into the logs of the workers.`;
  return { answer: 'ok', next: { ...ended(reaped, 'Unknown', { sentence }, now), losses: losses + 1 } };
}

function claim(
  verification: Verification,
  { claim: token, worker, pool, slotKey }: Extract<VerificationCommand, { kind: 'claim' }>,
  now: Date,
  limits: TaskLimits,
): VerificationDecision {
  const again = renewTask(verification, { claim: token }, now, limits);
  if (again) return { answer: 'held', next: again };
  const { state, held: isHeld } = verification;
  if (state !== 'Queued' || !isHeld || pool !== verification.pool || slotKey === undefined) return LOST;
  if (!isClaimable(verification, now)) return LOST;
  const granted = grantTask(verification, { claim: token, worker }, now, limits);
  return { answer: 'held', next: { ...granted, state: 'Running', worker, slotKey } };
}

function renew(
  verification: Verification,
  command: Extract<VerificationCommand, { kind: 'renew' }>,
  now: Date,
  limits: TaskLimits,
): VerificationDecision {
  const renewed = renewTask(verification, command, now, limits);
  if (!renewed) return LOST;
  const { progress } = command;
  return { answer: 'held', next: { ...advanced(renewed, command.standing), ...(progress && { progress }) } };
}

function release(
  verification: Verification,
  command: Extract<VerificationCommand, { kind: 'release' }>,
  now: Date,
): VerificationDecision {
  if (verification.endedBy === command.claim) return { answer: 'held' };
  const released = releaseTask(verification, command, now);
  if (!released) return LOST;
  const given = { ...advanced(released, command.standing), endedBy: command.claim };
  return { answer: 'held', next: given.state === 'Canceling' ? canceled(given, now) : queuedAgain(given, now) };
}

function complete(
  verification: Verification,
  { outcome, ...holder }: Extract<VerificationCommand, { kind: 'complete' }>,
  now: Date,
  { handBackMs }: VerificationLimits,
): VerificationDecision {
  if (verification.endedBy === holder.claim) return { answer: 'held' };
  if (!isHeldBy(verification, holder)) return LOST;
  const over: Verification = { ...verification, endedBy: holder.claim };
  if (outcome.kind === 'verified') return { answer: 'held', next: verified(over, outcome, now) };
  if (over.state === 'Canceling') return { answer: 'held', next: canceled(over, now) };
  if (outcome.kind === 'stopped') return { answer: 'held', next: queuedAgain(over, now) };
  const failed = advanced(over, outcome.standing);
  const failures = failed.failures + 1;
  if (failures >= FAILURES) {
    const sentence = `The backup could not be verified: ${outcome.why}`;
    return { answer: 'held', next: { ...ended(failed, 'Unknown', { sentence }, now), failures } };
  }
  const pauseMs = Math.min(MAX_RETRY_MS, handBackMs * 2 ** (failures - 1));
  return { answer: 'held', next: { ...queuedAgain(failed, now, pauseMs), failures, waitsFor: outcome.why } };
}

function verified(
  verification: Verification,
  { state, progress, sentence, problems, problemCount, signature }: Extract<ReportedOutcome, { kind: 'verified' }>,
  now: Date,
): Verification {
  const signed = signature && { signature };
  const found = { sentence, problems, problemCount, ...(progress && { progress }), ...signed };
  const over = ended(verification, state, found, now);
  const { level, sample, counts } = verification;
  const verdict: Verdict = { state, level, sample, sentence, problems, problemCount, at: now, ...signed };
  if (state !== 'Unknown') return { ...over, counts: counting(counts, verdict) };
  // Files that could not be read say nothing, and of a backup of which nobody knows that it was signed neither does its manifest.
  const isUnsigned = problems.some(({ kind }) => kind === 'unsigned' || kind === 'unknownKey');
  if (!isUnsigned || !(verification.signed || isOfSigned(counts))) return over;
  return { ...over, counts: counting(counts, { ...verdict, sentence: `${WAS_SIGNED} ${sentence}` }) };
}

const WAS_SIGNED = 'The backup was signed, and is not now.';

function cancel(verification: Verification, now: Date): VerificationDecision {
  switch (verification.state) {
    case 'Queued':
      return { answer: 'ok', next: canceled(verification, now) };
    case 'Running':
      return { answer: 'ok', next: { ...verification, state: 'Canceling' }, announce: true };
    case 'Canceling':
      return { answer: 'ok', announce: true };
    case 'Canceled':
      return OK;
    default:
      return { answer: 'over' };
  }
}

/** With what its worker reports, where that is further than what is known; then it is not stuck (Y4, Y5). */
function advanced<V extends Verification>(verification: V, standing: VerificationStanding | undefined): V {
  if (!standing || standing.next <= (verification.standing?.next ?? 0)) return verification;
  return { ...verification, standing, losses: 0, failures: 0, waitsFor: '' };
}

function queuedAgain(verification: Verification, now: Date, pauseMs = 0): Verification {
  const task = { ...requeued(verification.task ?? newTask(now), now, pauseMs), rings: 0 };
  return { ...verification, state: 'Queued', slotKey: ownSlot(verification), waitsSince: plus(now, pauseMs), task };
}

const canceled = (verification: Verification, now: Date) =>
  ended(verification, 'Canceled', { sentence: 'The verification was canceled.' }, now);

/** What is left is to bring it to the record. */
function ended(verification: Verification, state: EndedState, found: Partial<Verification>, now: Date): Verification {
  const { standing } = verification;
  return {
    ...verification,
    problems: (standing?.problems ?? []).map(({ kind, name, why }) => ({ kind, name, why })),
    problemCount: standing?.problemCount ?? 0,
    ...found,
    state,
    waitsFor: '',
    slotKey: ownSlot(verification),
    standing: null,
    task: newTask(now),
    endTime: now,
  };
}
