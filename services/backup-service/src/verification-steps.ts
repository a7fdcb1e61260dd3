/** What is done about a verification beside the work of a worker, a step at a time (Y2 of `verification.ts`). */
import type { BackupStore } from './backup-store.ts';
import type { CommandPublisher } from './command-publisher.ts';
import { isEnded, toRecord, type Verification } from './verification.ts';
import type { VerificationStore } from './verification-store.ts';

export interface VerificationStepsDependencies {
  readonly verifications: Pick<VerificationStore, 'apply'>;
  readonly store: Pick<BackupStore, 'apply'>;
  readonly publisher: Pick<CommandPublisher, 'announceVerification'>;
}

/**
 * Does what is due about the verification of a backup: has the backup held, the workers told, or the outcome taken down.
 *
 * @throws AppError `unavailable` when the database cannot be asked; what is left is then due a ring later
 */
export async function attendVerification(
  backupId: string,
  dependencies: VerificationStepsDependencies,
  signal: AbortSignal,
): Promise<void> {
  const { verifications, publisher } = dependencies;
  // The next look is written down first, so that a crash from here on only delays.
  const rung = await verifications.apply(backupId, { kind: 'ring' }, signal);
  if (!rung?.decision.next) return;
  const { decision, verification } = rung;
  if (decision.announce) await publisher.announceVerification(verification);
  if (isEnded(verification)) await recordVerification(verification, dependencies, signal);
  else if (!verification.held) {
    await hold(verification, dependencies, signal);
    await attendVerification(backupId, dependencies, signal);
  }
}

async function hold(
  { _id, run }: Verification,
  { verifications, store }: VerificationStepsDependencies,
  signal: AbortSignal,
): Promise<void> {
  const applied = await store.apply(_id, { kind: 'verify', run }, signal);
  const known = applied?.backup.verification;
  const isHeld = known?.run === run && known.active;
  await verifications.apply(_id, { kind: isHeld ? 'held' : 'notHeld', run }, signal);
}

/** Has the record take over how a verification ended, which gives its hold back, and ends its task. */
export async function recordVerification(
  verification: Verification,
  { verifications, store }: Pick<VerificationStepsDependencies, 'verifications' | 'store'>,
  signal: AbortSignal,
): Promise<void> {
  const { _id, run } = verification;
  await store.apply(_id, { kind: 'verified', ...toRecord(verification) }, signal);
  await verifications.apply(_id, { kind: 'recorded', run }, signal);
}
