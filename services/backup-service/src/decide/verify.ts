import { type Backup, type BackupVerification, type VerificationOutcome, verificationHold } from '../backup.ts';
import type { Command, Decision } from './command.ts';
import { OK } from './command.ts';
import { keep } from './hold.ts';

/** Holds a good backup, also in the bin, for a verification that begins; for one that is known already nothing is done (Y3). */
export function verify(backup: Backup, { run }: Extract<Command, { kind: 'verify' }>): Decision {
  const { verification } = backup;
  if (verification && verification.run >= run) return OK;
  const { answer, next } = keep(backup, verificationHold(run));
  if (!next) return { answer };
  return { answer, next: { ...next, verification: { ...verification, run, active: true } } };
}

/** Takes over how a verification ended, and gives its hold back; a later verdict of a restore stays the one that counts. */
export function verified(backup: Backup, { run, last, counts }: Extract<Command, { kind: 'verified' }>): Decision {
  const known = backup.verification;
  if (known && (known.run > run || (known.run === run && !known.active))) return OK;
  const verdict = latest(known?.counts, counts);
  const verification: BackupVerification = { run, active: false, last, ...(verdict && { counts: verdict }) };
  const holds = backup.holds.filter((id) => id !== verificationHold(run));
  return { answer: { kind: 'ok' }, next: { ...backup, verification, holds } };
}

/** Takes over that a restore found the backup damaged, unless a verdict that came later counts already. */
export function foundDamaged(backup: Backup, { found }: Extract<Command, { kind: 'foundDamaged' }>): Decision {
  const known = backup.verification;
  if (latest(found, known?.counts) === known?.counts) return OK;
  // Of a backup that was never verified it is all that there is to show.
  const verification: BackupVerification = { run: 0, active: false, last: found, ...known, counts: found };
  return { answer: { kind: 'ok' }, next: { ...backup, verification } };
}

/** The verdict that came last; of two of one moment the second. */
function latest(
  one: VerificationOutcome | undefined,
  other: VerificationOutcome | undefined,
): VerificationOutcome | undefined {
  return one && (!other || other.at < one.at) ? one : other;
}
