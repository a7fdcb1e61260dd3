import {
  type FleetServiceServer,
  FleetServiceService,
} from '@tidemark/protocol/grpc/tidemark/scheduler/v1/fleet_service';
import { bindService, type ServiceBinding } from '@tidemark/service-kit/grpc/bind-service';
import { listFleet } from './list-fleet.ts';
import { type WatchFleetDependencies, watchFleet } from './watch-fleet.ts';

/** Whether all clusters are safe, for people. */
export function fleetService(dependencies: WatchFleetDependencies): ServiceBinding {
  return bindService<FleetServiceServer>(FleetServiceService, {
    listFleet: listFleet(dependencies),
    watchFleet: watchFleet(dependencies),
  });
}
