/** The record of a restore, as every call about one answers it. */
import { z } from 'zod';
import { PURPOSE_NAMES } from '../cluster-purpose.ts';
import { counted, time } from './common.ts';

export const STATE_NAMES = ['Queued', 'Running', 'Canceling', 'Succeeded', 'Failed', 'Canceled'] as const;
export const TARGET_STATE_NAMES = ['Untouched', 'Partial', 'Restored', 'Released'] as const;

const Log = z
  .object({
    pointInTime: time('The moment up to which the log is replayed.'),
    tso: z.string().describe('The same, decimal.'),
    generation: counted('The log backup that leads there.'),
    storageId: z.string(),
    path: z.string().describe('Below the storage.'),
  })
  .meta({ id: 'RestoreLog', description: 'A point in time, and the log that leads there from the backup.' });
export const Source = z
  .object({
    backupId: z.string(),
    clusterId: z.string(),
    storageId: z.string(),
    path: z.string().describe('Below the storage.'),
    tso: z.string().describe('The snapshot point, decimal.'),
    sizeBytes: counted('Its size in bytes.'),
    clusterVersion: z.string(),
    log: Log.optional().describe('Of a restore to a point in time; absent where the backup alone is restored.'),
  })
  .meta({ id: 'RestoreSource', description: 'The backup that is read, and the log that is replayed after it.' });
export const Target = z
  .object({
    clusterId: z.string(),
    pd: z.array(z.string()),
    version: z.string(),
    pool: z.string(),
    purpose: z
      .enum([...PURPOSE_NAMES, 'Unknown'])
      .optional()
      .describe('As it was registered when the restore was accepted.'),
    strictLoss: z.boolean().describe('After a lost worker nothing goes on until a person says that its host is dead.'),
  })
  .meta({ id: 'RestoreTarget', description: 'The cluster that is restored into.' });
export const Filter = z
  .array(z.string())
  .optional()
  .describe('Rules that choose what is restored; absent where that is the whole backup.');
const ReasonView = z.object({ code: z.string(), message: z.string(), detail: z.string().optional() });
const Attempt = z
  .object({
    number: z.int().min(1),
    worker: z.string(),
    startTime: time('When it was granted.'),
    endTime: time('When it ended.'),
    outcome: z.string().describe('Empty while it runs; `ended`, `released`, or `lost`.'),
    end: z
      .string()
      .optional()
      .describe('How `br` ended, such as `succeeded`, `failed` or `dirty`; absent where nobody knows.'),
    brVersion: z.string().optional(),
    reason: ReasonView.optional(),
  })
  .meta({ id: 'RestoreAttempt' });
const CleanupItem = z
  .object({
    what: z.string(),
    until: z.string().optional().describe('When it is over by itself; absent where somebody must see to it.'),
    message: z.string(),
    command: z.string().optional().describe('What to run.'),
    seenTime: z
      .string()
      .optional()
      .describe('When PD was asked, and said that it is so; absent where it may be so, as `br` leaves it.'),
  })
  .meta({ id: 'CleanupItem', description: 'Something that a restore left behind in its target.' });

/** A restore in an answer. */
export const Restore = z
  .object({
    id: z.string(),
    state: z.enum([...STATE_NAMES, 'Unknown']),
    targetState: z
      .enum([...TARGET_STATE_NAMES, 'Unknown'])
      .describe(
        '`Partial`: the target may hold part of the data and must not be used; resume the restore, or clean the cluster and release it.',
      ),
    source: Source,
    target: Target,
    filter: Filter,
    argv: z
      .array(z.string())
      .describe('The command of every attempt; empty while the target is as it was, and in lists.'),
    brVersion: z.string().optional(),
    worker: z.string().optional(),
    progress: z
      .object({ step: z.string(), percent: z.number(), secondsLeft: z.number().optional() })
      .optional()
      .describe('Of the last attempt.'),
    attempts: z.array(Attempt),
    result: z
      .object({
        sizeBytes: counted('What was restored.'),
        seconds: z.number(),
        summary: z.string(),
        remark: z.string().optional(),
        checksums: z.string().describe('`proven`, or `unproven`: compare them before the data are used.'),
      })
      .optional(),
    reason: ReasonView.optional().describe('Why it ended so, or waits.'),
    outcomeUnknown: z.boolean().describe('It may have finished unseen: look at the target.'),
    resumable: z.boolean(),
    needsConfirm: z.boolean().describe('Say `hostDead` once you are certain that the host of the lost worker is dead.'),
    needsCleaning: z.boolean().describe('A checkpoint lies in the target, so that no other restore may begin there.'),
    quietUntil: z.string().optional().describe('Before that moment the target cannot be released.'),
    advice: z
      .string()
      .optional()
      .describe('What to do about a target that holds a part of the data, in sentences; absent where it holds none.'),
    cleanup: z.array(CleanupItem),
    canceledBy: z.string().optional(),
    cancelReason: z.string().optional().describe('What whoever canceled it gave as the reason.'),
    release: z.object({ at: z.string(), by: z.string(), cleaned: z.boolean(), note: z.string().optional() }).optional(),
    createdBy: z.string(),
    startTime: time('When the request was accepted.'),
    endTime: time('When it ended.'),
    createTime: time('When the record was made.'),
    updateTime: time('When it last changed.'),
    nextTryTime: z.string().optional().describe('Set between two tries.'),
    revision: z.int().min(0),
  })
  .meta({ id: 'Restore', description: 'A restore of a backup into a cluster.' });
export type RestoreView = z.infer<typeof Restore>;

/** The backup of the examples. */
export const SOURCE = {
  backupId: 'h6IhUQh-Q32MDOfcVieYgA',
  clusterId: 'test-tidb',
  storageId: 'local',
  path: 'nfs/em/backup/test-tidb/2026-01-05-23-00-00-full',
  tso: '463312345678901249',
  sizeBytes: 1_572_864,
  clusterVersion: '8.5.0',
};
/** The cluster of the examples. */
export const TARGET = {
  clusterId: 'test-tidb-dr',
  pd: ['10.0.1.1:2379'],
  version: '8.5.0',
  pool: 'default',
  purpose: 'dr' as const,
  strictLoss: false,
};
/** A restore of the one into the other, just accepted. */
export const RESTORE: RestoreView = {
  id: 'Qm1haW4tcmVzdG9yZS0wMQ',
  state: 'Queued',
  targetState: 'Untouched',
  source: SOURCE,
  target: TARGET,
  argv: [],
  attempts: [],
  outcomeUnknown: false,
  resumable: false,
  needsConfirm: false,
  needsCleaning: false,
  cleanup: [],
  createdBy: 'admin',
  startTime: '2026-01-06T08:00:00.000Z',
  endTime: '0001-01-01T00:00:00Z',
  createTime: '2026-01-06T08:00:00.000Z',
  updateTime: '2026-01-06T08:00:00.000Z',
  revision: 1,
};
