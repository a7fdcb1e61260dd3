/** What a body says about a strategy, of a cluster or for labels. */
import type { MessageInitShape } from '@bufbuild/protobuf';
import { invalidArgument } from '@tidemark/errors/app-error';
import {
  type RetentionSchema,
  type SaveStrategyRequestSchema,
  WindowEnd,
} from '@tidemark/protocol/connect/tidemark/strategy/v1/strategy_service';
import { z } from 'zod';
import { BrOptionsBody, toBrOptions } from './br-options.ts';
import { leftOut, parse } from './validate.ts';

/** Those fields of both save requests that people set. */
export type SettingsFields = Pick<
  MessageInitShape<typeof SaveStrategyRequestSchema> & object,
  'period' | 'timeZone' | 'paused' | 'retention' | 'windowEnd' | 'storageId' | 'brOptions'
> & {
  readonly days?: string;
  readonly keepEverything?: boolean;
  readonly clearBrOptions?: boolean;
};

const WRONG_NAME = 'must be 1 to 64 letters, digits, underscores or dashes, such as nightly';
/** The name of a rule. */
export const RuleName = z.string(WRONG_NAME).regex(/^[A-Za-z0-9_-]{1,64}$/, WRONG_NAME);

const MOST_KEPT = 100_000;
const WRONG_COUNT = `must be a whole number from 0 to ${MOST_KEPT}, such as 7`;
const count = z.int(WRONG_COUNT).min(0, WRONG_COUNT).max(MOST_KEPT, WRONG_COUNT).nullish();
const RETENTION_FIELDS = ['keepLast', 'keepDays', 'daily', 'weekly', 'monthly', 'yearly'] as const;
/** How much is kept; null keeps everything. */
export const RetentionBody = z
  .strictObject(
    { keepLast: count, keepDays: count, daily: count, weekly: count, monthly: count, yearly: count },
    {
      error: (issue) =>
        issue.code === 'unrecognized_keys'
          ? `knows no ${issue.keys.map((key) => `"${key.slice(0, 40)}"`).join(', ')}; use ${RETENTION_FIELDS.join(', ')}, such as {"keepLast":7,"weekly":4}`
          : 'must be an object such as {"keepLast":7,"weekly":4}, or null, which keeps everything',
    },
  )
  .nullish();

const text = z.string('must be a text').max(256, 'must be at most 256 characters');

/** The fields that every strategy has. What days, hours and zones may be is the service's to say. */
export const SETTINGS = {
  backupDate: text.nullish(),
  period: text.nullish(),
  timeZone: text.nullish(),
  paused: z.boolean('must be true or false').nullish(),
  retention: RetentionBody,
  windowEnd: leftOut(z.enum(['letRun', 'stop'], 'must be "letRun" or "stop"')),
  storageId: z
    .string('must be the id of a storage, such as nfs')
    .regex(/^[A-Za-z0-9_-]{0,64}$/, 'must be the id of a storage, such as nfs; "" is the cluster’s own')
    .nullish(),
  brOptions: BrOptionsBody,
};

const Body = z.object({
  strategy: z.object(
    { ...SETTINGS, clusterId: z.string('must be a text').nullish(), rule: leftOut(RuleName) },
    'must be an object such as {"backupDate":"Monday","period":"0:00-1:00"}',
  ),
});
type Settings = z.infer<z.ZodObject<typeof SETTINGS>>;

const WINDOW_ENDS = { letRun: WindowEnd.LET_RUN, stop: WindowEnd.STOP } as const;

/**
 * What a body says about a rule of a cluster.
 *
 * @param rule of the path, which the body may repeat but not change; undefined where the body names it
 * @throws AppError `invalid_argument` naming every bad field
 */
export function parseRule(body: unknown, clusterId: string, rule?: string) {
  const { strategy } = parse(Body, body);
  if (strategy.clusterId && strategy.clusterId !== clusterId)
    throw invalidArgument([
      { field: 'strategy.clusterId', description: `must be left out or be ${clusterId}, the cluster of the path` },
    ]);
  if (rule === undefined && strategy.rule === undefined)
    throw invalidArgument([{ field: 'strategy.rule', description: 'must be set, such as "nightly"' }]);
  if (rule !== undefined && strategy.rule !== undefined && strategy.rule !== rule)
    throw invalidArgument([
      { field: 'strategy.rule', description: `must be left out or be ${rule}, the rule of the path` },
    ]);
  return { rule: rule ?? strategy.rule ?? '', storageId: strategy.storageId, settings: toSettings(strategy) };
}

/** As fields of a save; absent keeps what it was. */
export function toSettings(body: Settings): SettingsFields {
  const { backupDate, period, timeZone, paused, retention, windowEnd, storageId, brOptions } = body;
  const options = toBrOptions(brOptions);
  return {
    ...(typeof backupDate === 'string' && { days: backupDate }),
    ...(period && { period }),
    ...(timeZone && { timeZone }),
    ...(typeof paused === 'boolean' && { paused }),
    ...(retention && { retention: toRetention(retention) }),
    ...(retention === null && { keepEverything: true }),
    ...(windowEnd && { windowEnd: WINDOW_ENDS[windowEnd] }),
    ...(storageId !== undefined && { storageId: storageId ?? '' }),
    ...(options && { brOptions: options }),
    ...(brOptions === null && { clearBrOptions: true }),
  };
}

export function toRetention(body: NonNullable<Settings['retention']>): MessageInitShape<typeof RetentionSchema> {
  return Object.fromEntries(RETENTION_FIELDS.map((field) => [field, body[field] ?? 0]));
}
