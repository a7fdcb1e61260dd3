import { type PlanServiceServer, PlanServiceService } from '@tidemark/protocol/grpc/tidemark/strategy/v1/plan_service';
import { bindService, type ServiceBinding } from '@tidemark/service-kit/grpc/bind-service';
import { advanceStrategy } from './advance-strategy.ts';
import type { Dependencies } from './context.ts';
import { listDueStrategies } from './list-due-strategies.ts';
import { noteClusters } from './note-clusters.ts';
import { scanStrategies } from './scan-strategies.ts';

/** What is due, for the scheduler. */
export function planService(dependencies: Dependencies): ServiceBinding {
  return bindService<PlanServiceServer>(PlanServiceService, {
    listDueStrategies: listDueStrategies(dependencies),
    advanceStrategy: advanceStrategy(dependencies),
    scanStrategies: scanStrategies(dependencies),
    noteClusters: noteClusters(dependencies),
  });
}
