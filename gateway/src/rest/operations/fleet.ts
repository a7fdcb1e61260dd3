import { DEFAULT_FLEET_PAGE, MAX_FLEET_PAGE } from '@tidemark/limits/limits';
import { z } from 'zod';
import { isPageToken } from '../../calls/page-token.ts';
import type { Operation } from '../operation.ts';
import { Id, leftOut, leftOutOrFrom1, listOf } from '../validate.ts';
import { EventsBrokeOff, GoesOn, jsonLine, time, WithLabels } from './common.ts';
import { LogAlarm, LogState, LogWish } from './log-backups.ts';

/** From the worst to the best. */
export const VERDICT_NAMES = ['never', 'veryLate', 'late', 'noPlan', 'inTime'] as const;
/** From the worst to the best. */
export const LOG_VERDICT_NAMES = ['critical', 'warning', 'waiting', 'healthy', 'off'] as const;
const A_LOG_VERDICT = `must be some of ${LOG_VERDICT_NAMES.join(', ')}`;
const A_VERDICT = `must be some of ${VERDICT_NAMES.join(', ')}`;

const Scope = {
  clusterId: listOf(Id).describe('Only this cluster, or these where it is given several times.'),
  ...WithLabels,
};

const A_CURSOR = 'must be the whole cursor of an answer about the same clusters, labels and text';
const WatchQuery = z.object({
  ...Scope,
  cursor: leftOut(z.string(A_CURSOR).refine(isPageToken, A_CURSOR)).describe(
    'Of an event before, or of `GET /fleet`, with the same clusters, labels and text: only what changed since is told. The header `Last-Event-ID` does the same.',
  ),
});

const Query = z.object({
  ...Scope,
  verdict: listOf(z.enum(VERDICT_NAMES, A_VERDICT)).describe(
    'Only clusters with one of these; may be given several times.',
  ),
  log: listOf(z.enum(LOG_VERDICT_NAMES, A_LOG_VERDICT)).describe(
    'Only clusters whose log backup stands in one of these ways; may be given several times: `log=critical&log=warning`.',
  ),
  pageSize: leftOutOrFrom1(MAX_FLEET_PAGE).describe(
    `1 to ${MAX_FLEET_PAGE}; ${DEFAULT_FLEET_PAGE} by default, and for 0, which is left out.`,
  ),
  pageToken: GoesOn.pageToken,
});

const Verdict = z.enum([...VERDICT_NAMES, 'unknown']).meta({
  id: 'FleetVerdict',
  description:
    'Whether the newest good backup is as new as the rules promise. `never`: backups are planned, and there is no good one. `late` and `veryLate`: it is older than 1.25 times, or twice, the longest time between two windows, and four hours. `noPlan`: no rule plans any.',
});

const LogVerdict = z.enum([...LOG_VERDICT_NAMES, 'unknown']).meta({
  id: 'FleetLogVerdict',
  description:
    'How the log backup stands, beside the verdict. `critical` and `warning`: such an alarm of the log that is wanted stands. `waiting`: none does, and it is not seen to run, as it is being started, is paused as wanted, or the cluster did not answer just now. `off`: none is wanted.',
});

const FleetLog = z
  .object({
    verdict: LogVerdict,
    wanted: LogWish,
    state: LogState,
    alarm: LogAlarm.optional().describe(
      'The worst that stands; absent where none does. Where it says nothing of the log that is written, the verdict is as it would be without.',
    ),
  })
  .meta({ id: 'FleetLog' });

/** A cluster, and whether it is safe. */
export const FleetRow = z
  .object({
    clusterId: z.string(),
    name: z.string(),
    labels: z.record(z.string(), z.string()),
    verdict: Verdict,
    registerTime: time('When it was registered.'),
    newestGood: z
      .object({
        endTime: time('When it ended.'),
        recoveryPointTime: z.string().optional().describe('The moment to which it brings the cluster back.'),
        ageSeconds: z.number().min(0).describe('From its end to `asOf`.'),
      })
      .optional()
      .describe('The newest good backup; absent where there is none.'),
    verifiedPointTime: z
      .string()
      .optional()
      .describe('The newest moment to which a backup that was verified brings it back.'),
    lastProven: z
      .object({ time: time('When it ended.'), seconds: z.number().min(0).describe('How long it took.') })
      .optional()
      .describe('The last restore by which a drill brought a backup of it back; absent where none has.'),
    log: FleetLog.optional().describe('Its log backup; absent where none is wanted, and none has an alarm.'),
    newestPointTime: z
      .string()
      .optional()
      .describe(
        'The newest moment to which it can be brought back, by a backup alone or by its log; absent where there is none. In a stream it is told anew at the latest once it has moved by five minutes.',
      ),
    rpoSeconds: z.number().min(0).optional().describe('From that moment to `asOf`: what would be lost now.'),
    intervalSeconds: z.int().min(1).optional().describe('The longest time between two windows.'),
    nextStartTime: z.string().optional().describe('When its next backup is planned.'),
    active: z
      .object({
        backupId: z.string(),
        state: z.enum(['Queued', 'Running', 'Canceling']),
        startTime: time('When it was accepted.'),
        step: z.string().optional(),
        percent: z.number().optional(),
        queuePosition: z.int().min(1).optional().describe('1 is the next.'),
      })
      .optional()
      .describe('What runs, or waits to run.'),
    last: z
      .object({
        backupId: z.string(),
        state: z.enum(['Succeeded', 'Failed', 'Canceled']),
        endTime: time('When it ended.'),
        code: z.string().optional(),
        reason: z.string().optional(),
      })
      .optional()
      .describe('The backup that ended last.'),
  })
  .meta({ id: 'FleetRow', description: 'A cluster, and whether it is safe.' });
