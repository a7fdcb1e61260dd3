import { restoreOptionsViolations } from '@tidemark/br-options/restore-options';
import { DEFAULT_PAGE_SIZE, MAX_FILTERS, MAX_PAGE_SIZE, MAX_RATE_LIMIT } from '@tidemark/limits/limits';
import { z } from 'zod';
import { PURPOSE_NAMES } from '../cluster-purpose.ts';
import { IdempotencyHeaders } from '../idempotency-key.ts';
import type { Operation } from '../operation.ts';
import { flag, Id, leftOut, leftOutOrFrom1, required, wholeNumber } from '../validate.ts';
import { BACKUP_ID, CLUSTER_ID, counted, EventsBrokeOff, GoesOn, jsonLine, logQuery, time } from './common.ts';

export const STATE_NAMES = ['Queued', 'Running', 'Canceling', 'Succeeded', 'Failed', 'Canceled'] as const;
export const TARGET_STATE_NAMES = ['Untouched', 'Partial', 'Restored', 'Released'] as const;

const RESTORE_ID = Id.meta({
  description: 'The restore: 22 characters of base64url.',
  examples: ['Qm1haW4tcmVzdG9yZS0wMQ'],
});
const OfRestore = z.object({ restoreId: RESTORE_ID });

const PlacementPolicies = z
  .enum(['strict', 'ignore'], 'must be strict or ignore')
  .meta({ id: 'PlacementPolicies', description: 'Whether they are brought back, or left out.' });
const isTrue = (what: string) => leftOut(z.boolean('must be true or false')).describe(what);
const FILTER_RULES = 'must be a list of rules such as ["shop.orders"] or ["shop.*", "!shop.tmp"]';
/** What a restore may be told. */
const Options = {
  filter: leftOut(
    z
      .array(z.string('must be a rule such as shop.orders'), FILTER_RULES)
      .max(MAX_FILTERS, `must be at most ${MAX_FILTERS} rules`),
  ).describe(
    'Rules that choose what is restored, as `br` reads them: `database.table`, with the wildcards `*`, `?` and `[…]` or in quotes, `!` in front to exclude; the last rule that matches a table decides. Left out or empty, the whole backup is restored. At most 100 and 8 KiB together.',
  ),
  withSystemTables: isTrue('Users, their passwords and grants come back too; `false` by default.'),
  loadStats: isTrue('Statistics come back where the backup has them; `true` by default.'),
  placementPolicies: leftOut(PlacementPolicies).describe('What becomes of placement policies; `strict` by default.'),
  waitTiFlashReady: isTrue('The end waits for the TiFlash replicas; `false` by default.'),
  rateLimit: leftOut(wholeNumber(0, MAX_RATE_LIMIT)).describe('MiB per second and TiKV; 0 is unlimited.'),
  brOptions: leftOut(z.record(z.string(), z.string('must be a text'), 'must be an object of flags and their values'))
    .superRefine((extra, context) => {
      for (const { field, description } of restoreOptionsViolations({ extra: extra ?? {} }))
        context.addIssue({ code: 'custom', path: [field.replace(/^brOptions\.?/, '')], message: description });
    })
    .describe('Further flags of `br`, by name without dashes: `tikv-max-restore-concurrency`, `checksum-concurrency`.'),
};

const Wish = z.object({
  backupId: required(BACKUP_ID).describe(
    'What is restored: a good backup. One of which only storage and path are known gets its record back first, by `POST /storages/{storageId}/rebuild`.',
  ),
  targetClusterId: required(CLUSTER_ID).describe(
    'Into which registered cluster; it must be empty, unless a `filter` chooses what is restored.',
  ),
  ...Options,
});
const Start = Wish.extend({
  planHash: leftOut(z.string('must be a text').max(64, 'must be at most 64 characters')).describe(
    'The `planHash` of the plan that you looked at. It may be left out for a scratch cluster, and must be there for any other.',
  ),
  confirm: leftOut(z.string('must be a text').max(64, 'must be at most 64 characters')).describe(
    'The id of the cluster that is restored into, letter for letter; as of `planHash`.',
  ),
  acknowledge: leftOut(
    z
      .array(
        z.string('must be the name of a check').max(64, 'must be the name of a check'),
        'must be a list of names of checks',
      )
      .max(20, 'must be at most 20'),
  ).describe('Names of checks that are `blocked`, and that you pass over.'),
});

