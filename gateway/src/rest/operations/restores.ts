/** How restores go, and what people do about one that ended in the middle. */
import { DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE } from '@tidemark/limits/limits';
import { z } from 'zod';
import type { Operation } from '../operation.ts';
import { flag, Id, leftOut, leftOutOrFrom1, required } from '../validate.ts';
import { EventsBrokeOff, GoesOn, jsonLine, logQuery } from './common.ts';
import { RESTORE, Restore, STATE_NAMES } from './restore-record.ts';

const RESTORE_ID = Id.meta({
  description: 'The restore: 22 characters of base64url.',
  examples: ['Qm1haW4tcmVzdG9yZS0wMQ'],
});
const OfRestore = z.object({ restoreId: RESTORE_ID });

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

const OneRestore = z.object({ restore: Restore }).meta({ id: 'OneRestore' });

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
