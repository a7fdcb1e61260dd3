/** Reads what a `br restore` prints, beyond what every `br` does (br-contract 3): pure, and in bounded memory. */
import { MAX_NAMED, MAX_QUOTED, MAX_TEXT } from '@tidemark/limits/limits';
import {
  createOutputReader,
  type LogLine,
  type Output,
  type OutputReader,
  type ProgressLine,
  readDuration,
  readLogLine,
} from '../br/output.ts';

/** What the lines of a restore amounted to. */
export interface RestoreOutput extends Output {
  /** Something was printed that only comes after all checks, when `br` writes into the target. */
  readonly pastChecks: boolean;
  /** Not all of it was read. */
  readonly isCut: boolean;
  /** It said that it failed, in the log, as its last word: so the log is whole up to there. */
  readonly saidFailed: boolean;
  /** It printed how it is called, and did nothing. */
  readonly usage: boolean;
  /** It said that there was nothing to restore. */
  readonly nothing: boolean;
  /** It could not remove its checkpoint. */
  readonly checkpointLeft: boolean;
  /** Tables whose rows are not those of the backup: the first few. */
  readonly mismatched: readonly string[];
  /** Tables of which the checksum was compared, and those of users of which it could not be. */
  readonly tablesCompared: number;
  readonly tablesNotCompared: number;
  /** Tables that lost their TiFlash replicas, because the target has too few stores of TiFlash: the first few, and how many. */
  readonly withoutTiFlash: readonly string[];
  readonly withoutTiFlashCount: number;
}

export interface RestoreOutputReader extends Pick<OutputReader, 'stdout' | 'stderr'> {
  /** Some of the output was not read: what it does not show proves nothing any more. */
  cut(): void;
  now(): RestoreOutput;
  result(): RestoreOutput;
}

/** What it says of a file of the backup that TiKV could not load, again and again. */
export const NOT_LOADED = 'download file failed, retry later';
/** What a summary is of: the backup, and the log that is replayed from it on. */
const OF_BACKUP = 'Full Restore';
const OF_LOG = 'restore log';
/** Said where the backup was restored by an attempt before. */
const BACKUP_IS_THERE = 'Full Restore command is skipped due to checkpoint mode for restore';
/** The steps of a restore to a point that come after its backup. */
const STEP_OF_LOG = /^Restore (Meta|KV|Files)/;
/** After these nothing is checked any more; the first of them comes once a database or a table was made. */
const PAST_CHECKS: ReadonlySet<string> = new Set([
  'create database',
  'tables created',
  'Restore files',
  'import files done',
  BACKUP_IS_THERE,
  NOT_LOADED,
]);
const COMPARED = 'success in validating checksum';
const NOT_COMPARED = 'table has no checksum, skipping checksum';
const NOTHING = 'nothing to restore, all databases and tables are filtered out';
const NOT_REMOVED = 'failed to remove checkpoint data';
const WITHOUT_TIFLASH = 'table does not satisfy tiflash replica requirements';
const WANTED =
  /nothing to restore|create database|tables created|Restore files|import files done|download file failed|validating checksum|skipping checksum|remove checkpoint data|skipped due to checkpoint mode|tiflash replica/;
const TEMPORARY = '__TiDB_BR_Temporary_';
const USAGE = /^Usage:/;

/**
 * Starts reading a restore.
 *
 * @param onProgress called with each progress line
 * @param onWaiting called with each line that says that a file cannot be loaded for now
 */
