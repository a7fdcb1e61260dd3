import { type File, Schema } from '@tidemark/protocol/br/backup';
import { type SourceTable, tableIdOf } from './regions.ts';
import { addSums, NO_ROWS, type RowSum } from './table.ts';

/** What BR stores system databases under (br-contract 6). */
export const TEMPORARY_PREFIX = '__TiDB_BR_Temporary_';

const SYSTEM_DATABASES = ['mysql', 'sys'];

const named = (name: string) => ({ O: name, L: name.toLowerCase() });
const json = (value: object) => Buffer.from(JSON.stringify(value));

export function isSystemDatabase(db: string): boolean {
  return SYSTEM_DATABASES.includes(db);
}

function databaseJson(name: string, id: number): Buffer {
  const stored = isSystemDatabase(name) ? TEMPORARY_PREFIX + name : name;
  return json({ id, db_name: named(stored), charset: 'utf8mb4', collate: 'utf8mb4_bin', state: 5 });
}

function tableJson({ id, table, columns }: SourceTable): Buffer {
  const cols = columns.split('\t').map((name, offset) => ({ id: offset + 1, name: named(name), offset, state: 5 }));
  return json({ id, name: named(table), charset: 'utf8mb4', collate: 'utf8mb4_bin', cols, state: 5 });
}

/** The schemas of a backup's tables, with the sums of their files if they are recorded, and of its empty databases. */
export function schemasOf(
  { tables, emptyDatabases }: { tables: readonly SourceTable[]; emptyDatabases: readonly string[] },
  files: readonly File[],
  recordsSums: boolean,
): Schema[] {
  const idOfDatabase = (db: string) => Math.min(...tables.filter((table) => table.db === db).map(({ id }) => id)) - 2;
  const sums = Map.groupBy(files, ({ startKey }) => tableIdOf(startKey));
  const schemas = tables.map((table) =>
    Schema.fromPartial({
      db: databaseJson(table.db, idOfDatabase(table.db)),
      table: tableJson(table),
      ...(recordsSums && (sums.get(table.id) ?? []).reduce<RowSum>(addSums, NO_ROWS)),
    }),
  );
  return [...schemas, ...emptyDatabases.map((db) => Schema.fromPartial({ db: databaseJson(db, 2) }))];
}
