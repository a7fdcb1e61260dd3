/** The record of a backup, as every call about one answers it. */
import { z } from 'zod';
import { STATES, STATUSES } from '../legacy-states.ts';
import { counted, time, VerificationLevel } from './common.ts';

export const Mode = z
  .enum(['manual', 'auto'], 'must be "manual" or "auto"')
  .meta({ id: 'BackupMode', description: 'A word for people.' });
export const Status = z
  .enum(STATUSES, `must be one of ${STATUSES.join(', ')}`)
  .meta({ id: 'BackupStatus', description: 'A state in the words of the documented API.' });
export const Origin = z.enum(['schedule', 'request', 'log'], 'must be "schedule", "request" or "log"').meta({
  id: 'BackupOrigin',
  description: 'Whether the schedule started it, somebody asked for it, or the log backup of its cluster did.',
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

export const OneBackup = z.object({ backup: BackupRecord }).meta({ id: 'OneBackup' });
