import type { BackupResult } from '@tidemark/protocol/grpc/tidemark/backup/v1/backup';
import type { BackupGrant } from '@tidemark/protocol/grpc/tidemark/backup/v1/executor_service';
import type { BackupFiles } from './storage/backup-files.ts';

export const MANIFEST = 'tidemark.json';

/** Writes what is known of a good backup beside its files, so that records can be rebuilt from the storage. No secret. */
export async function writeManifest(
  files: BackupFiles,
  backupId: string,
  grant: BackupGrant,
  result: BackupResult,
  brVersion: string,
  signal: AbortSignal,
): Promise<void> {
  const manifest = {
    schemaVersion: 1,
    backupId,
    clusterId: grant.clusterId,
    path: grant.path,
    storageId: grant.storage?.id,
    target: grant.target && { pd: grant.target.pd, version: grant.target.version },
    tso: String(result.tso),
    sizeBytes: Number(result.sizeBytes),
    files: Number(result.files),
    tidbClusterId: String(result.tidbClusterId),
    clusterVersion: result.clusterVersion,
    brVersion,
  };
  await files.write(MANIFEST, `${JSON.stringify(manifest, null, 2)}\n`, signal);
}
