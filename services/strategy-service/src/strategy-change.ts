/** Reads what a save wants, for a rule of a cluster or a strategy for labels. */
import { brOptionsViolations } from '@tidemark/br-options/br-options';
import { type FieldViolation, invalidArgument } from '@tidemark/errors/app-error';
import { MAX_QUOTED_WORD, MIN_VERIFY_SAMPLE } from '@tidemark/limits/limits';
import { VerificationLevel } from '@tidemark/protocol/grpc/tidemark/backup/v1/backup';
import {
  type Retention as RetentionMessage,
  type SaveStrategyRequest,
  WindowEnd as WindowEndMessage,
} from '@tidemark/protocol/grpc/tidemark/strategy/v1/strategy_service';
import { readWindow } from '@tidemark/schedule/read-window';
import type { Retention, Settings, StoredBrOptions, VerificationRule, WindowEnd } from './strategy.ts';

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
  | 'verify'
  | 'neverVerify'
  | 'windowEnd'
  | 'storageId'
  | 'brOptions'
  | 'clearBrOptions'
>;

const RETENTION_FIELDS = ['keepLast', 'keepDays', 'daily', 'weekly', 'monthly', 'yearly'] as const;

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
  const change: SettingsChange = { ...readWindow(request, { what: 'backups', emptyZone, quote }, bad) };
  if (request.paused !== undefined) change.paused = request.paused;
  const retention = readRetention(request, bad);
  if (retention !== undefined) change.retention = retention;
  const verify = readVerify(request, bad);
  if (verify !== undefined) change.verify = verify;
  const windowEnd = readWindowEnd(request.windowEnd, bad);
  if (windowEnd) change.windowEnd = windowEnd;
  if (request.storageId !== undefined) change.storageId = request.storageId;
  const brOptions = readBrOptions(request, bad);
  if (brOptions !== undefined) change.brOptions = brOptions;
  if (violations.length > 0) throw invalidArgument(violations);
  return change;
}

type Bad = (field: string, description: string) => void;

function readRetention({ retention, keepEverything }: SettingsRequest, bad: Bad): Retention | null | undefined {
  if (!retention) return keepEverything ? null : undefined;
  if (keepEverything) {
    bad('retention', 'cannot be set and removed at once: send either {"keepLast":7} or null, which keeps everything');
    return undefined;
  }
  if (RETENTION_FIELDS.every((field) => retention[field] === 0))
    bad(
      'retention',
      `would keep nothing; set at least one of ${RETENTION_FIELDS.join(', ')} (null keeps everything), e.g. {"keepLast":7}`,
    );
  return toStoredRetention(retention);
}

function toStoredRetention({ keepLast, keepDays, daily, weekly, monthly, yearly }: RetentionMessage): Retention {
  return { keepLast, keepDays, daily, weekly, monthly, yearly };
}

function readVerify({ verify, neverVerify }: SettingsRequest, bad: Bad): VerificationRule | null | undefined {
  if (!verify) return neverVerify ? null : undefined;
  if (neverVerify) {
    bad('verify', 'cannot be set and removed at once: send either {"every":"P7D"} or null, which verifies nothing');
    return undefined;
  }
  const { level, everyDays, sample, rateLimit } = verify;
  const isMeta = level === VerificationLevel.VERIFICATION_LEVEL_META;
  const isKnown = isMeta || level <= VerificationLevel.VERIFICATION_LEVEL_BYTES;
  if (!isKnown) bad('verify.level', 'must be "meta" or "bytes"');
  if (everyDays === 0) bad('verify.every', 'must be set, such as "P7D", which is every seven days');
  if (sample !== undefined && !(sample >= MIN_VERIFY_SAMPLE && sample <= 1))
    bad('verify.sample', `must be from ${MIN_VERIFY_SAMPLE} to 1, which reads all data files, or be left out`);
  else if (sample !== undefined && isMeta)
    bad('verify.sample', 'must be left out at the level "meta", which reads no data files');
  return { level: isMeta ? 'meta' : 'bytes', everyDays, sample: sample ?? 1, rateLimit };
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

function readBrOptions({ brOptions, clearBrOptions }: SettingsRequest, bad: Bad): StoredBrOptions | null | undefined {
  if (!brOptions) return clearBrOptions ? null : undefined;
  if (clearBrOptions) {
    bad('brOptions', 'cannot be set and removed at once: send either {"rateLimit":100} or null');
    return undefined;
  }
  for (const { field, description } of brOptionsViolations(brOptions, { isNew: true })) bad(field, description);
  const { rateLimit, concurrency, compression, filters, checksum, crypterMethod, crypterKeyFile, extra } = brOptions;
  return {
    rateLimit,
    concurrency,
    compression,
    filters,
    ...(checksum !== undefined && { checksum }),
    crypterMethod,
    crypterKeyFile,
    extra: Object.fromEntries(Object.entries(extra).sort(([one], [other]) => (one < other ? -1 : 1))),
  };
}

const quote = (text: string) => `"${text.slice(0, MAX_QUOTED_WORD)}"`;
