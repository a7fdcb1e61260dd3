import { create } from '@bufbuild/protobuf';
import { GetBackupResponseSchema } from '@tidemark/protocol/connect/tidemark/backup/v1/backup_service';
import { callOptions } from './scope.ts';
import type { Steps } from './steps.ts';

export const getBackup: Steps<'getBackup'> = {
  /** The record was perhaps looked at already, to see whose it is. */
  act: async (request, { backup, scope, dependencies }) =>
    backup
      ? create(GetBackupResponseSchema, { backup })
      : dependencies.backends.backups.getBackup(request, callOptions(scope, dependencies)),
};
