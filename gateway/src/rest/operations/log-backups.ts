/** The log backup of a cluster: what is wanted, and what was seen. */
import { rulesOf, sentenceOf } from '@tidemark/contract/rules';
import { z } from 'zod';
import type { Operation } from '../operation.ts';
import { flag, leftOut, leftOutOrFrom1, required } from '../validate.ts';
import { A_MOMENT, counted, OfCluster, STORAGE_ID, time } from './common.ts';

export const LogAlarm = z
  .object({
    name: z.string().describe('Such as `logLagging`.'),
    critical: z.boolean(),
    message: z.string().describe('A sentence.'),
  })
  .meta({ id: 'LogAlarm', description: 'Something that a person should know about a log backup.' });

const Truncation = z
  .object({
    until: time('What came before it goes; the year 1 where the whole log does.'),
    since: time('Since when.'),
    byRetention: z.boolean().describe('No person asked for it.'),
    activity: z.string().describe('What is done about it, or why it is not done yet; a sentence.'),
  })
  .meta({ id: 'LogTruncation', description: 'What is being taken out of a log. It is promised no more.' });

const Generation = z
  .object({
    number: counted('Counted from 1 for each cluster.'),
    taskName: z.string().describe('Of the task in the cluster.'),
    storageId: z.string(),
    path: z.string().describe('Below the storage.'),
    minTso: z.string().describe('From when the log reaches, decimal; `0` where that is not known yet.'),
    maxTso: z.string().describe('To when.'),
    minTime: time('The moment of that.'),
    maxTime: time('The moment of that.'),
    open: z.boolean().describe('Whether it is being written.'),
    endedWhy: z
      .string()
      .describe('`stopped`, `vanished`, `neverStarted`, `startLost`, `replacedByHand`, `historyLost`, or empty.'),
    truncating: Truncation.optional().describe('Absent where nothing is being taken out of it.'),
    keepReasons: z.array(z.string()).describe('Why it is kept; empty in the answer to a change.'),
  })
  .meta({
    id: 'LogGeneration',
    description:
      'One task from its start to its end, with the log that it wrote. Points are never restored across two.',
  });

export const LogWish = z.enum(['off', 'on', 'paused']);
export const LogState = z
  .enum(['Unknown', 'Off', 'Running', 'Lagging', 'Paused', 'Error', 'Missing', 'Foreign', 'Stray'])
  .describe('What was last seen in the cluster.');

const LogBackupRecord = z
  .object({
    clusterId: z.string(),
    wanted: LogWish,
    state: LogState,
    reached: z.boolean().describe('Whether what is wanted was seen to be so since it was asked for.'),
    healthy: z.boolean().describe('Running, its checkpoint young enough now, and no alarm.'),
    storageId: z.string(),
    retentionDays: counted('For how long back every point is to stay restorable.'),
    lagWarnSeconds: counted('From which age of the checkpoint on it is told.'),
    lagCriticalSeconds: counted('From which age on that is critical.'),
    wantedBy: z.string(),
    wantedTime: time('When it was last asked for.'),
    checkpointTso: z
      .string()
      .describe('To which moment the cluster says that the log is complete, decimal; `0` where nobody knows.'),
    checkpointTime: time('The moment of that.'),
    lagSeconds: z.number().describe('From that to now.'),
    seenTime: time('When the cluster last answered.'),
    errors: z.array(z.object({ store: z.string(), code: z.string(), message: z.string() })).describe('What TiKV says.'),
    resumeUntil: time('Of a paused log: until when the cluster certainly keeps the history that a resume needs.'),
    alarms: z.array(LogAlarm),
    generations: z.array(Generation).describe('The newest first.'),
    cleanup: z
      .array(z.object({ taskName: z.string(), message: z.string(), since: z.string() }))
      .describe('What tasks that are over may have left in the cluster.'),
    activity: z.string().describe('What is done about it now, or why nothing is; a sentence or empty.'),
  })
  .meta({ id: 'LogBackup' });
