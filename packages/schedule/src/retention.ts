/**
 * Which backups of a rule are kept (architecture 4).
 *
 * R1. The newest good backup and those that are held are kept, whatever the policy.
 * R2. A backup is kept if any number of the policy keeps it: raising a number never makes one go.
 * R3. Deleting those that go changes nothing for those that stay.
 */

/** How much is kept; whole numbers, 0 is not set. */
export interface RetentionPolicy {
  /** The newest so many. */
  readonly keepLast: number;
  /** Those younger than so many calendar days; more than a million count as a million. */
  readonly keepDays: number;
  /** The newest of each of the newest so many local days that have a backup. */
  readonly daily: number;
  /** Likewise ISO weeks. */
  readonly weekly: number;
  readonly monthly: number;
  readonly yearly: number;
}

/** A good backup that retention may count. */
export interface RetainedBackup {
  readonly id: string;
  readonly takenAt: Date;
  /** Pinned, or in use by something such as a restore. */
  readonly held: boolean;
}

export interface RetentionVerdict {
  readonly id: string;
  /** Why it is kept, in words such as `last 3`; none: it goes. */
  readonly keepReasons: readonly string[];
  /** When nothing keeps it any more; only where time alone decides that. */
  readonly expiresAt?: Date;
}

/** In what place and when a policy is applied. */
export interface RetentionView {
  /** IANA name: the days, weeks, months and years are those of this zone. */
  readonly timeZone: string;
  readonly now: Date;
}

/** Instants so far ahead are still what Temporal and a Timestamp can hold. */
const MAX_KEEP_DAYS = 1_000_000;

type LocalTime = Temporal.ZonedDateTime;

const CALENDARS = [
  { count: 'daily', unit: 'day', nameOf: (time: LocalTime) => time.toPlainDate().toString() },
  { count: 'weekly', unit: 'week', nameOf: weekName },
  { count: 'monthly', unit: 'month', nameOf: (time: LocalTime) => time.toPlainDate().toPlainYearMonth().toString() },
  { count: 'yearly', unit: 'year', nameOf: (time: LocalTime) => String(time.year) },
] as const;

/** Whether no number is set, so that only the newest and held backups would stay. */
export function keepsNothing({ keepLast, keepDays, daily, weekly, monthly, yearly }: RetentionPolicy): boolean {
  return [keepLast, keepDays, daily, weekly, monthly, yearly].every((count) => count === 0);
}

/**
 * What a policy says of the good backups of one rule, newest first; of two of the same time the greater id is the newer.
 *
 * @param backups in any order, all of those that exist
 * @param policy undefined keeps everything
 */
export function evaluateRetention(
  backups: readonly RetainedBackup[],
  policy: RetentionPolicy | undefined,
  { timeZone, now }: RetentionView,
): RetentionVerdict[] {
  const newestFirst = backups.toSorted(byAge);
  const times = newestFirst.map(({ takenAt }) =>
    Temporal.Instant.fromEpochMilliseconds(takenAt.getTime()).toZonedDateTimeISO(timeZone),
  );
  const calendarReasons = policy ? reasonsByCalendar(times, policy) : [];
  return newestFirst.map(({ id, held }, index) => {
    const youngUntil = policy && times[index] && endOfYouth(times[index], policy.keepDays);
    const lasting = [
      ...(index === 0 ? ['newest good backup'] : []),
      ...(held ? ['pinned or in use'] : []),
      ...(policy ? [] : ['no retention is set']),
      ...(policy && index < policy.keepLast ? [`last ${policy.keepLast}`] : []),
    ];
    const young = youngUntil && youngUntil > now ? [youngerThan(policy.keepDays)] : [];
    const keepReasons = [...lasting, ...young, ...(calendarReasons[index] ?? [])];
    const timeDecides = young.length > 0 && keepReasons.length === 1;
    return { id, keepReasons, ...(timeDecides && { expiresAt: youngUntil }) };
  });
}

function byAge(one: RetainedBackup, other: RetainedBackup): number {
  return other.takenAt.getTime() - one.takenAt.getTime() || (one.id < other.id ? 1 : -1);
}

/** For each time, newest first, the days, weeks, months and years that it is kept for. */
function reasonsByCalendar(times: readonly LocalTime[], policy: RetentionPolicy): string[][] {
  const reasons: string[][] = times.map(() => []);
  for (const { count, unit, nameOf } of CALENDARS)
    for (const [name, index] of newestOfEach(times, nameOf, policy[count]))
      reasons[index]?.push(`newest of ${unit} ${name} (${count} ${policy[count]})`);
  return reasons;
}

/** The newest `count` names and where each is met first. */
function newestOfEach(
  times: readonly LocalTime[],
  nameOf: (time: LocalTime) => string,
  count: number,
): Map<string, number> {
  const firsts = new Map<string, number>();
  for (const [index, time] of times.entries()) {
    if (firsts.size >= count) break;
    const name = nameOf(time);
    if (!firsts.has(name)) firsts.set(name, index);
  }
  return firsts;
}

/** Such as 2026-W47; around New Year its year may be another than the date's. */
function weekName(time: LocalTime): string {
  return `${time.yearOfWeek}-W${String(time.weekOfYear).padStart(2, '0')}`;
}

function youngerThan(days: number): string {
  return `younger than ${days} ${days === 1 ? 'day' : 'days'}`;
}

/** When a backup stops being younger than so many calendar days. */
function endOfYouth(time: LocalTime, days: number): Date | undefined {
  if (days === 0) return undefined;
  return new Date(time.add({ days: Math.min(days, MAX_KEEP_DAYS) }).epochMilliseconds);
}
