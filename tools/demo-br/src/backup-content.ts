import { createHash } from 'node:crypto';
import { type BackupMeta, type File, MetaFile, type Schema } from '@tidemark/protocol/br/backup';
import { BrError } from './br-error.ts';
import type { Crypter } from './crypter.ts';
import { tableIdOf } from './regions.ts';
import { TEMPORARY_PREFIX } from './schemas.ts';
import type { Storage } from './storage.ts';
import type { RowSum, TableName } from './table.ts';
import { matchesDatabase, matchesFilters } from './table-filter.ts';

/** Where a backup lies, and how it is read. */
export interface BackupPlace {
  readonly storage: Storage;
  readonly crypter: Crypter;
}

/** A table of a backup. System tables are in databases of another name, as they are in its schemas. */
export interface BackupTable extends TableName {
  readonly id: number;
  /** The names of its columns, separated by tabs. */
  readonly columns: string;
  /** Of its rows; zeros where the backup did not record it. */
  readonly sum: RowSum;
  readonly files: readonly File[];
}

/** The tables and databases of a backup. */
export interface BackupContent {
  /** All of them, those without tables too. */
  readonly databases: readonly string[];
  readonly tables: readonly BackupTable[];
}

/** The records of all SSTs, in whichever form the metadata has them. */
export async function readDataFiles(place: BackupPlace, meta: BackupMeta): Promise<File[]> {
  const indexed = await Promise.all(
    (meta.fileIndex?.metaFiles ?? []).map(async (index) => MetaFile.decode(await readFile(place, index)).dataFiles),
  );
  return [...meta.files, ...indexed.flat()];
}

/**
 * The body of a file that metadata names, decrypted.
 *
 * @throws BrError if it is not there
 */
export async function readFile(place: BackupPlace, file: File): Promise<Buffer> {
  return place.crypter.open(file.cipherIv, await readStored(place, file));
}

/** Reads a file as it lies in the storage. @throws BrError if it is missing */
export async function readStored({ storage }: Pick<BackupPlace, 'storage'>, { name }: File): Promise<Buffer> {
  const body = await storage.read(name);
  if (body === undefined) throw new BrError(`open ${storage.path ?? storage.uri}/${name}: no such file or directory`);
  return body;
}

/**
 * Reads what a backup holds.
 *
 * @throws BrError if a file of its metadata is missing or was changed
 */
export async function readContent(place: BackupPlace, meta: BackupMeta): Promise<BackupContent> {
  const indexes = [...(meta.fileIndex?.metaFiles ?? []), ...(meta.schemaIndex?.metaFiles ?? [])];
  await Promise.all(indexes.map((index) => checkMetaFile(place, index)));
  const files = Map.groupBy(await readDataFiles(place, meta), ({ startKey }) => tableIdOf(startKey));
  const schemas = await readSchemas(place, meta);
  const tables = schemas
    .filter(({ table }) => table.length > 0)
    .map(({ db, table, crc64xor, totalKvs, totalBytes }): BackupTable => {
      const { id, name, cols = [] } = JSON.parse(table.toString()) as TableInfo;
      const columns = cols.map((column) => column.name.O).join('\t');
      const sum = { crc64xor, totalKvs, totalBytes };
      return { db: databaseName(db), table: name.O, id, columns, sum, files: files.get(id) ?? [] };
    });
  return { databases: [...new Set(schemas.map(({ db }) => databaseName(db)))], tables };
}

/** The part of a backup that filters let through; they name system databases as users do. */
export function filteredContent({ databases, tables }: BackupContent, filters: readonly string[]): BackupContent {
  return {
    databases: databases.filter((db) => matchesDatabase(filters, plainName(db))),
    tables: tables.filter(({ db, table }) => matchesFilters(filters, { db: plainName(db), table })),
  };
}

/** A database's own name: of a system database, the one that it has in a cluster. */
export function plainName(db: string): string {
  return db.startsWith(TEMPORARY_PREFIX) ? db.slice(TEMPORARY_PREFIX.length) : db;
}

interface TableInfo {
  readonly id: number;
  readonly name: { readonly O: string };
  readonly cols?: ReadonlyArray<{ readonly name: { readonly O: string } }>;
}

const databaseName = (db: Buffer): string => (JSON.parse(db.toString()) as { db_name: { O: string } }).db_name.O;

async function readSchemas(place: BackupPlace, meta: BackupMeta): Promise<Schema[]> {
  const indexed = await Promise.all(
    (meta.schemaIndex?.metaFiles ?? []).map(async (index) => MetaFile.decode(await readFile(place, index)).schemas),
  );
  return [...meta.schemas, ...indexed.flat()];
}

async function checkMetaFile(place: BackupPlace, index: File): Promise<void> {
  const sum = createHash('sha256')
    .update(await readFile(place, index))
    .digest();
  if (sum.equals(index.sha256)) return;
  throw new BrError(
    `checksum mismatch expect ${index.sha256.toString('hex')}, got ${sum.toString('hex')}`,
    'BR:Common:ErrInvalidMetaFile',
  );
}
