import { rulesOf } from '@tidemark/contract/rules';
import { z } from 'zod';
import { DEFAULT_STARTS } from '../../calls/preview-strategy.ts';
import { IdempotencyHeaders } from '../idempotency-key.ts';
import type { Operation } from '../operation.ts';
import { SaveQuery } from '../save-query.ts';
import { NewRuleBody, RetentionBody, RuleName, StrategyBody } from '../strategy-body.ts';
import { leftOut, leftOutOrFrom1 } from '../validate.ts';
import { STARTED, Started } from './backups.ts';
import { BrOptions } from './br-options.ts';
import { CLUSTER_ID, counted, NoData, OfCluster, time, VerificationLevel, Warnings, WindowEnd } from './common.ts';

const STARTS = rulesOf('tidemark.scheduler.v1.PreviewStrategyRequest', 'count');

const OfRule = z.object({
  clusterId: CLUSTER_ID,
  rule: RuleName.meta({ description: 'The rule of the strategy.', examples: ['nightly'] }),
});

const kept = (what: string) => z.int().min(1).optional().describe(what);
const Retention = z
  .object({
    keepLast: kept('The newest so many.'),
    keepDays: kept('All of the last so many days.'),
    daily: kept('The newest of each day, for so many days.'),
    weekly: kept('The newest of each week, for so many weeks.'),
    monthly: kept('The newest of each month, for so many months.'),
    yearly: kept('The newest of each year, for so many years.'),
  })
  .meta({ id: 'Retention', description: 'Which good backups are kept; what is not set keeps nothing.' });

const VerificationRule = z
  .object({
    every: z.string().describe('In days, such as `P7D`.'),
    level: VerificationLevel,
    sample: z.number().describe('Which part of the data files is read; 1 is all.'),
    rateLimit: counted('In MiB per second; 0 is no limit.'),
  })
  .meta({ id: 'VerificationRule', description: 'How often the newest good backup is verified, and how much of it.' });

/** What a strategy of a cluster and one for labels show alike. */
export const Settings = {
  retention: Retention.nullable().describe('`null` keeps everything.'),
  verify: VerificationRule.optional().describe('Absent: backups are verified when somebody asks for it.'),
  windowEnd: WindowEnd,
  storageId: z.string().describe('Empty: the storage of the cluster.'),
  brOptions: BrOptions.optional(),
};
const Window = z
  .object({
    opensAt: time('When it opens.'),
    closesAt: time('When it closes.'),
    startAt: time('When the backup starts.'),
  })
  .meta({ id: 'Window' });

/** A strategy of a cluster: the documented fields, and what goes beyond. */
export const Strategy = z
  .object({
    clusterId: z.string(),
    backupDate: z.string().describe('English weekday names, separated by commas; empty: no automatic backups.'),
    period: z.string().describe('`H:MM-H:MM`, as it was written.'),
    rule: z.string().describe('`default` is the one of the documented API.'),
    timeZone: z.string().describe('IANA name; settled at the first save.'),
    paused: z.boolean(),
    pausedBy: z.enum(['fleet', 'cluster']).optional(),
    ...Settings,
    source: z.object({
      kind: z.enum(['cluster', 'fleet']),
      name: z.string().optional().describe('Of the strategy for labels.'),
    }),
    nextWindow: Window.optional(),
    revision: counted('Grows with every save, and with every window that is taken up; 0: never saved.'),
    updateTime: time('When it was last saved.').optional(),
    updatedBy: z.string().optional(),
  })
  .meta({ id: 'Strategy', description: 'When a cluster is backed up, and how long its backups are kept.' });
export type StrategyView = z.infer<typeof Strategy>;

const Start = z
  .object({
    opensAt: time('When the window opens.'),
    closesAt: time('When it closes.'),
    startAt: time('When the backup starts.'),
    localOpensAt: z.string().describe('The same in the zone of the rule.'),
    localClosesAt: z.string(),
    localStartAt: z.string(),
    notes: z.array(z.string()).optional().describe('What a change of clocks does to this window.'),
  })
  .meta({ id: 'PlannedStart' });
/** What is to come. */
const Preview = z
  .object({
    strategy: Strategy,
    starts: z.array(Start),
    warnings: z.array(z.string()),
    past: z.object({
      backups: counted('Past good backups that were looked at.'),
      tooLong: counted('Those that would not have ended before their window closed.'),
      longestSeconds: z.number().describe('How long the longest took.'),
    }),
  })
  .meta({ id: 'StrategyPreview' });
export type PreviewView = z.infer<typeof Preview>;

const Verdict = z
  .object({
    backupId: z.string(),
    startTime: time('When it was started.'),
    sizeBytes: counted('Its size in bytes.'),
    keepReasons: z.array(z.string()).describe('Why it is kept; none: it goes.'),
    expiresAt: time('When nothing keeps it any more, as far as that depends on time alone.').optional(),
  })
  .meta({ id: 'RetentionVerdict' });
export type VerdictView = z.infer<typeof Verdict>;
const Simulation = z.object({
  rule: z.string(),
  removed: z.array(Verdict),
  kept: z.array(Verdict),
  bytesToFree: counted('What removing them would free, in bytes.'),
});

