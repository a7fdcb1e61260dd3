/**
 * The life of a backup, as one pure function: the table of architecture 3, a row a file.
 *
 * T1.  A backup has a task exactly as long as work remains; a finished state never changes.
 * T3.  Only an unowned task whose time has come is granted, each time under a higher fence.
 * T4.  Every write of a worker names claim and fence; no match is LOST.
 * T5.  A repeat of a completion or release is answered as the first time.
 * T6.  `activeKey` and `slotKey` are the cluster's and the storage's exactly while they are occupied.
 * T10. A path once in `leftovers` is never written again.
 * T11. A leftover is granted for removal only after its `after`.
 * T12. The earlier write decides: a recorded cancel ends as Canceled, a recorded end refuses the cancel.
 * T14. A backup task ends: failures, losses and time are bounded.
 */
import type { Backup } from '../backup.ts';
import { expire, undelete } from './bin.ts';
import { cancel } from './cancel.ts';
import { claim } from './claim.ts';
import type { Command, Decision, Limits } from './command.ts';
import { completeBackup } from './complete-backup.ts';
import { completeRemoval } from './complete-removal.ts';
import { deleteBackup } from './delete.ts';
import { forget, remember } from './forget.ts';
import { hold, pin, unhold, unpin } from './hold.ts';
import { release, stray } from './release.ts';
import { renew } from './renew.ts';
import { nudge, reap, retry, ring } from './ring-and-reap.ts';
import { foundUnsound, verified, verify } from './verify.ts';

/**
 * What `command` does to `backup` at `now` (database time). Deciding twice on the same document gives the same
 * decision, and a command recognises its own effect, so a write whose outcome is unknown is simply decided again.
 */
export function decide(backup: Backup, command: Command, now: Date, limits: Limits): Decision {
  switch (command.kind) {
    case 'ring':
      return ring(backup, now, limits);
    case 'nudge':
      return nudge(backup, now);
    case 'retry':
      return retry(backup, now);
    case 'reap':
      return reap(backup, now, limits);
    case 'claim':
      return claim(backup, command, now, limits);
    case 'renew':
      return renew(backup, command, now, limits);
    case 'complete':
      return isRemoval(backup, command.claim)
        ? completeRemoval(backup, command, now, limits)
        : completeBackup(backup, command, now, limits);
    case 'release':
      return release(backup, command, now, limits);
    case 'stray':
      return stray(backup, command, now, limits);
    case 'cancel':
      return cancel(backup, command, now, limits);
    case 'delete':
      return deleteBackup(backup, command, now, limits);
    case 'expire':
      return expire(backup, command, now, limits);
    case 'undelete':
      return undelete(backup, command);
    case 'forget':
      return forget(backup, command, now);
    case 'remember':
      return remember(backup, command, now, limits);
    case 'hold':
      return hold(backup, command.id);
    case 'unhold':
      return unhold(backup, command.id);
    case 'pin':
      return pin(backup, command.id);
    case 'unpin':
      return unpin(backup);
    case 'verify':
      return verify(backup, command);
    case 'verified':
      return verified(backup, command);
    case 'foundUnsound':
      return foundUnsound(backup, command);
  }
}

/** Attempts belong to the backup task, so a claim without one is, if anything, the removal's. */
function isRemoval({ task, attempts }: Backup, token: string): boolean {
  return task?.kind === 'remove' && !attempts.some((attempt) => attempt.claim === token);
}
