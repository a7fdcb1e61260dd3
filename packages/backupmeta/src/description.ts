/** What `backupmeta` alone says of a backup, as far as a restore goes by it. */
import { DEFAULT_METADATA_BYTES } from '@tidemark/limits/limits';
import type { BackupMeta } from '@tidemark/protocol/br/backup';
import type { BackupFiles } from '@tidemark/storage/backup-files';
import type { ReadLimit } from '@tidemark/storage/read-limit';
import { BACKUPMETA, metadataLimit, plainVersion, readMeta } from './backupmeta.ts';
import { type Decrypt, PLAIN } from './crypter.ts';

export interface BackupDescription {
  /** The snapshot that it holds. */
  readonly tso: bigint;
  /** The snapshot that it builds on; 0 for a full backup. */
  readonly startTso: bigint;
  /** The id that TiDB gave its cluster. */
  readonly tidbClusterId: bigint;
  /** Such as 8.5.0. */
  readonly clusterVersion: string;
  /** Of the `br` that made it, such as v8.5.0; empty where it does not say. */
  readonly brVersion: string;
  /** Whether its cluster compared texts by the new collations; undefined where it does not say. */
  readonly newCollations: boolean | undefined;
  /** Whether it is of keys without tables. */
  readonly ofKeys: boolean;
  /** Of its data files; 0 where it does not say. */
  readonly sizeBytes: bigint;
}

export type DescribedBackup =
  | { readonly kind: 'absent' }
  | { readonly kind: 'described'; readonly backup: BackupDescription }
  /** There, but cannot be read; `why` is a sentence without its full stop. */
  | { readonly kind: 'bad'; readonly why: string };

/**
 * Reads `backupmeta`, and nothing else.
 *
 * @throws AppError `unavailable` or `storage_unusable` when its storage cannot be reached or used, or it is beyond the limit
 */
export async function describeBackup(
  files: Pick<BackupFiles, 'read'>,
  signal: AbortSignal,
  {
    decrypt = PLAIN,
    limit = metadataLimit(DEFAULT_METADATA_BYTES),
  }: { readonly decrypt?: Decrypt; readonly limit?: ReadLimit } = {},
): Promise<DescribedBackup> {
  const bytes = await files.read(BACKUPMETA, signal, limit);
  if (!bytes) return { kind: 'absent' };
  const read = readMeta(bytes, decrypt);
  return read.kind === 'bad' ? read : { kind: 'described', backup: toDescription(read.meta) };
}

function toDescription(meta: BackupMeta): BackupDescription {
  const collations = meta.newCollationsEnabled.toLowerCase();
  return {
    tso: meta.endVersion,
    startTso: meta.startVersion,
    tidbClusterId: meta.clusterId,
    clusterVersion: plainVersion(meta.clusterVersion),
    brVersion: /^Release Version:\s*(\S+)/m.exec(meta.brVersion)?.[1] ?? '',
    newCollations: collations === '' ? undefined : collations === 'true',
    ofKeys: meta.isRawKv || meta.isTxnKv,
    sizeBytes: meta.backupSize,
  };
}
