import { DEFAULT_VERSION } from './version.ts';

/** In what BR's versions differ for a caller. Each line of `dialectOf` says from which version on something holds. */
export interface Dialect {
  /** As given, such as `v8.5.0`. */
  readonly version: string;
  /** Whether a backup writes a checkpoint and can be resumed (br-contract 1.4). */
  readonly checkpoint: boolean;
  /** Whether `--use-backupmeta-v2` switches the checkpoint off, as it did in its first version. */
  readonly checkpointNeedsMetaV1: boolean;
  /** Whether checkpoint.lock exists, and whether a failed run takes it away (br-contract 5.4). */
  readonly lock: 'none' | 'removed' | 'left-by-failures';
  /** `root`: checkpoint.meta beside backup.lock; `backup`: all of it in checkpoints/backup (br-contract 5.1). */
  readonly checkpointLayout: 'root' | 'backup';
  /** Whether names below `checkpoints` start with a slash, which object stores keep: `prefix//checkpoints/…`. */
  readonly checkpointSlash: boolean;
  /** Whether checkpoint data goes away after a success. */
  readonly removesCheckpoint: boolean;
  /** Whether every flag must be the same for a resume, not only those of br-contract 5.3. */
  readonly hashesWholeConfig: boolean;
  /** What a backup without `--checksum` does. */
  readonly checksumDefault: boolean;
  /** Where the line `Error: …` goes. */
  readonly errorStream: 'stdout' | 'stderr';
  /** What `backupmeta` is without `--use-backupmeta-v2`. */
  readonly metaV2Default: boolean;
  /** Whether `backupmeta` says `backup_size`. */
  readonly recordsBackupSize: boolean;
  /** Whether `cluster_version` is plain, or a JSON text with a line break as PD answers it. */
  readonly plainClusterVersion: boolean;
  /** Whether the answer to a signal is the banner of two lines with equals signs (br-contract 4). */
  readonly bannerOfTwoLines: boolean;
  /** Where progress goes when the log is a file: always a bar on stderr, or a bar for terminals, else log lines. */
  readonly progressWithLogFile: 'bar' | 'log';
  /** How many major versions BR may be ahead of TiKV. */
  readonly majorsAhead: number;
  /** Whether sums are compared only after `backupmeta` is written, all tables at once (br-contract 5.5). */
  readonly comparesSumsLast: boolean;
  /** Whether metadata holds the sums of tables also where `--checksum` is off. */
  readonly alwaysRecordsSums: boolean;
  /** The total of the progress step `Checksum` when there is nothing to check. */
  readonly idleChecksumTotal: 0 | 1;
  /** Whether the summary counts SST files by column family. */
  readonly countsColumnFamilies: boolean;
  /** Whether the summary of an empty backup has the misspelt `Result`. */
  readonly namesEmptyResult: boolean;
  /** Where a restore keeps its checkpoint: in the backup's storage, or in databases of the target. */
  readonly restoreCheckpoint: 'none' | 'storage' | 'target';
  /** Whether `restore full` without system tables looks for user tables too. */
  readonly alwaysChecksFresh: boolean;
  /** Whether tables that are there already are refused where only some are restored. */
  readonly refusesExistingTables: boolean;
  /** Whether restores are registered in a table of the target, by whose number their checkpoint is named. */
  readonly registersRestores: boolean;
  /** Whether a restore shows a step of progress for each kind of work, or one for all. */
  readonly stepsByWork: boolean;
  /** Whether the JSON of `log status` says how a task is, and who paused it. */
  readonly logStatusTellsState: boolean;
  /** What a restore without `--with-sys-table` does. */
  readonly systemTablesDefault: boolean;
  /** What a restore without `--checksum` does. */
  readonly restoreChecksumDefault: boolean;
  /** Highest `--concurrency` that counts; more is taken as this. */
  readonly maxConcurrency: number;
  /** Whether the region of a bucket is asked for, or `us-east-1` without `--s3.region`. */
  readonly detectsRegion: boolean;
  /** Whether a storage URL may carry `session-token`. */
  readonly sessionTokenInUrl: boolean;
}

/** A version's three numbers, of `v8.5.0`, `8.5.0` or `v8.5.0-alpha-3-gabc`; missing ones are 0. */
export function versionNumbers(version: string): readonly [major: number, minor: number, patch: number] {
  const [major = 0, minor = 0, patch = 0] = (version.match(/\d+/g) ?? []).map(Number);
  return [major, minor, patch];
}

/** Whether a version is this one or a later one. */
export function isFrom(version: string, since: string): boolean {
  const sinceNumbers = versionNumbers(since);
  const difference = versionNumbers(version)
    .map((number, index) => number - (sinceNumbers[index] ?? 0))
    .find((step) => step !== 0);
  return (difference ?? 0) >= 0;
}

/** How BR of a version behaves. */
export function dialectOf(version: string = DEFAULT_VERSION): Dialect {
  const from = (since: string) => isFrom(version, since);
  const lockOfLaterVersions = from('8.5.5') ? 'left-by-failures' : 'removed';
  return {
    version,
    checkpoint: from('6.5.0'),
    checkpointNeedsMetaV1: !from('7.1.0'),
    lock: from('6.5.1') ? lockOfLaterVersions : 'none',
    checkpointLayout: from('7.1.0') ? 'backup' : 'root',
    checkpointSlash: !from('8.3.0'),
    removesCheckpoint: from('7.1.0'),
    hashesWholeConfig: !from('7.1.0'),
    checksumDefault: !from('8.5.0'),
    errorStream: from('6.5.0') ? 'stderr' : 'stdout',
    metaV2Default: from('7.5.0'),
    recordsBackupSize: from('7.5.0'),
    plainClusterVersion: from('8.5.0'),
    bannerOfTwoLines: from('8.1.0'),
    progressWithLogFile: from('8.3.0') ? 'log' : 'bar',
    majorsAhead: majorsAhead(from),
    comparesSumsLast: !from('8.5.5'),
    alwaysRecordsSums: from('8.5.0'),
    idleChecksumTotal: from('8.5.5') ? 0 : 1,
    countsColumnFamilies: from('8.5.5'),
    namesEmptyResult: !from('7.1.0'),
    restoreCheckpoint: restoreCheckpoint(from),
    alwaysChecksFresh: from('7.1.0'),
    refusesExistingTables: from('8.5.5'),
    registersRestores: from('8.5.5'),
    stepsByWork: from('8.5.5'),
    logStatusTellsState: from('8.5.5'),
    systemTablesDefault: from('7.6.0'),
    restoreChecksumDefault: !from('9.0.0'),
    maxConcurrency: from('7.1.0') ? 256 : Number.POSITIVE_INFINITY,
    detectsRegion: from('6.5.0'),
    sessionTokenInUrl: from('7.5.0'),
  };
}

function restoreCheckpoint(from: (since: string) => boolean): Dialect['restoreCheckpoint'] {
  if (from('8.4.0')) return 'target';
  return from('7.1.0') ? 'storage' : 'none';
}

/** br-contract 1.5 */
function majorsAhead(from: (since: string) => boolean): number {
  if (from('8.5.5')) return 2;
  return from('6.5.0') ? 1 : 0;
}
