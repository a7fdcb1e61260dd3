/** A backup of format 2 with files of metadata and hashes, as BR and TiKV leave one, for tests. */
import { createCipheriv, createHash, randomBytes } from 'node:crypto';
import { BackupMeta, File, MetaFile, Schema, StatsFileIndex } from '@tidemark/protocol/br/backup';

/** Names of data files and what they hold. */
export const DATA: Readonly<Record<string, string>> = {
  '1/a_write.sst': 'rows of a',
  '1/a_default.sst': 'values of a',
  '2/b_write.sst': 'rows of b',
  '2/c_write.sst': 'rows of c',
};
export const STATISTICS = 'backupmeta.schema.stats.000000001';

const sha256 = (content: Uint8Array) => createHash('sha256').update(content).digest();

/**
 * @param key with which it is encrypted (AES-128-CTR), all but the data files, which TiKV encrypts before it hashes
 * @param data names of data files and what they hold
 * @param tables names of databases, and of the tables in each, beside a table with statistics; those of the system as their cluster has
 *   them
 */
export function sealedBackup(
  key?: Buffer,
  data: Readonly<Record<string, string>> = DATA,
  tables: Readonly<Record<string, readonly string[]>> = {},
): Map<string, Buffer> {
  const files = new Map<string, Buffer>();
  const put = (name: string, body: Uint8Array) => {
    const cipherIv = key ? randomBytes(16) : Buffer.alloc(0);
    const stored = key ? createCipheriv('aes-128-ctr', key, cipherIv).update(body) : Buffer.from(body);
    files.set(name, stored);
    return { stored, cipherIv };
  };
  const putMeta = (name: string, meta: MetaFile) => {
    const body = MetaFile.encode(meta).finish();
    const { cipherIv } = put(name, body);
    return File.create({ name, sha256: sha256(body), size: BigInt(body.length), cipherIv });
  };
  const dataFiles = Object.entries(data).map(([name, text]) => {
    const body = Buffer.from(text);
    files.set(name, body);
    return File.create({ name, sha256: sha256(body), size: BigInt(body.length) });
  });
  const statistics = Buffer.from('{"statistics":"of a table"}');
  const { cipherIv } = put(STATISTICS, statistics);
  const statsIndex = [
    StatsFileIndex.create({
      name: STATISTICS,
      sha256: sha256(statistics),
      sizeEnc: BigInt(statistics.length),
      cipherIv,
    }),
  ];
  const listed = putMeta('backupmeta.datafile.000000001', MetaFile.create({ dataFiles }));
  const schemas = schemasOf({ analyzed: ['t'], ...tables }).map((schema, at) =>
    at === 0 ? { ...schema, statsIndex } : schema,
  );
  const schema = putMeta('backupmeta.schema.000000002', MetaFile.create({ schemas }));
  const meta = BackupMeta.create({
    clusterId: 7n,
    clusterVersion: '8.5.0',
    endVersion: 435_844_546_560_000_000n,
    version: 1,
    fileIndex: MetaFile.create({ metaFiles: [listed] }),
    schemaIndex: MetaFile.create({ metaFiles: [schema] }),
  });
  const sealed = put('backupmeta', BackupMeta.encode(meta).finish());
  if (key) files.set('backupmeta', Buffer.concat([sealed.cipherIv, sealed.stored]));
  return files;
}

function schemasOf(tables: Readonly<Record<string, readonly string[]>>): Schema[] {
  const named = (name: string) => ({ O: name, L: name.toLowerCase() });
  const json = (value: object) => Buffer.from(JSON.stringify(value));
  return Object.entries(tables).flatMap(([database, names]) => {
    const stored = database === 'mysql' || database === 'sys' ? `__TiDB_BR_Temporary_${database}` : database;
    const db = json({ db_name: named(stored) });
    const all = names.map((name) => Schema.create({ db, table: json({ id: 5, name: named(name) }) }));
    return all.length === 0 ? [Schema.create({ db })] : all;
  });
}
