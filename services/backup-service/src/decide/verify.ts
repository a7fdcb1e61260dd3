import { type Backup, type BackupVerification, verificationHold } from '../backup.ts';
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

/** Takes over how a verification ended, and gives its hold back. */
export function verified(backup: Backup, { run, last, counts }: Extract<Command, { kind: 'verified' }>): Decision {
  const known = backup.verification;
  if (known && (known.run > run || (known.run === run && !known.active))) return OK;
  const verification: BackupVerification = { run, active: false, last, ...(counts && { counts }) };
  const holds = backup.holds.filter((id) => id !== verificationHold(run));
  return { answer: { kind: 'ok' }, next: { ...backup, verification, holds } };
}
