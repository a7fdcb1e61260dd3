/** What several operations have in common. */
import { rulesOf } from '@tidemark/contract/rules';
import { MAX_RATE_LIMIT, MIN_VERIFY_SAMPLE } from '@tidemark/limits/limits';
import { z } from 'zod';
import { isPageToken, WHOLE_TOKEN } from '../../calls/page-token.ts';
import { NEVER } from '../legacy-states.ts';
import { flag, Id, leftOut, leftOutOrFrom1, listOf } from '../validate.ts';

/** An instant in an answer. */
export function time(what: string) {
  return z.string().meta({ format: 'date-time', description: `${what} RFC 3339; \`${NEVER}\` until it happens.` });
}

/** A count in an answer. */
export function counted(what: string) {
  return z.int().min(0).describe(what);
}

export const CLUSTER_ID = Id.meta({ description: 'The cluster.', examples: ['test-tidb'] });
export const BACKUP_ID = Id.meta({
  description: 'The backup: 22 characters of base64url.',
  examples: ['h6IhUQh-Q32MDOfcVieYgA'],
});
export const STORAGE_ID = Id.meta({ description: 'The storage.', examples: ['local'] });

export const OfCluster = z.object({ clusterId: CLUSTER_ID });
export const OfBackup = z.object({ backupId: BACKUP_ID });
export const OfStorage = z.object({ storageId: STORAGE_ID });

const A_LABEL = 'must be a label and its value, such as env=prod';
const ONE_VALUE = 'must name each label once: no cluster has two values of one';
const labelName = (label: string) => label.slice(0, label.indexOf('='));

/** Which clusters, by their labels and by what they are called. */
export const WithLabels = {
  label: listOf(z.string(A_LABEL).regex(/^(?!__proto__=)[^=]+=/, A_LABEL))
    .refine((labels) => new Set(labels.map(labelName)).size === labels.length, ONE_VALUE)
    .describe('Only clusters with this label, such as `env=prod`; with all of them where it is given several times.'),
  text: leftOut(z.string('must be a text')).describe(
    'In the id or the name, whatever the case; at most 64 characters.',
  ),
};

/** Labels by name, of a query. */
export function labelsOf(label: readonly string[]): Record<string, string> {
  return Object.fromEntries(label.map((one) => [labelName(one), one.slice(one.indexOf('=') + 1)]));
}

/** What an answer to a list gave for the next page. */
export const PageToken = z.string(WHOLE_TOKEN).refine(isPageToken, WHOLE_TOKEN);

/** How a list that may be long goes on, and whether it is counted. */
export const GoesOn = {
  withoutTotal: leftOut(flag()).describe(
    'Whether `page.total` may be left out where it would have to be counted, which takes the longer the more there are; `false` by default. A page that is not full tells it all the same.',
  ),
  pageToken: leftOut(PageToken).describe(
    'The `page.pageToken` of an answer to the same list with the same filters: the list goes on behind it, however deep that is, and `page` is not looked at.',
  ),
};

export const VerificationLevel = z.enum(['meta', 'bytes'], 'must be "meta" or "bytes"').meta({
  id: 'VerificationLevel',
  description: 'Whether only the catalogue and a list of the files are looked at, or every file is read.',
});
const SAMPLE = `must be a number from ${MIN_VERIFY_SAMPLE} to 1`;
/** How much of a backup is verified, and how fast. */
export const VERIFICATION = {
  level: leftOut(VerificationLevel).describe('`bytes` by default.'),
  sample: leftOut(z.number(SAMPLE).gte(MIN_VERIFY_SAMPLE, SAMPLE).lte(1, SAMPLE)).describe(
    'Which random part of the data files is read, at the level `bytes`; all by default.',
  ),
  rateLimit: leftOutOrFrom1(MAX_RATE_LIMIT).describe(
    'How fast files are read, in MiB per second; no limit by default, and for 0.',
  ),
};

const ATTEMPT = rulesOf('tidemark.backup.v1.ReadBackupLogRequest', 'attempt');
/** Which part of a log is read. @param what prints it */
export function logQuery(what: 'backup' | 'restore') {
  return z.object({
    attempt: leftOutOrFrom1(ATTEMPT.max).describe(
      'Only this attempt, from 1; all by default, and for 0, which is left out. One that was never made is a 400, except with `follow` while it may still come.',
    ),
    follow: leftOut(flag()).describe(`Whether to go on until the ${what} ends; \`false\` by default.`),
  });
}

/** A line of JSON, as the `data` of a server-sent event is sent; OpenAPI tells the schema of what it holds so. */
export function jsonLine(contentSchema: object) {
  return z.string().meta({ contentMediaType: 'application/json', contentSchema });
}

/** The last event of a stream that is to be opened again. */
export const EventsBrokeOff = z
  .object({
    event: z.literal('error'),
    data: jsonLine({
      type: 'object',
      properties: { message: { type: 'string', description: 'What to do.' } },
      required: ['message'],
    }),
  })
  .meta({ id: 'EventsBrokeOff', title: 'the stream broke off' });

/** `data` of calls that answer only that they are done. */
export const NoData = z.object({}).meta({ id: 'NoData', description: 'Done; there is nothing else to tell.' });

/** What becomes of a backup that still runs when its window closes. */
export const WindowEnd = z.enum(['letRun', 'stop'], 'must be "letRun" or "stop"').meta({
  id: 'WindowEnd',
  description: 'What becomes of a backup that still runs when its window closes.',
});

export const Warnings = z.array(z.string()).optional().describe('What people should know, in sentences.');

/** What a moment that is asked for must be. */
export const A_MOMENT = 'must be a moment with its offset from UTC, such as 2026-01-06T09:15:00+01:00';
