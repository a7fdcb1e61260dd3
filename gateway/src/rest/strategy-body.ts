/** What a body says about a strategy, of a cluster or for labels. */
import type { MessageInitShape } from '@bufbuild/protobuf';
import { rulesOf, sentenceOf } from '@tidemark/contract/rules';
import { invalidArgument } from '@tidemark/errors/app-error';
import { ID, ID_PATTERN } from '@tidemark/limits/id';
import { MAX_QUOTED_WORD, MAX_SHORT_TEXT, MAX_VIOLATIONS } from '@tidemark/limits/limits';
import {
  type RetentionSchema,
  type SaveStrategyRequestSchema,
  WindowEnd,
} from '@tidemark/protocol/connect/tidemark/strategy/v1/strategy_service';
import { z } from 'zod';
import { BrOptionsBody, toBrOptions } from './br-options.ts';
import { VERIFICATION, WindowEnd as WindowEndWord } from './operations/common.ts';
import { leftOut, parse, required } from './validate.ts';
import { VERIFICATION_LEVELS } from './verification-level.ts';

/** Those fields of both save requests that people set. */
export type SettingsFields = Pick<
  MessageInitShape<typeof SaveStrategyRequestSchema> & object,
  'period' | 'timeZone' | 'paused' | 'retention' | 'verify' | 'windowEnd' | 'storageId' | 'brOptions'
> & {
  readonly days?: string;
  readonly keepEverything?: boolean;
  readonly neverVerify?: boolean;
  readonly clearBrOptions?: boolean;
};

const RULE = rulesOf('tidemark.strategy.v1.SaveStrategyRequest', 'rule');
const WRONG_NAME = sentenceOf(RULE);
/** The name of a rule. */
export const RuleName = z
  .string({ error: ({ input }) => (input === undefined ? 'must be set, such as "nightly"' : WRONG_NAME) })
  .regex(ID_PATTERN, WRONG_NAME);

const KEPT = rulesOf('tidemark.strategy.v1.Retention', 'keepLast');
const WRONG_COUNT = sentenceOf(KEPT);
const count = (what: string) =>
  z
    .int(WRONG_COUNT)
    .min(0, WRONG_COUNT)
    .max(KEPT.max, WRONG_COUNT)
    .nullish()
    .describe(`${what}; 0 to ${KEPT.max}, 0 is not set.`);
const RETENTION_FIELDS = ['keepLast', 'keepDays', 'daily', 'weekly', 'monthly', 'yearly'] as const;
/** How much is kept; null keeps everything. */
export const RetentionBody = z
  .strictObject(
    {
      keepLast: count('The newest so many'),
      keepDays: count('All of the last so many days'),
      daily: count('The newest of each day, for so many days'),
      weekly: count('The newest of each week, for so many weeks'),
      monthly: count('The newest of each month, for so many months'),
      yearly: count('The newest of each year, for so many years'),
    },
    {
      error: (issue) =>
        issue.code === 'unrecognized_keys'
          ? `knows no ${issue.keys
              .slice(0, MAX_VIOLATIONS)
              .map((key) => `"${key.slice(0, MAX_QUOTED_WORD)}"`)
              .join(', ')}; use ${RETENTION_FIELDS.join(', ')}, such as {"keepLast":7,"weekly":4}`
          : 'must be an object such as {"keepLast":7,"weekly":4}, or null, which keeps everything',
    },
  )
  .meta({ id: 'RetentionSettings' })
  .nullish();

const EVERY = rulesOf('tidemark.strategy.v1.VerificationRule', 'everyDays');
const WRONG_EVERY = `must be a number of days or weeks, up to ${EVERY.max} days, such as "P7D" or "P2W"`;
const DAYS_OF = { D: 1, W: 7 } as const;
const Every = z
  .string(WRONG_EVERY)
  .regex(/^P[1-9]\d{0,3}[DW]$/, { error: WRONG_EVERY, abort: true })
  .refine((every) => toDays(every) <= EVERY.max, WRONG_EVERY);
/** How often a backup is verified; null verifies nothing. */
const VerificationRuleBody = z
  .strictObject(
    {
      every: required(Every).describe('In days or weeks, such as `P7D` or `P2W`.'),
      level: VERIFICATION.level,
      sample: VERIFICATION.sample,
      rateLimit: VERIFICATION.rateLimit,
    },
    {
      error: (issue) =>
        issue.code === 'unrecognized_keys'
          ? `knows no ${issue.keys
              .slice(0, MAX_VIOLATIONS)
              .map((key) => `"${key.slice(0, MAX_QUOTED_WORD)}"`)
              .join(', ')}; use every, level, sample, rateLimit, such as {"every":"P7D","level":"bytes","sample":0.1}`
          : 'must be an object such as {"every":"P7D"}, or null, which verifies nothing',
    },
  )
  .meta({ id: 'VerificationRuleSettings' })
  .nullish();

const text = (what: string) =>
  z
    .string('must be a text')
    .max(MAX_SHORT_TEXT, `must be at most ${MAX_SHORT_TEXT} characters`)
    .nullish()
    .describe(what);

