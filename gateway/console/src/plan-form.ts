/** A rule as it is edited: what a save takes, what two people changed in it, and how its windows lie in a week. Pure. */
import type { MessageInitShape } from '@bufbuild/protobuf';
import { VerificationLevel } from '@tidemark/protocol/connect/tidemark/backup/v1/backup';
import {
  type SaveStrategyRequestSchema,
  type Strategy,
  WindowEnd,
} from '@tidemark/protocol/connect/tidemark/strategy/v1/strategy_service';

import { type BrForm, brFormOf, brOptionsOf, NO_BR } from './br-form.ts';

export const WEEK = ['Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday', 'Sunday'] as const;

/** What a retention may keep, in the order in which it is asked for. */
export const KEEPS = [
  ['keepLast', 'the newest'],
  ['keepDays', 'all of the last days'],
  ['daily', 'the newest of each of so many days'],
  ['weekly', 'the newest of each of so many weeks'],
  ['monthly', 'the newest of each of so many months'],
  ['yearly', 'the newest of each of so many years'],
] as const;
export type Keep = (typeof KEEPS)[number][0];

export interface PlanForm {
  readonly days: readonly string[];
  /** `HH:MM`. */
  readonly opens: string;
  /** `HH:MM`; 00:00 is the end of the day. */
  readonly closes: string;
  /** Empty: the cluster's own. */
  readonly timeZone: string;
  readonly paused: boolean;
  /** 0 is not set; none set keeps everything. */
  readonly keeps: Readonly<Record<Keep, number>>;
  readonly windowEnd: 'letRun' | 'stop';
  readonly storageId: string;
  /** 0: verified when somebody asks for it. */
  readonly verifyDays: number;
  readonly verifyLevel: 'meta' | 'bytes';
  /** In percent of the data files. */
  readonly verifyPercent: number;
  /** In MiB/s; 0 is as fast as can be. */
  readonly verifyRate: number;
  readonly br: BrForm;
}

/** What a rule of a cluster and a strategy for labels have alike. */
type Stored = Pick<
  Strategy,
  'days' | 'period' | 'timeZone' | 'paused' | 'retention' | 'windowEnd' | 'storageId' | 'verify' | 'brOptions'
>;

const NOTHING: Readonly<Record<Keep, number>> = {
  keepLast: 0,
  keepDays: 0,
  daily: 0,
  weekly: 0,
  monthly: 0,
  yearly: 0,
};

/** What a rule begins with that nobody has saved yet. */
export const NEW_PLAN: PlanForm = {
  days: [...WEEK],
  opens: '01:00',
  closes: '05:00',
  timeZone: '',
  paused: false,
  keeps: { ...NOTHING, keepLast: 7, weekly: 4 },
  windowEnd: 'letRun',
  storageId: '',
  verifyDays: 0,
  verifyLevel: 'bytes',
  verifyPercent: 100,
  verifyRate: 0,
  br: NO_BR,
};

export function formOf(stored: Stored): PlanForm {
  const [opens = '', closes = ''] = stored.period.split('-').map(padded);
  const { retention, verify } = stored;
  return {
    days: WEEK.filter((day) => stored.days.includes(day)),
    opens,
    closes,
    timeZone: stored.timeZone,
    paused: stored.paused,
    keeps: retention
      ? (Object.fromEntries(KEEPS.map(([keep]) => [keep, retention[keep]])) as Record<Keep, number>)
      : NOTHING,
    windowEnd: stored.windowEnd === WindowEnd.STOP ? 'stop' : 'letRun',
    storageId: stored.storageId,
    verifyDays: verify?.everyDays ?? 0,
    verifyLevel: verify?.level === VerificationLevel.META ? 'meta' : 'bytes',
    verifyPercent: (verify?.sample ?? 1) * 100,
    verifyRate: verify?.rateLimit ?? 0,
    br: brFormOf(stored.brOptions),
  };
}

/** `1:00` as inputs of a time want it; 24:00 is their 00:00. */
export function padded(time: string): string {
  const [hour = '0', minute = '00'] = time.split(':');
  return `${(hour === '24' ? '0' : hour).padStart(2, '0')}:${minute}`;
}

export function periodOf({ opens, closes }: Pick<PlanForm, 'opens' | 'closes'>): string {
  return `${plain(opens)}-${closes === '00:00' ? '24:00' : plain(closes)}`;
}

const plain = (time: string) => time.replace(/^0(\d)/, '$1');

export function keepsEverything({ keeps }: Pick<PlanForm, 'keeps'>): boolean {
  return KEEPS.every(([keep]) => keeps[keep] === 0);
}

/** What saves and previews take, but for whose rule it is. */
export function saveOf(form: PlanForm) {
  const { keeps, verifyDays, verifyLevel, verifyPercent, verifyRate } = form;
  const brOptions = brOptionsOf(form.br);
  return {
    days: form.days.join(','),
    period: periodOf(form),
    timeZone: form.timeZone,
    paused: form.paused,
    ...(keepsEverything(form) ? { keepEverything: true } : { retention: { ...keeps } }),
    windowEnd: form.windowEnd === 'stop' ? WindowEnd.STOP : WindowEnd.LET_RUN,
    storageId: form.storageId,
    ...(verifyDays > 0
      ? {
          verify: {
            everyDays: verifyDays,
            level: verifyLevel === 'meta' ? VerificationLevel.META : VerificationLevel.BYTES,
            ...(verifyLevel === 'bytes' && verifyPercent < 100 && { sample: verifyPercent / 100 }),
            ...(verifyRate > 0 && { rateLimit: verifyRate }),
          },
        }
      : { neverVerify: true }),
    ...(brOptions ? { brOptions } : { clearBrOptions: true }),
  } satisfies MessageInitShape<typeof SaveStrategyRequestSchema>;
}

