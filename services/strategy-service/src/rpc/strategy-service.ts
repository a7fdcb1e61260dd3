import {
  type StrategyServiceServer,
  StrategyServiceService,
} from '@tidemark/protocol/grpc/tidemark/strategy/v1/strategy_service';
import { bindService, type ServiceBinding } from '@tidemark/service-kit/grpc/bind-service';
import type { Dependencies } from './context.ts';
import { deleteStrategy } from './delete-strategy.ts';
import { getStrategy } from './get-strategy.ts';
import { saveStrategy } from './save-strategy.ts';

/** Strategies, for people. */
export function strategyService(dependencies: Dependencies): ServiceBinding {
  return bindService<StrategyServiceServer>(StrategyServiceService, {
    getStrategy: getStrategy(dependencies),
    saveStrategy: saveStrategy(dependencies),
    deleteStrategy: deleteStrategy(dependencies),
  });
}
