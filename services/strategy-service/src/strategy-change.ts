/** Reads what a save wants, for a rule of a cluster or a strategy for labels. */
import { type FieldViolation, invalidArgument } from '@tidemark/errors/app-error';
import {
  type Retention as RetentionMessage,
  type SaveStrategyRequest,
  WindowEnd as WindowEndMessage,
} from '@tidemark/protocol/grpc/tidemark/strategy/v1/strategy_service';
import { parsePeriod } from '@tidemark/schedule/period';
import { isTimeZone } from '@tidemark/schedule/time-zone';
import { parseWeekdays, WEEKDAYS } from '@tidemark/schedule/weekdays';
import type { Retention, Settings, StoredBrOptions, WindowEnd } from './strategy.ts';

/** What a save changes; absent keeps what it was. */
export type SettingsChange = { -readonly [Field in keyof Settings]?: Settings[Field] };

/** The fields that both saves have. */
export type SettingsRequest = Pick<
  SaveStrategyRequest,
  | 'days'
  | 'period'
  | 'timeZone'
  | 'paused'
  | 'retention'
  | 'keepEverything'
  | 'windowEnd'
  | 'storageId'
  | 'brOptions'
  | 'clearBrOptions'
>;

const ID = /^[A-Za-z0-9_-]{1,64}$/;
const OFFSET = /^(utc|gmt|z)?[ ]*[+-]?[ ]*\d{1,2}(:?\d{2}){0,2}$|^z$/i;
const RETENTION_FIELDS = ['keepLast', 'keepDays', 'daily', 'weekly', 'monthly', 'yearly'] as const;
const MOST_KEPT = 100_000;
const MOST_OPTIONS = 100;
const LONGEST_OPTION = 1_024;

/**
 * @param emptyZone whether "" is a time zone: that of each cluster
 * @param found what is wrong with the rest of the request, to be told with it
 * @throws AppError `invalid_argument` naming every bad field as the REST body calls it, with a value that would be right
 */
export function toChange(
  request: SettingsRequest,
  emptyZone = false,
  found: readonly FieldViolation[] = [],
): SettingsChange {
  const violations = [...found];
  const bad = (field: string, description: string) => void violations.push({ field: `strategy.${field}`, description });
  const change: SettingsChange = {};
  readWindow(request, emptyZone, change, bad);
  if (request.paused !== undefined) change.paused = request.paused;
  const retention = readRetention(request, bad);
  if (retention !== undefined) change.retention = retention;
  const windowEnd = readWindowEnd(request.windowEnd, bad);
  if (windowEnd) change.windowEnd = windowEnd;
  if (request.storageId !== undefined) {
    if (request.storageId !== '' && !ID.test(request.storageId))
      bad(
        'storageId',
        'must be the id of a registered storage, 1 to 64 letters, digits, underscores or dashes such as nfs-1; "" is the cluster’s own',
      );
    change.storageId = request.storageId;
  }
  const brOptions = readBrOptions(request, bad);
  if (brOptions !== undefined) change.brOptions = brOptions;
  if (violations.length > 0) throw invalidArgument(violations);
  return change;
}

type Bad = (field: string, description: string) => void;

function readWindow(
  { days, period, timeZone }: SettingsRequest,
  emptyZone: boolean,
  change: SettingsChange,
  bad: Bad,
): void {
  const weekdays = days === undefined ? undefined : parseWeekdays(days);
  if (weekdays && 'unknown' in weekdays)
    bad(
      'backupDate',
      `${weekdays.unknown.map(quote).join(', ')} is no weekday; use names such as Monday,Friday: ${WEEKDAYS.join(', ')}`,
    );
  else if (weekdays?.days.length === 0 && days?.trim() !== '')
    bad(
      'backupDate',
      `${quote(days ?? '')} names no weekday; use names such as Monday,Friday, or "" for no automatic backups`,
    );
  else if (weekdays) change.days = weekdays.days;
  if (period !== undefined) {
    const parsed = parsePeriod(period);
    if (parsed) change.period = parsed.text;
    else bad('period', `${quote(period)} is no window; use H:MM-H:MM such as 23:00-2:00, with 24:00 only as an end`);
  }
  if (timeZone === undefined) return;
  if (isTimeZone(timeZone) || (emptyZone && timeZone === '')) change.timeZone = timeZone;
  else if (OFFSET.test(timeZone))
    bad(
      'timeZone',
      `${quote(timeZone)} is a fixed offset, which knows no daylight saving; use an IANA name such as Europe/Berlin or Asia/Shanghai`,
    );
  else bad('timeZone', `${quote(timeZone)} is no time zone; use an IANA name such as Europe/Berlin`);
}

