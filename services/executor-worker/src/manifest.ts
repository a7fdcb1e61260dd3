import type { Verification } from '@tidemark/backupmeta/backupmeta';
import { MANIFEST } from '@tidemark/backupmeta/seal';
import { BackupMode, BackupOrigin } from '@tidemark/protocol/grpc/tidemark/backup/v1/backup';
import type { BackupGrant } from '@tidemark/protocol/grpc/tidemark/backup/v1/executor_service';
import type { BackupFiles } from '@tidemark/storage/backup-files';

type GoodBackup = Extract<Verification, { kind: 'good' }>;

/**
 * Writes what is known of a good backup beside its files, so that its record can be rebuilt from the storage. Written
 * once: one that is there stays as it is. No secret: credentials and keys are named, never written.
 */
export async function writeManifest(
  files: BackupFiles,
  backupId: string,
  grant: BackupGrant,
  { result, sealed }: Pick<GoodBackup, 'result' | 'sealed'>,
  brVersion: string,
  signal: AbortSignal,
): Promise<void> {
  if (await files.read(MANIFEST, signal)) return;
  const manifest = {
    schemaVersion: 1,
    backupId,
    clusterId: grant.clusterId,
    mode: grant.mode === BackupMode.BACKUP_MODE_AUTO ? 'auto' : 'manual',
    type: grant.type,
    method: grant.method,
    origin: grant.origin === BackupOrigin.BACKUP_ORIGIN_SCHEDULE ? 'schedule' : 'request',
    rule: grant.rule || undefined,
    createdBy: grant.createdBy,
    requestKey: grant.requestKey || undefined,
    requestHash: grant.requestHash || undefined,
    storageId: grant.storage?.id,
    path: grant.path,
    basePath: grant.basePath || undefined,
    target: grant.target,
    startTime: grant.startTime?.toISOString(),
    endTime: new Date().toISOString(),
    tso: String(result.tso),
    sizeBytes: Number(result.sizeBytes),
    files: Number(result.files),
    tidbClusterId: String(result.tidbClusterId),
    clusterVersion: result.clusterVersion,
    brVersion,
    backupmeta: sealed,
  };
  await files.write(MANIFEST, `${JSON.stringify(manifest, null, 2)}\n`, signal);
}
