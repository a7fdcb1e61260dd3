import { VerificationLevel } from '@tidemark/protocol/grpc/tidemark/backup/v1/backup';
import {
  Strategy as StrategyMessage,
  WindowEnd as WindowEndMessage,
} from '@tidemark/protocol/grpc/tidemark/strategy/v1/strategy_service';
import { type Period, parsePeriod } from '@tidemark/schedule/period';
import { startWithin } from '@tidemark/schedule/start-offset';
import type { Weekday } from '@tidemark/schedule/weekdays';
import { nextWindow, type Window, type WindowRule } from '@tidemark/schedule/window';

/** The rule of the documented API, which knows one per cluster. */
export const DEFAULT_RULE = 'default';
export const DEFAULT_PERIOD = '0:00-1:00';

export interface PlannedWindow {
  readonly opensAt: Date;
  readonly closesAt: Date;
  readonly startAt: Date;
}

/** The last window that was taken up, whatever came of it. */
export interface TakenWindow {
  readonly opensAt: Date;
  readonly closesAt: Date;
  /** The local day whose window it is, in the zone that the rule had then: 2026-01-31. */
  readonly date: string;
}

/** Which successful backups are kept; 0 is not set. */
export interface Retention {
  readonly keepLast: number;
  readonly keepDays: number;
  readonly daily: number;
  readonly weekly: number;
  readonly monthly: number;
  readonly yearly: number;
}

/** How often a backup is verified, and how much of it. */
export interface VerificationRule {
  readonly level: 'meta' | 'bytes';
  readonly everyDays: number;
  /** Above 0 and up to 1, which is all. */
  readonly sample: number;
  /** In MiB/s; 0 is as fast as can be. */
  readonly rateLimit: number;
}

/** What becomes of a backup that still runs when its window closes. */
export type WindowEnd = 'letRun' | 'stop';

/** Options of `br` as the message has them. */
export interface StoredBrOptions {
  readonly rateLimit: number;
  readonly concurrency: number;
  readonly compression: string;
  readonly filters: readonly string[];
  readonly checksum?: boolean;
  readonly crypterMethod: string;
  readonly crypterKeyFile: string;
  readonly extra: Readonly<Record<string, string>>;
}

/** What people say about a rule, for one cluster or for labels. */
export interface Settings {
  readonly days: readonly Weekday[];
  readonly period: string;
  readonly timeZone: string;
  readonly paused: boolean;
  /** Null keeps everything. */
  readonly retention: Retention | null;
  /** Null verifies nothing by itself. */
  readonly verify: VerificationRule | null;
  readonly windowEnd: WindowEnd;
  /** Empty means the cluster's. */
  readonly storageId: string;
  readonly brOptions: StoredBrOptions | null;
}

/** A strategy as it is stored. */
export interface StrategyDocument extends Settings {
  /** `<clusterId>:<rule>`; neither can contain a colon. */
  readonly _id: string;
  readonly clusterId: string;
  readonly rule: string;
  readonly nextWindow: PlannedWindow | null;
  readonly lastTaken: TakenWindow | null;
  /** The strategy for labels that it comes from; empty: it is the cluster's own. */
  readonly fleetStrategy: string;
  /** The strategy for labels is paused; `paused` is the cluster's own say. */
  readonly fleetPaused: boolean;
  /** The request that made it, by which its repeat is known. */
  readonly createdIn: string;
  /** When a pause last ended: windows that had opened by then start nothing. */
  readonly resumedAt: Date | null;
  readonly revision: number;
  /** Its revision when it was last saved: windows that were taken up since do not count. Absent in records of earlier versions. */
  readonly savedRevision?: number;
  /** The call that saved it last, by which its repeat is known. */
  readonly savedIn?: string;
  readonly createTime: Date;
  readonly updateTime: Date;
  readonly updatedBy: string;
}

/** What a rule is before anybody said anything about it. */
export const NO_SETTINGS: Settings = {
  days: [],
  period: DEFAULT_PERIOD,
  timeZone: '',
  paused: false,
  retention: null,
  verify: null,
  windowEnd: 'letRun',
  storageId: '',
  brOptions: null,
};

const LATER_FIELDS = { lastTaken: null, fleetStrategy: '', fleetPaused: false, createdIn: '', resumedAt: null };

export function strategyId(clusterId: string, rule: string): string {
  return `${clusterId}:${rule}`;
}

/** A document as this version has it: those of older versions lack fields. */
export function upgrade(stored: StrategyDocument): StrategyDocument {
  return { ...NO_SETTINGS, ...LATER_FIELDS, ...stored };
}

export function ruleOf({ days, period, timeZone }: Pick<StrategyDocument, 'days' | 'period' | 'timeZone'>): WindowRule {
  return { days, timeZone, period: parsePeriod(period) ?? (parsePeriod(DEFAULT_PERIOD) as Period) };
}

/** Whether nothing starts by itself, whoever said so. */
export function isPaused({ paused, fleetPaused }: Pick<StrategyDocument, 'paused' | 'fleetPaused'>): boolean {
  return paused || fleetPaused;
}

/** When the last pause ended: now, where the change ends one. */
export function resumedAt(
  before: StrategyDocument | undefined,
  fresh: Pick<StrategyDocument, 'paused' | 'fleetPaused'>,
  at: Date,
): Date | null {
  const resumes = before !== undefined && isPaused(before) && !isPaused(fresh);
  return resumes ? at : (before?.resumedAt ?? null);
}

