import { type Dialect, isFrom } from './dialect.ts';

/** How a flag's value reads: `list` is split at commas and may repeat, `array` only repeats. */
export type FlagType = 'bool' | 'string' | 'uint' | 'int' | 'duration' | 'list' | 'array';

const row = (type: FlagType, names: string): Array<[string, FlagType]> =>
  names.split(' ').map((name): [string, FlagType] => [name, type]);

/** Flags that came later than v5.4, with their first version (br-contract 1.2, 1.3, 2.3). */
const SINCE: ReadonlyMap<string, string> = new Map(
  [
    ['6.5.0', 'use-checkpoint s3.role-arn s3.external-id'],
    ['7.1.0', 'keyspace-name replica-read-label azblob.sas-token azblob.encryption-scope azblob.encryption-key'],
    ['7.5.0', 'table-concurrency'],
    ['8.4.0', 'log.crypter.method log.crypter.key log.crypter.key-file master-key master-key-crypter-method'],
    ['8.5.5', 'range-limit'],
  ].flatMap(([since = '', names = '']) => names.split(' ').map((name): [string, string] => [name, since])),
);

/** Flags of `br debug decode` alone (br-contract 9.2). */
const DEBUG_FLAGS = row('string', 'field');

/** Flags of `br log` alone (br-contract 11). */
const LOG_FLAGS: ReadonlyArray<[string, FlagType]> = [
  ...row('string', 'task-name start-ts end-ts until'),
  ...row('int', 'gc-ttl'),
  ...row('bool', 'json dry-run yes'),
];

/** Flags that `br restore` does not have. */
const BACKUP_ONLY: ReadonlySet<string> = new Set(
  [
    'backupts timeago gcttl lastbackupts compression compression-level ignore-stats use-backupmeta-v2',
    'replica-read-label table-concurrency range-limit remove-schedulers',
  ].flatMap((names) => names.split(' ')),
);

/** Flags that only `br restore` has. */
const RESTORE_FLAGS: ReadonlyArray<[string, FlagType]> = [
  ...row('string', 'db table granularity with-tidb-placement-mode checkpoint-storage'),
  ...row('string', 'full-backup-storage start-ts restored-ts'),
  ...row('array', 'reset-sys-users'),
  ...row('uint', 'tikv-max-restore-concurrency pd-concurrency stats-concurrency ddl-batch-size'),
  ...row('uint', 'merge-region-size-bytes merge-region-key-count'),
  ...row('uint', 'pitr-batch-count pitr-batch-size pitr-concurrency'),
  ...row('duration', 'batch-flush-interval'),
  ...row('bool', 'with-sys-table load-stats fast-load-sys-tables no-schema online wait-tiflash-ready'),
  ...row('bool', 'allow-pitr-from-incremental sys-check-collation'),
];

/** The first versions of those that came later than v6.2, and of one that `br backup` had before. */
const RESTORE_SINCE: ReadonlyMap<string, string> = new Map(
  [
    ['7.1.0', 'use-checkpoint'],
    ['8.0.0', 'load-stats tikv-max-restore-concurrency stats-concurrency'],
    ['8.3.0', 'allow-pitr-from-incremental'],
    ['8.5.5', 'fast-load-sys-tables sys-check-collation checkpoint-storage'],
  ].flatMap(([since = '', names = '']) => names.split(' ').map((name): [string, string] => [name, since])),
);

/** The flags of a command of BR in this version; by default those of `br backup`. */
export function flagsOf({ version }: Dialect, command?: 'debug' | 'restore' | 'log'): ReadonlyMap<string, FlagType> {
  const common = [...FLAGS].filter(([name]) => isFrom(version, SINCE.get(name) ?? '0'));
  if (command === 'log') return new Map([...common, ...LOG_FLAGS]);
  if (command === 'debug') return new Map([...common, ...DEBUG_FLAGS]);
  if (command === undefined) return new Map(common);
  return new Map(
    [...common.filter(([name]) => !BACKUP_ONLY.has(name)), ...RESTORE_FLAGS].filter(([name]) =>
      isFrom(version, RESTORE_SINCE.get(name) ?? '0'),
    ),
  );
}

/** Every flag that br-contract 1.2, 1.3 and 2.3 name for any version, hidden ones too. */
export const FLAGS: ReadonlyMap<string, FlagType> = new Map([
  ...row('list', 'pd'),
  ...row('array', 'filter'),
  ...row('string', 'storage ca cert key log-level log-file log-format status-addr'),
  ...row('string', 'crypter.method crypter.key crypter.key-file'),
  ...row('string', 'log.crypter.method log.crypter.key log.crypter.key-file master-key master-key-crypter-method'),
  ...row('string', 'slow-log-file backupts compression keyspace-name replica-read-label type'),
  ...row('string', 's3.endpoint s3.region s3.storage-class s3.sse s3.sse-kms-key-id s3.acl s3.provider'),
  ...row('string', 's3.role-arn s3.external-id'),
  ...row('string', 'gcs.endpoint gcs.storage-class gcs.predefined-acl gcs.credentials-file'),
  ...row('string', 'azblob.endpoint azblob.account-name azblob.account-key azblob.access-tier azblob.sas-token'),
  ...row('string', 'azblob.encryption-scope azblob.encryption-key'),
  ...row(
    'uint',
    'ratelimit ratelimit-unit concurrency checksum-concurrency lastbackupts table-concurrency range-limit',
  ),
  ...row('int', 'gcttl compression-level'),
  ...row('duration', 'timeago grpc-keepalive-time grpc-keepalive-timeout switch-mode-interval'),
  ...row('bool', 'send-credentials-to-tikv checksum check-requirements redact-info-log redact-log enable-opentracing'),
  ...row('bool', 'no-credentials skip-check-path use-checkpoint use-backupmeta-v2 ignore-stats case-sensitive'),
  ...row('bool', 'remove-schedulers help version'),
]);

/** One-letter names. */
export const SHORT_FLAGS: ReadonlyMap<string, string> = new Map([
  ['u', 'pd'],
  ['s', 'storage'],
  ['c', 'send-credentials-to-tikv'],
  ['L', 'log-level'],
  ['f', 'filter'],
  ['t', 'table'],
  ['y', 'yes'],
  ['V', 'version'],
  ['h', 'help'],
]);
