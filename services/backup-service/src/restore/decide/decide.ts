/**
 * The life of a restore, as one pure function: the table of restores 4, on the tasks that backups have too.
 *
 * R1.  A target is occupied while its restore is active, and while it is Partial. Nothing frees it but a proven success, the proof that
 *      `br` never touched it, or a person.
 * R2.  The restore is inserted, then its source held, then `held` written; nobody claims it before. One that is over owes the hold.
 * R4.  Partial is written before `br` is started, and taken back only by an end that proves it.
 * R5.  Every attempt runs the same command, with the version of `br` that touched the target first.
 * R6.  After `br` may have touched the target the next attempt rests, and longer after a loss; so does its release.
 * R7.  Never two `br` on one target.
 * R8.  Success is exit 0 and the summary.
 * R9.  Where it may have finished unseen, that is said.
 * R10. An end that becomes known late is never thrown away.
 * R11. Wrong data are never resumed, and a success after an end that nobody knows says that its checksums are unproven.
 * R12. A person's command that is repeated does nothing.
 * R13. A target with a checkpoint left in it takes no other restore.
 * R14. A restore has a task exactly as long as work remains.
 * R15. No log is written into the target's storage while it has the target: it takes that from the target's log backup, which may not run.
 */
import type { Restore } from '../restore.ts';
import { claim } from './claim.ts';
import type { RestoreCommand, RestoreDecision, RestoreLimits } from './command.ts';
import { complete } from './complete.ts';
import { held, sourceGone, sourceTruncating, targetLogs, targetTaken, targetUnclean, unheld } from './hold.ts';
import { lateEnd } from './late-end.ts';
import { cancel, cleaned, releaseTarget, resume } from './people.ts';
import { release } from './release.ts';
import { renew } from './renew.ts';
import { reap, ring } from './ring-and-reap.ts';

/**
 * What `command` does to `restore` at `now` (database time). Deciding twice on the same document gives the same decision, and a
 * command recognises its own effect, so a write whose outcome is unknown is simply decided again.
 */
export function decideRestore(
  restore: Restore,
  command: RestoreCommand,
  now: Date,
  limits: RestoreLimits,
): RestoreDecision {
  switch (command.kind) {
    case 'ring':
      return ring(restore, now, limits);
    case 'reap':
      return reap(restore, now, limits);
    case 'held':
      return held(restore, now);
    case 'sourceGone':
      return sourceGone(restore, command.what, now);
    case 'targetUnclean':
      return targetUnclean(restore, command.restoreId, now);
    case 'targetTaken':
      return targetTaken(restore, command.message, now);
    case 'targetLogs':
      return targetLogs(restore, command.message);
    case 'sourceTruncating':
      return sourceTruncating(restore, command.clusterId);
    case 'unheld':
      return unheld(restore);
    case 'claim':
      return claim(restore, command, now, limits);
    case 'renew':
      return renew(restore, command, now, limits);
    case 'complete':
      return complete(restore, command, now, limits);
    case 'release':
      return release(restore, command, now, limits);
    case 'lateEnd':
      return lateEnd(restore, command, now, limits);
    case 'cancel':
      return cancel(restore, command, now);
    case 'resume':
      return resume(restore, command, now, limits);
    case 'releaseTarget':
      return releaseTarget(restore, command, now);
    case 'cleaned':
      return cleaned(restore);
  }
}
