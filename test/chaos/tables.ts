/** What demo clusters and backups of them hold, read from their files: a digest of each table of users. */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { tableIdOf } from '@tidemark/demo-br/regions';
import { parseRows, parseTable, rowLines } from '@tidemark/demo-br/table';
import { BackupMeta, type File, MetaFile, type Schema } from '@tidemark/protocol/br/backup';

/** By `database/table`: how many rows there are, and their digest. */
export type Tables = Readonly<Record<string, string>>;

type Rows = ReadonlyMap<number, string>;

const SUFFIX = '.tsv';
const SYSTEM = /^(mysql|sys)\//;
/** What `br` makes for itself: its checkpoint, and system tables until they are merged. */
const OF_BR = '__TiDB_BR_Temporary_';

/** The tables of a demo cluster, those that `br` made for itself too; none where it has no folder. */
export function tablesOfCluster(folder: string): Tables {
  const names = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith(SUFFIX));
  const tables = names.flatMap((file) => {
    const name = decodeURIComponent(file.slice(0, -SUFFIX.length));
    if (SYSTEM.test(name)) return [];
    const table = parseTable(readFileSync(join(folder, file), 'utf8'));
    return [[name, table ? digestOf(table.rows) : 'damaged'] as const];
  });
  return Object.fromEntries(tables.sort(([one], [other]) => (one < other ? -1 : 1)));
}

/**
 * The tables of a backup.
 *
 * @param path of the backup below its storage
 * @param read a file by its path below the storage
 * @throws Error if a file of it is not there
 */
export async function tablesOfBackup(path: string, read: (path: string) => Promise<Buffer>): Promise<Tables> {
  const meta = BackupMeta.decode(await read(`${path}/backupmeta`));
  const metaFiles = (index: { metaFiles: File[] } | undefined) =>
    Promise.all((index?.metaFiles ?? []).map(async ({ name }) => MetaFile.decode(await read(`${path}/${name}`))));
  const [files, schemas] = await Promise.all([metaFiles(meta.fileIndex), metaFiles(meta.schemaIndex)]);
  const rowsOf = new Map<number, Map<number, string>>();
  for (const { name, startKey } of [...meta.files, ...files.flatMap(({ dataFiles }) => dataFiles)]) {
    const id = tableIdOf(startKey);
    const rows = parseRows((await read(`${path}/${name}`)).toString());
    if (!rows) throw new Error(`${path}/${name} does not hold rows`);
    rowsOf.set(id, new Map([...(rowsOf.get(id) ?? []), ...rows]));
  }
  const named = [...meta.schemas, ...schemas.flatMap((one) => one.schemas)].flatMap(nameOf);
  const tables = named.filter(({ name }) => !name.startsWith(OF_BR));
  return Object.fromEntries(tables.map(({ name, id }) => [name, digestOf(rowsOf.get(id) ?? new Map())]));
}

/** Without what `br` made for itself. */
export function tablesOfUsers(tables: Tables): Tables {
  return Object.fromEntries(Object.entries(tables).filter(([name]) => !name.startsWith(OF_BR)));
}

/** The filter of restores that bring a part of a backup back. */
export const PART: readonly string[] = ['SHOP.*', '!shop.prod?cts'];

/** What that filter chooses of some tables. */
export function partOf(tables: Tables): Tables {
  const isChosen = (name: string) => name.startsWith('shop/') && name !== 'shop/products';
  return Object.fromEntries(Object.entries(tables).filter(([name]) => isChosen(name)));
}

/** In which tables two clusters differ, in a sentence for each. */
export function differences(found: Tables, wanted: Tables): string[] {
  return [...new Set([...Object.keys(wanted), ...Object.keys(found)])]
    .filter((name) => found[name] !== wanted[name])
    .map((name) => `${name} holds ${found[name] ?? 'nothing'} instead of ${wanted[name] ?? 'nothing'}`);
}

/** A database without a table is in the schemas too. */
function nameOf({ db, table }: Schema): { name: string; id: number }[] {
  if (table.length === 0) return [];
  const { db_name } = JSON.parse(db.toString()) as { db_name: { O: string } };
  const { id, name } = JSON.parse(table.toString()) as { id: number; name: { O: string } };
  return [{ name: `${db_name.O}/${name.O}`, id }];
}

function digestOf(rows: Rows): string {
  const digest = createHash('sha256').update(rowLines(rows)).digest('hex').slice(0, 16);
  return `${rows.size} rows (${digest})`;
}