/** The same as the body of REST has it. */
export function bodyOf(form: PlanForm): Record<string, unknown> {
  const { keeps, verifyDays, verifyLevel, verifyPercent, verifyRate } = form;
  const kept = Object.fromEntries(KEEPS.flatMap(([keep]) => (keeps[keep] > 0 ? [[keep, keeps[keep]]] : [])));
  return {
    backupDate: form.days.join(','),
    period: periodOf(form),
    ...(form.timeZone !== '' && { timeZone: form.timeZone }),
    paused: form.paused,
    retention: keepsEverything(form) ? null : kept,
    windowEnd: form.windowEnd,
    storageId: form.storageId,
    verify:
      verifyDays > 0
        ? {
            every: `P${verifyDays}D`,
            level: verifyLevel,
            ...(verifyLevel === 'bytes' && verifyPercent < 100 && { sample: verifyPercent / 100 }),
            ...(verifyRate > 0 && { rateLimit: verifyRate }),
          }
        : null,
    brOptions: brOptionsOf(form.br) ?? null,
  };
}

/** The same as options of the command line. */
export function optionsOf(form: PlanForm): string[] {
  const brOptions = brOptionsOf(form.br);
  return [
    ...['--days', form.days.join(',')],
    ...['--window', periodOf(form)],
    ...(form.timeZone === '' ? [] : ['--time-zone', form.timeZone]),
    ...(keepsEverything(form)
      ? ['--keep-everything']
      : KEEPS.flatMap(([keep]) => (form.keeps[keep] > 0 ? [`--${dashed(keep)}`, String(form.keeps[keep])] : []))),
    ...['--window-end', form.windowEnd],
    ...(form.storageId === '' ? [] : ['--storage', form.storageId]),
    ...(form.verifyDays > 0
      ? ['--verify-every', `P${form.verifyDays}D`, '--verify-level', form.verifyLevel]
      : ['--verify-every', 'never']),
    ...(form.verifyDays > 0 && form.verifyLevel === 'bytes' && form.verifyPercent < 100
      ? ['--verify-sample', String(form.verifyPercent / 100)]
      : []),
    ...(form.verifyDays > 0 && form.verifyRate > 0 ? ['--verify-rate-limit', String(form.verifyRate)] : []),
    ...['--br-options', brOptions ? JSON.stringify(brOptions) : 'none'],
    form.paused ? '--paused' : '--not-paused',
  ];
}

const dashed = (name: string) => name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);

export interface Difference {
  readonly name: string;
  readonly theirs: string;
  readonly mine: string;
}

/** In which fields two forms differ, in words. */
export function differences(theirs: PlanForm, mine: PlanForm): Difference[] {
  const texts = [theirs, mine].map(wordsOf);
  return Object.keys(texts[0] ?? {})
    .map((name) => ({ name, theirs: texts[0]?.[name] ?? '', mine: texts[1]?.[name] ?? '' }))
    .filter((one) => one.theirs !== one.mine);
}

function wordsOf(form: PlanForm): Record<string, string> {
  const kept = KEEPS.filter(([keep]) => form.keeps[keep] > 0).map(([keep]) => `${keep} ${form.keeps[keep]}`);
  return {
    Days: form.days.join(', ') || 'none',
    Window: periodOf(form),
    'Time zone': form.timeZone || 'the cluster’s own',
    Paused: form.paused ? 'yes' : 'no',
    Retention: kept.join(', ') || 'everything is kept',
    'When the window closes': form.windowEnd === 'stop' ? 'the backup is stopped' : 'the backup goes on',
    Storage: form.storageId || 'the cluster’s own',
    Verification:
      form.verifyDays === 0
        ? 'when somebody asks for it'
        : `every ${form.verifyDays} d, ${form.verifyLevel}, ${form.verifyPercent} %${form.verifyRate > 0 ? `, at most ${form.verifyRate} MiB/s` : ''}`,
    'Options of br': JSON.stringify(brOptionsOf(form.br) ?? 'the cluster’s own'),
  };
}

/** A piece of a day, in minutes from its midnight. */
export interface WeekSpan {
  /** From 0, which is Monday. */
  readonly day: number;
  readonly from: number;
  readonly to: number;
  /** Whether it began on the day before. */
  readonly isRest: boolean;
}

const DAY = 24 * 60;

/** How the windows lie in a week; one that ends after midnight lies on two days. */
export function weekOf({ days, opens, closes }: Pick<PlanForm, 'days' | 'opens' | 'closes'>): WeekSpan[] {
  const [from, end] = [minutes(opens), minutes(closes)];
  const to = end > from ? end : end + DAY;
  return WEEK.flatMap((name, day) => {
    if (!days.includes(name)) return [];
    const first = { day, from, to: Math.min(to, DAY), isRest: false };
    const rest = { day: (day + 1) % WEEK.length, from: 0, to: to - DAY, isRest: true };
    return to > DAY ? [first, rest] : [first];
  });
}

function minutes(time: string): number {
  const [hour = 0, minute = 0] = time.split(':').map(Number);
  return hour * 60 + minute;
}

/** How long a window is, in seconds. */
export function windowSeconds({ opens, closes }: Pick<PlanForm, 'opens' | 'closes'>): number {
  const length = minutes(closes) - minutes(opens);
  return (length > 0 ? length : length + DAY) * 60;
}
