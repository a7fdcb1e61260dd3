import { rulesOf, sentenceOf } from '@tidemark/contract/rules';
import { DEFAULT_PAGE_SIZE, MAX_PAGE, MAX_PAGE_SIZE } from '@tidemark/limits/limits';
import { z } from 'zod';
import { BrOptionsBody } from '../br-options.ts';
import { IdempotencyHeaders } from '../idempotency-key.ts';
import { STATES, STATUSES } from '../legacy-states.ts';
import type { Operation } from '../operation.ts';
import { flag, Id, leftOut, leftOutOrFrom1, required, wholeNumber } from '../validate.ts';
import {
  BACKUP_ID,
  CLUSTER_ID,
  counted,
  EventsBrokeOff,
  GoesOn,
  jsonLine,
  logQuery,
  OfBackup,
  time,
  VERIFICATION,
  VerificationLevel,
} from './common.ts';

const REASON = rulesOf('tidemark.backup.v1.CancelBackupRequest', 'reason');
const LAST_SECOND = 253_402_300_799; // of the year 9999

const Mode = z
  .enum(['manual', 'auto'], 'must be "manual" or "auto"')
  .meta({ id: 'BackupMode', description: 'A word for people.' });
const Type = z
  .literal('full', 'must be "full": other types are not supported yet')
  .meta({ id: 'BackupType', description: 'Only full backups are supported.' });
const Status = z
  .enum(STATUSES, `must be one of ${STATUSES.join(', ')}`)
  .meta({ id: 'BackupStatus', description: 'A state in the words of the documented API.' });
const Origin = z
  .enum(['schedule', 'request'], 'must be "schedule" or "request"')
  .meta({ id: 'BackupOrigin', description: 'Whether the schedule started it, or somebody asked for it.' });
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
  origin: leftOut(Origin).describe('Only those that the schedule started, or that somebody asked for.'),
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

const Reason = z
  .object({
    code: z.string().describe('A short constant, such as `DEADLINE`.'),
    message: z.string().describe('What happened and what to do.'),
    detail: z.string().optional().describe('The words of `br`, if there were any.'),
  })
  .meta({ id: 'Reason', description: 'Why a backup ended as it did, or why it waits.' });
const Estimate = z
  .object({
    writtenBytes: z.int().min(0).describe('What lies in its path so far, in bytes.'),
    percent: z
      .number()
      .min(0)
      .max(99)
      .optional()
      .describe('That, of the size of the last good backup of the cluster; absent where there is none. It may fall.'),
  })
  .meta({
    id: 'Estimate',
    description:
      'How far a running backup may be, as long as `br` has not told its progress, which it does every two minutes.',
  });
const Waiting = z
  .object({
    code: z.string().describe('A short constant, such as `STORE_AWAY`.'),
    message: z.string().describe('What it waits for.'),
    store: z.string().optional().describe('Id of the TiKV store, where `br` says which.'),
    since: time('Since when.'),
  })
  .meta({ id: 'Waiting', description: 'Something in the cluster that a running `br` waits for.' });
const Attempt = z
  .object({
    number: z.int().describe('From 1.'),
    worker: z.string(),
    filePath: z.string(),
    startTime: time('When `br` began.'),
    endTime: time('When it ended.'),
    outcome: z
      .string()
      .describe('Empty while it runs; else succeeded, failed, retry, new path, wait, stopped, released or lost.'),
    reason: Reason.optional(),
    argv: z.array(z.string()).optional().describe('The command line, which holds no secret; not in lists.'),
    brVersion: z.string().optional(),
  })
  .meta({ id: 'Attempt', description: 'One run of `br` for a backup.' });
const Progress = z
  .object({
    step: z.string().describe('The phase in the words of `br`, such as `Full Backup`.'),
    percent: z.number().min(0).max(100).describe('Over all phases; never falls within an attempt.'),
    remainingSeconds: z.number().optional(),
    speed: z.string().optional().describe('In the words of `br`, such as `14 p/s`.'),
  })
  .meta({ id: 'Progress', description: 'How far `br` has come.' });
