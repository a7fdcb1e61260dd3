/** The verification of a backup as REST shows it. Pure. */
import {
  type ManifestSignature,
  SignatureState,
  type Verification,
  VerificationState,
  type VerificationVerdict,
} from '@tidemark/protocol/connect/tidemark/backup/v1/backup';
import { timeOf } from './legacy-states.ts';
import type { SignatureView, VerificationView } from './operations/backup-record.ts';
import { levelOf } from './verification-level.ts';

const STATES: Readonly<Record<number, VerificationView['state']>> = {
  [VerificationState.QUEUED]: 'Queued',
  [VerificationState.RUNNING]: 'Running',
  [VerificationState.CANCELING]: 'Canceling',
  [VerificationState.GOOD]: 'Good',
  [VerificationState.DAMAGED]: 'Damaged',
  [VerificationState.UNKNOWN]: 'Unknown',
  [VerificationState.CANCELED]: 'Canceled',
};

const VERDICTS: Readonly<Record<number, NonNullable<VerificationView['earlier']>['state']>> = {
  [VerificationState.GOOD]: 'Good',
  [VerificationState.DAMAGED]: 'Damaged',
};

export function toVerificationView(verification: Verification): VerificationView {
  const { progress, earlier, waitsFor, createdBy, worker } = verification;
  return {
    state: STATES[verification.state] ?? 'Unknown',
    ...toVerdict(verification),
    rateLimit: verification.rateLimit,
    damaged: verification.damaged,
    ...(progress && {
      progress: {
        bytesRead: Number(progress.bytesRead),
        bytesInAll: Number(progress.bytesInAll),
        files: Number(progress.files),
      },
    }),
    ...(waitsFor && { waitsFor }),
    requestTime: timeOf(verification.requestTime),
    ...(createdBy && { createdBy }),
    ...(worker && { worker }),
    ...(earlier && {
      earlier: { state: VERDICTS[earlier.state] ?? 'Unknown', ...toVerdict(earlier) },
    }),
  };
}

const SIGNATURES: Readonly<Record<number, SignatureView['state']>> = {
  [SignatureState.GOOD]: 'good',
  [SignatureState.NONE]: 'none',
  [SignatureState.UNKNOWN_KEY]: 'unknownKey',
  [SignatureState.WRONG]: 'wrong',
};

/** Nothing where nobody looked. */
function toSignature(signature: ManifestSignature | undefined): { signature?: SignatureView } {
  const state = signature && SIGNATURES[signature.state];
  return state ? { signature: { state, ...(signature.keyId && { keyId: signature.keyId }) } } : {};
}

function toVerdict(found: Verification | VerificationVerdict) {
  const { level, sample, verdict, problems, problemCount, verifiedAt } = found;
  return {
    level: levelOf(level),
    sample,
    verdict,
    problems: problems.map(({ kind, name, why }) => ({ kind, name, why })),
    problemCount: Number(problemCount),
    verifiedAt: timeOf(verifiedAt),
    ...toSignature(found.signature),
  };
}
