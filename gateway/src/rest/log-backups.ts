import { timestampFromDate } from '@bufbuild/protobuf/wkt';
import type { LogBackup } from '@tidemark/protocol/connect/tidemark/backup/v1/log_backup';
import type { FastifyInstance } from 'fastify';
import type { CallDependencies } from '../calls/scope.ts';
import { CREATE_FAILED, QUERY_FAILED } from './failure-numbers.ts';
import { toLogBackupView } from './log-backup-view.ts';
import * as operations from './operations/log-backups.ts';
import { route, type Shown } from './route.ts';

/** The log backup of a cluster. */
export function logBackupRoutes(app: FastifyInstance, dependencies: CallDependencies): void {
  route(app, dependencies, {
    method: 'PUT',
    path: '/clusters/:clusterId/log-backup',
    operation: operations.putLogBackup,
    failureNumber: CREATE_FAILED,
    toRequest({ params, body }) {
      const { storageId, paused = false, retentionDays = 0, lagWarnSeconds = 0, lagCriticalSeconds = 0 } = body;
      return { clusterId: params.clusterId, storageId, paused, retentionDays, lagWarnSeconds, lagCriticalSeconds };
    },
    toView: logBackupView,
  });
  route(app, dependencies, {
    method: 'GET',
    path: '/clusters/:clusterId/log-backup',
    operation: operations.getLogBackup,
    failureNumber: QUERY_FAILED,
    toRequest: ({ params }) => ({ clusterId: params.clusterId }),
    toView: logBackupView,
  });
  route(app, dependencies, {
    method: 'POST',
    path: '/clusters/:clusterId/log-backup/pause',
    operation: operations.pauseLogBackup,
    failureNumber: CREATE_FAILED,
    toRequest: ({ params, body: { reason = '' } }) => ({ clusterId: params.clusterId, reason }),
    toView: logBackupView,
  });
  route(app, dependencies, {
    method: 'POST',
    path: '/clusters/:clusterId/log-backup/resume',
    operation: operations.resumeLogBackup,
    failureNumber: CREATE_FAILED,
    toRequest: ({ params, body: { reason = '' } }) => ({ clusterId: params.clusterId, reason }),
    toView: logBackupView,
  });
  route(app, dependencies, {
    method: 'POST',
    path: '/clusters/:clusterId/log-backup/truncate',
    operation: operations.truncateLogBackup,
    failureNumber: CREATE_FAILED,
    toRequest: ({ params, body: { until, acknowledge, reason = '' } }) => ({
      clusterId: params.clusterId,
      reason,
      ...(until !== undefined && { until: timestampFromDate(new Date(until)) }),
      ...(acknowledge !== undefined && { acknowledge }),
    }),
    toView: logBackupView,
  });
  route(app, dependencies, {
    method: 'DELETE',
    path: '/clusters/:clusterId/log-backup',
    operation: operations.stopLogBackup,
    failureNumber: CREATE_FAILED,
    toRequest: ({ params, query: { files, acknowledge } }) => ({
      clusterId: params.clusterId,
      removeFiles: files === 'remove',
      ...(acknowledge !== undefined && { acknowledge }),
    }),
    toView: logBackupView,
  });
}

function logBackupView({ logBackup }: { readonly logBackup?: LogBackup | undefined }): Shown {
  if (!logBackup) throw new Error('the service answered without a log backup');
  return { data: { logBackup: toLogBackupView(logBackup) } };
}