// Generators name constants after the values alone, and `None` is taken by many languages.
const DeletionState = z
  .enum(['None', 'Requested', 'Deleting', 'Deleted', 'DeleteFailed', 'Forgotten', 'Trashed'])
  .meta({
    id: 'DeletionState',
    'x-enum-varnames': [
      ...['NotDeleted', 'DeletionRequested', 'DeletionRunning'],
      ...['DeletionDone', 'DeletionFailed', 'DeletionForgotten', 'DeletionTrashed'],
    ],
  });
const Deletion = z
  .object({
    state: DeletionState,
    at: time('When it was asked for.').optional(),
    by: z.string().optional(),
    reason: z.string().optional(),
    trashUntil: time('While it lies in the bin: its files are removed from then on, unless it is held.').optional(),
    error: z.string().optional().describe('What the last try said, if it failed.'),
    errorCode: z.string().optional().describe('Of that, a short constant, such as `FILES_GONE`.'),
    bytes: z.int().optional().describe('How many were freed.'),
    remark: z.string().optional().describe('What to know about it, such as that files may remain.'),
  })
  .meta({ id: 'Deletion', description: 'How far the deletion of a backup has come.' });

const VERIFICATION_STATES = ['Queued', 'Running', 'Canceling', 'Good', 'Damaged', 'Unknown', 'Canceled'] as const;
const VerifyBody = z.object(VERIFICATION);
const Problem = z
  .object({
    kind: z
      .string()
      .describe(
        '`missing`, `size`, `content`, `swapped`, `key`, `unreadable` or `tampered`; of the manifest `unsigned`, `unknownKey` or `signature`.',
      ),
    name: z.string().describe('The file, below the path of the backup.'),
    why: z.string().describe('What is wrong with it.'),
  })
  .meta({ id: 'VerificationProblem', description: 'What is wrong with one file of a backup.' });
const SIGNATURE_STATES = ['good', 'none', 'unknownKey', 'wrong'] as const;
const ManifestSignature = z
  .object({
    state: z.enum(SIGNATURE_STATES).meta({
      id: 'SignatureState',
      'x-enum-varnames': ['SignatureGood', 'SignatureNone', 'SignatureUnknownKey', 'SignatureWrong'],
      description: '`unknownKey`: by a key that is none of the storage; `wrong`: it is not what was signed.',
    }),
    keyId: z
      .string()
      .optional()
      .describe('Of the key that it says it was signed with: the SHA-256 of the public half, in hexadecimal digits.'),
  })
  .meta({ id: 'ManifestSignature', description: 'What the signature of `tidemark.json` is worth.' });
export type SignatureView = z.infer<typeof ManifestSignature>;
const Verdict = {
  level: VerificationLevel,
  sample: z.number().describe('Which part of the data files is read; 1 is all.'),
  verdict: z
    .string()
    .describe('What was found, and no more than that; or why nothing could be. Empty until it is over.'),
  problems: z.array(Problem).describe('The first 100 of what is wrong; none in lists.'),
  problemCount: counted('What is wrong, in all.'),
  verifiedAt: time('When it was over.'),
  signature: ManifestSignature.optional(),
};
const Verification = z
  .object({
    state: z.enum(VERIFICATION_STATES).meta({
      id: 'VerificationState',
      'x-enum-varnames': VERIFICATION_STATES.map((state) => `Verification${state}`),
      description: '`Unknown`: it could not be verified, which says nothing against it.',
    }),
    ...Verdict,
    rateLimit: counted('In MiB per second; 0 is no limit.'),
    damaged: z
      .boolean()
      .describe(
        'Whether the backup counts as damaged: by this verdict, or by an earlier one that it does not outweigh.',
      ),
    progress: z
      .object({
        bytesRead: counted('Bytes read so far.'),
        bytesInAll: counted('Bytes to read; 0 until the catalogue has been read.'),
        files: counted('Files read whole.'),
      })
      .optional()
      .describe('Once it runs.'),
    waitsFor: z.string().optional().describe('Why it has to be tried again, where it does.'),
    requestTime: time('When it was asked for.'),
    createdBy: z.string().optional(),
    worker: z.string().optional().describe('Who is at it, or was last.'),
    earlier: z
      .object({
        state: z
          .enum(['Good', 'Damaged', 'Unknown'])
          .meta({ id: 'VerdictState', 'x-enum-varnames': ['VerdictGood', 'VerdictDamaged', 'VerdictUnknown'] })
          .describe('`Unknown`: the backup was signed when it was verified, and is not now.'),
        ...Verdict,
      })
      .optional()
      .describe('The earlier verdict that counts, where this verification has none, or one that does not outweigh it.'),
  })
  .meta({ id: 'Verification', description: 'The newest verification of a backup.' });
