import { Backup as BackupMessage } from '@tidemark/protocol/grpc/tidemark/backup/v1/backup';
import type {
  WatchBackupRequest,
  WatchBackupResponse,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/backup_service';
import { sleep } from '@tidemark/service-kit/backoff';
import type { CallContext } from '@tidemark/service-kit/grpc/call-context';
import { readOne } from '@tidemark/service-kit/quarantine';
import { type Backup, isActive, isTrashed } from '../backup.ts';
import { toBackupMessage } from '../backup-message.ts';
import type { Dependencies } from './context.ts';
import { unknownBackup } from './refusals.ts';

const FOLLOW_MS = 500;

/**
 * The backup now and after each change, until its end, and that of its verification where one is under way. Where its deletion was asked for, or the watcher waits for that, until
 * no work is left on it: its files are gone then, lie in the bin, or stay.
 */
export function watchBackup({ store, slots, verifications, now }: Dependencies) {
  return async function* (
    { id, untilRemoved }: WatchBackupRequest,
    { signal, sees }: CallContext,
  ): AsyncGenerator<WatchBackupResponse> {
    for (let seen = 0, seenOfVerification = 0; ; ) {
      const backup = await store.get(id, signal);
      if (!backup || !sees(backup.clusterId)) throw unknownBackup(id);
      const isBeingVerified = backup.verification?.active === true;
      const verification = backup.verification && (await verifications.get(id, signal));
      if (backup.revision > seen || (isBeingVerified && (verification?.revision ?? 0) > seenOfVerification)) {
        seen = backup.revision;
        seenOfVerification = verification?.revision ?? 0;
        const positions = await slots.positions([backup], now(), signal);
        const toMessage = (one: Backup) => toBackupMessage(one, positions.get(id), verification);
        yield { backup: readOne('backup', backup, toMessage, BackupMessage) };
      }
      const isDone =
        !backup.task || isTrashed(backup) || (!isActive(backup) && !untilRemoved && backup.deletion.state === 'None');
      if (isDone && !isBeingVerified) return;
      await sleep(FOLLOW_MS, signal);
    }
  };
}
