import { createHash } from 'node:crypto';
import { BackupMeta, File, MetaFile, type Schema } from '@tidemark/protocol/br/backup';
import { type LocalStorage, writeWhole } from './storage.ts';
import { BACKUP_META } from './used-path.ts';
import { versionLines } from './version.ts';

/** What a backup's metadata says. */
export interface BackupRecord {
  readonly clusterId: bigint;
  /** BR's and the cluster's, such as `v8.5.0`. */
  readonly version: string;
  /** 0 for a full backup. */
  readonly startVersion: bigint;
  /** The TSO of the backup. */
  readonly endVersion: bigint;
  readonly files: readonly File[];
  readonly schemas: readonly Schema[];
}

/** Writes a file of the second format beside `backupmeta`, and returns the index that names it. */
async function writeMetaFile(storage: LocalStorage, name: string, content: MetaFile): Promise<File> {
  const body = MetaFile.encode(content).finish();
  await writeWhole(storage, name, body);
  return File.fromPartial({ name, sha256: createHash('sha256').update(body).digest(), size: BigInt(body.length) });
}

const sizeOf = (files: readonly File[]): bigint => files.reduce((sum, file) => sum + file.size, 0n);

/**
 * Writes the files that `backupmeta` names, and returns the bytes for `backupmeta` itself, which is to be written
 * last (br-contract 5.1, 6). As in BR, `backup_size` counts all but its own bytes in `backupmeta`.
 */
export async function writeMetaFiles(storage: LocalStorage, record: BackupRecord): Promise<Uint8Array> {
  const { files, schemas } = record;
  const dataIndex: File[] = [];
  const schemaIndex: File[] = [];
  if (schemas.length > 0) {
    const data = MetaFile.fromPartial({ dataFiles: [...files] });
    dataIndex.push(await writeMetaFile(storage, `${BACKUP_META}.datafile.000000001`, data));
    const schema = MetaFile.fromPartial({ schemas: [...schemas] });
    schemaIndex.push(await writeMetaFile(storage, `${BACKUP_META}.schema.000000002`, schema));
  }
  const meta = BackupMeta.fromPartial({
    clusterId: record.clusterId,
    clusterVersion: record.version.replace(/^v/, ''),
    startVersion: record.startVersion,
    endVersion: record.endVersion,
    brVersion: `BR\n${versionLines(record.version)}`,
    version: 1,
    fileIndex: { metaFiles: dataIndex },
    schemaIndex: { metaFiles: schemaIndex },
    newCollationsEnabled: 'True',
  });
  const withoutSize = BackupMeta.encode(meta).finish();
  const backupSize = sizeOf([...files, ...dataIndex, ...schemaIndex]) + BigInt(withoutSize.length);
  return BackupMeta.encode({ ...meta, backupSize }).finish();
}