export function createRestoreOutputReader(
  onProgress: (line: ProgressLine) => void,
  onWaiting: (line: LogLine) => void = () => undefined,
): RestoreOutputReader {
  let wrote = false;
  let isCut = false;
  let nothing = false;
  let checkpointLeft = false;
  let tablesCompared = 0;
  let tablesNotCompared = 0;
  const withoutTiFlash = createNames();

  const reader = createOutputReader(
    (line) => {
      // The first one is of 0 % and comes when tables were made; before, there are none.
      if ((line.percent ?? 0) > 0 || STEP_OF_LOG.test(line.step)) wrote = true;
      onProgress(line);
    },
    {
      isOne: (line) => WANTED.test(line),
      saw(line) {
        const { message, fields } = line;
        if (PAST_CHECKS.has(message)) wrote = true;
        if (message === NOT_LOADED) onWaiting(line);
        else if (message === NOTHING) nothing = true;
        else if (message.startsWith(NOT_REMOVED)) checkpointLeft = true;
        else if (message === COMPARED) tablesCompared += 1;
        else if (message === NOT_COMPARED && !fields.get('db')?.startsWith(TEMPORARY)) tablesNotCompared += 1;
        else if (message.startsWith(WITHOUT_TIFLASH)) withoutTiFlash.add(tableOf(line));
      },
    },
  );
  const read = (output: Output): RestoreOutput => {
    const errors = output.errorLines.flatMap((line) => readLogLine(line) ?? []);
    const mismatched = createNames();
    for (const line of errors) if (line.message === 'failed in validate checksum') mismatched.add(tableOf(line));
    return {
      ...output,
      pastChecks: wrote || Number(output.failed?.get('total-ranges') ?? 0) > 0,
      isCut,
      saidFailed: errors.some(({ message }) => message === 'br failed'),
      usage: output.lastLines.some((line) => USAGE.test(line)),
      nothing,
      checkpointLeft,
      mismatched: mismatched.first,
      tablesCompared,
      tablesNotCompared,
      withoutTiFlash: withoutTiFlash.first,
      withoutTiFlashCount: withoutTiFlash.count,
    };
  };
  return {
    stdout: reader.stdout,
    stderr: reader.stderr,
    cut() {
      isCut = true;
    },
    now: () => read(reader.now()),
    result: () => read(reader.result()),
  };
}

/** Names of which the first few are kept. */
function createNames() {
  const first: string[] = [];
  let count = 0;
  return {
    first,
    get count() {
      return count;
    },
    add(name: string) {
      count += 1;
      if (first.length < MAX_NAMED) first.push(name.slice(0, MAX_QUOTED));
    },
  };
}

const tableOf = ({ fields }: LogLine) => `${fields.get('db') ?? ''}.${fields.get('table') ?? ''}`;

/**
 * The summary that says that all was restored: of a restore to a point in time that of its log, with what that of its backup says
 * beside it. Undefined where it was not printed.
 */
export function summaryOf({ success, successes }: Output, isToPoint: boolean): RestoreSummary | undefined {
  if (!isToPoint) return success && readRestoreSummary(success);
  const ofLog = successes.get(OF_LOG);
  if (!ofLog) return undefined;
  const ofBackup = successes.get(OF_BACKUP);
  const log = readRestoreSummary(ofLog);
  if (!ofBackup) return log;
  const backup = readRestoreSummary(ofBackup);
  return {
    ...log,
    sizeBytes: backup.sizeBytes,
    totalKvs: backup.totalKvs,
    seconds: (backup.seconds ?? 0) + (log.seconds ?? 0),
    logSeconds: log.seconds,
    backupTso: backup.backupTso ?? log.backupTso,
    text: `${backup.text} ${log.text}`.slice(0, MAX_TEXT),
  };
}

/** Whether the backup of a restore to a point in time is in its target, as it said. */
export const hasBackup = ({ successes }: Output): boolean => successes.has(OF_BACKUP);

/** The summary of a restore that succeeded; what a version does not say is undefined. */
export interface RestoreSummary {
  /** Of the files that were loaded. */
  readonly sizeBytes: bigint | undefined;
  readonly totalKvs: bigint | undefined;
  /** Of this run alone, without earlier attempts. */
  readonly seconds: number | undefined;
  /** Of them, those for the log; absent where none was replayed, or the backup was restored by an earlier attempt. */
  readonly logSeconds?: number | undefined;
  /** The snapshot that was restored. */
  readonly backupTso: string | undefined;
  readonly restoreTso: string | undefined;
  /** The point up to which a log was replayed. */
  readonly pointTso: string | undefined;
  /** All of it, as key=value, cut where it is long. */
  readonly text: string;
}

/** Reads a success summary. */
export function readRestoreSummary(fields: ReadonlyMap<string, string>): RestoreSummary {
  const whole = (key: string) => {
    const text = fields.get(key) ?? '';
    return /^\d{1,20}$/.test(text) ? text : undefined;
  };
  const big = (key: string) => {
    const text = whole(key);
    return text === undefined ? undefined : BigInt(text);
  };
  return {
    sizeBytes: big('Size'),
    totalKvs: big('total-kv'),
    seconds: readDuration(fields.get('total-take') ?? ''),
    backupTso: whole('BackupTS') ?? whole('source-start-point') ?? whole('restore-from'),
    restoreTso: whole('RestoreTS'),
    pointTso: whole('source-end-point') ?? whole('restore-to'),
    text: Array.from(fields, ([key, value]) => `${key}=${value}`)
      .join(' ')
      .slice(0, MAX_TEXT),
  };
}
