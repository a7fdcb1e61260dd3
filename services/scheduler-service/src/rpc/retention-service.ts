import {
  type RetentionServiceServer,
  RetentionServiceService,
} from '@tidemark/protocol/grpc/tidemark/scheduler/v1/retention_service';
import { bindService, type ServiceBinding } from '@tidemark/service-kit/grpc/bind-service';
import type { Dependencies } from './context.ts';
import { evaluateRetention } from './evaluate-retention.ts';

/** What retention keeps and removes, for people. */
export function retentionService(dependencies: Dependencies): ServiceBinding {
  return bindService<RetentionServiceServer>(RetentionServiceService, {
    evaluateRetention: evaluateRetention(dependencies),
  });
}