export type VerificationView = z.infer<typeof Verification>;

/** The record of the documented API, and what goes beyond it. */
export const BackupRecord = z
  .object({
    id: z.string().describe('22 characters of base64url.'),
    clusterId: z.string(),
    backupType: z.string().describe('`full`.'),
    backupMethod: z.string().describe('`physical`.'),
    backupMode: Mode,
    filePath: z.string().describe('Below the storage; its time is in UTC.'),
    size: z.number().min(0).describe('In MiB.'),
    backupTso: z.string().describe('The snapshot point; `"0"` until it is known.'),
    status: Status.describe('The state, in the words of the documented API.'),
    startTime: time('When the request was accepted.'),
    endTime: time('When it was over. In the list, that of an active backup is its `startTime`.'),
    createTime: time('When the record was made.'),
    updateTime: time('When the record last changed.'),
    deleteTime: time('When record and files were gone, or when it was put into the bin.'),
    state: z.enum([...STATES, 'Unknown']),
    progress: Progress,
    sizeBytes: z.int().min(0).describe('Everything below the path, in bytes.'),
    files: counted('Files below the path.'),
    remark: z.string().optional(),
    reason: Reason.optional(),
    attempts: z.array(Attempt),
    cancel: z
      .object({ at: time('When.'), by: z.string(), reason: z.string() })
      .optional()
      .describe('Who asked for it to be canceled.'),
    deletion: Deletion,
    holds: z.array(z.string()).describe('What keeps it from being deleted, such as pins.'),
    pinned: z.boolean(),
    storageId: z.string(),
    queuePosition: z.int().min(1).optional().describe('While it waits for its turn: 1 is the next.'),
    nextTryTime: time('Between two tries: from when on it is tried again; why it must be is the reason.').optional(),
    waiting: Waiting.optional(),
    estimate: Estimate.optional(),
    verification: Verification.optional(),
    rule: z.string().optional().describe('The rule of the strategy that it was started by or for.'),
    origin: Origin,
    createdBy: z.string().describe('The name of the token that started it, or of the part of Tidemark.'),
    deadline: time('After which it is given up.'),
    revision: counted('Grows with every change.'),
    keepReasons: z
      .array(z.string())
      .optional()
      .describe('Why retention keeps it; none: it goes. Only in the answer about one good backup.'),
    expiresAt: time('When retention no longer keeps it, as far as that depends on time alone.').optional(),
  })
  .meta({ id: 'BackupRecord', description: 'A backup.' });
export type BackupRecordView = z.infer<typeof BackupRecord>;

