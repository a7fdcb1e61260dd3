/**
 * What `br restore` says when it fails, and what that means: by its text, which is more particular than its codes. Data.
 *
 * `refused`, `notFresh` and `wait` mean that nothing was written, `dirty` that what is in the target is wrong or
 * cannot be completed. `retry` and `change` say nothing about the target: the same command goes on, at once or after
 * somebody changed something.
 */
type Class = 'refused' | 'notFresh' | 'wait' | 'dirty' | 'retry' | 'change';

export interface ErrorRow {
  readonly code: string;
  /** Looked for in the error with which `br` ended. */
  readonly when: RegExp;
  readonly class: Class;
  /** What is done when it has failed before: some things pass once, and do not pass a second time. */
  readonly again?: Class;
  /** What happened, as sentences; what is left in the target is said after it. */
  readonly message: string | ((found: RegExpExecArray, facts: { readonly wasPartial: boolean }) => string);
  /** Until it is tried again, for `wait`. */
  readonly seconds?: number;
  /** Only said after `br` began to write. */
  readonly pastChecks?: true;
  /** Only said before `br` wrote anything; of some that holds only where it printed no summary either. */
  readonly beforeChecks?: 'always' | 'withoutSummary';
  /** The backup itself is damaged. */
  readonly sourceDamaged?: true;
}

const REFUSED_ACCESS =
  /permission denied|PermissionDenied|AccessDenied|InvalidAccessKeyId|SignatureDoesNotMatch|Forbidden|AuthenticationFailed|AuthorizationFailure|status:? 403|StatusCode:? 403/;

/** How often a wait for another restore is repeated before it counts as refused. */
export const WAITS_BEFORE_REFUSAL = 3;

const quoted = (text: string | undefined) => (text ?? '').trim().slice(0, 400);

/** Found in the catalogue before `br` is started: it restores what is there, be it nothing, and calls that a success. */
export const notInBackup = (rules: string) =>
  ({
    kind: 'refused',
    code: 'NOT_IN_BACKUP',
    message: `The backup does not hold what "filter" names: ${rules}.`,
  }) as const;

/** Found in the same way, or said by `br` beside its success. */
export const nothingMatched = (rules: string) =>
  ({
    kind: 'refused',
    code: 'NOTHING_MATCHED',
    message: `The backup holds nothing that "filter" chooses: ${rules}.`,
  }) as const;

