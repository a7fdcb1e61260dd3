import {
  type FleetServiceServer,
  FleetServiceService,
} from '@tidemark/protocol/grpc/tidemark/scheduler/v1/fleet_service';
import { bindService, type ServiceBinding } from '@tidemark/service-kit/grpc/bind-service';
import { type ListFleetDependencies, listFleet } from './list-fleet.ts';

/** Whether all clusters are safe, for people. */
export function fleetService(dependencies: ListFleetDependencies): ServiceBinding {
  return bindService<FleetServiceServer>(FleetServiceService, { listFleet: listFleet(dependencies) });
}
