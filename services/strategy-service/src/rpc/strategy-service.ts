import {
  type StrategyServiceServer,
  StrategyServiceService,
} from '@tidemark/protocol/grpc/tidemark/strategy/v1/strategy_service';
import { bindService, type ServiceBinding } from '@tidemark/service-kit/grpc/bind-service';
import type { Dependencies } from './context.ts';
import { deleteFleetStrategy } from './delete-fleet-strategy.ts';
import { deleteStrategy } from './delete-strategy.ts';
import { doubtCluster } from './doubt-cluster.ts';
import { getFleetStrategy } from './get-fleet-strategy.ts';
import { getStrategy } from './get-strategy.ts';
import { listFleetStrategies } from './list-fleet-strategies.ts';
import { listStorageUsers } from './list-storage-users.ts';
import { listStrategies } from './list-strategies.ts';
import { saveFleetStrategy } from './save-fleet-strategy.ts';
import { saveStrategy } from './save-strategy.ts';
import { searchStrategies } from './search-strategies.ts';

/** Strategies, for people. */
export function strategyService(dependencies: Dependencies): ServiceBinding {
  return bindService<StrategyServiceServer>(StrategyServiceService, {
    getStrategy: getStrategy(dependencies),
    listStrategies: listStrategies(dependencies),
    saveStrategy: saveStrategy(dependencies),
    deleteStrategy: deleteStrategy(dependencies),
    getFleetStrategy: getFleetStrategy(dependencies),
    listFleetStrategies: listFleetStrategies(dependencies),
    saveFleetStrategy: saveFleetStrategy(dependencies),
    deleteFleetStrategy: deleteFleetStrategy(dependencies),
    listStorageUsers: listStorageUsers(dependencies),
    searchStrategies: searchStrategies(dependencies),
    doubtCluster: doubtCluster(dependencies),
  });
}
