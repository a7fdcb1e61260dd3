import type {
  DeleteDrillRequest,
  DeleteDrillResponse,
} from '@tidemark/protocol/grpc/tidemark/scheduler/v1/drill_service';
import type { CallContext } from '@tidemark/service-kit/grpc/call-context';
import { drillDeleted } from '../events.ts';
import { type DrillDependencies, noDrill } from './drill-context.ts';

/** Forgets a drill; a run that has not begun its restore is skipped. What became of earlier ones stays. */
export function deleteDrill({ drills }: DrillDependencies) {
  return async (
    { clusterId }: DeleteDrillRequest,
    { caller, requestId, signal }: CallContext,
  ): Promise<DeleteDrillResponse> => {
    if (!(await drills.remove(clusterId, signal))) throw noDrill(clusterId);
    drillDeleted(clusterId, caller, requestId);
    return {};
  };
}
