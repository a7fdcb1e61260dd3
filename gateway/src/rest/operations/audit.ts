import { rulesOf, sentenceOf } from '@tidemark/contract/rules';
import { DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE } from '@tidemark/limits/limits';
import { z } from 'zod';
import type { Operation } from '../operation.ts';
import { leftOut, leftOutOrFrom1 } from '../validate.ts';
import { CLUSTER_ID, GoesOn, time } from './common.ts';

export const OUTCOME_NAMES = ['ok', 'refused', 'failed'] as const;
export type OutcomeName = (typeof OUTCOME_NAMES)[number];

const textOf = (field: 'caller' | 'what') => {
  const rules = rulesOf('tidemark.backup.v1.ListAuditEntriesRequest', field);
  return leftOut(z.string('must be one text').max(rules.maxLength, sentenceOf(rules)));
};
const A_TIME = 'must be a time such as 2026-01-31T12:00:00Z';
const instant = () => leftOut(z.iso.datetime({ offset: true, error: A_TIME }));

const Query = z.object({
  clusterId: leftOut(CLUSTER_ID).describe('Only what was about this cluster.'),
  caller: textOf('caller').describe('Only what this token asked for: its name or its id.'),
  what: textOf('what').describe('Only this change, such as `delete backup`.'),
  outcome: leftOut(z.enum(OUTCOME_NAMES, `must be one of ${OUTCOME_NAMES.join(', ')}`)).describe(
    '`refused`: the caller may not, or asked for what cannot be; `failed`: something could not answer, or the client went away before the answer.',
  ),
  from: instant().describe('From when on.'),
  to: instant().describe('Before when.'),
  pageSize: leftOutOrFrom1(MAX_PAGE_SIZE).describe(
    `1 to ${MAX_PAGE_SIZE}; ${DEFAULT_PAGE_SIZE} by default. 0 is left out.`,
  ),
  pageToken: GoesOn.pageToken,
});

const named = z.string().optional();
/** One call that asked for a change. */
export const AuditEntry = z
  .object({
    id: z.string(),
    time: time('When it was answered, by the clock of the gateway.'),
    what: z.string().describe('What was asked for, such as `delete backup`.'),
    clusterId: named,
    backupId: named.describe('Not told of a restore to whoever sees some clusters, like `restoreId`.'),
    restoreId: named,
    storageId: named,
    rule: named,
    fleetStrategy: named,
    token: named.describe('Id of a token that was made or revoked.'),
    receiver: named.describe('Id of a receiver of notifications.'),
    caller: z.string().describe('The name of the token that it came with.'),
    callerId: z.string().describe('Its id.'),
    from: z.string().describe('The address of the client.'),
    outcome: z.enum([...OUTCOME_NAMES, 'unknown']),
    status: z.int().describe('Of the answer, as HTTP has it, over every protocol.'),
    code: z.string().optional().describe('Of the error, where it was one.'),
    requestId: z.string(),
  })
  .meta({ id: 'AuditEntry', description: 'A call that asked for a change, and how it ended.' });
export type AuditEntryView = z.infer<typeof AuditEntry>;

const ENTRY: AuditEntryView = {
  id: 'kZ3mC1q0T9yWb4Xd',
  time: '2026-01-31T12:00:00.000Z',
  what: 'delete backup',
  clusterId: 'test-tidb',
  backupId: 'h6IhUQh-Q32MDOfcVieYgA',
  caller: 'ci',
  callerId: '3f9c0a51b2de',
  from: '10.0.0.7',
  outcome: 'refused',
  status: 409,
  code: 'backup_in_use',
  requestId: '7f6b1c9e-9d2f-4b8e-8a51-3e0f4e1f7c11',
};

export const listAuditEntries = {
  id: 'listAuditEntries',
  tag: 'Audit',
  call: 'listAuditEntries',
  summary: 'Who changed what, newest first',
  description:
    'Calls that asked for a change and came with a good token, also those that were refused. For an admin of some clusters those about these clusters. An entry is there within a second or two, and later where backup-service was away. A page may hold fewer than were asked for, and still have a `pageToken`. A parameter that is not known is a 400.',
  query: Query,
  errors: ['cluster_not_found'],
  answer: {
    data: z.object({
      entries: z.array(AuditEntry),
      pageToken: z.string().optional().describe('For the next page; absent behind the last one.'),
    }),
    example: { entries: [ENTRY] },
  },
} as const satisfies Operation;
