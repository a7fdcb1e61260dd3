import type {
  ResumeLogBackupRequest,
  ResumeLogBackupResponse,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/log_backup_service';
import type { CallContext } from '@tidemark/service-kit/grpc/call-context';
import type { Dependencies } from './context.ts';
import { wish } from './log-wish.ts';

/** Wants it on again, as it was set. */
export function resumeLogBackup(dependencies: Dependencies) {
  return async ({ clusterId }: ResumeLogBackupRequest, context: CallContext): Promise<ResumeLogBackupResponse> => ({
    logBackup: await wish(dependencies, clusterId, 'on', context),
  });
}