/** A window as it is remembered once it was taken up. */
export function takenWindow(
  { opensAt, closesAt }: Window,
  strategy: Pick<StrategyDocument, 'days' | 'period' | 'timeZone'>,
): TakenWindow {
  return { opensAt, closesAt, date: dayOf(opensAt, ruleOf(strategy)) };
}

/**
 * The next window of a strategy; none while it is paused.
 *
 * An edit may move the hours, the days or the zone of a rule after a window of today was taken up, and the new hours
 * may still lie ahead today. So that an edit never starts a second backup for a day that had its one, a window does not
 * count
 * - if its local day is that of the last window that was taken up, or an earlier one (the zone may have moved west);
 * - or if it is open at `from` already and opened before the last one that was taken up closes: one night, one backup,
 *   also where midnight lies between the old hour and the new.
 * Taken up means that the scheduler made an occurrence of it, also one that says Skipped or Missed: who wants that
 * backup still asks for one now.
 *
 * @param from the instant after which windows count
 * @param includeOpen whether one that is open at `from` does: it then starts at once, not at its offset
 */
export function plan(
  strategy: Omit<StrategyDocument, 'nextWindow'>,
  from: Date,
  includeOpen: boolean,
  spreadMs: number,
): PlannedWindow | null {
  if (isPaused(strategy)) return null;
  const rule = ruleOf(strategy);
  let window = nextWindow(rule, from, includeOpen);
  while (window && isServed(window, strategy, from)) window = nextWindow(rule, window.opensAt, false);
  if (!window) return null;
  const startAt = startWithin(window, strategy.clusterId, strategy.rule, spreadMs);
  // Not in the past either: an open window that somebody just asked for is not late, so it is no outage to catch up on.
  return { ...window, startAt: window.opensAt <= from ? from : startAt };
}

function isServed({ opensAt }: Window, strategy: Omit<StrategyDocument, 'nextWindow'>, from: Date): boolean {
  const { lastTaken } = strategy;
  if (!lastTaken) return false;
  return dayOf(opensAt, ruleOf(strategy)) <= lastTaken.date || (opensAt <= from && opensAt < lastTaken.closesAt);
}

/** The local day whose window opens then: the one before where a gap at midnight moved the opening into the next. */
function dayOf(opensAt: Date, { period, timeZone }: WindowRule): string {
  const local = Temporal.Instant.fromEpochMilliseconds(opensAt.getTime()).toZonedDateTimeISO(timeZone);
  const moved = local.hour * 60 + local.minute < period.start;
  return local
    .toPlainDate()
    .subtract({ days: moved ? 1 : 0 })
    .toString();
}

/**
 * The next window after a change: the planned one stays while days, hours and zone do, so that one which is due and not
 * yet taken up is not lost, and its start does not move. Otherwise it is planned anew from `at`; resuming never starts
 * anything, so there only windows that open later count.
 *
 * @param startOpen whether new days or hours may start a window that is open at `at`
 */
export function replan(
  before: StrategyDocument | undefined,
  fresh: Omit<StrategyDocument, 'nextWindow'>,
  at: Date,
  startOpen: boolean,
  spreadMs: number,
): PlannedWindow | null {
  const same =
    before?.period === fresh.period && before.timeZone === fresh.timeZone && sameDays(before.days, fresh.days);
  if (same && before?.nextWindow && !isPaused(fresh)) return before.nextWindow;
  const resumed = before !== undefined && isPaused(before);
  return plan(fresh, at, startOpen && !resumed, spreadMs);
}

function sameDays(some: readonly Weekday[], others: readonly Weekday[]): boolean {
  return some.length === others.length && some.every((day) => others.includes(day));
}

export const WINDOW_ENDS: Readonly<Record<WindowEnd, WindowEndMessage>> = {
  letRun: WindowEndMessage.WINDOW_END_LET_RUN,
  stop: WindowEndMessage.WINDOW_END_STOP,
};

const LEVELS = {
  meta: VerificationLevel.VERIFICATION_LEVEL_META,
  bytes: VerificationLevel.VERIFICATION_LEVEL_BYTES,
} as const satisfies Record<VerificationRule['level'], VerificationLevel>;

/** The settings as messages have them, of a rule or of a strategy for labels. */
export function settingsMessage(settings: Settings) {
  const { days, period, timeZone, paused, retention, verify, windowEnd, storageId, brOptions } = settings;
  return {
    days: [...days],
    period,
    timeZone,
    paused,
    retention: retention ?? undefined,
    verify: verify ? { ...verify, level: LEVELS[verify.level] } : undefined,
    windowEnd: WINDOW_ENDS[windowEnd],
    storageId,
    brOptions: brOptions
      ? { checksum: undefined, ...brOptions, filters: [...brOptions.filters], extra: { ...brOptions.extra } }
      : undefined,
  };
}

/** @param spreadMs how far into its window a start may be moved */
export function toStrategyMessage(strategy: StrategyDocument, spreadMs: number): StrategyMessage {
  const { clusterId, rule, revision, updateTime, updatedBy, fleetStrategy, fleetPaused } = strategy;
  return StrategyMessage.create({
    ...settingsMessage(strategy),
    clusterId,
    rule,
    nextWindow: strategy.nextWindow ?? undefined,
    revision: BigInt(revision),
    updateTime,
    updatedBy,
    fleetStrategy,
    fleetPaused,
    resumedAt: strategy.resumedAt ?? undefined,
    spreadSeconds: spreadMs / 1000,
  });
}