export type LogBackupView = z.infer<typeof LogBackupRecord>;

const OneLogBackup = z.object({ logBackup: LogBackupRecord }).meta({ id: 'OneLogBackup' });

const LOG_BACKUP: LogBackupView = {
  clusterId: 'test-tidb',
  wanted: 'on',
  state: 'Running',
  reached: true,
  healthy: true,
  storageId: 'local',
  retentionDays: 7,
  lagWarnSeconds: 600,
  lagCriticalSeconds: 1_800,
  wantedBy: 'admin',
  wantedTime: '2026-01-05T12:00:00.000Z',
  checkpointTso: '463412345678901248',
  checkpointTime: '2026-01-06T10:12:31.512Z',
  lagSeconds: 171.4,
  seenTime: '2026-01-06T10:15:20.000Z',
  errors: [],
  resumeUntil: '0001-01-01T00:00:00Z',
  alarms: [],
  generations: [
    {
      number: 1,
      taskName: 'tidemark_test_tidb_1_k3v9x0ab',
      storageId: 'local',
      path: 'nfs/em/backup/test-tidb/log-1-k3v9x0ab',
      minTso: '463388345678901248',
      maxTso: '463412345678901248',
      minTime: '2026-01-05T12:00:04.100Z',
      maxTime: '2026-01-06T10:12:31.512Z',
      open: true,
      endedWhy: '',
      keepReasons: ['still written', 'reaches into the horizon, to 2026-01-06T10:12:31.512Z'],
    },
  ],
  cleanup: [],
  activity: 'task tidemark_test_tidb_1_k3v9x0ab writes the log',
};

const PUT = 'tidemark.backup.v1.PutLogBackupRequest';
const ACKNOWLEDGE = rulesOf('tidemark.backup.v1.TruncateLogBackupRequest', 'acknowledge');
const Acknowledge = leftOut(z.string('must be a text').max(ACKNOWLEDGE.maxLength, sentenceOf(ACKNOWLEDGE))).describe(
  'What a 409 `points_would_be_lost` gave as `details.acknowledge`: that it is known which points are lost.',
);
const DAYS = rulesOf(PUT, 'retentionDays');
const WARN = rulesOf(PUT, 'lagWarnSeconds');
const CRITICAL = rulesOf(PUT, 'lagCriticalSeconds');

export const putLogBackup = {
  id: 'putLogBackup',
  tag: 'Log backups',
  call: 'putLogBackup',
  summary: 'Wants a log backup of a cluster',
  description:
    'Answers once the wish is recorded; the cluster is brought there by itself. Asking again is how a person says "go on" after something was done by hand. A log that is being written stays in its storage.',
  params: OfCluster,
  bodyExamples: {
    'with its defaults': { storageId: 'local' },
    'for two weeks': { storageId: 'local', retentionDays: 14 },
  },
  body: z.object({
    storageId: required(STORAGE_ID).describe('Where the log is written.'),
    paused: leftOut(flag()).describe('Wanted, but not running; `false` by default.'),
    retentionDays: leftOutOrFrom1(DAYS.max).describe(
      'For how long back every point is to stay restorable, in days; 7 by default.',
    ),
    lagWarnSeconds: leftOutOrFrom1(WARN.max).describe(
      'From which age of the checkpoint on it is told, from 60; 600 by default.',
    ),
    lagCriticalSeconds: leftOutOrFrom1(CRITICAL.max).describe(
      'From which age on that is critical, from 60; 1800 by default.',
    ),
  }),
  answer: { data: OneLogBackup, example: { logBackup: LOG_BACKUP } },
  errors: ['cluster_not_found', 'storage_not_found', 'storage_unusable', 'log_backup_active', 'conflict'],
} as const satisfies Operation;

