/** The codes that a backup or a restore can fail with, and the fixed text after each (br-contract 8.1). */
const FIXED_TEXTS: Readonly<Record<string, string>> = {
  'BR:Common:ErrUnknown': 'internal error',
  'BR:Common:ErrInvalidArgument': 'invalid argument',
  'BR:Common:ErrVersionMismatch': 'version mismatch',
  'BR:Common:ErrFailedToConnect': 'failed to make gRPC channels',
  'BR:Common:ErrInvalidMetaFile': 'invalid metafile',
  'BR:Common:ErrEnvNotSpecified': 'environment variable not found',
  'BR:Common:ErrUnsupportedOperation': 'the operation is not supported',
  'BR:Common:ErrInvalidRange': 'invalid restore range',
  'BR:PD:ErrPDUpdateFailed': 'failed to update PD',
  'BR:PD:ErrPDLeaderNotFound': 'PD leader not found',
  'BR:PD:ErrPDInvalidResponse': 'PD invalid response',
  'BR:PD:ErrPDBatchScanRegion': 'batch scan region',
  'BR:Backup:ErrBackupChecksumMismatch': 'backup checksum mismatch',
  'BR:Backup:ErrBackupInvalidRange': 'backup range invalid',
  'BR:Backup:ErrBackupNoLeader': 'backup no leader',
  'BR:Backup:ErrBackupRegion': 'backup region error',
  'BR:Backup:ErrBackupGCSafepointExceeded': 'backup GC safepoint exceeded',
  'BR:Backup:ErrBackupKeyIsLocked': 'backup key is locked',
  'BR:ExternalStorage:ErrStorageUnknown': 'unknown external storage error',
  'BR:ExternalStorage:ErrStorageInvalidConfig': 'invalid external storage config',
  'BR:ExternalStorage:ErrStorageInvalidPermission': 'external storage permission',
  'BR:KV:ErrKVStorage': 'tikv storage occur I/O error',
  'BR:KV:ErrKVUnknown': 'unknown error occur on tikv',
  'BR:KV:ErrKVClusterIDMismatch': 'tikv cluster ID mismatch',
  'BR:KV:ErrKVNotLeader': 'not leader',
  'BR:KV:ErrKVEpochNotMatch': 'epoch not match',
  'BR:KV:ErrKVKeyNotInRegion': 'key not in region',
  'BR:KV:ErrNotTiKVStorage': 'storage is not tikv',
  'BR:KV:ErrKVDiskFull': 'disk is full',
  'BR:KV:ErrKVDownloadFailed': 'download sst failed',
  'BR:KV:ErrKVIngestFailed': 'ingest sst failed',
  'BR:Common:ErrUndefinedDbOrTable': 'undefined restore databases or tables',
  'BR:Restore:ErrRestoreNotFreshCluster': 'cluster is not fresh',
  'BR:Restore:ErrRestoreChecksumMismatch': 'restore checksum mismatch',
  'BR:Restore:ErrRestoreInvalidRewrite': 'invalid rewrite rule',
  'BR:Restore:ErrRestoreIncompatibleSys': 'incompatible system table',
  'BR:Restore:ErrRestoreModeMismatch': 'restore mode mismatch',
  'BR:Restore:ErrRestoreSplitFailed': 'fail to split region',
  'BR:Restore:ErrRestoreNoPeer': 'region does not have peer',
  'BR:Restore:ErrTablesAlreadyExisted': 'tables already existed in restored cluster',
  'BR:PiTR:ErrTaskNotFound': 'task not found',
  'BR:Stream:ErrStreamLogTaskExist': 'stream task already exists',
  'BR:KV:ErrPossibleInconsistency': 'the cluster state might be inconsistent',
};

/** A failure that `br` reports as `Error: <message>`. */
export class BrError extends Error {
  override readonly name = 'BrError';
  readonly exitCode: number;
  /** Whether the text stays after a signal, where others become `context canceled` (br-contract 14.11). */
  readonly survivesSignal: boolean;

  /**
   * @param text what went wrong; may be empty if there is a code
   * @param code such as `BR:KV:ErrKVStorage`; its fixed text is added
   * @param exitCode 1 for every failure of the real program
   */
  constructor(text: string, code?: string, exitCode = 1, survivesSignal = false) {
    const coded = code === undefined ? '' : `[${code}]${FIXED_TEXTS[code] ?? ''}`;
    super([text, coded].filter((part) => part !== '').join(': '));
    this.exitCode = exitCode;
    this.survivesSignal = survivesSignal;
  }
}

/** The failure of a wrong argument, option or used path. */
export function invalidArgument(text: string): BrError {
  return new BrError(text, 'BR:Common:ErrInvalidArgument');
}

/** The failure of a storage that cannot be used. */
export function invalidStorage(text: string): BrError {
  return new BrError(text, 'BR:ExternalStorage:ErrStorageInvalidConfig');
}
