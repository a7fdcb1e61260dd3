import type {
  StopLogBackupRequest,
  StopLogBackupResponse,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/log_backup_service';
import type { CallContext } from '@tidemark/service-kit/grpc/call-context';
import type { Dependencies } from './context.ts';
import { wish } from './log-wish.ts';

/** Wants it off; what was written stays. */
export function stopLogBackup(dependencies: Dependencies) {
  return async ({ clusterId }: StopLogBackupRequest, context: CallContext): Promise<StopLogBackupResponse> => ({
    logBackup: await wish(dependencies, clusterId, 'off', context),
  });
}