export const getLogBackup = {
  id: 'getLogBackup',
  tag: 'Log backups',
  call: 'getLogBackup',
  summary: 'The log backup of a cluster',
  description: 'What is wanted of it and what was seen; `off` where none was ever wanted.',
  params: OfCluster,
  answer: { data: OneLogBackup, example: { logBackup: LOG_BACKUP } },
  errors: ['cluster_not_found'],
} as const satisfies Operation;

const Reasoned = z.object({
  reason: leftOut(z.string('must be a text').max(1_000, 'must be at most 1000 characters')).describe('For the audit.'),
});

export const pauseLogBackup = {
  id: 'pauseLogBackup',
  tag: 'Log backups',
  call: 'pauseLogBackup',
  summary: 'Pauses the log backup of a cluster',
  description:
    'The cluster keeps its history for a day: see `resumeUntil`. A pause that lasts longer ends the log, and a resume then begins a new one.',
  params: OfCluster,
  bodyExamples: { 'with a reason': { reason: 'storage maintenance' } },
  body: Reasoned,
  answer: {
    data: OneLogBackup,
    example: { logBackup: { ...LOG_BACKUP, wanted: 'paused', state: 'Paused', healthy: false } },
  },
  errors: ['cluster_not_found', 'log_backup_not_set', 'conflict'],
} as const satisfies Operation;

export const truncateLogBackup = {
  id: 'truncateLogBackup',
  tag: 'Log backups',
  call: 'truncateLogBackup',
  summary: 'Takes out of the logs of a cluster what came before a moment',
  description:
    'What is promised shrinks at once, and the files go afterwards: see `truncating`. Logs that ended before the moment go as a whole. Without a moment it takes what no point of the last `retentionDays` needs, as is done every ten minutes. Where points could be restored no longer that can be now, it is a 409 `points_would_be_lost` that says which, and nothing is done until that is acknowledged.',
  params: OfCluster,
  bodyExamples: { 'what nobody needs': {}, 'all before a moment': { until: '2026-01-06T09:15:00+01:00' } },
  body: Reasoned.extend({
    until: leftOut(z.iso.datetime({ offset: true, error: A_MOMENT })).describe('What came before it goes.'),
    acknowledge: Acknowledge,
  }),
  answer: { data: OneLogBackup, example: { logBackup: LOG_BACKUP } },
  errors: ['cluster_not_found', 'log_backup_not_set', 'log_in_use', 'points_would_be_lost', 'conflict'],
} as const satisfies Operation;

export const resumeLogBackup = {
  id: 'resumeLogBackup',
  tag: 'Log backups',
  call: 'resumeLogBackup',
  summary: 'Resumes the log backup of a cluster',
  description: 'As it was set; also after somebody paused or stopped it by hand, and after an error.',
  params: OfCluster,
  bodyExamples: { 'with a reason': { reason: 'maintenance is over' } },
  body: Reasoned,
  answer: { data: OneLogBackup, example: { logBackup: LOG_BACKUP } },
  errors: ['cluster_not_found', 'log_backup_not_set', 'conflict'],
} as const satisfies Operation;

export const stopLogBackup = {
  id: 'stopLogBackup',
  tag: 'Log backups',
  call: 'stopLogBackup',
  summary: 'Stops the log backup of a cluster',
  description:
    'What was written stays, and can be restored from. With `files=remove` all logs of the cluster go, too: nothing of them is promised from then on, and the files of each go once its task is stopped and no restore reads it (see `truncating`). Where points could be restored no longer that can be now, that is a 409 `points_would_be_lost` that says which, and nothing is done until it is acknowledged.',
  params: OfCluster,
  query: z.object({
    files: leftOut(z.enum(['keep', 'remove'], 'must be keep or remove')).describe(
      'Whether what was written stays, which it does by default.',
    ),
    acknowledge: Acknowledge,
  }),
  answer: {
    data: OneLogBackup,
    example: { logBackup: { ...LOG_BACKUP, wanted: 'off', reached: false, healthy: false } },
  },
  errors: ['cluster_not_found', 'points_would_be_lost', 'conflict'],
} as const satisfies Operation;
