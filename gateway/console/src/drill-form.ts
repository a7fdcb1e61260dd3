/** The drill of a cluster as it is edited, its runs in words, and the requests that do the same. Pure. */
import type { MessageInitShape } from '@bufbuild/protobuf';
import {
  type Drill,
  DrillChoice,
  type DrillRun,
  DrillRunState,
  type PutDrillRequestSchema,
} from '@tidemark/protocol/connect/tidemark/scheduler/v1/drill_service';
import { padded, periodOf, WEEK } from './plan-form.ts';
import { pathOf, type Same } from './shell.ts';
import type { Word } from './words.ts';

const named = (name: string, tone: Word['tone'], text = name): Word => ({ name, text, tone });

export const RUN_STATES: ReadonlyMap<DrillRunState, Word> = new Map<DrillRunState, Word>([
  [DrillRunState.PENDING, named('Pending', 'calm', 'Waits')],
  [DrillRunState.RUNNING, named('Running', 'busy')],
  [DrillRunState.SUCCEEDED, named('Succeeded', 'good', 'Proven')],
  [DrillRunState.FAILED, named('Failed', 'bad')],
  [DrillRunState.SKIPPED, named('Skipped', 'warn')],
  [DrillRunState.MISSED, named('Missed', 'bad')],
]);

/** What a run restores, as REST names it. */
export const CHOICES = {
  newest: { choice: DrillChoice.NEWEST, words: 'the newest good backup', which: 'the newest good backup' },
  random: { choice: DrillChoice.RANDOM, words: 'any of the good ones, at random', which: 'a random good backup' },
  pointInTime: {
    choice: DrillChoice.POINT_IN_TIME,
    words: 'any moment to which the log backup leads, at random',
    which: 'a random moment of its log',
  },
} as const;
type Choose = keyof typeof CHOICES;

const chooseOf = ({ choose }: Pick<Drill, 'choose'>): Choose =>
  (Object.keys(CHOICES) as Choose[]).find((name) => CHOICES[name].choice === choose) ?? 'newest';

export interface DrillForm {
  readonly targetClusterId: string;
  readonly days: readonly string[];
  /** `HH:MM`, as `closes`. */
  readonly opens: string;
  readonly closes: string;
  /** Empty: the cluster's own. */
  readonly timeZone: string;
  readonly choose: Choose;
  readonly paused: boolean;
  /** Whether the hook stays as it is, people empty the target, or another hook does. */
  readonly hook: 'as it is' | 'people' | 'hook';
  /** Of another hook: how the variables with its secrets begin, or the file with them, which begins with `/`; and its address where that is none. */
  readonly hookSecrets: string;
  readonly hookUrl: string;
}

const NEW: DrillForm = {
  ...{ targetClusterId: '', days: ['Sunday'], opens: '02:00', closes: '06:00', timeZone: '' },
  ...{ choose: 'newest', paused: false, hook: 'people', hookSecrets: '', hookUrl: '' },
};

/** @param drill left out: what a new one begins with */
export function formOf(drill: Drill | undefined): DrillForm {
  if (!drill) return NEW;
  const [opens = '', closes = ''] = drill.period.split('-').map(padded);
  return {
    ...NEW,
    targetClusterId: drill.targetClusterId,
    days: WEEK.filter((day) => drill.days.includes(day)),
    opens,
    closes,
    timeZone: drill.timeZone,
    choose: chooseOf(drill),
    paused: drill.paused,
    hook: drill.emptyHook ? 'as it is' : 'people',
  };
}

/** A save as Connect takes it, but for the revision. @param stored as it is now */
export function saveOf(clusterId: string, form: DrillForm, stored: Drill | undefined) {
  const { targetClusterId, timeZone, paused, hook, hookSecrets, hookUrl } = form;
  return {
    clusterId,
    targetClusterId,
    days: form.days.join(','),
    period: periodOf(form),
    timeZone,
    paused,
    choose: CHOICES[form.choose].choice,
    ...(hook === 'hook' && {
      emptyHook: {
        url: hookUrl,
        secrets: {
          source: { case: isFile(hookSecrets) ? ('file' as const) : ('envPrefix' as const), value: hookSecrets },
        },
      },
    }),
    ...(isHookRemoved(form, stored) && { withoutEmptyHook: true }),
  } satisfies MessageInitShape<typeof PutDrillRequestSchema>;
}

const isFile = (hookSecrets: string) => hookSecrets.startsWith('/');

const isHookRemoved = ({ hook }: DrillForm, stored: Drill | undefined) =>
  hook === 'people' && stored?.emptyHook !== undefined;

export function sameSave(clusterId: string, form: DrillForm, stored: Drill | undefined): Same {
  const { targetClusterId, timeZone, paused, choose, hook, hookSecrets, hookUrl } = form;
  const period = periodOf(form);
  const days = form.days.join(',');
  const secrets = isFile(hookSecrets) ? { file: hookSecrets } : { envPrefix: hookSecrets };
  return {
    method: 'PUT',
    path: drillPath(clusterId),
    body: {
      ...{ targetClusterId, backupDate: days, period },
      ...(timeZone !== '' && { timeZone }),
      ...{ choose, paused },
      ...(hook === 'hook' && { emptyHook: { ...(hookUrl !== '' && { url: hookUrl }), secrets } }),
      ...(isHookRemoved(form, stored) && { emptyHook: null }),
    },
    tidemark: [
      ...['drill', 'set', clusterId, '--into', targetClusterId],
      ...(days === '' ? [] : ['--days', days]),
      ...['--window', period],
      ...(timeZone === '' ? [] : ['--time-zone', timeZone]),
      ...['--choose', choose],
      ...(paused ? ['--paused'] : []),
      ...(hook === 'hook' ? [isFile(hookSecrets) ? '--hook-secrets-file' : '--hook-secrets', hookSecrets] : []),
      ...(hook === 'hook' && hookUrl !== '' ? ['--hook-url', hookUrl] : []),
      ...(isHookRemoved(form, stored) ? ['--without-hook'] : []),
    ],
  };
}

const drillPath = (clusterId: string) => pathOf(['clusters', clusterId, 'drill']);

export const sameRun = (clusterId: string): Same => ({
  method: 'POST',
  path: `${drillPath(clusterId)}/run`,
  body: {},
  tidemark: ['drill', 'run', clusterId],
});

export const sameRemoval = (clusterId: string): Same => ({
  method: 'DELETE',
  path: drillPath(clusterId),
  tidemark: ['drill', 'remove', clusterId],
});

export const sameReads = (clusterId: string): Same[] => [
  { method: 'GET', path: drillPath(clusterId), tidemark: ['drill', 'get', clusterId] },
  { method: 'GET', path: `${drillPath(clusterId)}/runs`, tidemark: ['drill', 'history', clusterId] },
];

/** When it runs, and what it restores. */
export function planOf(drill: Drill): string {
  const { days, period, timeZone, paused } = drill;
  const when = days.length === 0 ? 'when somebody asks' : `on ${days.join(', ')}, ${period} ${timeZone}`;
  return `${CHOICES[chooseOf(drill)].which}, ${when}${paused ? '; it is paused' : ''}`;
}

/** Who empties the target before each run. */
export function emptiedBy({ emptyHook }: Pick<Drill, 'emptyHook'>): string {
  if (!emptyHook) return 'people';
  return emptyHook.url === '' ? 'a hook whose address is a secret' : emptyHook.url;
}

/** Whether it may still become something else. */
export function isOpen({ state }: Pick<DrillRun, 'state'>): boolean {
  return state === DrillRunState.PENDING || state === DrillRunState.RUNNING;
}