const PreviewBody = z
  .object({
    strategy: StrategyBody.shape.strategy.optional().describe('As if this were saved; left out: as it is stored.'),
    count: leftOutOrFrom1(STARTS.max).describe(
      `How many starts: 1 to ${STARTS.max}; ${DEFAULT_STARTS} by default, and for 0, which is left out.`,
    ),
  })
  .meta({ id: 'PreviewBody' });
/** How many starts a preview shows: of the body, or else of the query. */
export const PreviewCount = PreviewBody.pick({ count: true });
const SimulateBody = z.object({
  rule: leftOut(RuleName).describe('The rule; `default` by default.'),
  retention: RetentionBody.describe('As if the rule had this; `null`: as if it kept everything; left out: as stored.'),
});

const STRATEGY: StrategyView = {
  clusterId: 'test-tidb',
  backupDate: 'Tuesday,Wednesday',
  period: '7:00-9:00',
  rule: 'default',
  timeZone: 'Asia/Shanghai',
  paused: false,
  retention: { keepLast: 7, weekly: 4 },
  windowEnd: 'letRun',
  storageId: '',
  source: { kind: 'cluster' },
  nextWindow: {
    opensAt: '2026-01-05T23:00:00.000Z',
    closesAt: '2026-01-06T01:00:00.000Z',
    startAt: '2026-01-05T23:00:00.000Z',
  },
  revision: 3,
  updateTime: '2026-01-02T10:00:00.000Z',
  updatedBy: 'console',
};
const NIGHTLY: StrategyView = { ...STRATEGY, rule: 'nightly' };
const PLANNED = {
  ...STRATEGY.nextWindow,
  localOpensAt: '2026-01-06T07:00+08:00',
  localClosesAt: '2026-01-06T09:00+08:00',
  localStartAt: '2026-01-06T07:00+08:00',
};
const WANTED = { strategy: { backupDate: 'Tuesday,Wednesday', period: '7:00-9:00' } };

const OneStrategy = z.object({ strategy: Strategy }).meta({ id: 'OneStrategy' });
const SavedStrategy = z.object({ strategy: Strategy, warnings: Warnings }).meta({ id: 'SavedStrategy' });
const PreviewAnswer = {
  data: Preview,
  example: {
    strategy: STRATEGY,
    starts: [PLANNED],
    warnings: [],
    past: { backups: 12, tooLong: 0, longestSeconds: 512 },
  },
};
export const LENIENT =
  'Days are forgiven blanks, case and repeats; hours may be padded or not; `23:00-0:00` and `22:30-2:15` are good windows; equal ends are a whole day. Fields left out keep what they were.';

export const getStrategy = {
  id: 'getStrategy',
  tag: 'Strategies',
  call: 'getStrategy',
  summary: 'GetBackupStrategy: the strategy of a cluster',
  description: 'A cluster that never had one answers `backupDate: ""` and `period: "0:00-1:00"`.',
  params: OfCluster,
  answer: { data: OneStrategy, example: { strategy: STRATEGY } },
  errors: ['cluster_not_found'],
} as const satisfies Operation;

export const saveStrategy = {
  id: 'saveStrategy',
  tag: 'Strategies',
  call: 'saveStrategy',
  summary: 'SaveBackupStrategy: saves the strategy of a cluster',
  description: LENIENT,
  params: OfCluster,
  query: SaveQuery,
  body: StrategyBody,
  bodyExamples: {
    'as documented': { strategy: { clusterId: 'test-tidb', backupDate: 'Tuesday,Wednesday', period: '7:00-9:00' } },
    'no automatic backups': { strategy: { backupDate: '' } },
    'with retention': {
      strategy: { backupDate: 'Monday', period: '23:00-2:00', retention: { keepLast: 7, weekly: 4 } },
    },
    'verified every week': {
      strategy: { verify: { every: 'P7D', level: 'bytes', sample: 0.1, rateLimit: 100 } },
    },
  },
  answer: { data: SavedStrategy, example: { strategy: STRATEGY } },
  errors: ['cluster_not_found', 'storage_not_found', 'revision_changed', 'conflict'],
} as const satisfies Operation;

/** The same under the other method that the document shows. */
export const saveStrategyByPost = {
  ...saveStrategy,
  id: 'saveStrategyByPost',
  summary: 'SaveBackupStrategy: the same as PUT',
} as const satisfies Operation;

export const deleteStrategy = {
  id: 'deleteStrategy',
  tag: 'Strategies',
  call: 'deleteStrategy',
  summary: 'Deletes the strategy of a cluster',
  params: OfCluster,
  answer: { data: NoData, example: {} },
  errors: ['cluster_not_found', 'strategy_inherited', 'conflict'],
} as const satisfies Operation;

