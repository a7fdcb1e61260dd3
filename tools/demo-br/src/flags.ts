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

/** The flags of BR in this version; `br debug` has one more. */
export function flagsOf({ version }: Dialect, isDebug = false): ReadonlyMap<string, FlagType> {
  const common = [...FLAGS].filter(([name]) => isFrom(version, SINCE.get(name) ?? '0'));
  return new Map([...common, ...(isDebug ? DEBUG_FLAGS : [])]);
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
  ['V', 'version'],
  ['h', 'help'],
]);
