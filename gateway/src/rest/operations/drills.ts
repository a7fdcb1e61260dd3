/** Drills: a backup is restored into a scratch cluster from time to time. */
import { DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE, MAX_SHORT_TEXT } from '@tidemark/limits/limits';
import { z } from 'zod';
import { IdempotencyHeaders } from '../idempotency-key.ts';
import type { Operation } from '../operation.ts';
import { SaveQuery } from '../save-query.ts';
import { flag, Id, leftOut, leftOutOrFrom1, listOf, required } from '../validate.ts';
import { counted, GoesOn, NoData, OfCluster, time } from './common.ts';
import { Secrets } from './notifications.ts';

export const CHOICE_NAMES = ['newest', 'random', 'pointInTime'] as const;
export const RUN_STATE_NAMES = ['Pending', 'Running', 'Succeeded', 'Failed', 'Skipped', 'Missed'] as const;

const Choice = z.enum(CHOICE_NAMES, 'must be "newest" or "random"').meta({
  id: 'DrillChoice',
  title: 'which backup',
  description: 'Which of the good backups is restored.',
});
const text = (what: string) =>
  leftOut(z.string('must be a text').max(MAX_SHORT_TEXT, `must be at most ${MAX_SHORT_TEXT} characters`)).describe(
    what,
  );

const HookBody = z
  .strictObject(
    {
      url: leftOut(z.string('must be a text').max(1_024, 'must be at most 1024 characters')).describe(
        'Where it is no secret; else it is `WEBHOOK_URL` of the secrets.',
      ),
      secrets: Secrets.describe('Names `WEBHOOK_SECRET`, by which it is signed.'),
    },
    'must be an object such as {"url":"https://hooks.example.com/empty","secrets":{"envPrefix":"DRILL_"}}, or null, which removes it',
  )
  .meta({ id: 'EmptyHookSettings' });

export const DrillBody = z
  .object({
    targetClusterId: required(Id).describe('A scratch cluster, which each run overwrites.'),
    backupDate: text('English weekday names, separated by commas; left out: only when somebody asks for a run.'),
    period: text('`H:MM-H:MM`: a run begins in it, and may end behind it. The whole day by default.'),
    timeZone: text('IANA name; that of the cluster by default, else `UTC`.'),
    paused: leftOut(flag()).describe('A paused drill has no windows; `false` by default.'),
    choose: leftOut(Choice).describe(
      'What is restored: `newest`, the newest good backup, which is the default; `random`, any of the newest 1000; or `pointInTime`, any moment before the run to which the log of the cluster leads. Without a log backup that is wanted the last is refused.',
    ),
    emptyHook: HookBody.nullish().describe(
      'Who empties the target before each run, for admins alone; `null` removes it, and left out it stays as it was.',
    ),
  })
  .meta({ id: 'DrillSettings' });

const Drill = z
  .object({
    clusterId: z.string(),
    targetClusterId: z.string(),
    backupDate: z.string(),
    period: z.string(),
    timeZone: z.string(),
    paused: z.boolean(),
    choose: z.enum([...CHOICE_NAMES, 'unknown']),
    emptyHook: z
      .object({
        url: z.string().optional(),
        secrets: z.object({ envPrefix: z.string().optional(), file: z.string().optional() }),
      })
      .optional()
      .describe('Absent: people empty the target.'),
    nextTime: time('When the next window opens.').optional(),
    revision: counted('Grows with every save.'),
    updateTime: time('When it was last saved.'),
    updatedBy: z.string(),
  })
  .meta({ id: 'Drill', description: 'When backups of a cluster are restored into a scratch cluster.' });
export type DrillView = z.infer<typeof Drill>;

const named = z.string().optional();
const DrillRun = z
  .object({
    id: z.string(),
    clusterId: z.string(),
    targetClusterId: z.string(),
    state: z.enum([...RUN_STATE_NAMES, 'Unknown']),
    opensAt: time('When the window opened, or when somebody asked.'),
    closesAt: time('No restore is begun behind it.'),
    byHand: z.boolean().describe('Whether somebody asked for it.'),
    choose: z.enum([...CHOICE_NAMES, 'unknown']),
    backupId: named,
    backupTime: time('The moment of the data of the backup.').optional(),
    pointTime: time('The moment to which the cluster is brought back, where it is one of its log.').optional(),
    restoreId: named,
    emptiedTime: time('When the hook had emptied the target.').optional(),
    startTime: time('When the restore was accepted.').optional(),
    endTime: time('When it ended.').optional(),
    seconds: z.number().describe('From that to that, waiting for a worker included; 0 before.'),
    code: named.describe('Why it waits or how it ended, such as `TARGET_BUSY`.'),
    reason: named.describe('The same in a sentence.'),
    decidedTime: time('When it was over.').optional(),
  })
  .meta({ id: 'DrillRun', description: 'One window of a drill, or one run that somebody asked for.' });
export type DrillRunView = z.infer<typeof DrillRun>;

const DrillProof = z
  .object({
    time: time('When the restore ended.'),
    seconds: z.number().describe('How long it took, waiting for a worker included.'),
    backupId: z.string(),
    restoreId: z.string(),
    pointTime: time('The moment to which the log led, where one was restored.').optional(),
  })
  .meta({
    id: 'DrillProof',
    description: 'A drill brought a backup of the cluster back, with the checksums of the backup.',
  });

