import {
  type BackupServiceServer,
  BackupServiceService,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/backup_service';
import { bindService, type Handlers, type ServiceBinding } from '@tidemark/service-kit/grpc/bind-service';
import { cancelBackup } from './cancel-backup.ts';
import { cancelVerification } from './cancel-verification.ts';
import type { Dependencies } from './context.ts';
import { deleteBackup } from './delete-backup.ts';
import { findBackupByKey } from './find-backup-by-key.ts';
import { getBackup } from './get-backup.ts';
import { listActivity } from './list-activity.ts';
import { listBackups } from './list-backups.ts';
import { listChangedClusters } from './list-changed-clusters.ts';
import { listNeededBases } from './list-needed-bases.ts';
import { listNewestGood } from './list-newest-good.ts';
import { listRecoveryPoints } from './list-recovery-points.ts';
import { pinBackup } from './pin-backup.ts';
import { readBackupLog } from './read-backup-log.ts';
import { startBackup } from './start-backup.ts';
import { undeleteBackup } from './undelete-backup.ts';
import { unpinBackup } from './unpin-backup.ts';
import { verifyBackup } from './verify-backup.ts';
import { watchBackup } from './watch-backup.ts';

/** Backups, for people and for the scheduler. */
export function backupService(dependencies: Dependencies): ServiceBinding {
  const handlers: Handlers<BackupServiceServer> = {
    startBackup: startBackup(dependencies),
    getBackup: getBackup(dependencies),
    findBackupByKey: findBackupByKey(dependencies),
    listActivity: listActivity(dependencies),
    listBackups: listBackups(dependencies),
    cancelBackup: cancelBackup(dependencies),
    deleteBackup: deleteBackup(dependencies),
    undeleteBackup: undeleteBackup(dependencies),
    pinBackup: pinBackup(dependencies),
    unpinBackup: unpinBackup(dependencies),
    verifyBackup: verifyBackup(dependencies),
    cancelVerification: cancelVerification(dependencies),
    listRecoveryPoints: listRecoveryPoints(dependencies),
    listNeededBases: listNeededBases(dependencies),
    listNewestGood: listNewestGood(dependencies),
    listChangedClusters: listChangedClusters(dependencies),
    watchBackup: watchBackup(dependencies),
    readBackupLog: readBackupLog(dependencies),
  };
  return bindService<BackupServiceServer>(BackupServiceService, handlers, { honorsSight: true });
}
