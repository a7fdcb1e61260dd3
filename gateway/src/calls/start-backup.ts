import { randomUUID } from 'node:crypto';
import { BackupMode, BackupOrigin } from '@tidemark/protocol/connect/tidemark/backup/v1/backup';
import { findRule } from './find-rule.ts';
import { callOptions } from './scope.ts';
import { type Steps, unless } from './steps.ts';

export const startBackup: Steps<'startBackup'> = {
  names: ({ rule }) => (rule === '' ? {} : { rule }),
  check: ({ origin }) =>
    unless(
      origin !== BackupOrigin.SCHEDULE && origin !== BackupOrigin.LOG,
      'origin',
      'must be left out: the scheduler and log backups alone start for themselves',
    ),
  /** Every start is keyed, so that a repeat on the way cannot start two; one of a rule has what the rule has. */
  async prepare(request, { scope, dependencies }) {
    request.key ||= randomUUID();
    request.mode ||= BackupMode.MANUAL;
    request.origin = BackupOrigin.REQUEST;
    if (request.rule === '') return;
    const { storageId, brOptions } = await findRule(scope, dependencies, request.clusterId, request.rule);
    request.storageId ||= storageId;
    if (brOptions) request.brOptions ??= brOptions;
  },
  async act(request, { scope, dependencies }) {
    const response = await dependencies.backends.backups.startBackup(request, callOptions(scope, dependencies));
    if (response.backup) scope.audited = { ...scope.audited, backupId: response.backup.id };
    return response;
  },
};
