import type {
  PauseLogBackupRequest,
  PauseLogBackupResponse,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/log_backup_service';
import type { CallContext } from '@tidemark/service-kit/grpc/call-context';
import type { Dependencies } from './context.ts';
import { wish } from './log-wish.ts';

/** Wants the log backup of a cluster paused. */
export function pauseLogBackup(dependencies: Dependencies) {
  return async ({ clusterId }: PauseLogBackupRequest, context: CallContext): Promise<PauseLogBackupResponse> => ({
    logBackup: await wish(dependencies, clusterId, 'paused', context),
  });
}
