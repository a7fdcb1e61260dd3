import { LogStanding } from '@tidemark/protocol/grpc/tidemark/backup/v1/log_backup';
import type {
  ScanLogBackupsRequest,
  ScanLogBackupsResponse,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/log_backup_service';
import type { CallContext } from '@tidemark/service-kit/grpc/call-context';
import { inFittingPieces } from '@tidemark/service-kit/grpc/fitting';
import { toStandingMessage, unreadableStanding } from '../log/log-message.ts';
import type { Dependencies } from './context.ts';

/** How every log backup stands; one whose record is damaged is told as that, and hides no other. */
export function scanLogBackups({ logs, quarantines, now }: Dependencies) {
  return async function* (_: ScanLogBackupsRequest, { signal }: CallContext): AsyncGenerator<ScanLogBackupsResponse> {
    for await (const batch of logs.scan(signal)) {
      const standings = batch.flatMap((log) => {
        const read = quarantines.scannedLogs.read(log._id, () => {
          const standing = toStandingMessage(log, now());
          if (standing) LogStanding.encode(standing).finish();
          return { standing };
        });
        return (read ? read.standing : unreadableStanding(log)) ?? [];
      });
      for (const pieces of inFittingPieces(standings, LogStanding)) yield { logs: pieces };
    }
  };
}
