import { setTimeout as sleep } from 'node:timers/promises';
import { invalidArgument } from '@tidemark/errors/app-error';
import { type Backup, DeletionState } from '@tidemark/protocol/connect/tidemark/backup/v1/backup';
import { callOptions } from './scope.ts';
import type { Acting, Steps } from './steps.ts';

/** How long a deletion is waited for, so that a script which deletes and lists sees it gone. */
const DELETION_WAIT_MS = 2_000;
const DELETION_POLL_MS = 100;
/** With less time a record is not looked at. */
const LOOK_MS = 50;
/** How much earlier than the client gives up it is answered. */
const ANSWER_EARLIER_MS = 250;

export const deleteBackup: Steps<'deleteBackup'> = {
  // For a backup that is there the answer says that its cluster is another one.
  needsRecord: ({ clusterId }) => clusterId !== '',
  prepare(request, { backup }) {
    if (request.clusterId !== '' && request.clusterId !== backup?.clusterId)
      throw invalidArgument([{ field: 'clusterId', description: 'is not the cluster of this backup' }]);
    request.clusterId = backup?.clusterId ?? '';
  },
  async act(request, acting) {
    const { scope, dependencies } = acting;
    const recorded = await dependencies.backends.backups.deleteBackup(request, callOptions(scope, dependencies));
    if (!recorded.backup || request.forget) return recorded;
    return { ...recorded, backup: await afterDeletion(recorded.backup, acting) };
  },
};

/** It is gone, or lies in the bin, where it stays. */
const isSettled = ({ deletion }: Backup) =>
  deletion?.state === DeletionState.DELETED || deletion?.state === DeletionState.TRASHED;

/** The backup once it is deleted, or as it was last seen. */
async function afterDeletion(recorded: Backup, { scope, dependencies }: Acting): Promise<Backup> {
  let backup = recorded;
  const { givesUpAt = Infinity } = scope;
  scope.answerBy = Math.min(performance.now() + DELETION_WAIT_MS, givesUpAt - ANSWER_EARLIER_MS);
  // A look that would not be answered in time is not begun.
  const mayLookAgain = () => performance.now() + DELETION_POLL_MS + LOOK_MS < scope.answerBy;
  while (!isSettled(backup) && mayLookAgain()) {
    await sleep(DELETION_POLL_MS, undefined, { signal: scope.gone });
    try {
      const found = await dependencies.backends.backups.getBackup({ id: backup.id }, callOptions(scope, dependencies));
      backup = found.backup ?? backup;
    } catch {
      // The deletion is recorded, whatever becomes of looking at it.
      return backup;
    }
  }
  return backup;
}
