import {
  type RestoreServiceServer,
  RestoreServiceService,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/restore_service';
import { bindService, type Handlers, type ServiceBinding } from '@tidemark/service-kit/grpc/bind-service';
import { cancelRestore } from './cancel-restore.ts';
import { confirmCleaned } from './confirm-cleaned.ts';
import type { Dependencies } from './context.ts';
import { getRestore } from './get-restore.ts';
import { listRestores } from './list-restores.ts';
import { planRestore } from './plan-restore.ts';
import { readRestoreLog } from './read-restore-log.ts';
import { releaseRestore } from './release-restore.ts';
import { resumeRestore } from './resume-restore.ts';
import { startRestore } from './start-restore.ts';
import { watchRestore } from './watch-restore.ts';

/** Restores, for people. */
export function restoreService(dependencies: Dependencies): ServiceBinding {
  const handlers: Handlers<RestoreServiceServer> = {
    planRestore: planRestore(dependencies),
    startRestore: startRestore(dependencies),
    getRestore: getRestore(dependencies),
    listRestores: listRestores(dependencies),
    cancelRestore: cancelRestore(dependencies),
    resumeRestore: resumeRestore(dependencies),
    releaseRestore: releaseRestore(dependencies),
    confirmCleaned: confirmCleaned(dependencies),
    watchRestore: watchRestore(dependencies),
    readRestoreLog: readRestoreLog(dependencies),
  };
  return bindService(RestoreServiceService, handlers);
}
