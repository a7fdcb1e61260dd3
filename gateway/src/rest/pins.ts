import type { FastifyInstance } from 'fastify';
import { requireBackup } from '../calls/find-backup.ts';
import type { CallDependencies } from '../calls/scope.ts';
import { CREATE_FAILED } from './failure-numbers.ts';
import { toLegacyRecord } from './legacy-record.ts';
import { pinBackup, unpinBackup } from './operations/backups.ts';
import { route } from './route.ts';

/** Pins keep a good backup from being deleted, by retention or by a person, until they are taken off. */
export function pinRoutes(app: FastifyInstance, dependencies: CallDependencies): void {
  route(app, dependencies, {
    method: 'PUT',
    path: '/backups/:backupId/pin',
    operation: pinBackup,
    failureNumber: CREATE_FAILED,
    toRequest: ({ params }) => ({ id: params.backupId }),
    toView: ({ backup }) => ({ data: { backup: toLegacyRecord(requireBackup(backup)) } }),
  });
  route(app, dependencies, {
    method: 'DELETE',
    path: '/backups/:backupId/pin',
    operation: unpinBackup,
    failureNumber: CREATE_FAILED,
    toRequest: ({ params }) => ({ id: params.backupId }),
    toView: ({ backup }) => ({ data: { backup: toLegacyRecord(requireBackup(backup)) } }),
  });
}
