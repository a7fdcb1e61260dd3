import type { LogBackup as LogBackupMessage } from '@tidemark/protocol/grpc/tidemark/backup/v1/log_backup';
import type { CallContext } from '@tidemark/service-kit/grpc/call-context';
import type { LogSettings, LogWish } from '../log/log-backup.ts';
import { toLogBackupMessage } from '../log/log-message.ts';
import type { Dependencies } from './context.ts';
import { logBackupNotSet, unknownCluster } from './refusals.ts';

/**
 * Writes down what is wanted of a cluster's log backup; a worker looks at the cluster at once.
 *
 * @throws AppError `cluster_not_found`, or `log_backup_not_set` where its settings are not known and none are given
 */
export async function wish(
  { logs, registry, dispatcher, now }: Dependencies,
  clusterId: string,
  wanted: LogWish,
  { caller, requestId, callId, signal }: CallContext,
  settings?: LogSettings,
): Promise<LogBackupMessage> {
  if (!(await registry.clusters.get(clusterId, signal))) throw unknownCluster(clusterId);
  const { decision, log } = await logs.applyFirst(
    clusterId,
    { kind: 'want', wanted, by: caller, requestId, callId, ...(settings && { settings }) },
    signal,
  );
  if (decision.answer.kind === 'refused') throw logBackupNotSet(clusterId);
  await dispatcher.ringLog(clusterId);
  return toLogBackupMessage(log, now());
}
