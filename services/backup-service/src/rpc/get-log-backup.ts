import type {
  GetLogBackupRequest,
  GetLogBackupResponse,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/log_backup_service';
import type { CallContext } from '@tidemark/service-kit/grpc/call-context';
import { viewOf } from '../log/decide/truncation.ts';
import { type LogBackup, newLogBackup } from '../log/log-backup.ts';
import { toLogBackupMessage } from '../log/log-message.ts';
import { planLogs } from '../recovery/log-plan.ts';
import { generationsOf, readAllSnapshots } from '../recovery/recovery-state.ts';
import type { Dependencies } from './context.ts';
import { unknownCluster } from './refusals.ts';

/** The log backup of a cluster; off, where none was ever wanted. */
export function getLogBackup({ logs, registry, finished, now }: Dependencies) {
  /** Why each of its logs is kept; nothing of those that are being removed, or were never seen to run. */
  async function reasonsOf(log: LogBackup, signal: AbortSignal): Promise<ReadonlyMap<number, readonly string[]>> {
    const view = viewOf(log, now());
    if (!view || log.generations.length === 0) return new Map();
    const snapshots = await readAllSnapshots(log, finished, signal);
    return planLogs({ snapshots, generations: generationsOf(log) }, view).logReasons;
  }
  return async ({ clusterId }: GetLogBackupRequest, { signal }: CallContext): Promise<GetLogBackupResponse> => {
    const [log, cluster] = await Promise.all([logs.get(clusterId, signal), registry.clusters.get(clusterId, signal)]);
    if (!log && !cluster) throw unknownCluster(clusterId);
    const logBackup = toLogBackupMessage(log ?? newLogBackup(clusterId, now()), now());
    const reasons = log ? await reasonsOf(log, signal) : new Map<number, readonly string[]>();
    const generations = logBackup.generations.map((one) => ({
      ...one,
      keepReasons: [...(reasons.get(one.number) ?? [])],
    }));
    return { logBackup: { ...logBackup, generations } };
  };
}
