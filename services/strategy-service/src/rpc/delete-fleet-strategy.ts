import type {
  DeleteFleetStrategyRequest,
  DeleteFleetStrategyResponse,
} from '@tidemark/protocol/grpc/tidemark/strategy/v1/strategy_service';
import type { CallContext } from '@tidemark/service-kit/grpc/call-context';
import { fleetDeleted } from '../events.ts';
import { type Dependencies, FLEET_QUOTA, unknownFleetStrategy } from './context.ts';

/**
 * Marks a strategy for labels as going; the loop takes its rules away and then forgets it. A repeat meanwhile is fine.
 *
 * @throws AppError `strategy_not_found`
 */
export function deleteFleetStrategy({ fleet, quotas, now, wakeFleetLoop }: Dependencies) {
  return async (
    { name }: DeleteFleetStrategyRequest,
    { caller, requestId, signal }: CallContext,
  ): Promise<DeleteFleetStrategyResponse> => {
    const marked = await fleet.change(
      name,
      (before) =>
        before && !before.deleting
          ? { ...before, deleting: true, revision: before.revision + 1, updateTime: now(), updatedBy: caller }
          : undefined,
      signal,
    );
    if (!marked) throw unknownFleetStrategy(name);
    // It counts as long as it is stored.
    await quotas.release(FLEET_QUOTA, name, marked.updateTime);
    fleetDeleted(name, caller, requestId);
    wakeFleetLoop();
    return {};
  };
}
