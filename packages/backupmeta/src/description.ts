/** What `backupmeta` says of a backup as a whole, as far as a restore goes by it. Pure. */
import type { BackupMeta } from '@tidemark/protocol/br/backup';
import { plainVersion } from './backupmeta.ts';

export interface BackupDescription {
  /** The snapshot that it builds on; 0 for a full backup. */
  readonly startTso: bigint;
  /** Such as 8.5.0. */
  readonly clusterVersion: string;
  /** Whether its cluster compared texts by the new collations; undefined where it does not say. */
  readonly newCollations: boolean | undefined;
  /** Whether it is of keys without tables. */
  readonly ofKeys: boolean;
}

export function toDescription(meta: BackupMeta): BackupDescription {
  const collations = meta.newCollationsEnabled.toLowerCase();
  return {
    startTso: meta.startVersion,
    clusterVersion: plainVersion(meta.clusterVersion),
    newCollations: collations === '' ? undefined : collations === 'true',
    ofKeys: meta.isRawKv || meta.isTxnKv,
  };
}