export const RECORD: BackupRecordView = {
  id: 'h6IhUQh-Q32MDOfcVieYgA',
  clusterId: 'test-tidb',
  backupType: 'full',
  backupMethod: 'physical',
  backupMode: 'manual',
  filePath: 'nfs/em/backup/test-tidb/2022-04-28-08-00-41-full',
  size: 1.5,
  backupTso: '432834567783317505',
  status: 'Finished',
  startTime: '2022-04-28T08:00:41.697Z',
  endTime: '2022-04-28T08:00:42.263Z',
  createTime: '2022-04-28T08:00:41.698Z',
  updateTime: '2022-04-28T08:00:42.267Z',
  deleteTime: '0001-01-01T00:00:00Z',
  state: 'Succeeded',
  progress: { step: 'Checksum', percent: 100 },
  sizeBytes: 1_572_864,
  files: 7,
  attempts: [
    {
      number: 1,
      worker: 'executor-worker-1',
      filePath: 'nfs/em/backup/test-tidb/2022-04-28-08-00-41-full',
      startTime: '2022-04-28T08:00:41.801Z',
      endTime: '2022-04-28T08:00:42.250Z',
      outcome: 'succeeded',
      brVersion: 'v8.5.0',
    },
  ],
  deletion: { state: 'None' },
  holds: [],
  pinned: false,
  storageId: 'local',
  origin: 'request',
  createdBy: 'console',
  deadline: '2022-04-29T08:00:41.697Z',
  revision: 9,
};

const OneBackup = z.object({ backup: BackupRecord }).meta({ id: 'OneBackup' });
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

const verifying: BackupRecordView = {
  ...RECORD,
  holds: ['verify:1'],
  verification: {
    state: 'Running',
    level: 'bytes',
    sample: 1,
    verdict: '',
    problems: [],
    problemCount: 0,
    verifiedAt: '0001-01-01T00:00:00Z',
    rateLimit: 100,
    damaged: false,
    progress: { bytesRead: 1_048_576, bytesInAll: 1_572_864, files: 3 },
    requestTime: '2022-05-01T10:00:00.000Z',
    createdBy: 'console',
    worker: 'executor-worker-1',
  },
};
const canceledVerification: BackupRecordView = {
  ...RECORD,
  verification: {
    state: 'Canceled',
    level: 'bytes',
    sample: 1,
    verdict: 'The verification was canceled.',
    problems: [],
    problemCount: 0,
    verifiedAt: '2022-05-01T10:01:00.000Z',
    rateLimit: 100,
    damaged: false,
    requestTime: '2022-05-01T10:00:00.000Z',
    createdBy: 'console',
  },
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
    'Possible once the backup has succeeded, failed or been canceled. The deletion is recorded, then waited for up to 2 s; `data.backup.deletion` tells how far it came. Files rest for a minute after the end of a backup before they are removed. Repeating it while it is under way is fine, and tries a failed one again. Once gone, the backup is unknown. Where its storage has `trashDays`, a good one is put into the bin instead (`Trashed`), from which it can be undeleted until `deletion.trashUntil`, unless it is deleted `permanently`.',
  params: OfBackup,
  query: DeleteQuery,
  body: DeleteBody,
  bodyExamples: { 'with the cluster': { clusterId: 'test-tidb' } },
  answer: { data: OneBackup, example: { backup: deleted } },
  errors: ['backup_not_found', 'backup_in_use', 'conflict'],
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

export const verifyBackup = {
  id: 'verifyBackup',
  tag: 'Backups',
  call: 'verifyBackup',
  summary: 'Verifies a good backup in its storage',
  description:
    'Answers when the request is safely recorded; a worker of the pool of the backup then reads it, and `verification` of the record says how far it is and what was found. One full read costs what the backup is long. Where the backup is being verified already, the answer is that verification. Until it is over the backup cannot be deleted (409).',
  params: OfBackup,
  body: VerifyBody,
  bodyExamples: {
    'every file': {},
    'a tenth, slowly': { level: 'bytes', sample: 0.1, rateLimit: 100 },
    'only the catalogue': { level: 'meta' },
  },
  answer: { data: OneBackup, example: { backup: verifying } },
  errors: ['backup_not_found', 'backup_not_good', 'conflict'],
} as const satisfies Operation;

export const cancelVerification = {
  id: 'cancelVerification',
  tag: 'Backups',
  call: 'cancelVerification',
  summary: 'Cancels the verification of a backup',
  description:
    'Answers when the request is safely recorded. What was found by then stands, and an earlier verdict goes on to count. Repeating it is fine.',
  params: OfBackup,
  answer: { data: OneBackup, example: { backup: canceledVerification } },
  errors: ['backup_not_found', 'verification_over', 'conflict'],
} as const satisfies Operation;
