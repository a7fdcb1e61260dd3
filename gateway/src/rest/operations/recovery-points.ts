import { DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE } from '@tidemark/limits/limits';
import { z } from 'zod';
import type { Operation } from '../operation.ts';
import { leftOutOrFrom1 } from '../validate.ts';
import { counted, GoesOn, OfCluster, time } from './common.ts';
import { SOURCE } from './restore-record.ts';

const PointsQuery = z.object({
  pageSize: leftOutOrFrom1(MAX_PAGE_SIZE).describe(
    `1 to ${MAX_PAGE_SIZE}; ${DEFAULT_PAGE_SIZE} by default, and for 0, which is left out.`,
  ),
  pageToken: GoesOn.pageToken,
});
const Point = z
  .object({
    backupId: z.string(),
    tso: z.string().describe('The snapshot point, decimal.'),
    time: time('The moment of that.'),
    sizeBytes: counted('Its size in bytes.'),
    storageId: z.string(),
    clusterVersion: z.string(),
    verification: z
      .object({ level: z.string(), at: z.string() })
      .optional()
      .describe('Of the verification that found it good; absent where none has.'),
  })
  .meta({ id: 'RecoveryPoint', description: 'A moment to which a cluster can be brought back.' });
const Range = z
  .object({
    from: z.string(),
    to: z.string(),
    fromTso: z.string().describe('Decimal.'),
    toTso: z.string(),
    generation: counted('Of the log backup.'),
    baseBackupId: z.string().describe('The backup at its beginning.'),
  })
  .meta({ id: 'RecoveryRange', description: 'From one moment to another, every second of which can be restored.' });
const Hole = z
  .object({
    from: z.string(),
    to: z.string(),
    why: z.string().describe('`noBase`, `noLog`, `lag`, `paused`, or how the log before it ended, such as `stopped`.'),
  })
  .meta({ id: 'RecoveryHole', description: 'From one moment to another, between which nothing can be restored.' });
const Points = z
  .object({
    snapshots: z.array(Point),
    pageToken: z.string().optional().describe('For the next page; absent behind the last one.'),
    ranges: z.array(Range).describe('What log backups add, the newest first.'),
    holes: z.array(Hole).describe('What lies between, since the oldest good backup; none without a log backup.'),
    newestTime: time('The newest moment to which the cluster can be brought back.'),
    newest: Point.optional(),
    newestVerified: Point.optional().describe('The newest that a verification found good.'),
    rpoSeconds: z.number().optional().describe('From the newest moment to now: what would be lost.'),
    worstRpoSeconds: z
      .number()
      .optional()
      .describe(
        'Of the last 30 days: the greatest distance from a moment to the newest one before it that can be restored now. What was deleted since counts as if it had never been.',
      ),
    estimate: z.object({ snapshotSeconds: counted('How long a restore of the newest may take.') }).optional(),
  })
  .meta({ id: 'RecoveryPoints' });
export type PointView = z.infer<typeof Point>;
export type RangeView = z.infer<typeof Range>;
export type HoleView = z.infer<typeof Hole>;

const POINT: PointView = {
  backupId: SOURCE.backupId,
  tso: SOURCE.tso,
  time: '2026-01-05T23:00:00.512Z',
  sizeBytes: SOURCE.sizeBytes,
  storageId: SOURCE.storageId,
  clusterVersion: SOURCE.clusterVersion,
  verification: { level: 'bytes', at: '2026-01-06T01:00:00.000Z' },
};

export const listRecoveryPoints = {
  id: 'listRecoveryPoints',
  tag: 'Restores',
  call: 'listRecoveryPoints',
  summary: 'The moments to which a cluster can be brought back, newest first',
  description: 'Its good backups that nobody deletes, and that no verification found damaged.',
  params: OfCluster,
  query: PointsQuery,
  answer: {
    data: Points,
    example: {
      snapshots: [POINT],
      ranges: [
        {
          from: POINT.time,
          to: '2026-01-06T08:57:11.000Z',
          fromTso: POINT.tso,
          toTso: '463412345678901248',
          generation: 1,
          baseBackupId: POINT.backupId,
        },
      ],
      holes: [{ from: '2026-01-06T08:57:11.000Z', to: '2026-01-06T09:00:00.000Z', why: 'lag' }],
      newestTime: '2026-01-06T08:57:11.000Z',
      newest: POINT,
      newestVerified: POINT,
      rpoSeconds: 169,
      worstRpoSeconds: 86_412,
      estimate: { snapshotSeconds: 11_400 },
    },
  },
  errors: ['cluster_not_found'],
} as const satisfies Operation;
