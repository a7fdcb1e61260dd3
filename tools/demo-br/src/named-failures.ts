/** A failure of the real program, in its own words. */
export interface NamedFailure {
  readonly text: string;
  readonly code?: string;
  /**
   * Of restores alone, `etcd`: before anything; `checks`: before schedulers are paused; `paused`: after that; `tables`: once
   * they are made. Of both, `pd`: before anything; `storage`: at the first look into the path; `work`: at the outcome's `at`; `end`: after the last region.
   */
  readonly stage: FailureStage;
  /** How long the real program takes to give up; `waitScale` of the script says how much of it passes here. */
  readonly seconds?: number;
  /** What the process does instead of reporting it. */
  readonly instead?: 'panic' | 'crash';
}

export type FailureStage = 'etcd' | 'pd' | 'storage' | 'checks' | 'paused' | 'tables' | 'work' | 'end';

const s3 = (code: string, message: string, status: number) =>
  `error occurred when checking backupmeta file: ${code}: ${message}\n\tstatus code: ${status}, request id: DEMO0BR, host id: `;
const inStore = (reason: string) => `error happen in store 1: ${reason}`;
const grpc = (code: string, text: string) => `rpc error: code = ${code} desc = ${text}`;

/** What a backup can fail with: br-contract 8.1 (as far as a backup meets it), 8.2, 8.3 and 14. */
export const NAMED_FAILURES = {
  // 8.1, by code
  'unknown-error': { text: 'unexpected state', code: 'BR:Common:ErrUnknown', stage: 'work' },
  'invalid-argument': {
    text: 'the backup ts 1 is less than gc ts',
    code: 'BR:Common:ErrInvalidArgument',
    stage: 'storage',
  },
  'version-mismatch': {
    text: "running BR in incompatible version of cluster, if you believe it's OK, use --check-requirements=false to skip.: TiKV node 127.0.0.1:20160 version 6.1.0 and BR v8.5.0 major version mismatch, please use the same version of BR",
    code: 'BR:Common:ErrVersionMismatch',
    stage: 'pd',
  },
  'failed-to-connect': {
    text: 'failed to connect to store 1, address 127.0.0.1:20160',
    code: 'BR:Common:ErrFailedToConnect',
    stage: 'work',
  },
  'invalid-meta-file': { text: 'metafile not found', code: 'BR:Common:ErrInvalidMetaFile', stage: 'end' },
  'env-not-specified': { text: 'AWS_REGION', code: 'BR:Common:ErrEnvNotSpecified', stage: 'storage' },
  'unsupported-operation': { text: 'not a snapshot backup', code: 'BR:Common:ErrUnsupportedOperation', stage: 'pd' },
  'invalid-range': { text: 'start key after end key', code: 'BR:Common:ErrInvalidRange', stage: 'storage' },
  'pd-update-failed': { text: 'failed to update scheduler config', code: 'BR:PD:ErrPDUpdateFailed', stage: 'pd' },
  'pd-leader-not-found': { text: 'no leader', code: 'BR:PD:ErrPDLeaderNotFound', stage: 'pd' },
  'pd-invalid-response': { text: 'no pd endpoint answers', code: 'BR:PD:ErrPDInvalidResponse', stage: 'pd' },
  'pd-batch-scan-region': {
    text: 'region 4 has no leader',
    code: 'BR:PD:ErrPDBatchScanRegion',
    stage: 'storage',
  },
  'backup-checksum-mismatch': { text: '', code: 'BR:Backup:ErrBackupChecksumMismatch', stage: 'end' },
  'backup-invalid-range': { text: 'range is empty', code: 'BR:Backup:ErrBackupInvalidRange', stage: 'work' },
  'backup-no-leader': { text: 'region 4', code: 'BR:Backup:ErrBackupNoLeader', stage: 'work' },
  'backup-region-error': { text: 'region 4 is not found', code: 'BR:Backup:ErrBackupRegion', stage: 'work' },
  'gc-safepoint-exceeded': {
    text: 'GC safepoint 470664505546244100 exceed TS 470664485190762502',
    code: 'BR:Backup:ErrBackupGCSafepointExceeded',
    stage: 'storage',
  },
  'key-is-locked': { text: 'txn 470664485190762502', code: 'BR:Backup:ErrBackupKeyIsLocked', stage: 'work' },
  'storage-unknown': { text: 'no answer', code: 'BR:ExternalStorage:ErrStorageUnknown', stage: 'storage' },
  'storage-invalid-config': {
    text: 'access_key not found',
    code: 'BR:ExternalStorage:ErrStorageInvalidConfig',
    stage: 'storage',
  },
  'storage-invalid-permission': {
    text: 'check permission PutAndDeleteObject failed',
    code: 'BR:ExternalStorage:ErrStorageInvalidPermission',
    stage: 'storage',
  },
  'tikv-io-error': { text: inStore('Io(Custom { kind: Other })'), code: 'BR:KV:ErrKVStorage', stage: 'work' },
  'tikv-path-not-found': {
    text: inStore(
      'File or directory not found on TiKV Node (store id: 1). workaround: please ensure br and tikv nodes share a same storage and the user of br and tikv has same uid.',
    ),
    code: 'BR:KV:ErrKVStorage',
    stage: 'work',
  },
  'tikv-permission-denied': {
    text: inStore(
      'I/O permission denied error occurs on TiKV Node(store id: 1). workaround: please ensure tikv has permission to read from & write to the storage.',
    ),
    code: 'BR:KV:ErrKVStorage',
    stage: 'work',
  },
  'tikv-unknown-error': {
    text: inStore('unknown error, retried too many times, give up'),
    code: 'BR:KV:ErrKVStorage',
    stage: 'work',
  },
  'kv-unknown': { text: 'other error', code: 'BR:KV:ErrKVUnknown', stage: 'work' },
  'kv-cluster-id-mismatch': {
    text: inStore('cluster ID mismatch'),
    code: 'BR:KV:ErrKVClusterIDMismatch',
    stage: 'work',
  },
  'kv-not-leader': { text: 'region 4', code: 'BR:KV:ErrKVNotLeader', stage: 'work' },
  'kv-epoch-not-match': { text: 'region 4', code: 'BR:KV:ErrKVEpochNotMatch', stage: 'work' },
  'kv-key-not-in-region': { text: 'region 4', code: 'BR:KV:ErrKVKeyNotInRegion', stage: 'work' },
  'not-tikv-storage': { text: '', code: 'BR:KV:ErrNotTiKVStorage', stage: 'pd' },
  'kv-disk-full': { text: inStore('no space left on device'), code: 'BR:KV:ErrKVDiskFull', stage: 'work' },
  'possible-inconsistency': { text: '', code: 'BR:KV:ErrPossibleInconsistency', stage: 'work' },
  // 8.2, by text
  'lock-held': {
    text: 'The existing lock will expire in 291 seconds. There may be another BR(470664494195408898) running. If not, you can wait for the lock to expire, or delete the file `file:///backup/c3checkpoints/backup/checkpoint.lock` manually.',
    stage: 'storage',
  },
  'context-canceled': { text: 'context canceled', stage: 'work' },
  'grpc-canceled': { text: grpc('Canceled', 'context canceled'), stage: 'work' },
  'access-denied': { text: s3('AccessDenied', 'Access Denied', 403), stage: 'storage' },
  'invalid-access-key-id': {
    text: s3('InvalidAccessKeyId', 'The AWS Access Key Id you provided does not exist in our records.', 403),
    stage: 'storage',
  },
  'signature-does-not-match': {
    text: s3(
      'SignatureDoesNotMatch',
      'The request signature we calculated does not match the signature you provided.',
      403,
    ),
    stage: 'storage',
  },
  'no-such-bucket': { text: s3('NoSuchBucket', 'The specified bucket does not exist', 404), stage: 'storage' },
  'permission-denied': { text: 'open /backup/x/backup.lock: permission denied', stage: 'storage' },
  'region-not-matched': {
    text: 's3 bucket and region are not matched, bucket=b, input region=us-east-1, real region=us-west-2',
    stage: 'storage',
  },
  'region-unknown': {
    text: 'failed to get region of bucket b: Forbidden: Forbidden\n\tstatus code: 403, request id: , host id: ',
    stage: 'storage',
  },
  'credential-not-found': { text: 'credential info not found', stage: 'storage' },
  'wrong-cipher': { text: 'parse backupmeta failed because of wrong aes cipher: unexpected EOF', stage: 'storage' },
  'wrong-key': { text: 'decrypt failed with wrong key', stage: 'storage' },
  'resolve-lock-timeout': { text: 'resolve lock timeout', stage: 'work' },
  'connection-refused': {
    text: 'error occurred when checking backupmeta file: RequestError: send request failed\ncaused by: Head "http://127.0.0.1:9/bucket/prefix/backupmeta": dial tcp 127.0.0.1:9: connect: connection refused',
    stage: 'storage',
    seconds: 0.5,
  },
  'connection-reset': {
    text: 'read tcp 127.0.0.1:50000->127.0.0.1:20160: read: connection reset by peer',
    stage: 'work',
  },
  timeout: { text: 'context deadline exceeded: i/o timeout', stage: 'work' },
  unavailable: { text: grpc('Unavailable', 'keepalive watchdog timeout'), stage: 'work' },
  'deadline-exceeded': { text: grpc('DeadlineExceeded', 'context deadline exceeded'), stage: 'work' },
  'slow-down': { text: s3('SlowDown', 'Please reduce your request rate.', 503), stage: 'storage', seconds: 369 },
  'internal-error': { text: s3('InternalError', 'We encountered an internal error.', 500), stage: 'storage' },
  'request-timeout': {
    text: s3('RequestTimeout', 'Your socket connection to the server was not read from or written to.', 400),
    stage: 'storage',
  },
  'gc-safe-point-panic': { text: 'cannot pass gc safe point check, aborting', stage: 'work', instead: 'panic' },
  'ranges-incomplete': { text: 'backup ranges done but some ranges are in complete', stage: 'end' },
  killed: { text: '', stage: 'work', instead: 'crash' },
  // 14
  'pd-unreachable': { text: '[pd] failed to get cluster id', stage: 'pd', seconds: 100 },
  'pd-not-bootstrapped': {
    text: 'running BR in incompatible version of cluster, if you believe it\'s OK, use --check-requirements=false to skip.: type:NOT_BOOTSTRAPPED message:"cluster is not bootstrapped" ',
    stage: 'pd',
    seconds: 0.4,
  },
  'tidb-never-started': { text: "[schema:1146]Table 'mysql.tidb' doesn't exist", stage: 'pd' },
} as const satisfies Readonly<Record<string, NamedFailure>>;

