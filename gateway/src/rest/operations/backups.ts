import { rulesOf, sentenceOf } from '@tidemark/contract/rules';
import { DEFAULT_PAGE_SIZE, MAX_PAGE, MAX_PAGE_SIZE } from '@tidemark/limits/limits';
import { z } from 'zod';
import { BrOptionsBody } from '../br-options.ts';
import { IdempotencyHeaders } from '../idempotency-key.ts';
import { STATES } from '../legacy-states.ts';
import type { Operation } from '../operation.ts';
import { flag, Id, leftOut, leftOutOrFrom1, required, wholeNumber } from '../validate.ts';
import { BackupRecord, type BackupRecordView, Mode, OneBackup, Origin, RECORD, Status } from './backup-record.ts';
import { BACKUP_ID, CLUSTER_ID, EventsBrokeOff, GoesOn, jsonLine, logQuery, OfBackup } from './common.ts';

const REASON = rulesOf('tidemark.backup.v1.CancelBackupRequest', 'reason');
const ACKNOWLEDGE = rulesOf('tidemark.backup.v1.DeleteBackupRequest', 'acknowledge');
const LAST_SECOND = 253_402_300_799; // of the year 9999

const Type = z
  .literal('full', 'must be "full": other types are not supported yet')
  .meta({ id: 'BackupType', description: 'Only full backups are supported.' });
const StartBody = z.object({
  clusterId: required(CLUSTER_ID).describe('The cluster to be backed up.'),
  backupMode: leftOut(Mode).describe('A word for people; `manual` by default.'),
  backupType: leftOut(Type).describe('Only full backups are supported.'),
  brOptions: BrOptionsBody,
});
const CancelBody = z.object({
  clusterId: required(CLUSTER_ID).describe('The cluster of the backup.'),
  backupId: required(BACKUP_ID).describe('The backup to be canceled.'),
  reason: leftOut(z.string('must be a text').max(REASON.maxLength, sentenceOf(REASON))).describe(
    'Why, for the record; at most 1000 characters.',
  ),
});
const DeleteBody = z.object({ clusterId: leftOut(CLUSTER_ID).describe('Must be the cluster of the backup, if sent.') });
const DeleteQuery = z.object({
  forget: leftOut(flag()).describe(
    'For an admin: gives the files up, which may remain, and forgets the record. Only once a deletion has failed, or the storage was declared `gone`; `false` by default.',
  ),
  permanently: leftOut(flag()).describe(
    'Whether to delete it past the bin of its storage, and out of it where it lies there, so that it cannot be undeleted; `false` by default, and not together with `forget`.',
  ),
  acknowledge: leftOut(z.string('must be a text').max(ACKNOWLEDGE.maxLength, sentenceOf(ACKNOWLEDGE))).describe(
    'What a 409 `points_would_be_lost` gave as `details.acknowledge`: that it is known which points of the log backup are lost.',
  ),
});
const ListQuery = z.object({
  clusterId: leftOut(CLUSTER_ID).describe('Only backups of this cluster.'),
  backupId: leftOut(BACKUP_ID).describe('Only this backup.'),
  startTime: leftOut(wholeNumber(0, LAST_SECOND)).describe('Started at or after this, in unix seconds; 0 is not set.'),
  endTime: leftOut(wholeNumber(0, LAST_SECOND)).describe(
    'Ended at or before this, in unix seconds; 0 is not set. A backup that has not ended counts by its start.',
  ),
  page: leftOutOrFrom1(MAX_PAGE).describe('From 1, which is the default; 0 is left out.'),
  pageSize: leftOutOrFrom1(MAX_PAGE_SIZE).describe(
    `1 to ${MAX_PAGE_SIZE}; ${DEFAULT_PAGE_SIZE} by default, and for 0, which is left out.`,
  ),
  status: leftOut(Status).describe('Only with this status.'),
  state: leftOut(z.enum(STATES, `must be one of ${STATES.join(', ')}`)).describe('Only in this state.'),
  backupMode: leftOut(Mode).describe('Only with this mode.'),
  origin: leftOut(Origin).describe(
    'Only those that the schedule started, that somebody asked for, or that log backups did.',
  ),
  rule: leftOut(Id).describe('Only those of this rule of a strategy.'),
  damaged: leftOut(flag()).describe('Only those that a verification found damaged; `false` by default.'),
  includeDeleted: leftOut(flag()).describe(
    'Whether deleted ones are listed too, also those in the bin; `false` by default.',
  ),
  ...GoesOn,
});
const EventsQuery = z.object({
  untilRemoved: leftOut(flag()).describe(
    'Whether to go on behind the end of the backup until its files are gone, where they are to go; `false` by default.',
  ),
});

