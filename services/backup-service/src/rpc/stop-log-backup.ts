import type {
  StopLogBackupRequest,
  StopLogBackupResponse,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/log_backup_service';
import type { CallContext } from '@tidemark/service-kit/grpc/call-context';
import { toLogBackupMessage } from '../log/log-message.ts';
import type { Dependencies } from './context.ts';
import { wish } from './log-wish.ts';
import { logsWouldBeRemoved } from './points-lost.ts';

/** Wants it off; what was written stays, unless its files are to go, too. The cluster may be registered no more then. */
export function stopLogBackup(dependencies: Dependencies) {
  const { truncations, dispatcher, now } = dependencies;
  return async (request: StopLogBackupRequest, context: CallContext): Promise<StopLogBackupResponse> => {
    const { clusterId, removeFiles, acknowledge } = request;
    const { caller, requestId, callId, signal } = context;
    const known = { by: caller, requestId, callId, ...(acknowledge !== undefined && { acknowledge }) };
    const applied = removeFiles && (await truncations.apply(clusterId, { kind: 'remove', ...known }, signal));
    if (!applied) return { logBackup: await wish(dependencies, clusterId, 'off', context) };
    const { decision, log } = applied;
    const { answer } = decision;
    if (answer.kind === 'refused' && answer.refusal.why === 'pointsLost')
      throw logsWouldBeRemoved(clusterId, answer.refusal.loss);
    await dispatcher.ringLog(clusterId);
    await dispatcher.ringTruncation(clusterId);
    return { logBackup: toLogBackupMessage(log, now()) };
  };
}