function readRetention({ retention, keepEverything }: SettingsRequest, bad: Bad): Retention | null | undefined {
  if (!retention) return keepEverything ? null : undefined;
  if (keepEverything) {
    bad('retention', 'cannot be set and removed at once: send either {"keepLast":7} or null, which keeps everything');
    return undefined;
  }
  for (const field of RETENTION_FIELDS)
    if (!isCount(retention[field]))
      bad(`retention.${field}`, `must be a whole number from 0 to ${MOST_KEPT}, such as 7; 0 is not set`);
  if (RETENTION_FIELDS.every((field) => retention[field] === 0))
    bad(
      'retention',
      `would keep nothing; set at least one of ${RETENTION_FIELDS.join(', ')} (null keeps everything), e.g. {"keepLast":7}`,
    );
  return toStoredRetention(retention);
}

const isCount = (value: number) => Number.isInteger(value) && value >= 0 && value <= MOST_KEPT;

function toStoredRetention({ keepLast, keepDays, daily, weekly, monthly, yearly }: RetentionMessage): Retention {
  return { keepLast, keepDays, daily, weekly, monthly, yearly };
}

function readWindowEnd(windowEnd: WindowEndMessage | undefined, bad: Bad): WindowEnd | undefined {
  switch (windowEnd) {
    case undefined:
    case WindowEndMessage.WINDOW_END_UNSPECIFIED:
      return undefined;
    case WindowEndMessage.WINDOW_END_LET_RUN:
      return 'letRun';
    case WindowEndMessage.WINDOW_END_STOP:
      return 'stop';
    default:
      bad('windowEnd', 'must be "letRun" or "stop"');
      return undefined;
  }
}

/** Only sizes are looked at: which options there are is known where backups start. */
function readBrOptions({ brOptions, clearBrOptions }: SettingsRequest, bad: Bad): StoredBrOptions | null | undefined {
  if (!brOptions) return clearBrOptions ? null : undefined;
  if (clearBrOptions) {
    bad('brOptions', 'cannot be set and removed at once: send either {"rateLimit":100} or null');
    return undefined;
  }
  const { rateLimit, concurrency, compression, filters, checksum, crypterMethod, crypterKeyFile, extra } = brOptions;
  for (const [field, text] of Object.entries({ compression, crypterMethod, crypterKeyFile }))
    if (text.length > LONGEST_OPTION) bad(`brOptions.${field}`, `must be at most ${LONGEST_OPTION} characters`);
  if (filters.length > MOST_OPTIONS || filters.some((filter) => filter.length > LONGEST_OPTION))
    bad('brOptions.filters', `must be at most ${MOST_OPTIONS} table filters such as "shop.*"`);
  const further = Object.entries(extra).sort(([one], [other]) => (one < other ? -1 : 1));
  if (further.length > MOST_OPTIONS) bad('brOptions.extra', `must be at most ${MOST_OPTIONS} flags`);
  for (const [name, value] of further) {
    // A name that the database could not hold as a field is none that br knows.
    if (!/^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/.test(name))
      bad(`brOptions.extra.${name.slice(0, 64)}`, 'must be the name of a flag without dashes before it, such as gcttl');
    else if (value.length > LONGEST_OPTION)
      bad(`brOptions.extra.${name}`, `must be at most ${LONGEST_OPTION} characters`);
  }
  return {
    rateLimit,
    concurrency,
    compression,
    filters,
    ...(checksum !== undefined && { checksum }),
    crypterMethod,
    crypterKeyFile,
    extra: Object.fromEntries(further),
  };
}

const quote = (text: string) => `"${text.slice(0, 40)}"`;