export const previewStrategy = {
  id: 'previewStrategy',
  tag: 'Strategies',
  call: 'previewStrategy',
  summary: 'What the strategy will do',
  description:
    'The next starts of the saved strategy, or of a proposed one, with notes where clocks change. A proposal is saved nowhere: its `revision` is 0, and it has no `updateTime` and no `updatedBy`.',
  params: OfCluster,
  query: PreviewCount,
  body: PreviewBody,
  bodyExamples: { 'as stored': { count: 3 }, proposed: { ...WANTED, count: 3 } },
  answer: PreviewAnswer,
  errors: ['cluster_not_found', 'storage_not_found'],
} as const satisfies Operation;

export const listStrategies = {
  id: 'listStrategies',
  tag: 'Strategies',
  call: 'listStrategies',
  summary: 'All rules of a cluster',
  params: OfCluster,
  answer: { data: z.object({ strategies: z.array(Strategy) }), example: { strategies: [STRATEGY, NIGHTLY] } },
  errors: ['cluster_not_found'],
} as const satisfies Operation;

export const createRule = {
  id: 'createRule',
  tag: 'Strategies',
  call: 'saveStrategy',
  summary: 'Makes a new rule, which the body names',
  description: `A rule that is there already is a 400. ${LENIENT}`,
  params: OfCluster,
  query: SaveQuery,
  body: NewRuleBody,
  bodyExamples: { nightly: { strategy: { ...WANTED.strategy, rule: 'nightly' } } },
  answer: { data: SavedStrategy, example: { strategy: NIGHTLY } },
  errors: ['cluster_not_found', 'storage_not_found', 'revision_changed', 'conflict'],
} as const satisfies Operation;

export const getRule = {
  id: 'getRule',
  tag: 'Strategies',
  call: 'getStrategy',
  summary: 'One rule of a cluster',
  params: OfRule,
  answer: { data: OneStrategy, example: { strategy: NIGHTLY } },
  errors: ['cluster_not_found', 'strategy_not_found'],
} as const satisfies Operation;

export const saveRule = {
  id: 'saveRule',
  tag: 'Strategies',
  call: 'saveStrategy',
  summary: 'Saves a rule, new or old',
  description: LENIENT,
  params: OfRule,
  query: SaveQuery,
  body: StrategyBody,
  bodyExamples: { nightly: WANTED },
  answer: { data: SavedStrategy, example: { strategy: NIGHTLY } },
  errors: ['cluster_not_found', 'storage_not_found', 'revision_changed', 'conflict'],
} as const satisfies Operation;

export const deleteRule = {
  id: 'deleteRule',
  tag: 'Strategies',
  call: 'deleteStrategy',
  summary: 'Deletes a rule',
  description: 'Backups that it started stay.',
  params: OfRule,
  answer: { data: NoData, example: {} },
  errors: ['cluster_not_found', 'strategy_not_found', 'strategy_inherited', 'conflict'],
} as const satisfies Operation;

export const pauseRule = {
  id: 'pauseRule',
  tag: 'Strategies',
  call: 'saveStrategy',
  summary: 'Pauses a rule',
  description: 'It starts nothing until it is resumed. Repeating it is fine.',
  params: OfRule,
  answer: { data: SavedStrategy, example: { strategy: { ...NIGHTLY, paused: true, pausedBy: 'cluster' } } },
  errors: ['cluster_not_found', 'strategy_not_found', 'conflict'],
} as const satisfies Operation;

export const resumeRule = {
  ...pauseRule,
  id: 'resumeRule',
  summary: 'Resumes a rule',
  description: 'A window that is open already starts nothing. Repeating it is fine.',
  answer: { data: SavedStrategy, example: { strategy: NIGHTLY } },
} as const satisfies Operation;

export const runRule = {
  id: 'runRule',
  tag: 'Strategies',
  call: 'startBackup',
  summary: 'Starts a backup now, as a rule would',
  description: 'With the storage and the options of the rule, and beside its plan.',
  params: OfRule,
  headers: IdempotencyHeaders,
  answer: { data: Started, example: STARTED },
  errors: [
    'cluster_not_found',
    'strategy_not_found',
    'cluster_busy',
    'storage_not_found',
    'storage_unusable',
    'conflict',
  ],
} as const satisfies Operation;

export const previewRule = {
  ...previewStrategy,
  id: 'previewRule',
  summary: 'What a rule will do',
  params: OfRule,
  errors: ['cluster_not_found', 'storage_not_found', 'strategy_not_found'],
} as const satisfies Operation;

export const simulateRetention = {
  id: 'simulateRetention',
  tag: 'Strategies',
  call: 'evaluateRetention',
  summary: 'What a retention keeps and what it removes',
  description: 'Looks at the good backups of a rule under its stored or a proposed retention; changes nothing.',
  params: OfCluster,
  body: SimulateBody,
  bodyExamples: { 'as stored': {}, proposed: { rule: 'default', retention: { keepLast: 7, weekly: 4 } } },
  answer: {
    data: Simulation,
    example: {
      rule: 'default',
      removed: [],
      kept: [
        {
          backupId: STARTED.backupId,
          startTime: '2022-04-28T08:00:41.697Z',
          sizeBytes: 1_572_864,
          keepReasons: ['last 7'],
        },
      ],
      bytesToFree: 0,
    },
  },
  errors: ['cluster_not_found', 'strategy_not_found'],
} as const satisfies Operation;
