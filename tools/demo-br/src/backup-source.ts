import type { DemoCluster } from './demo-cluster.ts';
import { type BackupSource, filtered, regionsOf } from './regions.ts';
import { REGISTRY } from './restore-registry.ts';
import { EMPTY_DATABASE, SAMPLE_TABLES, type SampleSize, sampleRegions } from './sample-data.ts';
import { TEMPORARY_PREFIX } from './schemas.ts';
import { fullName, type Table, type TableName } from './table.ts';
import { matchesFilters } from './table-filter.ts';

/** The first id that no sample table has. */
const FIRST_FREE_ID = 200;
const SAMPLE_IDS: ReadonlyMap<string, number> = new Map(SAMPLE_TABLES.map((table) => [fullName(table), table.id]));

/**
 * What a backup reads: the folder of the cluster or, while it has none, the sample data of this size.
 *
 * @param cluster undefined where demo clusters have no place: then it is one that nobody has touched
 * @param at the TSO of the backup
 */
export async function readSource(
  cluster: DemoCluster | undefined,
  { size, filters, at }: { size: SampleSize; filters: readonly string[]; at: bigint },
): Promise<BackupSource> {
  if (cluster === undefined || !(await cluster.isTouched())) {
    const tables = filtered(SAMPLE_TABLES, filters);
    const emptyDatabases = tables.length === 0 ? [] : [EMPTY_DATABASE];
    return { tables, emptyDatabases, regions: sampleRegions(size, filters), newCollation: true };
  }
  const all = await readTables(cluster, at);
  const chosen = filtered(all.tables, filters);
  const tables = chosen.map(({ content, ...table }) => ({ table, rows: content.rows }));
  return {
    tables: tables.map(({ table }) => table),
    emptyDatabases: all.emptyDatabases.filter((db) => matchesFilters(filters, { db, table: '*' })),
    regions: regionsOf(tables),
    newCollation: (await cluster.readState()).newCollation,
  };
}

async function readTables(cluster: DemoCluster, at: bigint) {
  const names: TableName[] = [];
  const emptyDatabases: string[] = [];
  for (const db of (await cluster.databases()).filter((name) => !name.startsWith(TEMPORARY_PREFIX))) {
    const tables = await cluster.tables(db);
    names.push(...tables.map((table) => ({ db, table })).filter((name) => fullName(name) !== fullName(REGISTRY)));
    if (tables.length === 0) emptyDatabases.push(db);
  }
  const others = names.filter((name) => !SAMPLE_IDS.has(fullName(name)));
  const idOf = (name: TableName) => SAMPLE_IDS.get(fullName(name)) ?? FIRST_FREE_ID + 2 * others.indexOf(name);
  const tables: Array<TableName & { id: number; columns: string; content: Table }> = [];
  for (const name of names) {
    const content = await cluster.readTable(name, at);
    // Dropped since the names were read, or begun since the backup's time.
    if (content !== undefined) tables.push({ ...name, id: idOf(name), columns: content.columns, content });
  }
  return { tables, emptyDatabases };
}
