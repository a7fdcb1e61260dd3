import {
  type ExecutorServiceServer,
  ExecutorServiceService,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/executor_service';
import { bindService, type ServiceBinding } from '@tidemark/service-kit/grpc/bind-service';
import { claimCheck } from './claim-check.ts';
import { claimLog } from './claim-log.ts';
import { claimLogTruncation } from './claim-log-truncation.ts';
import { claimRestore } from './claim-restore.ts';
import { claimTask } from './claim-task.ts';
import { claimVerification } from './claim-verification.ts';
import { completeCheck } from './complete-check.ts';
import { completeLog } from './complete-log.ts';
import { completeLogTruncation } from './complete-log-truncation.ts';
import { completeRestore } from './complete-restore.ts';
import { completeTask } from './complete-task.ts';
import { completeVerification } from './complete-verification.ts';
import type { Dependencies } from './context.ts';
import { offerManifest } from './offer-manifest.ts';
import { releaseCheck } from './release-check.ts';
import { releaseLog } from './release-log.ts';
import { releaseLogTruncation } from './release-log-truncation.ts';
import { releaseTask } from './release-task.ts';
import { releaseVerification } from './release-verification.ts';
import { renewCheck } from './renew-check.ts';
import { renewLogTruncation } from './renew-log-truncation.ts';
import { renewRestore } from './renew-restore.ts';
import { renewTask } from './renew-task.ts';
import { renewVerification } from './renew-verification.ts';
import { reportLog } from './report-log.ts';
import { reportOutput } from './report-output.ts';
import { reportPresence } from './report-presence.ts';
import { reportRestoreEnd } from './report-restore-end.ts';
import { returnRestore } from './return-restore.ts';
import { settleMarker } from './settle-marker.ts';
import { settleMove } from './settle-move.ts';

/** The life of a task, for workers. */
export function executorService(dependencies: Dependencies): ServiceBinding {
  return bindService<ExecutorServiceServer>(
    ExecutorServiceService,
    {
      claimTask: claimTask(dependencies),
      renewTask: renewTask(dependencies),
      completeTask: completeTask(dependencies),
      releaseTask: releaseTask(dependencies),
      reportOutput: reportOutput(dependencies),
      claimRestore: claimRestore(dependencies),
      renewRestore: renewRestore(dependencies),
      completeRestore: completeRestore(dependencies),
      returnRestore: returnRestore(dependencies),
      reportRestoreEnd: reportRestoreEnd(dependencies),
      claimCheck: claimCheck(dependencies),
      renewCheck: renewCheck(dependencies),
      completeCheck: completeCheck(dependencies),
      releaseCheck: releaseCheck(dependencies),
      claimVerification: claimVerification(dependencies),
      renewVerification: renewVerification(dependencies),
      completeVerification: completeVerification(dependencies),
      releaseVerification: releaseVerification(dependencies),
      offerManifest: offerManifest(dependencies),
      claimLog: claimLog(dependencies),
      reportLog: reportLog(dependencies),
      completeLog: completeLog(dependencies),
      releaseLog: releaseLog(dependencies),
      claimLogTruncation: claimLogTruncation(dependencies),
      renewLogTruncation: renewLogTruncation(dependencies),
      completeLogTruncation: completeLogTruncation(dependencies),
      releaseLogTruncation: releaseLogTruncation(dependencies),
      reportPresence: reportPresence(dependencies),
      settleMarker: settleMarker(dependencies),
      settleMove: settleMove(dependencies),
    },
    // Reports of what runs come through whatever people ask.
    { group: 'workers' },
  );
}
