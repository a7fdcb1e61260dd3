/**
 * Who reads a backup whose record is made anew (X2 of `decide/rebuild.ts`).
 *
 * A restore or a verification that ends between the look at it and the insert finds no record to give its hold back to. So it is
 * looked at again once the record is there, and each time that a rebuild comes by a record that was made anew: a copy may have died
 * between the two.
 */
import { type Backup, restoreHold } from './backup.ts';
import type { BackupStore } from './backup-store.ts';
import type { Readers } from './decide/rebuild.ts';
import { isOver } from './restore/restore.ts';
import type { RestoreStore } from './restore/restore-store.ts';
import { isEnded, toRecord } from './verification.ts';
import type { VerificationStore } from './verification-store.ts';

export interface ReaderStores {
  readonly store: Pick<BackupStore, 'apply'>;
  readonly restores: Pick<RestoreStore, 'ofSource'>;
  readonly verifications: Pick<VerificationStore, 'get'>;
}

/** What is on record of those who read the backup. @throws AppError `unavailable` */
export async function findReaders(
  backupId: string,
  { restores, verifications }: Pick<ReaderStores, 'restores' | 'verifications'>,
  signal: AbortSignal,
): Promise<Readers> {
  const [found, verification] = await Promise.all([
    restores.ofSource(backupId, signal),
    verifications.get(backupId, signal),
  ]);
  return { restores: found, verification };
}

/** Gives back what is held for those who have ended meanwhile. @throws AppError `unavailable` */
export async function releaseEnded(backup: Backup, stores: ReaderStores, signal: AbortSignal): Promise<void> {
  const { restores, verification } = await findReaders(backup._id, stores, signal);
  for (const restore of restores) {
    const id = restoreHold(restore._id);
    if (isOver(restore) && backup.holds.includes(id))
      await stores.store.apply(backup._id, { kind: 'unhold', id }, signal);
  }
  if (verification && isEnded(verification) && backup.verification?.active)
    await stores.store.apply(backup._id, { kind: 'verified', ...toRecord(verification) }, signal);
}
