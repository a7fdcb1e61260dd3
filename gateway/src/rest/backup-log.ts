import type { FastifyInstance } from 'fastify';
import type { CallDependencies } from '../calls/scope.ts';
import { logText, PLAIN_TEXT } from './attempt-log.ts';
import { QUERY_FAILED } from './failure-numbers.ts';
import { readBackupLog } from './operations/backups.ts';
import { streamRoute } from './stream.ts';

/** What `br` printed for a backup. */
export function backupLogRoutes(app: FastifyInstance, dependencies: CallDependencies): void {
  streamRoute(app, dependencies, {
    path: '/backups/:backupId/log',
    operation: readBackupLog,
    failureNumber: QUERY_FAILED,
    type: PLAIN_TEXT,
    toRequest: ({ params, query: { attempt = 0, follow = false } }) => ({ id: params.backupId, attempt, follow }),
    toText: logText,
  });
}
