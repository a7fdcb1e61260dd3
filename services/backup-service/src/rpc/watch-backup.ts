import type {
  WatchBackupRequest,
  WatchBackupResponse,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/backup_service';
import { sleep } from '@tidemark/service-kit/backoff';
import type { CallContext } from '@tidemark/service-kit/grpc/call-context';
import { toBackupMessage } from '../backup-message.ts';
import { validation } from '../validate.ts';
import type { Dependencies } from './context.ts';
import { unknownBackup } from './refusals.ts';

const FOLLOW_MS = 500;

/** The backup now and after each change, until no work is left on it. */
export function watchBackup({ store, turns, now }: Dependencies) {
  return async function* ({ id }: WatchBackupRequest, { signal }: CallContext): AsyncGenerator<WatchBackupResponse> {
    const check = validation();
    check.id('backupId', id);
    check.finish();
    for (let seen = 0; ; ) {
      const backup = await store.get(id, signal);
      if (!backup) throw unknownBackup(id);
      if (backup.revision > seen) {
        seen = backup.revision;
        const positions = await turns.positions([backup], now(), signal);
        yield { backup: toBackupMessage(backup, positions.get(id)) };
      }
      if (!backup.task) return;
      await sleep(FOLLOW_MS, signal);
    }
  };
}