/** The fields that every strategy has. What days, hours and zones may be is the service's to say. */
export const SETTINGS = {
  backupDate: text('English weekday names, separated by commas; `""`: no automatic backups. At most 256 characters.'),
  period: text('`H:MM-H:MM`; `24:00` only as an end, and equal ends are a whole day.'),
  timeZone: text('IANA name. At the first save: of the cluster, of Tidemark, or of its machine.'),
  paused: z.boolean('must be true or false').nullish().describe('A paused strategy starts nothing.'),
  retention: RetentionBody.describe('Which good backups are kept; `null` keeps everything.'),
  verify: VerificationRuleBody.describe(
    'How often the newest good backup is verified, where none of the rule was for so long; `null`: not by itself.',
  ),
  windowEnd: leftOut(WindowEndWord).describe(
    'What becomes of a backup that still runs when its window closes; `letRun` at first.',
  ),
  storageId: z
    .string('must be the id of a storage, such as nfs')
    .regex(new RegExp(`^(${ID})?$`), 'must be the id of a storage, such as nfs; "" is the cluster’s own')
    .nullish()
    .describe('Where the backups go; `""` is the cluster’s own storage.'),
  brOptions: BrOptionsBody.describe('What is set wins over the options of the cluster; `null` removes them all.'),
};

/** What a body says about a rule of a cluster. */
export const StrategyBody = z
  .object({
    strategy: z
      .object(
        {
          ...SETTINGS,
          clusterId: z.string('must be a text').nullish().describe('Must be the cluster of the path, if sent.'),
          rule: leftOut(RuleName).describe('Must be the rule of the path, if that names one.'),
        },
        'must be an object such as {"backupDate":"Monday","period":"0:00-1:00"}',
      )
      .meta({ id: 'StrategySettings' }),
  })
  .meta({ id: 'StrategyBody' });

/** What a body says about a rule that it names itself. */
export const NewRuleBody = z
  .object({
    strategy: StrategyBody.shape.strategy
      .extend({ rule: required(RuleName).describe('Its name, such as `nightly`.') })
      .meta({ id: 'NewRuleSettings' }),
  })
  .meta({ id: 'NewRuleBody' });

const FLEET_EXAMPLE = '{"selector":{"env":"prod"},"backupDate":"Monday,Friday","period":"23:00-2:00"}';
const WRONG_SELECTOR = 'must be an object of labels and their values, such as {"env":"prod"}';
const PRIORITY = rulesOf('tidemark.strategy.v1.SaveFleetStrategyRequest', 'priority');
const WRONG_PRIORITY = sentenceOf(PRIORITY);
/** What a body says about a strategy for labels. */
export const FleetBody = z
  .object({
    strategy: z
      .object(
        {
          ...SETTINGS,
          name: z.string('must be a text').nullish().describe('Must be the name of the path, if sent.'),
          selector: z
            .record(z.string(), z.string('must be a text, such as "prod"'), WRONG_SELECTOR)
            .nullish()
            .describe('Labels that a cluster must all have; at most 20, of at most 256 characters.'),
          priority: z
            .int(WRONG_PRIORITY)
            .min(PRIORITY.min, WRONG_PRIORITY)
            .max(PRIORITY.max, WRONG_PRIORITY)
            .nullish()
            .describe('The highest wins; 0 at first.'),
          rule: leftOut(RuleName).describe('The rule that its clusters get; `default` at first.'),
        },
        `must be an object such as ${FLEET_EXAMPLE}`,
      )
      .meta({ id: 'FleetStrategySettings' }),
  })
  .meta({ id: 'FleetStrategyBody' });
type Settings = z.infer<z.ZodObject<typeof SETTINGS>>;

const WINDOW_ENDS = { letRun: WindowEnd.LET_RUN, stop: WindowEnd.STOP } as const;

/**
 * What a body says about a rule of a cluster.
 *
 * @param rule of the path, which the body may repeat but not change; undefined where the body names it
 * @throws AppError `invalid_argument` naming every bad field
 */
export function parseRule(body: unknown, clusterId: string, rule?: string) {
  const { strategy } = parse(rule === undefined ? NewRuleBody : StrategyBody, body);
  if (strategy.clusterId && strategy.clusterId !== clusterId)
    throw invalidArgument([
      { field: 'strategy.clusterId', description: `must be left out or be ${clusterId}, the cluster of the path` },
    ]);
  if (rule !== undefined && strategy.rule !== undefined && strategy.rule !== rule)
    throw invalidArgument([
      { field: 'strategy.rule', description: `must be left out or be ${rule}, the rule of the path` },
    ]);
  return { rule: rule ?? strategy.rule ?? '', settings: toSettings(strategy) };
}

/** As fields of a save; absent keeps what it was. */
export function toSettings(body: Settings): SettingsFields {
  const { backupDate, period, timeZone, paused, retention, verify, windowEnd, storageId, brOptions } = body;
  const options = toBrOptions(brOptions);
  return {
    ...(typeof backupDate === 'string' && { days: backupDate }),
    ...(period && { period }),
    ...(timeZone && { timeZone }),
    ...(typeof paused === 'boolean' && { paused }),
    ...(retention && { retention: toRetention(retention) }),
    ...(retention === null && { keepEverything: true }),
    ...(verify && { verify: toVerificationRule(verify) }),
    ...(verify === null && { neverVerify: true }),
    ...(windowEnd && { windowEnd: WINDOW_ENDS[windowEnd] }),
    ...(storageId !== undefined && { storageId: storageId ?? '' }),
    ...(options && { brOptions: options }),
    ...(brOptions === null && { clearBrOptions: true }),
  };
}

function toVerificationRule({ every, level, sample, rateLimit = 0 }: NonNullable<Settings['verify']>) {
  return {
    everyDays: toDays(every),
    rateLimit,
    ...(level && { level: VERIFICATION_LEVELS[level] }),
    ...(sample !== undefined && { sample }),
  };
}

function toDays(every: string): number {
  return Number.parseInt(every.slice(1), 10) * DAYS_OF[every.endsWith('W') ? 'W' : 'D'];
}

export function toRetention(body: NonNullable<Settings['retention']>): MessageInitShape<typeof RetentionSchema> {
  return Object.fromEntries(RETENTION_FIELDS.map((field) => [field, body[field] ?? 0]));
}
