import { invalidArgument } from '@tidemark/errors/app-error';
import { MAX_PAGE_SIZE } from '@tidemark/limits/limits';
import type {
  ListDueStrategiesRequest,
  ListDueStrategiesResponse,
} from '@tidemark/protocol/grpc/tidemark/strategy/v1/plan_service';
import { Strategy } from '@tidemark/protocol/grpc/tidemark/strategy/v1/strategy_service';
import type { CallContext } from '@tidemark/service-kit/grpc/call-context';
import { fitting } from '@tidemark/service-kit/grpc/fitting';
import { readable } from '@tidemark/service-kit/quarantine';
import { type StrategyDocument, toStrategyMessage } from '../strategy.ts';
import type { Dependencies } from './context.ts';

/** Strategies whose next start has come, as many as fit, but for those that cannot be read. */
export function listDueStrategies({ store, now, spreadMs, quarantines }: Dependencies) {
  return async ({ limit }: ListDueStrategiesRequest, { signal }: CallContext): Promise<ListDueStrategiesResponse> => {
    if (limit < 1 || limit > MAX_PAGE_SIZE)
      throw invalidArgument([{ field: 'limit', description: `must be from 1 to ${MAX_PAGE_SIZE}` }]);
    const due = await store.findDue(now(), limit + 1 + quarantines.listedRules.size, signal);
    const toMessage = (strategy: StrategyDocument) => toStrategyMessage(strategy, spreadMs);
    const messages = readable(quarantines.listedRules, due, toMessage, Strategy).map(({ message }) => message);
    const strategies = fitting(messages.slice(0, limit), Strategy);
    return { strategies, more: messages.length > strategies.length };
  };
}