/** What only a restore can fail with, and what nothing in a demo cluster brings about. */
export const RESTORE_FAILURES = {
  'log-backup-running': {
    text: 'failed to check task exists: log backup task is running: pitr, please stop the task before restore, and after PITR operation finished, create log-backup task again and create a full backup on this cluster',
    stage: 'etcd',
  },
  changefeeds: {
    text: 'failed to check task exists: found CDC changefeed(s): cluster/namespace: default/default changefeed(s): [orders]. please remove changefeed(s) before restore',
    stage: 'etcd',
  },
  'raw-backup': { text: 'cannot do transactional restore from raw kv data', stage: 'checks' },
  'target-disk-full': {
    text: 'store 1 has no space left on device, available 97.66KiB, necessary 296.1KiB',
    code: 'BR:KV:ErrKVDiskFull',
    stage: 'checks',
  },
  'incompatible-system-table': {
    text: 'missed system table: default_roles',
    code: 'BR:Restore:ErrRestoreIncompatibleSys',
    stage: 'paused',
  },
  'clustered-index': {
    text: "Clustered index option mismatch. Restored cluster's @@tidb_enable_clustered_index should be ON (backup table = true, created table = false).",
    code: 'BR:Restore:ErrRestoreModeMismatch',
    stage: 'tables',
  },
  'placement-policy': { text: "[schema:8239]Unknown placement policy 'east'", stage: 'tables' },
  'split-failed': { text: 'region 4', code: 'BR:Restore:ErrRestoreSplitFailed', stage: 'work' },
  'no-peer': { text: 'region 4', code: 'BR:Restore:ErrRestoreNoPeer', stage: 'work' },
  'ingest-failed': { text: 'region 4', code: 'BR:KV:ErrKVIngestFailed', stage: 'work' },
  'region-without-leader': {
    text: "region 8's leader's store id is 0",
    code: 'BR:PD:ErrPDBatchScanRegion',
    stage: 'work',
  },
} as const satisfies Readonly<Record<string, NamedFailure>>;

const ALL_FAILURES = { ...NAMED_FAILURES, ...RESTORE_FAILURES };

export type FailureName = keyof typeof ALL_FAILURES;

/** The failure of a name. */
export function namedFailure(name: FailureName): NamedFailure {
  return ALL_FAILURES[name];
}

export function isFailureName(value: unknown): value is FailureName {
  return typeof value === 'string' && Object.hasOwn(ALL_FAILURES, value);
}