/** The two names of one id: existing clients read either. */
export const Started = z
  .object({
    backupId: z.string().describe('The new backup.'),
    workFlowId: z.string().describe('The same id.'),
  })
  .meta({ id: 'StartedBackup' });
export const STARTED = { backupId: RECORD.id, workFlowId: RECORD.id };

const canceling: BackupRecordView = {
  ...RECORD,
  status: 'Processing',
  state: 'Canceling',
  endTime: '0001-01-01T00:00:00Z',
  cancel: { at: '2022-04-28T08:00:42.000Z', by: 'console', reason: 'not now' },
};
const deleted: BackupRecordView = {
  ...RECORD,
  deleteTime: '2022-05-01T10:00:00.120Z',
  deletion: { state: 'Deleted', at: '2022-05-01T10:00:00.000Z', by: 'console', reason: '', bytes: 1_572_864 },
};

export const startBackup = {
  id: 'startBackup',
  tag: 'Backups',
  call: 'startBackup',
  summary: 'Backup: starts a backup',
  description:
    'Answers when the request is safely recorded; the backup then runs on a worker. With an `Idempotency-Key`, a repeat answers with the first backup.',
  headers: IdempotencyHeaders,
  body: StartBody,
  bodyExamples: {
    'as documented': { clusterId: 'test-tidb', backupMode: 'manual' },
    'with options of br': { clusterId: 'test-tidb', brOptions: { rateLimit: 128, filters: ['shop.*'] } },
  },
  answer: { data: Started, example: STARTED },
  errors: ['cluster_not_found', 'cluster_busy', 'storage_not_found', 'storage_unusable', 'conflict'],
} as const satisfies Operation;

export const cancelBackup = {
  id: 'cancelBackup',
  tag: 'Backups',
  call: 'cancelBackup',
  summary: 'CancelBackup: cancels a running backup',
  description:
    'Answers when the request is safely recorded; `data.backup` shows the state. Repeating it while the backup is being canceled is fine.',
  body: CancelBody,
  bodyExamples: {
    'as documented': { clusterId: 'test-tidb', backupId: RECORD.id },
    'with a reason': { clusterId: 'test-tidb', backupId: RECORD.id, reason: 'not now' },
  },
  answer: { data: OneBackup, example: { backup: canceling } },
  errors: ['backup_not_found', 'backup_over', 'conflict'],
} as const satisfies Operation;

export const listBackups = {
  id: 'listBackups',
  tag: 'Backups',
  call: 'listBackups',
  summary: 'QueryBackupRecords: lists backups, newest first',
  description:
    'All filters are optional and hold together. A backup that has not ended has its `startTime` as `endTime` here, and nowhere else, because consoles that were written for this list show that field as it is. A page beyond the end is an empty list. Up to 10,000 backups (a setting) the total is exact, and for one cluster; above, `page.totalIsAtLeast` is true, and the total is more than the page ends with for as long as more may follow. Each full page comes with a `pageToken` for the next one; a `page` that lies too deep to be reached in time is a 400. Fields that the query leaves out are also read from a JSON body, as the first document of this API showed it.',
  query: ListQuery,
  answer: {
    data: z.object({ backupRecords: z.array(BackupRecord) }),
    paged: 'with a token',
    example: { backupRecords: [RECORD] },
  },
  errors: ['cluster_not_found'],
} as const satisfies Operation;

export const getBackup = {
  id: 'getBackup',
  tag: 'Backups',
  call: 'getBackup',
  summary: 'Shows one backup',
  description: 'A good one comes with why retention keeps it (`keepReasons`, `expiresAt`).',
  params: OfBackup,
  answer: { data: OneBackup, example: { backup: { ...RECORD, keepReasons: ['last 7'] } } },
  errors: ['backup_not_found'],
} as const satisfies Operation;

