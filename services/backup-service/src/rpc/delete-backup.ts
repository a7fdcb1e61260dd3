import { AppError } from '@tidemark/errors/app-error';
import type {
  DeleteBackupRequest,
  DeleteBackupResponse,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/backup_service';
import type { CallContext } from '@tidemark/service-kit/grpc/call-context';
import type { Backup } from '../backup.ts';
import { toBackupMessage } from '../backup-message.ts';
import { validation } from '../validate.ts';
import type { Dependencies } from './context.ts';
import { existing, throwRefusal, unknownBackup } from './refusals.ts';

/** When retention may ask again while many of its removals are under way. */
const RETENTION_RETRY_MS = 5_000;

/** Records the wish to delete record and files, and rings for a worker that removes them; or gives the files up. */
export function deleteBackup({ store, registry, finished, dispatcher, retentionDeletions }: Dependencies) {
  /** Retention goes slowly: a policy that was saved by mistake can be taken back before everything is gone. */
  async function requireRoom(signal: AbortSignal): Promise<void> {
    if ((await finished.countRetentionDeletions(retentionDeletions, signal)) < retentionDeletions) return;
    throw new AppError('too_many_requests', `${retentionDeletions} removals by retention are under way already.`, {
      retryAfterMs: RETENTION_RETRY_MS,
    });
  }

  return async (
    { id, clusterId, reason, byRetention, forget, permanently = false, acknowledge }: DeleteBackupRequest,
    context: CallContext,
  ): Promise<DeleteBackupResponse> => {
    const { caller, requestId, signal } = context;
    const check = validation();
    check.require(!(forget && byRetention), 'forget', 'is for people');
    check.require(!(permanently && byRetention), 'permanently', 'is for people');
    check.require(!(permanently && forget), 'permanently', 'must be left out with forget, which removes no files');
    check.finish();
    const look = (backup: Backup) => existing(backup, { id, clusterId }, context);
    // Only what needs more of the record than the decision does is read before it.
    const known = byRetention || forget ? existing(await store.get(id, signal), { id, clusterId }, context) : undefined;
    if (byRetention && known?.deletion.state === 'None') await requireRoom(signal);
    const by = { kind: byRetention ? 'retention' : 'person', name: caller } as const;
    const gone =
      forget && known !== undefined && (await registry.storages.get(known.storage.id, signal))?.gone === true;
    const wish = forget
      ? ({ kind: 'forget', gone } as const)
      : ({ kind: 'delete', ...(permanently && { permanently }) } as const);
    const applied = await store.apply(
      id,
      { ...wish, by, reason, requestId, ...(acknowledge !== undefined && { acknowledge }) },
      signal,
      look,
    );
    if (!applied) throw unknownBackup(id);
    throwRefusal(applied);
    if (applied.decision.ring) await dispatcher.ring(id);
    return { backup: toBackupMessage(applied.backup) };
  };
}
