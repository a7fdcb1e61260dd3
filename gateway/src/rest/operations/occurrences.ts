import { DEFAULT_PAGE_SIZE, MAX_PAGE, MAX_PAGE_SIZE } from '@tidemark/limits/limits';
import { z } from 'zod';
import type { Operation } from '../operation.ts';
import { Id, leftOut, leftOutOrFrom1 } from '../validate.ts';
import { GoesOn, OfCluster, time, WindowEnd } from './common.ts';

export const STATE_NAMES = ['Pending', 'Started', 'Skipped', 'Missed'] as const;

const Query = z.object({
  page: leftOutOrFrom1(MAX_PAGE).describe('From 1, which is the default; 0 is left out.'),
  pageSize: leftOutOrFrom1(MAX_PAGE_SIZE).describe(
    `1 to ${MAX_PAGE_SIZE}; ${DEFAULT_PAGE_SIZE} by default, and for 0, which is left out.`,
  ),
  state: leftOut(z.enum(STATE_NAMES, `must be one of ${STATE_NAMES.join(', ')}`)).describe('Only in this state.'),
  rule: leftOut(Id).describe('Only of this rule.'),
  ...GoesOn,
});

/** What became of a window. */
export const Occurrence = z
  .object({
    id: z.string(),
    clusterId: z.string(),
    rule: z.string(),
    opensAt: time('When the window opens.'),
    closesAt: time('When it closes.'),
    startAt: time('When the backup was to start.'),
    state: z.enum([...STATE_NAMES, 'Unknown']),
    backupId: z.string().optional().describe('The backup that it started.'),
    code: z.string().optional().describe('Why it waits, was skipped or missed, such as `CLUSTER_BUSY`.'),
    reason: z.string().optional().describe('The same in a sentence.'),
    windowEnd: WindowEnd,
    decidedAt: time('When that was decided.'),
  })
  .meta({ id: 'Occurrence', description: 'A backup window that came, and what became of it.' });
export type OccurrenceView = z.infer<typeof Occurrence>;

const OCCURRENCE: OccurrenceView = {
  id: 'test-tidb:default:2026-01-05T23:00:00Z',
  clusterId: 'test-tidb',
  rule: 'default',
  opensAt: '2026-01-05T23:00:00.000Z',
  closesAt: '2026-01-06T01:00:00.000Z',
  startAt: '2026-01-05T23:00:00.000Z',
  state: 'Started',
  backupId: 'h6IhUQh-Q32MDOfcVieYgA',
  windowEnd: 'letRun',
  decidedAt: '2026-01-05T23:00:00.210Z',
};

/** Of which cluster, where the path does not say. */
const FleetQuery = Query.extend({ clusterId: leftOut(Id).describe('Only of this cluster.') });

export const listOccurrences = {
  id: 'listOccurrences',
  tag: 'Windows',
  call: 'listOccurrences',
  summary: 'What became of each window, newest first',
  description: 'Of all clusters that the caller may see, or of one.',
  query: FleetQuery,
  errors: ['cluster_not_found'],
  answer: {
    data: z.object({ occurrences: z.array(Occurrence) }).meta({ id: 'OccurrenceList' }),
    paged: 'with a token',
    example: { occurrences: [OCCURRENCE] },
  },
} as const satisfies Operation;

export const listClusterOccurrences = {
  ...listOccurrences,
  id: 'listClusterOccurrences',
  summary: 'What became of the windows of a cluster',
  description: 'Newest first.',
  params: OfCluster,
  query: Query,
} as const satisfies Operation;
