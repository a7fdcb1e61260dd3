import type {
  ScanStrategiesRequest,
  ScanStrategiesResponse,
} from '@tidemark/protocol/grpc/tidemark/strategy/v1/plan_service';
import type { CallContext } from '@tidemark/service-kit/grpc/call-context';
import { toStrategyMessage } from '../strategy.ts';
import type { Dependencies } from './context.ts';

/** Every rule there is; pages by id would cost some servers a walk over all of them each. */
export function scanStrategies({ store, spreadMs }: Dependencies) {
  return async function* (_: ScanStrategiesRequest, { signal }: CallContext): AsyncGenerator<ScanStrategiesResponse> {
    for await (const batch of store.scan(signal))
      yield { strategies: batch.map((strategy) => toStrategyMessage(strategy, spreadMs)) };
  };
}
