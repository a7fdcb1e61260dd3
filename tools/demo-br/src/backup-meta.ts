import { createHash } from 'node:crypto';
import { BackupMeta, File, MetaFile, type Schema } from '@tidemark/protocol/br/backup';
import type { Crypter } from './crypter.ts';
import type { Dialect } from './dialect.ts';
import type { Storage } from './storage.ts';
import { BACKUP_META } from './used-path.ts';
import { versionLines } from './version.ts';

/** What a backup's metadata says. */
export interface BackupRecord {
  readonly clusterId: bigint;
  /** 0 for a full backup. */
  readonly startVersion: bigint;
  /** The TSO of the backup. */
  readonly endVersion: bigint;
  readonly files: readonly File[];
  readonly schemas: readonly Schema[];
  /** Of the cluster, without `v`. */
  readonly clusterVersion: string;
  /** Whether files and schemas go into files of their own. */
  readonly metaV2: boolean;
  /** Of the cluster. */
  readonly newCollation: boolean;
}

/** Where metadata goes. */
interface MetaPlace {
  readonly storage: Storage;
  readonly crypter: Crypter;
}

/** Writes a file of the second format beside `backupmeta`, and returns the index that names it. */
async function writeMetaFile({ storage, crypter }: MetaPlace, name: string, content: MetaFile): Promise<File> {
  const body = MetaFile.encode(content).finish();
  const sealed = crypter.seal(body);
  await storage.writeWhole(name, sealed.body);
  const sha256 = createHash('sha256').update(body).digest();
  return File.fromPartial({ name, sha256, size: BigInt(body.length), cipherIv: sealed.iv });
}

const sizeOf = (files: readonly File[]): bigint => files.reduce((sum, file) => sum + file.size, 0n);

/**
 * Writes the files that `backupmeta` names, and returns the bytes for `backupmeta` itself, which is to be written
 * last (br-contract 5.1, 6), not encrypted yet. As in BR, `backup_size` counts all but its own bytes in `backupmeta`.
 */
export async function writeMetaFiles(place: MetaPlace, record: BackupRecord, dialect: Dialect): Promise<Uint8Array> {
  const { files, schemas, metaV2 } = record;
  const dataIndex: File[] = [];
  const schemaIndex: File[] = [];
  if (metaV2 && schemas.length > 0) {
    const data = MetaFile.fromPartial({ dataFiles: [...files] });
    dataIndex.push(await writeMetaFile(place, `${BACKUP_META}.datafile.000000001`, data));
    const schema = MetaFile.fromPartial({ schemas: [...schemas] });
    schemaIndex.push(await writeMetaFile(place, `${BACKUP_META}.schema.000000002`, schema));
  }
  const meta = BackupMeta.fromPartial({
    clusterId: record.clusterId,
    clusterVersion: dialect.plainClusterVersion ? record.clusterVersion : `${JSON.stringify(record.clusterVersion)}\n`,
    startVersion: record.startVersion,
    endVersion: record.endVersion,
    brVersion: `BR\n${versionLines(dialect.version)}`,
    ...(metaV2
      ? { version: 1, fileIndex: { metaFiles: dataIndex }, schemaIndex: { metaFiles: schemaIndex } }
      : { version: 0, files: [...files], schemas: [...schemas] }),
    newCollationsEnabled: record.newCollation ? 'True' : 'False',
  });
  if (!dialect.recordsBackupSize) return BackupMeta.encode(meta).finish();
  const withoutSize = BackupMeta.encode(meta).finish();
  const backupSize = sizeOf([...files, ...dataIndex, ...schemaIndex]) + BigInt(withoutSize.length);
  return BackupMeta.encode({ ...meta, backupSize }).finish();
}
