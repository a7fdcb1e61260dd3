/** What a strategy is set to, of a cluster or for labels, as options of verbs. */
import { Option } from '@commander-js/extra-typings';
import { MAX_RATE_LIMIT } from '@tidemark/limits/limits';
import type { StrategySettings } from './api-types.ts';
import { UsageError } from './exit.ts';
import { toId, toSample, wholeNumber } from './options.ts';

/** Which good backups are kept. */
export const RETENTION = [
  new Option('--keep-last <count>', 'keep the newest so many').argParser(wholeNumber(0)),
  new Option('--keep-days <days>', 'keep all of the last so many days').argParser(wholeNumber(0)),
  new Option('--daily <count>', 'keep the newest of each day, for so many days').argParser(wholeNumber(0)),
  new Option('--weekly <count>', 'keep the newest of each week, for so many weeks').argParser(wholeNumber(0)),
  new Option('--monthly <count>', 'keep the newest of each month, for so many months').argParser(wholeNumber(0)),
  new Option('--yearly <count>', 'keep the newest of each year, for so many years').argParser(wholeNumber(0)),
  new Option('--keep-everything', 'remove nothing'),
];
export type RetentionOptions = {
  readonly keepLast?: number;
  readonly keepDays?: number;
  readonly daily?: number;
  readonly weekly?: number;
  readonly monthly?: number;
  readonly yearly?: number;
  readonly keepEverything?: boolean;
};

export const SETTINGS = [
  new Option('--days <days>', 'weekdays, such as Monday,Friday; "" for no automatic backups'),
  new Option('--window <hours>', 'such as 23:00-2:00'),
  new Option('--time-zone <zone>', 'IANA name, such as Europe/Berlin'),
  ...RETENTION,
  new Option('--verify-every <time>', 'verify the newest good backup so often, such as P7D; never'),
  new Option('--verify-level <level>', 'how much of it').choices(['meta', 'bytes']),
  new Option('--verify-sample <part>', 'only a random part of the data files, such as 0.1').argParser(toSample),
  new Option('--verify-rate-limit <MiB/s>', 'no faster than this').argParser(wholeNumber(1, MAX_RATE_LIMIT)),
  new Option('--window-end <what>', 'what becomes of a backup that still runs then').choices(['letRun', 'stop']),
  new Option('--storage <id>', 'where the backups go').argParser(toId),
  new Option('--br-options <json>', "options of br, as the API has them; none for the cluster's own"),
  new Option('--paused', 'starts nothing'),
  new Option('--not-paused', 'starts backups again'),
];
export type SettingsOptions = RetentionOptions & {
  readonly days?: string;
  readonly window?: string;
  readonly timeZone?: string;
  readonly verifyEvery?: string;
  readonly verifyLevel?: 'meta' | 'bytes';
  readonly verifySample?: number;
  readonly verifyRateLimit?: number;
  readonly windowEnd?: 'letRun' | 'stop';
  readonly storage?: string;
  readonly brOptions?: string;
  readonly paused?: boolean;
  readonly notPaused?: boolean;
};

/** Null removes them, and nothing was said where it is undefined; what each may be is the API's to say. @throws UsageError */
function brOptionsOf(text: string | undefined): StrategySettings['brOptions'] {
  if (text === undefined) return undefined;
  if (text === 'none') return null;
  try {
    const options: unknown = JSON.parse(text);
    if (typeof options === 'object' && options !== null && !Array.isArray(options)) return options;
  } catch {
    // As for every other text that is none.
  }
  throw new UsageError('--br-options must be JSON such as {"rateLimit":100}, or none.');
}

/** The retention that options ask for: null keeps everything, and nothing was said where it is undefined. @throws UsageError */
export function retentionOf(options: RetentionOptions): StrategySettings['retention'] {
  const { keepLast, keepDays, daily, weekly, monthly, yearly, keepEverything } = options;
  const counts = Object.entries({ keepLast, keepDays, daily, weekly, monthly, yearly }).filter(
    ([, count]) => count !== undefined,
  );
  if (keepEverything && counts.length > 0)
    throw new UsageError('--keep-everything and what is kept exclude each other.');
  if (keepEverything) return null;
  return counts.length === 0 ? undefined : Object.fromEntries(counts);
}

/** What options say of a strategy; what they leave out stays as it is. @throws UsageError */
export function settingsOf(options: SettingsOptions): StrategySettings {
  const { days, window, timeZone, windowEnd, storage, paused, notPaused } = options;
  if (paused && notPaused) throw new UsageError('--paused and --not-paused exclude each other.');
  const retention = retentionOf(options);
  const verify = verifyOf(options);
  const brOptions = brOptionsOf(options.brOptions);
  return {
    ...(days !== undefined && { backupDate: days }),
    ...(window !== undefined && { period: window }),
    ...(timeZone !== undefined && { timeZone }),
    ...(windowEnd && { windowEnd }),
    ...(storage !== undefined && { storageId: storage }),
    ...(brOptions !== undefined && { brOptions }),
    ...(paused && { paused: true }),
    ...(notPaused && { paused: false }),
    ...(retention !== undefined && { retention }),
    ...(verify !== undefined && { verify }),
  };
}

function verifyOf(options: SettingsOptions): StrategySettings['verify'] {
  const { verifyEvery: every, verifyLevel: level, verifySample: sample, verifyRateLimit: rateLimit } = options;
  if (every === 'never') return null;
  if (every === undefined) {
    if (level || sample !== undefined || rateLimit !== undefined)
      throw new UsageError('--verify-every says how often; without it the other options of --verify say nothing.');
    return undefined;
  }
  return {
    every,
    ...(level && { level }),
    ...(sample !== undefined && { sample }),
    ...(rateLimit !== undefined && { rateLimit }),
  };
}