export const deleteBackup = {
  id: 'deleteBackup',
  tag: 'Backups',
  call: 'deleteBackup',
  summary: 'DeleteBackup: deletes a backup, record and files',
  description:
    'Possible once the backup has succeeded, failed or been canceled. The deletion is recorded, then waited for up to 2 s; `data.backup.deletion` tells how far it came. Files rest for a minute after the end of a backup before they are removed. Repeating it while it is under way is fine, and tries a failed one again. Once gone, the backup is unknown. Where its storage has `trashDays`, a good one is put into the bin instead (`Trashed`), from which it can be undeleted until `deletion.trashUntil`, unless it is deleted `permanently`. Where the cluster has a log backup of which points could be restored no longer, it is a 409 that says which, and nothing is deleted until that is acknowledged.',
  params: OfBackup,
  query: DeleteQuery,
  body: DeleteBody,
  bodyExamples: { 'with the cluster': { clusterId: 'test-tidb' } },
  answer: { data: OneBackup, example: { backup: deleted } },
  errors: ['backup_not_found', 'backup_in_use', 'points_would_be_lost', 'conflict'],
} as const satisfies Operation;

export const undeleteBackup = {
  id: 'undeleteBackup',
  tag: 'Backups',
  call: 'undeleteBackup',
  summary: 'Takes a deleted backup out of the bin',
  description:
    'Possible while its `deletion.state` is `Trashed`, which it stays for the `trashDays` of its storage. It is then as it was before it was deleted; what retention had deleted comes back pinned, as retention would delete it again. Repeating it is fine.',
  params: OfBackup,
  answer: { data: OneBackup, example: { backup: RECORD } },
  errors: ['backup_not_found', 'backup_not_in_bin', 'conflict'],
} as const satisfies Operation;

/** What a stream of events holds. */
export const BackupEvent = z
  .union([
    z
      .object({
        event: z.literal('backup'),
        id: z.string().describe('The revision of the record.'),
        data: jsonLine({ $ref: '#/components/schemas/BackupRecord' }),
      })
      .meta({ id: 'BackupChanged', title: 'a new state of the backup' }),
    z
      .object({ event: z.literal('end'), data: jsonLine({ type: 'object' }) })
      .meta({ id: 'BackupEnded', title: 'the backup is over' }),
    EventsBrokeOff,
  ])
  .meta({ id: 'BackupEvent', description: 'One server-sent event; its `data` is a line of JSON.' });

export const watchBackup = {
  id: 'watchBackup',
  tag: 'Backups',
  call: 'watchBackup',
  summary: 'Follows a backup until it ends',
  description:
    'Server-sent events: `backup` with the record (`BackupRecord`, as JSON, in `data`) whenever it changes, the first at once; `end` when it is over (where its deletion was asked for: when that is); `error` when the stream broke off and should be opened again. Use `fetch`, which can send the token; a token never goes into a URL.',
  params: OfBackup,
  query: EventsQuery,
  answer: {
    type: 'text/event-stream',
    description: 'Events as they come. The schema is that of each; `data` is a line of JSON.',
    event: BackupEvent,
    example: `event: backup\nid: 9\ndata: ${JSON.stringify({ id: RECORD.id, state: 'Succeeded' })}\n\nevent: end\ndata: {}\n\n`,
  },
  errors: ['backup_not_found'],
} as const satisfies Operation;

export const readBackupLog = {
  id: 'readBackupLog',
  tag: 'Backups',
  call: 'readBackupLog',
  summary: 'What br printed',
  description: 'Plain text: a heading for each attempt, then its lines as they came.',
  params: OfBackup,
  query: logQuery('backup'),
  answer: {
    type: 'text/plain',
    description: 'The lines.',
    example: '==> attempt 1, br v8.5.0, worker executor-worker-1 <==\n[INFO] [backup.go:480] ["start backup"]\n',
  },
  errors: ['backup_not_found'],
} as const satisfies Operation;

export const pinBackup = {
  id: 'pinBackup',
  tag: 'Backups',
  call: 'pinBackup',
  summary: 'Pins a good backup',
  description: 'It cannot be deleted, by retention or by a person, until the pin is taken off. Repeating it is fine.',
  params: OfBackup,
  answer: { data: OneBackup, example: { backup: { ...RECORD, holds: ['pin:console'], pinned: true } } },
  errors: ['backup_not_found', 'backup_not_good', 'conflict'],
} as const satisfies Operation;

export const unpinBackup = {
  id: 'unpinBackup',
  tag: 'Backups',
  call: 'unpinBackup',
  summary: 'Takes the pins off a backup',
  params: OfBackup,
  answer: { data: OneBackup, example: { backup: RECORD } },
  errors: ['backup_not_found', 'conflict'],
} as const satisfies Operation;
