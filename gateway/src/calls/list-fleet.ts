import { create } from '@bufbuild/protobuf';
import { timestampNow } from '@bufbuild/protobuf/wkt';
import { ListFleetResponseSchema } from '@tidemark/protocol/connect/tidemark/scheduler/v1/fleet_service';
import { requireOnlyCluster } from './require-cluster.ts';
import type { Steps } from './steps.ts';

export const listFleet: Steps<'listFleet'> = {
  async prepare(request, acting) {
    request.withinSight = acting.asked.length === 0;
    await requireOnlyCluster(acting);
  },
  // Of no cluster nothing can have changed since.
  ofNothing: () => create(ListFleetResponseSchema, { asOf: timestampNow() }),
};
