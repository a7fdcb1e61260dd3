import { create } from '@bufbuild/protobuf';
import { timestampNow } from '@bufbuild/protobuf/wkt';
import { WatchFleetResponseSchema } from '@tidemark/protocol/connect/tidemark/scheduler/v1/fleet_service';
import { requireOnlyCluster } from './require-cluster.ts';
import type { Steps } from './steps.ts';

export const watchFleet: Steps<'watchFleet'> = {
  async prepare(request, acting) {
    request.withinSight = acting.asked.length === 0;
    await requireOnlyCluster(acting);
  },
  ofNothing: () => create(WatchFleetResponseSchema, { restart: true, asOf: timestampNow() }),
};
