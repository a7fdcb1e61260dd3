import {
  type Backup,
  type BackupVerification,
  isOfSigned,
  type VerificationOutcome,
  verificationHold,
  wasSigned,
} from '../backup.ts';
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
  const signed = wasSigned(backup) || last.signature?.state === 'good' || counts?.signature?.state === 'good';
  const verification: BackupVerification = {
    ...{ run, active: false, last },
    ...(verdict && { counts: verdict }),
    ...(signed && { signed }),
  };
  const holds = backup.holds.filter((id) => id !== verificationHold(run));
  return { answer: { kind: 'ok' }, next: { ...backup, verification, holds } };
}

/** Takes over that a restore found the backup damaged, or not signed any more, unless a verdict that came later counts already. */
export function foundUnsound(backup: Backup, { found }: Extract<Command, { kind: 'foundUnsound' }>): Decision {
  const known = backup.verification;
  if (latest(found, known?.counts) === known?.counts) return OK;
  // Of a backup that was never verified it is all that there is to show.
  const verification: BackupVerification = {
    ...{ run: 0, active: false, last: found },
    ...known,
    counts: found,
    ...((wasSigned(backup) || isOfSigned(found)) && { signed: true }),
  };
  return { answer: { kind: 'ok' }, next: { ...backup, verification } };
}

/** The verdict that came last; of two of one moment the second. Damage is not outweighed by a signature that is not there. */
function latest(
  one: VerificationOutcome | undefined,
  other: VerificationOutcome | undefined,
): VerificationOutcome | undefined {
  if (!one || !other) return one ?? other;
  const [before, last] = other.at < one.at ? [other, one] : [one, other];
  return last.state === 'Unknown' && before.state === 'Damaged' ? before : last;
}
