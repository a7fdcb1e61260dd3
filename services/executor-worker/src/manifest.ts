import { createPublicKey, type KeyObject } from 'node:crypto';
import type { Verification } from '@tidemark/backupmeta/backupmeta';
import { MANIFEST } from '@tidemark/backupmeta/seal';
import { judgeManifest, keyIdOf, signManifest } from '@tidemark/backupmeta/signature';
import { BackupMode, BackupOrigin } from '@tidemark/protocol/grpc/tidemark/backup/v1/backup';
import type { BackupGrant } from '@tidemark/protocol/grpc/tidemark/backup/v1/executor_service';
import type { BackupFiles } from '@tidemark/storage/backup-files';

type GoodBackup = Extract<Verification, { kind: 'good' }>;

interface Written {
  readonly backupId: string;
  readonly grant: BackupGrant;
  readonly good: Pick<GoodBackup, 'result' | 'sealed'>;
  readonly brVersion: string;
  /** It is signed with; undefined: it is not signed. */
  readonly key: KeyObject | undefined;
}

const ORIGINS: ReadonlyMap<BackupOrigin, string> = new Map([
  [BackupOrigin.BACKUP_ORIGIN_SCHEDULE, 'schedule'],
  [BackupOrigin.BACKUP_ORIGIN_LOG, 'log'],
]);

/**
 * Writes what is known of a good backup beside its files, so that its record can be rebuilt from the storage. Written
 * once: one that is there stays as it is. No secret: credentials and keys are named, never written.
 *
 * @returns the id of the key with which the manifest that lies there now is signed, where that is the key of this worker
 */
export async function writeManifest(
  files: BackupFiles,
  { backupId, grant, good, brVersion, key }: Written,
  signal: AbortSignal,
): Promise<string | undefined> {
  const { result, sealed } = good;
  const found = await files.read(MANIFEST, signal);
  if (found) {
    const { signature, keyId } = judgeManifest(found, grant.path, key ? [createPublicKey(key)] : []);
    return signature === 'good' ? keyId : undefined;
  }
  const manifest = {
    schemaVersion: 1,
    backupId,
    clusterId: grant.clusterId,
    mode: grant.mode === BackupMode.BACKUP_MODE_AUTO ? 'auto' : 'manual',
    type: grant.type,
    method: grant.method,
    origin: ORIGINS.get(grant.origin) ?? 'request',
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
  // What is left out of JSON is not signed either.
  const plain = JSON.parse(JSON.stringify(manifest)) as object;
  const written = key ? signManifest(plain, key) : plain;
  await files.write(MANIFEST, `${JSON.stringify(written, null, 2)}\n`, signal);
  return key && keyIdOf(key);
}
