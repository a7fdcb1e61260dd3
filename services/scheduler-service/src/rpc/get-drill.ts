import {
  Drill,
  type GetDrillRequest,
  type GetDrillResponse,
} from '@tidemark/protocol/grpc/tidemark/scheduler/v1/drill_service';
import type { CallContext } from '@tidemark/service-kit/grpc/call-context';
import { readOne } from '@tidemark/service-kit/quarantine';
import { toDrillMessage, toProofMessage, toRunMessage } from '../drill/drill-message.ts';
import { type DrillDependencies, noDrill } from './drill-context.ts';

/** The drill of a cluster, its latest run, and when the cluster was last proven. */
export function getDrill({ drills }: DrillDependencies) {
  return async ({ clusterId }: GetDrillRequest, { signal }: CallContext): Promise<GetDrillResponse> => {
    const [found, latest, proof] = await Promise.all([
      drills.get(clusterId, signal),
      drills.latestRun(clusterId, signal),
      drills.getProof(clusterId, signal),
    ]);
    if (!found) throw noDrill(clusterId);
    const drill = readOne('drill', found, toDrillMessage, Drill);
    return { drill, latest: latest && toRunMessage(latest), proof: proof && toProofMessage(proof) };
  };
}
