import {
  type LogBackupServiceServer,
  LogBackupServiceService,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/log_backup_service';
import { bindService, type ServiceBinding } from '@tidemark/service-kit/grpc/bind-service';
import type { Dependencies } from './context.ts';
import { getLogBackup } from './get-log-backup.ts';
import { pauseLogBackup } from './pause-log-backup.ts';
import { putLogBackup } from './put-log-backup.ts';
import { resumeLogBackup } from './resume-log-backup.ts';
import { scanLogBackups } from './scan-log-backups.ts';
import { stopLogBackup } from './stop-log-backup.ts';
import { truncateLogBackup } from './truncate-log-backup.ts';

/** Log backups. */
export function logBackupService(dependencies: Dependencies): ServiceBinding {
  return bindService<LogBackupServiceServer>(LogBackupServiceService, {
    putLogBackup: putLogBackup(dependencies),
    getLogBackup: getLogBackup(dependencies),
    pauseLogBackup: pauseLogBackup(dependencies),
    resumeLogBackup: resumeLogBackup(dependencies),
    stopLogBackup: stopLogBackup(dependencies),
    truncateLogBackup: truncateLogBackup(dependencies),
    scanLogBackups: scanLogBackups(dependencies),
  });
}