const Query = z.object({
  targetClusterId: leftOut(Id).describe('Only into this cluster.'),
  sourceClusterId: leftOut(Id).describe('Only of backups of this cluster.'),
  backupId: leftOut(Id).describe('Only of this backup.'),
  state: leftOut(z.enum(STATE_NAMES, `must be one of ${STATE_NAMES.join(', ')}`)).describe('Only in this state.'),
  pageSize: leftOutOrFrom1(MAX_PAGE_SIZE).describe(
    `1 to ${MAX_PAGE_SIZE}; ${DEFAULT_PAGE_SIZE} by default, and for 0, which is left out.`,
  ),
  pageToken: GoesOn.pageToken,
});

const Source = z
  .object({
    backupId: z.string(),
    clusterId: z.string(),
    storageId: z.string(),
    path: z.string().describe('Below the storage.'),
    tso: z.string().describe('The snapshot point, decimal.'),
    sizeBytes: counted('Its size in bytes.'),
    clusterVersion: z.string(),
  })
  .meta({ id: 'RestoreSource', description: 'The backup that is read.' });
const Target = z
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
const Filter = z
  .array(z.string())
  .optional()
  .describe('Rules that choose what is restored; absent where that is the whole backup.');
const Check = z
  .object({
    name: z.string(),
    result: z.string().describe('`ok`, `warn`, `blocked`, or `unknown` until `br` begins.'),
    message: z.string(),
  })
  .meta({ id: 'RestoreCheck' });
const Plan = z
  .object({
    planHash: z
      .string()
      .describe(
        'Of the backup, the target and the options: a start must name it, and is refused once it is another one.',
      ),
    source: Source.extend({ time: time('When the backup was started.') }),
    target: Target,
    filter: Filter,
    checks: z.array(Check),
    estimate: z.object({
      seconds: counted('How long it may take; 0 where there is nothing to go by.'),
      basis: z.string().describe('What that is made of: earlier restores into the same cluster, where there are such.'),
    }),
    brVersion: z
      .string()
      .optional()
      .describe('By which it would be run, as the workers reported last; absent where none of them has one that fits.'),
    argv: z.array(z.string()).optional().describe('The arguments of that, without its log file.'),
    needs: z
      .array(z.string())
      .describe(
        'What a start must say: `confirm`, unless the target is a scratch cluster, and checks that are blocked.',
      ),
  })
  .meta({ id: 'RestorePlan', description: 'What a restore would do, and what stands in its way.' });
