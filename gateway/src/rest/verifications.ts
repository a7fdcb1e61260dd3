import type { FastifyInstance } from 'fastify';
import { requireBackup } from '../calls/find-backup.ts';
import type { CallDependencies } from '../calls/scope.ts';
import { CREATE_FAILED } from './failure-numbers.ts';
import { toLegacyRecord } from './legacy-record.ts';
import { cancelVerification, verifyBackup } from './operations/verifications.ts';
import { route } from './route.ts';
import { VERIFICATION_LEVELS } from './verification-level.ts';

/** Verifications of good backups; how they go is a part of the record. */
export function verificationRoutes(app: FastifyInstance, dependencies: CallDependencies): void {
  route(app, dependencies, {
    method: 'POST',
    path: '/backups/:backupId/verify',
    operation: verifyBackup,
    failureNumber: CREATE_FAILED,
    toRequest: ({ params, body: { level, sample, rateLimit = 0 } }) => ({
      id: params.backupId,
      rateLimit,
      ...(level && { level: VERIFICATION_LEVELS[level] }),
      ...(sample !== undefined && { sample }),
    }),
    toView: ({ backup }) => ({ data: { backup: toLegacyRecord(requireBackup(backup)) } }),
  });
  route(app, dependencies, {
    method: 'POST',
    path: '/backups/:backupId/verify/cancel',
    operation: cancelVerification,
    failureNumber: CREATE_FAILED,
    toRequest: ({ params }) => ({ id: params.backupId }),
    toView: ({ backup }) => ({ data: { backup: toLegacyRecord(requireBackup(backup)) } }),
  });
}
