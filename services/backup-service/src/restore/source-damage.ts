import { MAX_WORKER_SENTENCE } from '@tidemark/limits/limits';
import type { VerificationOutcome } from '../backup.ts';
import type { BackupStore } from '../backup-store.ts';
import { sourceFoundUnsound } from './events.ts';
import type { Restore } from './restore.ts';

/**
 * Has the record of the backup say that it is damaged, or not signed any more, where the end of an attempt shows that. It goes by what is stored of the
 * attempt, so that a worker that repeats its report for want of an answer repeats this too, and nothing else is changed by it.
 *
 * @throws AppError `unavailable` when the database cannot be asked
 */
export async function recordSourceDamage(
  restore: Restore,
  claim: string,
  store: Pick<BackupStore, 'apply'>,
  signal: AbortSignal,
): Promise<void> {
  const { end } = restore.attempts.find((attempt) => attempt.claim === claim) ?? {};
  if (!end?.sourceDamaged && !end?.sourceNotSigned) return;
  const found = end.sourceDamaged ? 'damaged' : 'without its signature';
  const sentence = `A restore found it ${found}. ${end.reason?.message ?? ''}`;
  const verdict: VerificationOutcome = {
    state: end.sourceDamaged ? 'Damaged' : 'Unknown',
    level: 'meta',
    sample: 1,
    sentence: sentence.trim().slice(0, MAX_WORKER_SENTENCE),
    problemCount: 1,
    at: end.at,
  };
  const applied = await store.apply(restore.source.backupId, { kind: 'foundUnsound', found: verdict }, signal);
  if (applied?.decision.next) sourceFoundUnsound(restore, verdict);
}
