import type { DemoCluster } from './demo-cluster.ts';
import { isSystemDatabase, TEMPORARY_PREFIX } from './schemas.ts';
import type { TableName } from './table.ts';
import { fullName } from './table.ts';

/** A database that is there from the first start on, and may be there without tables. */
const TEST_DATABASE = 'test';

/**
 * User tables, and user databases without any: what a full restore finds in its way. The temporary databases of earlier
 * restores count too, and come last.
 */
export async function userNames(target: DemoCluster): Promise<string[]> {
  const databases = (await target.databases()).filter((db) => !isSystemDatabase(db));
  const names: string[] = [];
  for (const db of databases.toSorted((a, b) => Number(isTemporary(a)) - Number(isTemporary(b)))) {
    const tables = await target.tables(db);
    names.push(...tables.map((table) => fullName({ db, table })));
    if (tables.length === 0 && db !== TEST_DATABASE) names.push(db);
  }
  return names;
}

const isTemporary = (db: string): boolean => db.startsWith(TEMPORARY_PREFIX);

/** Those of some tables that the target has already. */
export async function existingTables<T extends TableName>(target: DemoCluster, tables: readonly T[]): Promise<T[]> {
  const names = new Set<string>();
  for (const db of new Set(tables.map((table) => table.db))) {
    for (const table of await target.tables(db)) names.add(fullName({ db, table }));
  }
  return tables.filter((table) => names.has(fullName(table)));
}
