import { createHash, randomBytes } from 'node:crypto';
import { File, Schema } from '@tidemark/protocol/br/backup';
import type { Crypter } from './crypter.ts';
import type { Storage } from './storage.ts';
import { matchesFilters, type TableName } from './table-filter.ts';

/** A table of the cluster that this program makes up. */
interface SampleTable extends TableName {
  readonly id: number;
}

/** A part of a table; the unit in which a backup proceeds. */
export interface Region {
  readonly id: number;
  readonly table: SampleTable;
  readonly startKey: Buffer;
  readonly endKey: Buffer;
}

const TABLES: readonly SampleTable[] = [
  { id: 104, db: 'shop', table: 'orders' },
  { id: 106, db: 'shop', table: 'customers' },
  { id: 108, db: 'shop', table: 'products' },
  { id: 112, db: 'crm', table: 'contacts' },
  { id: 10, db: 'mysql', table: 'user' },
];
const STORES = [1, 4, 5];

function rowKey(tableId: number, row: number): Buffer {
  const key = Buffer.alloc(19);
  key.write('t', 0);
  key.writeBigInt64BE(BigInt(tableId) ^ (-1n << 63n), 1);
  key.write('_r', 9);
  key.writeBigInt64BE(BigInt(row) ^ (-1n << 63n), 11);
  return key;
}

/** The regions of all tables that the filters let through, dealt out evenly; none if they let nothing through. */
export function sampleRegions(count: number, filters: readonly string[]): Region[] {
  const tables = TABLES.filter((table) => matchesFilters(filters, table));
  return Array.from({ length: tables.length === 0 ? 0 : count }, (_, index) => {
    const table = tables[index % tables.length] as SampleTable;
    const row = Math.floor(index / tables.length) * 10_000;
    return {
      id: 2 + 4 * index,
      table,
      startKey: rowKey(table.id, row),
      endKey: rowKey(table.id, row + 10_000),
    };
  });
}

/**
 * Writes the SST files of a region, with random bytes, and returns their records: one of the write column family, and
 * for every third region one of the default column family too.
 */
export async function writeRegion(
  storage: Storage,
  region: Region,
  { bytesPerFile, backupTs, crypter }: { bytesPerFile: number; backupTs: bigint; crypter: Crypter },
): Promise<File[]> {
  const families = region.id % 3 === 0 ? ['write', 'default'] : ['write'];
  return Promise.all(
    families.map(async (cf) => {
      const body = randomBytes(bytesPerFile);
      const sha256 = createHash('sha256').update(body).digest();
      const keyHash = createHash('sha256').update(region.startKey).digest('hex');
      const store = STORES[region.id % STORES.length];
      const separator = ['gcs', 'azure'].includes(storage.kind) ? '_' : '/';
      const name = `${store}${separator}${region.id}_${(region.id % 7) + 1}_${keyHash}_${Date.now()}_${cf}.sst`;
      const sealed = crypter.seal(body);
      await storage.writeWhole(name, sealed.body);
      return File.fromPartial({
        name,
        sha256,
        startKey: region.startKey,
        endKey: region.endKey,
        endVersion: backupTs,
        crc64xor: sha256.readBigUInt64BE(),
        totalKvs: BigInt(Math.ceil(bytesPerFile / 100)),
        totalBytes: BigInt(bytesPerFile) * 3n,
        cf,
        size: BigInt(bytesPerFile),
        cipherIv: sealed.iv,
      });
    }),
  );
}

const named = (name: string) => ({ O: name, L: name.toLowerCase() });
const json = (value: object) => Buffer.from(JSON.stringify(value));

function databaseJson(name: string, id: number): Buffer {
  // BR stores system databases under this prefix (br-contract 6).
  const stored = name === 'mysql' ? `__TiDB_BR_Temporary_${name}` : name;
  return json({ id, db_name: named(stored), charset: 'utf8mb4', collate: 'utf8mb4_bin', state: 5 });
}

/** The schemas of the tables that the filters let through, with sums over their files, and an empty database. */
export function sampleSchemas(filters: readonly string[], files: readonly File[]): Schema[] {
  const schemas = TABLES.filter((table) => matchesFilters(filters, table)).map((table) => {
    const own = files.filter((file) => file.startKey.subarray(0, 9).equals(rowKey(table.id, 0).subarray(0, 9)));
    return Schema.fromPartial({
      db: databaseJson(table.db, table.id - 2),
      table: json({ id: table.id, name: named(table.table), charset: 'utf8mb4', collate: 'utf8mb4_bin', state: 5 }),
      crc64xor: own.reduce((sum, file) => sum ^ file.crc64xor, 0n),
      totalKvs: own.reduce((sum, file) => sum + file.totalKvs, 0n),
      totalBytes: own.reduce((sum, file) => sum + file.totalBytes, 0n),
    });
  });
  return schemas.length === 0 ? [] : [...schemas, Schema.fromPartial({ db: databaseJson('test', 2) })];
}
