import {
  type ExecutorServiceServer,
  ExecutorServiceService,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/executor_service';
import { bindService, type ServiceBinding } from '@tidemark/service-kit/grpc/bind-service';
import { claimTask } from './claim-task.ts';
import { completeTask } from './complete-task.ts';
import type { Dependencies } from './context.ts';
import { releaseTask } from './release-task.ts';
import { renewTask } from './renew-task.ts';

/** The life of a task, for workers. */
export function executorService(dependencies: Dependencies): ServiceBinding {
  return bindService<ExecutorServiceServer>(ExecutorServiceService, {
    claimTask: claimTask(dependencies),
    renewTask: renewTask(dependencies),
    completeTask: completeTask(dependencies),
    releaseTask: releaseTask(dependencies),
  });
}