export type FleetRowView = z.infer<typeof FleetRow>;

const ROW: FleetRowView = {
  clusterId: 'test-tidb',
  name: 'orders',
  labels: { env: 'prod' },
  verdict: 'inTime',
  registerTime: '2026-01-01T08:00:00.000Z',
  newestGood: {
    endTime: '2026-01-06T00:31:00.000Z',
    recoveryPointTime: '2026-01-05T23:00:01.020Z',
    ageSeconds: 27_000,
  },
  log: { verdict: 'healthy', wanted: 'on', state: 'Running' },
  newestPointTime: '2026-01-06T07:59:12.040Z',
  rpoSeconds: 107.96,
  intervalSeconds: 86_400,
  nextStartTime: '2026-01-06T23:00:00.000Z',
  last: { backupId: 'h6IhUQh-Q32MDOfcVieYgA', state: 'Succeeded', endTime: '2026-01-06T00:31:00.000Z' },
};

export const listFleet = {
  id: 'listFleet',
  tag: 'Fleet',
  call: 'listFleet',
  summary: 'Which clusters are safe, the least safe first',
  description:
    'Of all clusters that the caller may see. What is known of backups that ended and of rules is some seconds old (`asOf`); what runs is as it is now, and is left out where it cannot be asked for in time (`withoutActivity`). A parameter that is not known is a 400.',
  query: Query,
  errors: ['cluster_not_found'],
  answer: {
    data: z.object({
      clusters: z.array(FleetRow),
      counts: z
        .record(z.enum(VERDICT_NAMES), z.int().min(0))
        .describe('How many clusters have each verdict, of all that the filters but `verdict` and `log` let through.'),
      logCounts: z
        .record(z.enum(LOG_VERDICT_NAMES), z.int().min(0))
        .describe('The same of their log backups, of all that the filters but `verdict` and `log` let through.'),
      asOf: time('Up to when changes were taken in.'),
      pageToken: z.string().optional().describe('For the next page; absent behind the last one.'),
      cursor: z
        .string()
        .optional()
        .describe('For `GET /fleet/watch` with the same clusters, labels and text: what changes from here on.'),
      withoutActivity: z
        .literal(true)
        .optional()
        .describe(
          'What runs and what ended last could not be asked for in time: no cluster has `active` or `last`, whatever there is. Ask again.',
        ),
    }),
    example: {
      clusters: [ROW],
      counts: { never: 0, veryLate: 0, late: 0, noPlan: 0, inTime: 1 },
      logCounts: { critical: 0, warning: 0, waiting: 0, healthy: 1, off: 0 },
      asOf: '2026-01-06T08:01:00.000Z',
    },
  },
} as const satisfies Operation;

export type VerdictName = (typeof VERDICT_NAMES)[number];
export type LogVerdictName = (typeof LOG_VERDICT_NAMES)[number];

const FleetEvent = z
  .union([
    z
      .object({
        event: z.literal('fleet'),
        id: z.string().optional().describe('The cursor, where the event has one.'),
        data: jsonLine({
          type: 'object',
          properties: {
            restart: { type: 'boolean', description: 'What was told before counts no more: all clusters follow.' },
            clusters: {
              type: 'array',
              description: 'That are new or changed, as they are now.',
              items: { $ref: '#/components/schemas/FleetRow' },
            },
            goneClusterIds: {
              type: 'array',
              description: 'That are among those asked for no longer.',
              items: { type: 'string' },
            },
            counts: { type: 'object', description: 'How many clusters have each verdict.' },
            logCounts: { type: 'object', description: 'The same of their log backups.' },
            asOf: { type: 'string', format: 'date-time', description: 'Up to when changes were taken in.' },
            cursor: {
              type: 'string',
              description: 'Where to go on; absent, like the two before, while more follows at once.',
            },
          },
          required: ['clusters', 'goneClusterIds'],
        }),
      })
      .meta({ id: 'FleetChanged', title: 'what changed' }),
    EventsBrokeOff,
  ])
  .meta({ id: 'FleetEvent', description: 'One server-sent event; its `data` is a line of JSON.' });

export const watchFleet = {
  id: 'watchFleet',
  tag: 'Fleet',
  call: 'watchFleet',
  summary: 'Follows the clusters and whether they are safe',
  description:
    'Server-sent events `fleet`: first all clusters, the least safe first, in as many events as it takes until one has a `cursor`; then what changed, within a few seconds, and an event without clusters every 15 seconds. `error` when the stream broke off: go on with the last `cursor`. A cursor holds for 15 minutes, at any copy, and while no cluster comes or goes; then the answer is 410, and the stream is opened without one. A parameter that is not known is a 400. Use `fetch`, which can send the token; a token never goes into a URL.',
  query: WatchQuery,
  answer: {
    type: 'text/event-stream',
    description: 'Events as they come. The schema is that of each; `data` is a line of JSON.',
    event: FleetEvent,
    example: `event: fleet\nid: WyI4\ndata: ${JSON.stringify({ clusters: [ROW], goneClusterIds: [], counts: { inTime: 1 }, asOf: '2026-01-06T08:01:00.000Z', cursor: 'WyI4' })}\n\n`,
  },
  errors: ['cluster_not_found', 'cursor_too_old'],
} as const satisfies Operation;
