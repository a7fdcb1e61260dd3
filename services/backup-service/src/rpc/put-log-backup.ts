import { AppError } from '@tidemark/errors/app-error';
import type {
  PutLogBackupRequest,
  PutLogBackupResponse,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/log_backup_service';
import type { CallContext } from '@tidemark/service-kit/grpc/call-context';
import { openGeneration } from '../log/log-backup.ts';
import { mayUseStorage } from '../storage-access.ts';
import { validation } from '../validate.ts';
import type { Dependencies } from './context.ts';
import { wish } from './log-wish.ts';
import { unknownCluster, unusableStorage } from './refusals.ts';

const RETENTION_DAYS = 7;
const LAG_WARN_SECONDS = 600;
const LAG_CRITICAL_SECONDS = 1_800;

/** Wants a log backup of a cluster; a log that is being written stays where it is. */
export function putLogBackup(dependencies: Dependencies) {
  const { logs, registry } = dependencies;
  return async (request: PutLogBackupRequest, context: CallContext): Promise<PutLogBackupResponse> => {
    const { clusterId, storageId, paused } = request;
    const settings = {
      storageId,
      retentionDays: request.retentionDays || RETENTION_DAYS,
      lagWarnSeconds: request.lagWarnSeconds || LAG_WARN_SECONDS,
      lagCriticalSeconds: request.lagCriticalSeconds || LAG_CRITICAL_SECONDS,
    };
    const check = validation();
    check.require(
      settings.lagWarnSeconds < settings.lagCriticalSeconds,
      'lagWarnSeconds',
      `must be less than lagCriticalSeconds (${settings.lagCriticalSeconds})`,
    );
    check.finish();
    const [cluster, storage, log] = await Promise.all([
      registry.clusters.get(clusterId, context.signal),
      registry.storages.get(storageId, context.signal),
      logs.get(clusterId, context.signal),
    ]);
    if (!cluster) throw unknownCluster(clusterId);
    if (!storage || !mayUseStorage(storage, cluster)) throw unusableStorage(storageId, clusterId);
    if (storage.gone)
      throw new AppError('storage_unusable', `Storage ${storageId} was declared gone: no log is written to it.`, {
        info: { storageId },
      });
    const open = log && openGeneration(log);
    if (open && open.storage.id !== storageId)
      throw new AppError(
        'log_backup_active',
        `The log of cluster ${clusterId} is written to storage ${open.storage.id}: stop it first (DELETE /clusters/${clusterId}/log-backup), then a new one begins in storage ${storageId}, with a new full backup.`,
        { info: { clusterId, storageId: open.storage.id } },
      );
    return { logBackup: await wish(dependencies, clusterId, paused ? 'paused' : 'on', context, settings) };
  };
}
