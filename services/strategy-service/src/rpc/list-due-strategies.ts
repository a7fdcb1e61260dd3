import { invalidArgument } from '@tidemark/errors/app-error';
import type {
  ListDueStrategiesRequest,
  ListDueStrategiesResponse,
} from '@tidemark/protocol/grpc/tidemark/strategy/v1/plan_service';
import type { CallContext } from '@tidemark/service-kit/grpc/call-context';
import { toStrategyMessage } from '../strategy.ts';
import type { Dependencies } from './context.ts';

const MOST = 1_000;

/** Strategies whose next start has come. */
export function listDueStrategies({ store, now, spreadMs }: Dependencies) {
  return async ({ limit }: ListDueStrategiesRequest, { signal }: CallContext): Promise<ListDueStrategiesResponse> => {
    if (limit < 1 || limit > MOST)
      throw invalidArgument([{ field: 'limit', description: `must be from 1 to ${MOST}` }]);
    const due = await store.findDue(now(), limit + 1, signal);
    return {
      strategies: due.slice(0, limit).map((strategy) => toStrategyMessage(strategy, spreadMs)),
      more: due.length > limit,
    };
  };
}
