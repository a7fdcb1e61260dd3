/** What a restore would do, and its start. */
import { restoreOptionsViolations } from '@tidemark/br-options/restore-options';
import { MAX_FILTERS, MAX_RATE_LIMIT } from '@tidemark/limits/limits';
import { z } from 'zod';
import { IdempotencyHeaders } from '../idempotency-key.ts';
import type { Operation } from '../operation.ts';
import { leftOut, required, wholeNumber } from '../validate.ts';
import { A_MOMENT, BACKUP_ID, CLUSTER_ID, counted, time } from './common.ts';
import { Filter, RESTORE, Restore, SOURCE, Source, TARGET, Target } from './restore-record.ts';

const PlacementPolicies = z
  .enum(['strict', 'ignore'], 'must be strict or ignore')
  .meta({ id: 'PlacementPolicies', description: 'Whether they are brought back, or left out.' });
const A_TSO = 'must be a TSO in decimal digits, as a text';
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

export const PointInTime = z
  .object({
    clusterId: required(CLUSTER_ID).describe('Whose data are restored.'),
    pointInTime: leftOut(z.iso.datetime({ offset: true, error: A_MOMENT })).describe(
      'The moment, with its offset from UTC, such as `2026-01-06T09:15:00+01:00`; exactly this, or a `tso`.',
    ),
    tso: leftOut(z.string(A_TSO).regex(/^[1-9]\d{0,18}$/, A_TSO)).describe('The same as a TSO of TiDB, decimal.'),
  })
  .meta({
    id: 'PointInTime',
    description:
      'A moment of a cluster. Which backup it is restored from, and by which log, Tidemark chooses and says.',
  });

const Wish = z.object({
  backupId: leftOut(BACKUP_ID).describe(
    'What is restored: a good backup. One of which only storage and path are known gets its record back first, by `POST /storages/{storageId}/rebuild`.',
  ),
  source: leftOut(PointInTime).describe(
    'In place of `backupId`: a point in time, of a cluster with a log backup. `GET /clusters/{clusterId}/recovery-points` says which there are.',
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
        'Of the backup, the point, the target and the options: a start must name it, and is refused once it is another one.',
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

export const planRestore = {
  id: 'planRestore',
  tag: 'Restores',
  call: 'planRestore',
  summary: 'Says what a restore would do',
  description: 'Looks at what is on record, and writes nothing. A start names the `planHash` of the answer.',
  body: Wish,
  bodyExamples: {
    'into another cluster': { backupId: SOURCE.backupId, targetClusterId: TARGET.clusterId },
    'to a point in time': {
      source: { clusterId: SOURCE.clusterId, pointInTime: '2026-01-06T09:15:00+01:00' },
      targetClusterId: TARGET.clusterId,
    },
  },
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
  errors: ['backup_not_found', 'backup_not_good', 'point_not_restorable', 'cluster_not_found', 'storage_not_found'],
} as const satisfies Operation;

/** How a start fails for the sake of its target or its plan. */
const OF_A_START = [
  'point_not_restorable',
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
  summary: 'Restores a backup, a part of one, or a point in time',
  description:
    'A whole backup, and a point in time, need an empty cluster; a part of a backup goes beside what is there. Answers once the restore is safely recorded; `GET /restores/{restoreId}` shows how it goes. The target is left alone by backups and other restores until it is over. An operator restores into clusters alone whose `purpose` is `scratch`; any other target takes an admin.',
  headers: IdempotencyHeaders,
  body: Start,
  bodyExamples: {
    'into another cluster': {
      backupId: SOURCE.backupId,
      targetClusterId: TARGET.clusterId,
      planHash: '3f9c0d5e7a1b2c4d3f9c0d5e7a1b2c4d',
      confirm: TARGET.clusterId,
    },
    'to a point in time': {
      source: { clusterId: SOURCE.clusterId, pointInTime: '2026-01-06T09:15:00+01:00' },
      targetClusterId: TARGET.clusterId,
      planHash: '5e2d7a0c9b4f1e3d5e2d7a0c9b4f1e3d',
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