/** The first row that fits decides; they are ordered from the particular to the general. */
export const RESTORE_ERRORS: readonly ErrorRow[] = [
  {
    code: 'TARGET_NOT_EMPTY',
    class: 'notFresh',
    when: /(?:user db\/tables: (.*): \[BR:Restore:)?ErrRestoreNotFreshCluster|cluster is not fresh/,
    message: ([, tables], { wasPartial }) =>
      wasPartial
        ? 'The target holds data but no checkpoint: the restore had finished unseen, its checkpoint was removed, or the data were there before it began. Look at the target before you decide.'
        : `The target holds tables of users${tables ? ` (${quoted(tables)})` : ''}; a restore needs an empty cluster.`,
  },
  {
    code: 'TABLES_BEING_RESTORED',
    class: 'wait',
    seconds: 300,
    when: /because it is already being restored by task/,
    message: 'Another restore works on these tables.',
  },
  {
    code: 'TARGET_STILL_REGISTERED',
    class: 'wait',
    seconds: 330,
    when: /task with ID \S+ already exists and is running/,
    message: 'The target still counts an earlier attempt as running.',
  },
  {
    code: 'TABLES_EXIST',
    class: 'notFresh',
    when: /(?:table already exists: (.*): \[BR:Restore:)?ErrTablesAlreadyExisted/,
    message: ([, tables], { wasPartial }) =>
      wasPartial
        ? 'The target holds tables that would be restored but no checkpoint: the restore had finished unseen, its checkpoint was removed, or the tables were there before it began. Look at the target before you decide.'
        : `The target has tables already that would be restored${tables ? ` (${quoted(tables)})` : ''}. Drop or rename them there, or leave them out with "filter".`,
  },
  {
    code: 'LOG_BACKUP_RUNS',
    class: 'refused',
    when: /log backup task is running: ([^,]*)/,
    message: ([, task]) =>
      `The target writes a log backup (${quoted(task)}). Stop it there first, and make a new full backup after the restore.`,
  },
  {
    code: 'CHANGEFEEDS_RUN',
    class: 'refused',
    when: /please remove changefeed\(s\) before restore/,
    message: 'TiCDC replicates from the target. Remove or pause its changefeeds first.',
  },
  {
    code: 'VERSIONS_DIFFER',
    class: 'refused',
    when: /(backup with cluster version \S+ cannot be restored at cluster of version [^\s:]+)/,
    message: ([, pair]) => `The versions do not fit together: ${quoted(pair)}.`,
  },
  {
    code: 'VERSIONS_DIFFER',
    class: 'refused',
    when: /ErrVersionMismatch|running BR in incompatible version|major version mismatches/,
    message: 'The versions of br, of the backup and of the target do not fit together.',
  },
  {
    code: 'COLLATIONS_DIFFER',
    class: 'refused',
    when: /new_collations?_enabled\w*' not match/,
    message:
      'The target was created with another new_collations_enabled_on_first_bootstrap, which cannot be changed later. Create it anew with that of the source.',
  },
  {
    code: 'CATALOGUE_UNREADABLE',
    class: 'refused',
    when: /new_collations?_enabled\w*' not found in backupmeta/,
    message:
      'The catalogue of the backup does not say which collations its cluster had: it is damaged, or of a very old version.',
  },
  {
    code: 'SYSTEM_TABLES_DIFFER',
    class: 'refused',
    when: /ErrRestoreIncompatibleSys/,
    message: 'The system tables do not fit. Restore without them ("withSystemTables": false).',
  },
  {
    code: 'TARGET_TOO_SMALL',
    class: 'refused',
    when: /store (\d+) has no space left on device, available (\S+), necessary ([^:\s]+)/,
    message: ([, store, free, needed]) =>
      `TiKV store ${store} of the target has ${quoted(free)} free and needs ${quoted(needed)}.`,
  },
  {
    code: 'NOT_IN_BACKUP',
    class: 'refused',
    when: /(\[(?:database|table): [^\]]*\]) has not been backup|ErrUndefinedDbOrTable/,
    message: ([, what]) => `The backup does not hold ${what ? quoted(what) : 'what was asked for'}.`,
  },
  {
    code: 'POINT_NOT_IN_LOG',
    class: 'refused',
    when: /but the current existed log from (\d+(?:\([^)]*\))?) to (\d+(?:\([^)]*\))?)/,
    message: ([, first, last]) =>
      `The log that br found leads from ${quoted(first)} to ${quoted(last)}: the point, or the backup before it, lies outside.`,
  },
  {
    code: 'LOG_BEGINS_LATER',
    class: 'refused',
    when: /it has gap between full backup ts:\s*(\d+(?:\([^)]*\))?) and log backup ts:\s*(\d+(?:\([^)]*\))?)/,
    message: ([, backup, log]) => `The log begins at ${quoted(log)}, after the backup at ${quoted(backup)}.`,
  },
  {
    code: 'LOG_OF_ANOTHER_CLUSTER',
    class: 'refused',
    when: /come from different cluster/,
    message: 'Backup and log are of different clusters.',
  },
  {
    code: 'NOT_A_LOG',
    class: 'refused',
    when: /the storage has been used for full backup/,
    message: 'The path of the log holds a full backup.',
  },
  {
    code: 'TABLES_NOT_MAPPED',
    class: 'dirty',
    when: /no base id map found/,
    message:
      'The target does not know any more which table of the backup became which of its own, so that the log cannot be replayed. Start again into an empty cluster.',
  },
  {
    code: 'NOT_OF_TIDB',
    class: 'refused',
    when: /cannot do transactional restore from raw kv data/,
    message: 'This is no backup of TiDB, but of raw keys.',
  },
  {
    code: 'CHECKPOINT_OF_ANOTHER',
    class: 'refused',
    when: /ErrRestoreCheckpointMismatch|does not match that\[\S*\] recorded in checkpoint|which is different from that/,
    message: (_, { wasPartial }) =>
      wasPartial
        ? 'The target holds the checkpoint of another restore beside what this one wrote: another br was at work there.'
        : 'The target holds the checkpoint of another restore. Drop the databases named __TiDB_BR_Temporary_… there, with what that restore left.',
  },
  {
    code: 'BR_CALLED_WRONGLY',
    class: 'refused',
    when: /unknown (?:shorthand )?flag|unknown command|required flag\(s\)|invalid argument ".*" for|at <cmdline>:\d+: /,
    message:
      'br does not understand how Tidemark called it: is the configured program a br of the version that it says?',
  },
  {
    code: 'STORAGE_REFUSED',
    class: 'refused',
    when: new RegExp(`load backupmeta failed:.*(?:${REFUSED_ACCESS.source})`, 'i'),
    message: 'The storage of the backup refused access: check its permissions and credentials.',
  },
  {
    code: 'SOURCE_AWAY',
    class: 'retry',
    when: /load backupmeta failed/,
    message:
      'br could not read the catalogue of the backup, which its worker had read just before: the storage may have been away.',
    beforeChecks: 'always',
  },
  {
    code: 'CATALOGUE_UNREADABLE',
    class: 'refused',
    when: /wrong aes cipher|parse backupmeta failed/,
    message: 'The catalogue of the backup cannot be read: the key is another one, or it is damaged.',
  },
  {
    code: 'CATALOGUE_DAMAGED',
    class: 'refused',
    when: /ErrInvalidMetaFile/,
    message: 'The catalogue of the backup is damaged.',
    sourceDamaged: true,
  },
  {
    code: 'ROWS_DIFFER',
    class: 'dirty',
    when: /ErrRestoreChecksumMismatch/,
    message: 'The rows in the target are not those of the backup.',
  },
  {
    code: 'CLUSTERED_INDEX_DIFFERS',
    class: 'dirty',
    when: /Clustered index option mismatch/,
    message: 'The target creates clustered indexes by another rule than the source did (tidb_enable_clustered_index).',
  },
  {
    code: 'TABLES_DIFFER',
    class: 'dirty',
    when: /ErrRestoreInvalidRewrite|cannot find rewrite rule/,
    message: 'A table in the target has other columns than in the backup.',
  },
  {
    code: 'KEYS_NOT_FOUND',
    class: 'retry',
    again: 'dirty',
    when: /ErrKVRewriteRuleNotFound|ErrKVRangeIsEmpty/,
    message: 'TiKV could not place what it loaded.',
    pastChecks: true,
  },
  {
    code: 'SOURCE_FILE_MISSING',
    class: 'dirty',
    when: /Cannot read (\S+) into .*(?:NoSuchKey|BlobNotFound|404)/,
    message: ([, file]) => `A file of the backup is missing in the storage: ${quoted(file)}.`,
    sourceDamaged: true,
  },
  {
    code: 'SOURCE_FILE_NOT_FOUND',
    class: 'change',
    when: /Cannot read (\S+) into .*(?:kind: NotFound|No such file)/,
    message: ([, file]) =>
      `A TiKV of the target does not find a file of the backup: ${quoted(file)}. The storage must be one shared mount at the same path on the worker and on every TiKV. Where the file is gone from the storage itself, the backup is damaged.`,
    pastChecks: true,
  },
  {
    code: 'STORAGE_REFUSED',
    class: 'change',
    when: REFUSED_ACCESS,
    message:
      'The storage of the backup refused access to br or to a TiKV of the target: check permissions, credentials and mounts.',
  },
  {
    code: 'TARGET_FULL',
    class: 'change',
    when: /ErrKVDiskFull|DiskFull|no space left on device|disk is full/i,
    message: 'The disk of a TiKV of the target is full, or that of the worker. Make room.',
  },
  {
    code: 'SOURCE_FILE_DAMAGED',
    class: 'change',
    when: /code: Corruption, state: "?(?:Corruption: )?([^"]*)/,
    message: ([, how]) =>
      `TiKV found a file of the backup damaged (${quoted(how)}). Verify the backup, which names the file, and restore another one; where the file is made whole again, the restore goes on.`,
    pastChecks: true,
  },
  {
    code: 'TIKV_NOT_READY',
    class: 'retry',
    when: /ErrKVDownloadFailed|ErrKVIngestFailed|ErrRestoreSplitFailed|ErrRestoreNoPeer|ErrPDUknownScatterResult/,
    message: 'TiKV could not load files for a while.',
    pastChecks: true,
  },
  {
    code: 'TIKV_NOT_READY',
    class: 'retry',
    when: /ErrKVEpochNotMatch|ErrKVNotLeader|NotLeader|ServerIsBusy|scatter/,
    message: 'TiKV was not ready for a while.',
  },
  {
    code: 'NO_TIDB',
    class: 'retry',
    when: /\[schema:1146\]/,
    message: 'The target was never started with a TiDB server: start one.',
  },
  {
    code: 'TABLE_NOT_CREATED',
    class: 'dirty',
    when: /(Error 8\d{3}[^;]*|\[(?:ddl|schema|parser|types|placement):\d+\][^;]*|[Uu]nknown charset[^;]*|Too many columns)/,
    message: ([, why]) => `A database, table or placement policy could not be created: ${quoted(why)}.`,
  },
  {
    code: 'TARGET_AWAY',
    class: 'retry',
    when: /connection error: .*(?:connection refused|i\/o timeout|no such host|no route to host|connection reset)|NOT_BOOTSTRAPPED|failed to get cluster id/,
    message: 'PD of the target does not answer: check its addresses, and that it is up.',
    beforeChecks: 'withoutSummary',
  },
  {
    code: 'TARGET_AWAY',
    class: 'retry',
    when: /ErrPD\w*|ErrFailedToConnect|connection refused|connection reset|timeout|Unavailable|DeadlineExceeded|context deadline exceeded|SlowDown|RequestTimeout|InternalError/i,
    message: 'PD or a TiKV of the target, or the storage, did not answer for a while.',
  },
];
