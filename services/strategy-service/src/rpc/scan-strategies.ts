import type {
  ScanStrategiesRequest,
  ScanStrategiesResponse,
} from '@tidemark/protocol/grpc/tidemark/strategy/v1/plan_service';
import { Strategy } from '@tidemark/protocol/grpc/tidemark/strategy/v1/strategy_service';
import type { CallContext } from '@tidemark/service-kit/grpc/call-context';
import { inFittingPieces } from '@tidemark/service-kit/grpc/fitting';
import { readable } from '@tidemark/service-kit/quarantine';
import { toStrategyMessage } from '../strategy.ts';
import type { Dependencies } from './context.ts';

/** Every rule there is that can be read; pages by id would cost some servers a walk over all of them each. */
export function scanStrategies({ store, spreadMs, quarantines }: Dependencies) {
  return async function* (_: ScanStrategiesRequest, { signal }: CallContext): AsyncGenerator<ScanStrategiesResponse> {
    for await (const batch of store.scan(signal)) {
      const shown = readable(
        quarantines.listedRules,
        batch,
        (strategy) => toStrategyMessage(strategy, spreadMs),
        Strategy,
      );
      const messages = shown.map(({ message }) => message);
      for (const strategies of inFittingPieces(messages, Strategy)) yield { strategies };
    }
  };
}
