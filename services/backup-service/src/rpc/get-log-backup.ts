import type {
  GetLogBackupRequest,
  GetLogBackupResponse,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/log_backup_service';
import type { CallContext } from '@tidemark/service-kit/grpc/call-context';
import { newLogBackup } from '../log/log-backup.ts';
import { toLogBackupMessage } from '../log/log-message.ts';
import type { Dependencies } from './context.ts';
import { unknownCluster } from './refusals.ts';

/** The log backup of a cluster; off, where none was ever wanted. */
export function getLogBackup({ logs, registry, now }: Dependencies) {
  return async ({ clusterId }: GetLogBackupRequest, { signal }: CallContext): Promise<GetLogBackupResponse> => {
    const [log, cluster] = await Promise.all([logs.get(clusterId, signal), registry.clusters.get(clusterId, signal)]);
    if (!log && !cluster) throw unknownCluster(clusterId);
    return { logBackup: toLogBackupMessage(log ?? newLogBackup(clusterId, now()), now()) };
  };
}
