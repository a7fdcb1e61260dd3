/** The verification of a backup as REST shows it. Pure. */
import {
  type Verification,
  VerificationState,
  type VerificationVerdict,
} from '@tidemark/protocol/connect/tidemark/backup/v1/backup';
import { timeOf } from './legacy-states.ts';
import type { VerificationView } from './operations/backups.ts';
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
      earlier: { state: earlier.state === VerificationState.DAMAGED ? 'Damaged' : 'Good', ...toVerdict(earlier) },
    }),
  };
}

function toVerdict({ level, sample, verdict, problems, problemCount, verifiedAt }: Verification | VerificationVerdict) {
  return {
    level: levelOf(level),
    sample,
    verdict,
    problems: problems.map(({ kind, name, why }) => ({ kind, name, why })),
    problemCount: Number(problemCount),
    verifiedAt: timeOf(verifiedAt),
  };
}
