import { DEFAULT_WORKERS_PAGE, MAX_WORKERS_PAGE } from '@tidemark/limits/limits';
import { z } from 'zod';
import type { Operation } from '../operation.ts';
import { leftOut, leftOutOrFrom1 } from '../validate.ts';
import { counted, GoesOn, time } from './common.ts';

export const WORKER_STATE_NAMES = ['Present', 'Draining', 'Gone'] as const;
const A_POOL = 'must be 1 to 32 small letters, digits or dashes';

const Query = z.object({
  pool: leftOut(z.string(A_POOL).regex(/^[a-z0-9-]{1,32}$/, A_POOL)).describe('Only workers of this pool.'),
  pageSize: leftOutOrFrom1(MAX_WORKERS_PAGE).describe(
    `1 to ${MAX_WORKERS_PAGE}; ${DEFAULT_WORKERS_PAGE} by default, and for 0, which is left out.`,
  ),
  pageToken: GoesOn.pageToken,
});

/** A run of a worker. */
export const Worker = z
  .object({
    id: z.string().describe('Of this run of the worker: two of one name are two.'),
    name: z.string(),
    host: z.string().describe('Where it runs; empty of an older worker.'),
    pool: z.string(),
    state: z
      .enum([...WORKER_STATE_NAMES, 'Unknown'])
      .describe(
        '`Draining`: it takes nothing new. `Gone`: not heard of for 35 seconds; ten minutes later it is left out.',
      ),
    slots: counted('How many tasks it takes at once.'),
    freeSlots: counted('How many more it would take now.'),
    brVersions: z.array(z.string()).describe('Of the `br` that it can use.'),
    tasks: z
      .array(
        z.object({
          kind: z.string().describe('`backup`, `remove`, `restore`, `verify`, `probe` or `rebuild`.'),
          id: z.string().describe('Of the backup, the restore or the check.'),
          clusterId: z.string().optional().describe('Absent of checks.'),
          startTime: time('When it began.'),
        }),
      )
      .describe('What it does for clusters that the caller may see.'),
    otherTasks: counted('What else it does.'),
    outOfReach: z
      .array(
        z.object({
          storageId: z.string(),
          code: z.string(),
          message: z.string(),
          passing: z.boolean().describe('Whether it may pass without a person.'),
          startTime: time('Since when.'),
        }),
      )
      .describe('Storages that it cannot reach; for callers who see all clusters.'),
    otherOutOfReach: counted('How many storages it cannot reach, for all others.'),
    firstSeenTime: time('When it was first heard of.'),
    lastSeenTime: time('When it was last heard of.'),
  })
  .meta({ id: 'Worker', description: 'A run of a worker, as it last reported itself.' });
export type WorkerView = z.infer<typeof Worker>;

const WORKER: WorkerView = {
  id: 'C0mVJr2mQ5yWg1Yd4yG7Xw',
  name: 'worker-1',
  host: 'worker-1.example.com',
  pool: 'default',
  state: 'Present',
  slots: 2,
  freeSlots: 1,
  brVersions: ['v8.5.0'],
  tasks: [
    {
      kind: 'backup',
      id: 'h6IhUQh-Q32MDOfcVieYgA',
      clusterId: 'test-tidb',
      startTime: '2026-01-06T00:01:00.000Z',
    },
  ],
  otherTasks: 0,
  outOfReach: [],
  otherOutOfReach: 0,
  firstSeenTime: '2026-01-05T08:00:00.000Z',
  lastSeenTime: '2026-01-06T00:12:04.500Z',
};

export const listWorkers = {
  id: 'listWorkers',
  tag: 'Workers',
  call: 'listWorkers',
  summary: 'Which workers are there, and what they do',
  description: 'By pool and name. A parameter that is not known is a 400.',
  query: Query,
  answer: {
    data: z.object({
      workers: z.array(Worker),
      total: counted('How many there are on all pages.'),
      pageToken: z.string().optional().describe('For the next page; absent behind the last one.'),
    }),
    example: { workers: [WORKER], total: 1 },
  },
} as const satisfies Operation;
