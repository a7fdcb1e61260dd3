/** The ways in which a granted backup can end, as backup-service is told of them. */
import type { Reason } from '@tidemark/protocol/grpc/tidemark/backup/v1/backup';
import {
  type BackupGrant,
  FailureClass,
  type HandBack,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/executor_service';
import type { Outcome } from './completion.ts';

/** How a granted backup ended: an outcome to complete with, or the task goes back, or it was lost. */
export type End =
  | { readonly kind: 'complete'; readonly outcome: Outcome; readonly why: string }
  | { readonly kind: 'release' };

/** How soon a storage that cannot be reached is looked at again; that is not counted as a failure. */
const STORAGE_AWAY_SECONDS = 60;

/** Whether the end is a failure of the attempt. */
export const isFailure = (end: End) => end.kind === 'complete' && end.outcome?.$case === 'failed';

const CLASSES = {
  permanent: FailureClass.FAILURE_CLASS_PERMANENT,
  retry: FailureClass.FAILURE_CLASS_RETRY,
  newPath: FailureClass.FAILURE_CLASS_NEW_PATH,
} as const;

/**
 * The attempt failed.
 *
 * @param delaySeconds until it is tried again; five minutes when left out
 */
export function failed(kind: keyof typeof CLASSES, { code, message, detail }: Reason, delaySeconds?: number): End {
  const reason: Reason = { code, message, detail };
  const value = { class: CLASSES[kind], reason, delaySeconds };
  return { kind: 'complete', outcome: { $case: 'failed', value }, why: `${kind}: ${code}` };
}

/** The path is looked at again after so many seconds, which counts as no failure. */
export function wait(seconds: number, { code, message, detail }: Reason): End {
  const reason: Reason = { code, message, detail };
  return {
    kind: 'complete',
    outcome: { $case: 'wait', value: { seconds, reason, handBack: undefined } },
    why: `wait: ${code}`,
  };
}

/** A storage that cannot be reached is looked at again. */
export const waitForStorage = (message: string) =>
  wait(STORAGE_AWAY_SECONDS, { code: 'STORAGE_AWAY', message, detail: '' });

/** Whether backup-service gives to others what this worker cannot do; an older one does not. */
export const takesHandBacks = ({ storageDigest }: BackupGrant) => storageDigest !== '';

/** What is wrong with this worker is no failure of the backup: another one may do it. */
export function handBack(
  { code, message, detail }: Reason,
  { notStarted = false, ...handed }: Omit<HandBack, 'notStarted'> & { notStarted?: boolean },
): End {
  const value = {
    seconds: STORAGE_AWAY_SECONDS,
    reason: { code, message, detail },
    handBack: { ...handed, notStarted },
  };
  return { kind: 'complete', outcome: { $case: 'wait', value }, why: `handed back: ${code}` };
}

/** The backup was canceled. */
export function stopped(): End {
  return { kind: 'complete', outcome: { $case: 'stopped', value: {} }, why: 'stopped' };
}
