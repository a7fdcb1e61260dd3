/** Which databases and tables a backup holds, by name, one after the other, however many there are. */
import type { BackupMeta, Schema } from '@tidemark/protocol/br/backup';
import { BACKUPMETA } from './backupmeta.ts';
import { unreadable, type Walk, walkSchemas } from './catalogue.ts';

/** A table of a backup. */
export interface BackupTable {
  /** As its cluster had it: those of the system under their own names. */
  readonly database: string;
  /** Undefined: a database without any table. */
  readonly table: string | undefined;
}

/** What `br` puts in front of the databases of the system. */
const TEMPORARY = /^__TiDB_BR_Temporary_(?=(?:mysql|sys)$)/;

/** Walks through them; what cannot be read is reported, and the walk goes on. */
export async function* walkTables(meta: BackupMeta, walk: Walk): AsyncGenerator<BackupTable> {
  for await (const schema of walkSchemas(meta, walk)) {
    const named = toTable(schema, walk);
    if (named) yield named;
  }
}

function toTable({ db, table }: Schema, { report }: Walk): BackupTable | undefined {
  try {
    const database = nameIn(db, 'db_name').replace(TEMPORARY, '');
    return { database, table: table.length === 0 ? undefined : nameIn(table, 'name') };
  } catch (error) {
    report({ kind: 'content', name: BACKUPMETA, why: unreadable('a schema in backupmeta', error) });
    return undefined;
  }
}

/** TiDB writes a name twice, as it was given and in lower case. @throws Error where there is none */
function nameIn(json: Uint8Array, field: 'db_name' | 'name'): string {
  const read = JSON.parse(Buffer.from(json).toString('utf8')) as Partial<
    Record<string, { readonly O?: unknown }>
  > | null;
  const name = read?.[field]?.O;
  if (typeof name !== 'string' || name === '') throw new Error(`it has no ${field}`);
  return name;
}