const DRILL: DrillView = {
  clusterId: 'test-tidb',
  targetClusterId: 'test-scratch',
  backupDate: 'Sunday',
  period: '2:00-6:00',
  timeZone: 'Europe/Berlin',
  paused: false,
  choose: 'random',
  emptyHook: { url: 'https://hooks.example.com/empty', secrets: { envPrefix: 'DRILL_' } },
  nextTime: '2026-01-11T01:00:00.000Z',
  revision: 1,
  updateTime: '2026-01-05T12:00:00.000Z',
  updatedBy: 'admin',
};
const RUN: DrillRunView = {
  id: 'test-tidb:2026-01-04T01:00:00.000Z',
  clusterId: 'test-tidb',
  targetClusterId: 'test-scratch',
  state: 'Succeeded',
  opensAt: '2026-01-04T01:00:00.000Z',
  closesAt: '2026-01-04T05:00:00.000Z',
  byHand: false,
  choose: 'random',
  backupId: 'h6IhUQh-Q32MDOfcVieYgA',
  backupTime: '2026-01-01T23:00:00.000Z',
  restoreId: 'Qm1haW4tcmVzdG9yZS0wMQ',
  emptiedTime: '2026-01-04T01:00:09.000Z',
  startTime: '2026-01-04T01:00:10.000Z',
  endTime: '2026-01-04T02:10:10.000Z',
  seconds: 4_200,
  decidedTime: '2026-01-04T02:10:12.000Z',
};
const OneDrill = z.object({ drill: Drill }).meta({ id: 'OneDrill' });

export const putDrill = {
  id: 'putDrill',
  tag: 'Drills',
  call: 'putDrill',
  summary: 'Saves the drill of a cluster',
  description:
    'What the body leaves out is as by default, but for the hook. The target must be registered with the purpose `scratch`, and have no strategy, no log backup that is wanted and no good backup. A save starts nothing: only windows that open later count.',
  params: OfCluster,
  query: SaveQuery,
  body: DrillBody,
  bodyExamples: {
    'on Sundays, into a cluster that a hook empties': {
      targetClusterId: 'test-scratch',
      backupDate: 'Sunday',
      period: '2:00-6:00',
      timeZone: 'Europe/Berlin',
      choose: 'random',
      emptyHook: { url: 'https://hooks.example.com/empty', secrets: { envPrefix: 'DRILL_' } },
    },
    'when somebody asks for it': { targetClusterId: 'test-scratch' },
  },
  answer: { data: OneDrill, example: { drill: DRILL } },
  errors: ['cluster_not_found', 'drill_target_refused', 'revision_changed', 'conflict'],
} as const satisfies Operation;

export const getDrill = {
  id: 'getDrill',
  tag: 'Drills',
  call: 'getDrill',
  summary: 'The drill of a cluster, and when the cluster was last proven',
  params: OfCluster,
  answer: {
    data: z
      .object({
        drill: Drill,
        latest: DrillRun.optional().describe('Absent before the first run.'),
        proof: DrillProof.optional().describe('Absent where the cluster was never proven.'),
      })
      .meta({ id: 'DrillWithProof' }),
    example: {
      drill: DRILL,
      latest: RUN,
      proof: {
        time: '2026-01-04T02:10:10.000Z',
        seconds: 4_200,
        backupId: 'h6IhUQh-Q32MDOfcVieYgA',
        restoreId: 'Qm1haW4tcmVzdG9yZS0wMQ',
      },
    },
  },
  errors: ['cluster_not_found', 'drill_not_found'],
} as const satisfies Operation;

export const deleteDrill = {
  id: 'deleteDrill',
  tag: 'Drills',
  call: 'deleteDrill',
  summary: 'Deletes the drill of a cluster',
  description: 'A restore that it began goes on. What became of earlier runs stays.',
  params: OfCluster,
  answer: { data: NoData, example: {} },
  errors: ['cluster_not_found', 'drill_not_found', 'conflict'],
} as const satisfies Operation;

export const runDrill = {
  id: 'runDrill',
  tag: 'Drills',
  call: 'runDrill',
  summary: 'Asks for a run of the drill now',
  description: 'Also where it is paused. The run waits for its target for an hour at most.',
  params: OfCluster,
  headers: IdempotencyHeaders,
  answer: {
    data: z.object({ run: DrillRun }).meta({ id: 'OneDrillRun' }),
    example: {
      run: {
        id: 'test-tidb:asked-Qm1haW4tcmVzdG9yZS0wMQ',
        clusterId: 'test-tidb',
        targetClusterId: 'test-scratch',
        state: 'Pending',
        opensAt: '2026-01-05T12:00:00.000Z',
        closesAt: '2026-01-05T13:00:00.000Z',
        byHand: true,
        choose: 'random',
        seconds: 0,
      },
    },
  },
  errors: ['cluster_not_found', 'drill_not_found', 'conflict'],
} as const satisfies Operation;

export const listDrillRuns = {
  id: 'listDrillRuns',
  tag: 'Drills',
  call: 'listDrillRuns',
  summary: 'What became of each window of the drill of a cluster, newest first',
  description:
    'Kept for 90 days, unless a setting says otherwise. A page may hold fewer than were asked for, and still have a `pageToken`.',
  params: OfCluster,
  query: z.object({
    state: listOf(z.enum(RUN_STATE_NAMES, `must be one of ${RUN_STATE_NAMES.join(', ')}`)).describe('Only these.'),
    pageSize: leftOutOrFrom1(MAX_PAGE_SIZE).describe(
      `1 to ${MAX_PAGE_SIZE}; ${DEFAULT_PAGE_SIZE} by default. 0 is left out.`,
    ),
    pageToken: GoesOn.pageToken,
  }),
  answer: {
    data: z
      .object({
        runs: z.array(DrillRun),
        pageToken: z.string().optional().describe('For the next page; absent behind the last one.'),
      })
      .meta({ id: 'DrillRunList' }),
    example: { runs: [RUN] },
  },
  errors: ['cluster_not_found'],
} as const satisfies Operation;
