import { AppError } from '@tidemark/errors/app-error';
import type { CallContext } from '@tidemark/service-kit/grpc/call-context';
import type { Restore } from '../restore/restore.ts';
import type { AppliedRestore } from '../restore/restore-store.ts';

function unknownRestore(id: string): AppError {
  return new AppError('restore_not_found', `There is no restore ${id}.`, { info: { restoreId: id } });
}

/** Refuses as unknown what the caller does not see both clusters of. @throws AppError `restore_not_found` */
export function requireVisible({ _id, source, target }: Restore, { sees }: Pick<CallContext, 'sees'>): void {
  if (!sees(target.clusterId) || !sees(source.clusterId)) throw unknownRestore(_id);
}

/** The restore that was asked about. @throws AppError `restore_not_found` where there is none, or the caller does not see both clusters */
export function existingRestore(restore: Restore | undefined, id: string, context: Pick<CallContext, 'sees'>): Restore {
  if (!restore) throw unknownRestore(id);
  requireVisible(restore, context);
  return restore;
}

/** The restore after a command of a person. @throws AppError that says why its state does not allow what was asked */
export function allowed(id: string, applied: AppliedRestore | undefined): Restore {
  if (!applied) throw unknownRestore(id);
  const { answer } = applied.decision;
  const { restore } = applied;
  if (answer.kind !== 'refused') return restore;
  const { state, targetState, target } = restore;
  const info = { restoreId: id, clusterId: target.clusterId, state, targetState };
  switch (answer.why) {
    case 'over':
      throw new AppError('restore_over', `Restore ${id} is over (${state}, target ${targetState}).`, { info });
    case 'active':
      throw new AppError('restore_active', `Restore ${id} is under way (${state}): cancel it or wait for its end.`, {
        info,
      });
    case 'notResumable':
      throw new AppError(
        'not_resumable',
        `Restore ${id} cannot go on: ${restore.spoilt ? 'its target holds wrong data' : 'there is no checkpoint at which it could'}. Remove from cluster ${target.clusterId} what "cleanup" names, and release the restore.`,
        { info },
      );
    case 'needsConfirm':
      throw new AppError(
        'not_resumable',
        `The worker of restore ${id} was lost, and its br may still be at work on a frozen host: say hostDead once you are certain that the host is dead.`,
        { info },
      );
    case 'quiet':
      throw new AppError(
        'restore_quiet',
        `The worker of restore ${id} was lost, and its br may be at work until ${answer.until?.toISOString()}: the target can be released then.`,
        { info },
      );
    case 'notUnclean':
      throw new AppError('restore_active', `Restore ${id} has not let go of its target: release it.`, { info });
    case 'tooManyCommands':
      throw new AppError('conflict', `Restore ${id} was canceled or resumed too often: start another one.`, { info });
    case 'wrongPair':
      throw new AppError('wrong_state', `Restore ${id} cannot end this way in state ${state}.`, { info });
  }
}
