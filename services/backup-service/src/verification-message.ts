import { MAX_PROBLEM_TEXT, MAX_VERIFY_PROBLEMS, MAX_WORKER_SENTENCE } from '@tidemark/limits/limits';
import {
  VerificationLevel as LevelMessage,
  type VerificationProblem as ProblemMessage,
  type VerificationProgress as ProgressMessage,
  SignatureState as SignatureMessage,
  type ManifestSignature as SignatureOf,
  VerificationState as StateMessage,
  type VerificationVerdict as VerdictMessage,
  Verification as VerificationMessage,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/backup';
import type {
  CompleteVerificationRequest,
  VerificationStanding as StandingMessage,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/executor_service';
import {
  type Backup,
  type BackupVerification,
  isDamaged,
  type ManifestSignature,
  type VerificationOutcome,
} from './backup.ts';
import {
  isEnded,
  type Verification,
  type VerificationLevel,
  type VerificationProblem,
  type VerificationProgress,
  type VerificationStanding,
  type VerificationState,
} from './verification.ts';
import type { ReportedOutcome } from './verification-transitions.ts';

const STATES = {
  Queued: StateMessage.VERIFICATION_STATE_QUEUED,
  Running: StateMessage.VERIFICATION_STATE_RUNNING,
  Canceling: StateMessage.VERIFICATION_STATE_CANCELING,
  Good: StateMessage.VERIFICATION_STATE_GOOD,
  Damaged: StateMessage.VERIFICATION_STATE_DAMAGED,
  Unknown: StateMessage.VERIFICATION_STATE_UNKNOWN,
  Canceled: StateMessage.VERIFICATION_STATE_CANCELED,
} as const satisfies Record<VerificationState, StateMessage>;

const LEVELS = {
  meta: LevelMessage.VERIFICATION_LEVEL_META,
  bytes: LevelMessage.VERIFICATION_LEVEL_BYTES,
} as const satisfies Record<VerificationLevel, LevelMessage>;

/** What can be wrong with a file; a worker of a later version may know more. */
const KINDS = [
  ...['missing', 'size', 'content', 'swapped', 'key', 'unreadable'],
  ...['tampered', 'unsigned', 'unknownKey', 'signature'],
];
const SIGNATURES = {
  good: SignatureMessage.SIGNATURE_STATE_GOOD,
  none: SignatureMessage.SIGNATURE_STATE_NONE,
  unknownKey: SignatureMessage.SIGNATURE_STATE_UNKNOWN_KEY,
  wrong: SignatureMessage.SIGNATURE_STATE_WRONG,
} as const satisfies Record<ManifestSignature['state'], SignatureMessage>;
const SHA256 = /^[0-9a-f]{64}$/;

export const toVerificationState = (state: VerificationState): StateMessage => STATES[state];
export const toLevelMessage = (level: VerificationLevel): LevelMessage => LEVELS[level];

/** The level that a message names; undefined where it names none that is known. */
export function fromLevelMessage(message: LevelMessage): VerificationLevel | undefined {
  if (message === LevelMessage.VERIFICATION_LEVEL_META) return 'meta';
  const isBytes =
    message === LevelMessage.VERIFICATION_LEVEL_BYTES || message === LevelMessage.VERIFICATION_LEVEL_UNSPECIFIED;
  return isBytes ? 'bytes' : undefined;
}

/**
 * The newest verification of a backup as people see it; undefined where none was asked for.
 *
 * @param newest as its own document has it; where that was not looked up, what the record knows is shown
 */
export function toVerificationMessage(backup: Backup, newest?: Verification): VerificationMessage | undefined {
  const known = backup.verification;
  if (newest && newest.run >= (known?.run ?? 0)) return toNewest(asRecorded(newest, known), known?.counts);
  if (!known) return undefined;
  return known.active || !known.last ? ofActive(known) : ofLast(known.last, known.counts, isDamaged(backup));
}

/** The same for a list: the single record names what is wrong. */
export function toListedVerification(message: VerificationMessage): VerificationMessage {
  const { earlier } = message;
  return { ...message, problems: [], earlier: earlier && { ...earlier, problems: [] } };
}

/** It is under way until the record has taken its outcome over, and given the hold back. */
function asRecorded(newest: Verification, known: BackupVerification | undefined): Verification {
  const isTaken = known !== undefined && known.run >= newest.run && !known.active;
  if (isTaken || !isEnded(newest)) return newest;
  const state = newest.state === 'Canceled' ? 'Canceling' : 'Running';
  return { ...newest, state, endTime: null, sentence: '', standing: null };
}

/** @param recorded the verdict that counts by the record, which a restore may have found since */
function toNewest(newest: Verification, recorded: VerificationOutcome | undefined): VerificationMessage {
  const { state, counts, endTime, progress, standing } = newest;
  const isSince = recorded && (!counts || counts.at < recorded.at || isOutweighed(counts, recorded));
  const since = isSince ? recorded : undefined;
  const isCounting = counts !== null && !since && state === counts.state && +counts.at === +(endTime ?? 0);
  const earlier = since ? toVerdict(since) : counts && withProblems(counts);
  const isActive = endTime === null;
  return VerificationMessage.create({
    state: STATES[state],
    level: LEVELS[newest.level],
    sample: newest.sample,
    rateLimit: newest.rateLimit,
    verdict: newest.sentence,
    problems: (isActive ? (standing?.problems ?? []) : newest.problems).map(toProblemMessage),
    problemCount: BigInt(isActive ? (standing?.problemCount ?? 0) : newest.problemCount),
    requestTime: newest.createTime,
    verifiedAt: endTime ?? undefined,
    progress: progress ? toProgressMessage(progress) : undefined,
    createdBy: newest.createdBy,
    worker: newest.worker,
    waitsFor: newest.waitsFor,
    earlier: earlier && !isCounting ? earlier : undefined,
    damaged: (since ?? counts)?.state === 'Damaged',
    signature: toSignatureMessage(newest.signature),
  });
}

/** Damage that a restore found stays, also where a signature was missed later. */
const isOutweighed = (counts: Pick<VerificationOutcome, 'state'>, recorded: VerificationOutcome) =>
  counts.state === 'Unknown' && recorded.state === 'Damaged';

const withProblems = (counts: NonNullable<Verification['counts']>): VerdictMessage => ({
  ...toVerdict(counts),
  problems: counts.problems.map(toProblemMessage),
});

function ofActive({ counts }: BackupVerification): VerificationMessage {
  return VerificationMessage.create({
    state: StateMessage.VERIFICATION_STATE_QUEUED,
    earlier: counts && toVerdict(counts),
    damaged: counts?.state === 'Damaged',
  });
}

function ofLast(last: VerificationOutcome, counts: VerificationOutcome | undefined, damaged: boolean) {
  const { state, level, sample, sentence, problemCount, at, signature } = last;
  return VerificationMessage.create({
    state: STATES[state],
    level: LEVELS[level],
    sample,
    verdict: sentence,
    problemCount: BigInt(problemCount),
    verifiedAt: at,
    earlier: counts && +counts.at !== +at ? toVerdict(counts) : undefined,
    damaged,
    signature: toSignatureMessage(signature),
  });
}

function toVerdict(verdict: VerificationOutcome): VerdictMessage {
  const { state, level, sample, sentence, problemCount, at, signature } = verdict;
  return {
    state: STATES[state],
    level: LEVELS[level],
    sample,
    verdict: sentence,
    problems: [],
    problemCount: BigInt(problemCount),
    verifiedAt: at,
    signature: toSignatureMessage(signature),
  };
}

const toSignatureMessage = (signature: ManifestSignature | undefined) =>
  signature && { state: SIGNATURES[signature.state], keyId: signature.keyId ?? '' };

/** Undefined where nobody looked. */
function fromSignatureMessage(message: SignatureOf | undefined): ManifestSignature | undefined {
  const states = Object.keys(SIGNATURES) as ManifestSignature['state'][];
  const state = states.find((one) => SIGNATURES[one] === message?.state);
  return state && { state, ...(SHA256.test(message?.keyId ?? '') && { keyId: message?.keyId }) };
}

const toProblemMessage = ({ kind, name, why }: VerificationProblem): ProblemMessage => ({ kind, name, why });

function toProgressMessage({ bytesRead, bytesInAll, files }: VerificationProgress): ProgressMessage {
  return { bytesRead: BigInt(bytesRead), bytesInAll: BigInt(bytesInAll), files: BigInt(files) };
}

export function fromProgressMessage({ bytesRead, bytesInAll, files }: ProgressMessage): VerificationProgress {
  return { bytesRead: Number(bytesRead), bytesInAll: Number(bytesInAll), files: Number(files) };
}

/** What a worker goes on from. */
export function toStandingMessage({
  next,
  files,
  bytes,
  problems,
  problemCount,
}: VerificationStanding): StandingMessage {
  return {
    next: BigInt(next),
    files: BigInt(files),
    bytes: BigInt(bytes),
    problems: problems.map((problem) => ({ problem: toProblemMessage(problem), found: problem.found ?? '' })),
    problemCount: BigInt(problemCount),
  };
}

/** What a worker reports, cut to what a document can hold. */
export function fromStandingMessage(message: StandingMessage): VerificationStanding {
  return {
    next: Number(message.next),
    files: Number(message.files),
    bytes: Number(message.bytes),
    problems: message.problems.slice(0, MAX_VERIFY_PROBLEMS).flatMap(({ problem, found }) => {
      if (!problem) return [];
      return [{ ...fromProblemMessage(problem), ...(SHA256.test(found) && { found }) }];
    }),
    problemCount: Number(message.problemCount),
  };
}

function fromProblemMessage({ kind, name, why }: ProblemMessage): VerificationProblem {
  return {
    kind: KINDS.includes(kind) ? kind : 'unreadable',
    name: name.slice(0, MAX_PROBLEM_TEXT).toWellFormed(),
    why: why.slice(0, MAX_PROBLEM_TEXT).toWellFormed(),
  };
}

/** How a worker says that a verification ended; undefined for a worker that says nothing that is known. */
export function fromOutcomeMessage(outcome: CompleteVerificationRequest['outcome']): ReportedOutcome | undefined {
  switch (outcome?.$case) {
    case 'verified': {
      const { verdict, problems, problemCount, progress } = outcome.value;
      const signature = fromSignatureMessage(outcome.value.signature);
      const state = (['Good', 'Damaged', 'Unknown'] as const).find((one) => STATES[one] === outcome.value.state);
      return (
        state && {
          kind: 'verified',
          state,
          sentence: verdict.slice(0, MAX_WORKER_SENTENCE).toWellFormed(),
          problems: problems.slice(0, MAX_VERIFY_PROBLEMS).map(fromProblemMessage),
          problemCount: Number(problemCount),
          ...(progress && { progress: fromProgressMessage(progress) }),
          ...(signature && { signature }),
        }
      );
    }
    case 'notVerified': {
      const { reason, standing } = outcome.value;
      const why = (reason?.message ?? 'The worker gave no reason.').slice(0, MAX_WORKER_SENTENCE).toWellFormed();
      return { kind: 'failed', why, ...(standing && { standing: fromStandingMessage(standing) }) };
    }
    case 'stopped':
      return { kind: 'stopped' };
    default:
      return undefined;
  }
}