export type PlanView = z.infer<typeof Plan>;

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
const OneRestore = z.object({ restore: Restore }).meta({ id: 'OneRestore' });

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
const TARGET = {
  clusterId: 'test-tidb-dr',
  pd: ['10.0.1.1:2379'],
  version: '8.5.0',
  pool: 'default',
  purpose: 'dr' as const,
  strictLoss: false,
};
const RESTORE: RestoreView = {
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

export const planRestore = {
  id: 'planRestore',
  tag: 'Restores',
  call: 'planRestore',
  summary: 'Says what a restore would do',
  description: 'Looks at what is on record, and writes nothing. A start names the `planHash` of the answer.',
  body: Wish,
  bodyExamples: { 'into another cluster': { backupId: SOURCE.backupId, targetClusterId: TARGET.clusterId } },
  answer: {
    data: z.object({ plan: Plan }).meta({ id: 'OneRestorePlan' }),
    example: {
      plan: {
        planHash: '3f9c0d5e7a1b2c4d3f9c0d5e7a1b2c4d',
        source: { ...SOURCE, time: '2026-01-05T23:00:00.000Z' },
        target: TARGET,
        checks: [{ name: 'sameCluster', result: 'ok', message: 'The target is another cluster.' }],
        estimate: {
          seconds: 1,
          basis: '96.1 MiB a second, as the last restore into the cluster took it.',
        },
        needs: ['confirm'],
      },
    },
  },
  errors: ['backup_not_found', 'backup_not_good', 'cluster_not_found', 'storage_not_found'],
} as const satisfies Operation;

/** How a start fails for the sake of its target or its plan. */
const OF_A_START = [
  'cluster_not_found',
  'storage_not_found',
  'cluster_busy',
  'target_needs_cleaning',
  'plan_stale',
  'plan_blocked',
  'conflict',
] as const;

export const startRestore = {
  id: 'startRestore',
  tag: 'Restores',
  call: 'startRestore',
  summary: 'Restores a backup into an empty cluster, or a part of it beside what is there',
  description:
    'Answers once the restore is safely recorded; `GET /restores/{restoreId}` shows how it goes. The target is left alone by backups and other restores until it is over. An operator restores into clusters alone whose `purpose` is `scratch`; any other target takes an admin.',
  headers: IdempotencyHeaders,
  body: Start,
  bodyExamples: {
    'into another cluster': {
      backupId: SOURCE.backupId,
      targetClusterId: TARGET.clusterId,
      planHash: '3f9c0d5e7a1b2c4d3f9c0d5e7a1b2c4d',
      confirm: TARGET.clusterId,
    },
    'one table of it': {
      backupId: SOURCE.backupId,
      targetClusterId: TARGET.clusterId,
      filter: ['shop.orders'],
      planHash: '7d1b0a9e5c3f2e4d7d1b0a9e5c3f2e4d',
      confirm: TARGET.clusterId,
    },
  },
  answer: {
    data: z
      .object({ restoreId: z.string(), workFlowId: z.string().describe('The same.'), restore: Restore })
      .meta({ id: 'StartedRestore' }),
    example: { restoreId: RESTORE.id, workFlowId: RESTORE.id, restore: RESTORE },
  },
  errors: ['backup_not_found', 'backup_not_good', ...OF_A_START],
} as const satisfies Operation;

export const restoreCluster = {
  id: 'restoreCluster',
  tag: 'Restores',
  call: 'startRestore',
  summary: 'RestoreNewCluster of TiUniManager: restores a backup into a registered cluster',
  description:
    'For clients of TiUniManager, which made a new cluster here. Tidemark makes none: register it first, and name it as `targetClusterId`. Everything else is as of `POST /restores`, the plan and its confirmation included, which only a scratch cluster does without. A `clusterId`, in which the console of TiUniManager names the cluster that was backed up, and what describes a cluster to be made is ignored.',
  headers: IdempotencyHeaders,
  body: Start,
  bodyExamples: {
    'into a registered cluster': {
      backupId: SOURCE.backupId,
      targetClusterId: TARGET.clusterId,
      planHash: '3f9c0d5e7a1b2c4d3f9c0d5e7a1b2c4d',
      confirm: TARGET.clusterId,
    },
  },
  answer: {
    data: z
      .object({
        workFlowId: z.string().describe('The id of the restore.'),
        clusterID: z.string().describe('The target.'),
        restoreId: z.string().describe('For `GET /restores/{restoreId}`.'),
      })
      .meta({ id: 'RestoredCluster' }),
    example: { workFlowId: RESTORE.id, clusterID: TARGET.clusterId, restoreId: RESTORE.id },
  },
  errors: ['backup_not_found', 'backup_not_good', ...OF_A_START],
  numbers: { backup_not_found: 20604, backup_not_good: 20610 },
} as const satisfies Operation;

export const getRestore = {
  id: 'getRestore',
  tag: 'Restores',
  call: 'getRestore',
  summary: 'One restore',
  description: 'With what it left behind in its target, and how that goes.',
  params: OfRestore,
  answer: { data: OneRestore, example: { restore: RESTORE } },
  errors: ['restore_not_found'],
} as const satisfies Operation;

export const listRestores = {
  id: 'listRestores',
  tag: 'Restores',
  call: 'listRestores',
  summary: 'Restores, newest first',
  query: Query,
  answer: {
    data: z
      .object({
        restores: z.array(Restore),
        pageToken: z.string().optional().describe('For the next page; absent behind the last one.'),
      })
      .meta({ id: 'RestoreList' }),
    example: { restores: [RESTORE] },
  },
  errors: ['cluster_not_found'],
} as const satisfies Operation;

export const cancelRestore = {
  id: 'cancelRestore',
  tag: 'Restores',
  call: 'cancelRestore',
  summary: 'Cancels a restore',
  description:
    'Answers once the cancel is recorded. A target that `br` had touched is left `Partial`: the restore can be resumed, or its target cleaned and released.',
  params: OfRestore,
  bodyExamples: { 'with a reason': { reason: 'wrong cluster' } },
  body: z.object({
    reason: leftOut(z.string('must be a text').max(1_000, 'must be at most 1000 characters')),
  }),
  answer: { data: OneRestore, example: { restore: { ...RESTORE, state: 'Canceled', canceledBy: 'admin' } } },
  errors: ['restore_not_found', 'restore_over', 'conflict'],
} as const satisfies Operation;

export const resumeRestore = {
  id: 'resumeRestore',
  tag: 'Restores',
  call: 'resumeRestore',
  summary: 'Lets a restore go on that ended in the middle',
  description: 'With the same command and the same version of `br`, at its checkpoint.',
  params: OfRestore,
  bodyExamples: { 'after a failure': {}, 'after a loss': { hostDead: true } },
  body: z.object({ hostDead: leftOut(flag()).describe('The host of the lost worker is dead.') }),
  answer: { data: OneRestore, example: { restore: RESTORE } },
  errors: ['restore_not_found', 'restore_over', 'restore_active', 'not_resumable', 'conflict'],
} as const satisfies Operation;

export const releaseRestore = {
  id: 'releaseRestore',
  tag: 'Restores',
  call: 'releaseRestore',
  summary: 'Frees the target of a restore that ended in the middle',
  description:
    'With `targetCleaned` you say that all databases of the backup, or the tables of it that a filter chose, and every database named `__TiDB_BR_Temporary_…`, were dropped, or that the cluster was made anew. Tidemark cannot look, and believes it.',
  params: OfRestore,
  bodyExamples: { 'after cleaning': { targetCleaned: true, note: 'all databases dropped' } },
  body: z.object({
    targetCleaned: required(z.boolean('must be true or false')).describe(
      '`false`: the target is taken as it is, and no other restore begins there until `cleaned`.',
    ),
    note: leftOut(z.string('must be a text').max(1_000, 'must be at most 1000 characters')),
    hostDead: leftOut(flag()).describe('The host of the lost worker is dead.'),
  }),
  answer: { data: OneRestore, example: { restore: { ...RESTORE, state: 'Failed', targetState: 'Released' } } },
  errors: ['restore_not_found', 'restore_over', 'restore_active', 'restore_quiet', 'not_resumable', 'conflict'],
} as const satisfies Operation;

export const confirmCleaned = {
  id: 'confirmCleaned',
  tag: 'Restores',
  call: 'confirmCleaned',
  summary: 'Says that nothing of a restore is left in its target',
  params: OfRestore,
  answer: { data: OneRestore, example: { restore: { ...RESTORE, state: 'Failed', targetState: 'Released' } } },
  errors: ['restore_not_found', 'restore_active', 'conflict'],
} as const satisfies Operation;

const RestoreEvent = z
  .union([
    z
      .object({
        event: z.literal('restore'),
        id: z.string().describe('The revision of the record.'),
        data: jsonLine({ $ref: '#/components/schemas/Restore' }),
      })
      .meta({ id: 'RestoreChanged', title: 'a new state of the restore' }),
    z
      .object({ event: z.literal('end'), data: jsonLine({ type: 'object' }) })
      .meta({ id: 'RestoreEnded', title: 'the restore has ended' }),
    EventsBrokeOff,
  ])
  .meta({ id: 'RestoreEvent', description: 'One server-sent event; its `data` is a line of JSON.' });

export const watchRestore = {
  id: 'watchRestore',
  tag: 'Restores',
  call: 'watchRestore',
  summary: 'Follows a restore until it ends',
  description:
    'Server-sent events: `restore` with the record (`Restore`, as JSON, in `data`) whenever it changes, the first at once; `end` when it has ended, also where it ended in the middle and waits for a person; `error` when the stream broke off and should be opened again. Use `fetch`, which can send the token; a token never goes into a URL.',
  params: OfRestore,
  answer: {
    type: 'text/event-stream',
    description: 'Events as they come. The schema is that of each; `data` is a line of JSON.',
    event: RestoreEvent,
    example: `event: restore\nid: 9\ndata: ${JSON.stringify({ id: RESTORE.id, state: 'Succeeded' })}\n\nevent: end\ndata: {}\n\n`,
  },
  errors: ['restore_not_found'],
} as const satisfies Operation;

export const readRestoreLog = {
  id: 'readRestoreLog',
  tag: 'Restores',
  call: 'readRestoreLog',
  summary: 'What br printed',
  description: 'Plain text: a heading for each attempt, then its lines as they came.',
  params: OfRestore,
  query: logQuery('restore'),
  answer: {
    type: 'text/plain',
    description: 'The lines.',
    example: '==> attempt 1, br v8.5.0, worker executor-worker-1 <==\n[INFO] [client.go:312] ["start restore"]\n',
  },
  errors: ['restore_not_found'],
} as const satisfies Operation;
