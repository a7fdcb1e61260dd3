import { AppError, invalidArgument } from '@tidemark/errors/app-error';
import type {
  TruncateLogBackupRequest,
  TruncateLogBackupResponse,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/log_backup_service';
import type { CallContext } from '@tidemark/service-kit/grpc/call-context';
import type { TruncationRefusal } from '../log/decide/truncation.ts';
import { instantOf } from '../log/log-backup.ts';
import { toLogBackupMessage } from '../log/log-message.ts';
import { tsoAt } from '../snapshot-time.ts';
import type { Dependencies } from './context.ts';
import { pointsWouldBeTruncated } from './points-lost.ts';
import { logBackupNotSet, unknownCluster } from './refusals.ts';

/** Takes out of the logs of a cluster what came before a moment, or what nobody needs; its files go afterwards. */
export function truncateLogBackup({ truncations, registry, dispatcher, now }: Dependencies) {
  return async (
    { clusterId, until, acknowledge }: TruncateLogBackupRequest,
    { requestId, signal }: CallContext,
  ): Promise<TruncateLogBackupResponse> => {
    const wish = until && { until: String(tsoAt(until)), requestId, ...(acknowledge !== undefined && { acknowledge }) };
    const applied = await truncations.apply(
      clusterId,
      wish ? { kind: 'truncate', ...wish } : { kind: 'retain' },
      signal,
    );
    if (!applied) {
      if (!(await registry.clusters.get(clusterId, signal))) throw unknownCluster(clusterId);
      throw logBackupNotSet(clusterId);
    }
    const { decision, log } = applied;
    if (decision.answer.kind === 'refused') throw toError(clusterId, decision.answer.refusal);
    if (decision.next) await dispatcher.ringTruncation(clusterId);
    return { logBackup: toLogBackupMessage(log, now()) };
  };
}

function toError(clusterId: string, refusal: TruncationRefusal): AppError {
  switch (refusal.why) {
    case 'pointsLost':
      return pointsWouldBeTruncated(clusterId, refusal.loss);
    case 'beyondEnd':
      return invalidArgument([
        {
          field: 'until',
          description: `must not lie behind the end of the log that is written, ${instantOf(refusal.max).toISOString()}`,
        },
      ]);
    case 'held':
      return inUse(clusterId, refusal.n, `is read by restore ${refusal.restoreId}: wait for its end`);
    case 'truncating':
      return inUse(clusterId, refusal.n, 'is being truncated already: wait until that is done');
  }
}

function inUse(clusterId: string, generation: number, why: string): AppError {
  return new AppError('log_in_use', `Log ${generation} of cluster ${clusterId} ${why}.`, {
    info: { clusterId, generation: String(generation) },
  });
}
