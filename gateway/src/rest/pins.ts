import type { FastifyInstance } from 'fastify';
import { success } from './envelope.ts';
import { findVisibleBackup } from './find-backup.ts';
import { toLegacyRecord } from './legacy-record.ts';
import { pinBackup, unpinBackup } from './operations/backups.ts';
import { callOptions, type RouteDependencies } from './route.ts';
import { parse } from './validate.ts';

const PIN_FAILED = 20602;

/** Pins keep a good backup from being deleted, by retention or by a person, until they are taken off. */
export function pinRoutes(app: FastifyInstance, dependencies: RouteDependencies): void {
  const { backups } = dependencies.backends;

  app.put(
    '/backups/:backupId/pin',
    { config: { failureNumber: PIN_FAILED, audit: 'pin backup', operation: pinBackup } },
    async (request) => {
      const { backupId } = parse(pinBackup.params, request.params);
      await findVisibleBackup(request, dependencies, 'pinBackup', backupId);
      const { backup } = await backups.pinBackup({ id: backupId }, callOptions(request, dependencies));
      return success(backup ? { backup: toLegacyRecord(backup) } : {});
    },
  );

  app.delete(
    '/backups/:backupId/pin',
    { config: { failureNumber: PIN_FAILED, audit: 'unpin backup', operation: unpinBackup } },
    async (request) => {
      const { backupId } = parse(pinBackup.params, request.params);
      await findVisibleBackup(request, dependencies, 'unpinBackup', backupId);
      const { backup } = await backups.unpinBackup({ id: backupId }, callOptions(request, dependencies));
      return success(backup ? { backup: toLegacyRecord(backup) } : {});
    },
  );
}
