import type {
  ListNeededBasesRequest,
  ListNeededBasesResponse,
  NeededBase,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/backup_service';
import type { CallContext } from '@tidemark/service-kit/grpc/call-context';
import { instantOf } from '../log/log-backup.ts';
import { needed } from '../recovery/needed.ts';
import { horizonOf } from '../recovery/needed-as-base.ts';
import { readRecoveryState } from '../recovery/recovery-state.ts';
import type { RecoveryState, Span } from '../recovery/state.ts';
import { validation } from '../validate.ts';
import type { Dependencies } from './context.ts';

/** The backups without which a point of the horizon of a cluster's log backup would be lost. */
export function listNeededBases({ logs, finished, now }: Dependencies) {
  return async ({ clusterId }: ListNeededBasesRequest, { signal }: CallContext): Promise<ListNeededBasesResponse> => {
    const check = validation();
    check.id('clusterId', clusterId);
    check.finish();
    const log = await logs.get(clusterId, signal);
    if (!log?.settings) return { bases: [] };
    const state = await readRecoveryState(log, finished, signal);
    const { bases } = needed(state, horizonOf(log.settings.retentionDays, now()));
    return { bases: [...bases].flatMap(([id, spans]) => spans.map((span) => toMessage(id, span, state))) };
  };
}

function toMessage(backupId: string, { from, to }: Span, { generations }: RecoveryState): NeededBase {
  const isGrowing = generations.some(({ open, max }) => open && max === to);
  return {
    backupId,
    fromTime: instantOf(String(from)),
    toTime: isGrowing ? undefined : instantOf(String(to)),
  };
}
