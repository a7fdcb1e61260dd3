import { type BackupTable, plainName } from './backup-content.ts';
import { BrError } from './br-error.ts';
import type { RestoreRun } from './restore-run.ts';
import { TEMPORARY_PREFIX } from './schemas.ts';

// System tables are restored into databases of other names, merged from there, and dropped.

/** Those whose rows users get back. */
const MERGED = [
  ...['bind_info', 'columns_priv', 'db', 'default_roles', 'global_grants', 'global_priv', 'role_edges'],
  ...['tables_priv', 'user'],
];

const isTemporary = ({ db }: BackupTable): boolean => db.startsWith(TEMPORARY_PREFIX);

/** Brings rows of system tables into the target's own ones if that was asked for, and drops their temporary databases. */
export async function restoreSystemTables(run: RestoreRun, tables: readonly BackupTable[]): Promise<void> {
  const { options, target, log, signal } = run;
  const system = tables.filter(isTemporary);
  if (options.withSysTable) {
    for (const table of system.filter(({ table: name }) => MERGED.includes(name))) await merge(run, table);
    if (system.length > 0) {
      log.info('systable_restore.go:207', 'privilege system table restored, please reconnect to make it effective');
    }
  }
  await target.alone(signal, async () => {
    for (const db of new Set(system.map((table) => table.db))) await target.dropDatabase(db);
  });
}

/** `REPLACE INTO`: rows of the backup win, but for those of users that stay the target's. */
async function merge({ options, target, log, signal }: RestoreRun, table: BackupTable): Promise<void> {
  const name = { db: plainName(table.db), table: table.table };
  log.info('systable_restore.go:278', 'replace into existing table', [
    ['table', name.table],
    ['schema', name.db],
  ]);
  await target.alone(signal, async () => {
    const restored = await target.readTable(table);
    // Another restore of the same backup may have ended, and taken it away.
    if (restored === undefined) {
      throw new BrError(
        `error during merging temporary tables into system tables, table: ${name.table}`,
        'BR:Common:ErrUnknown',
      );
    }
    const { columns, rows } = (await target.readTable(name)) ?? { columns: restored.columns, rows: new Map() };
    const isReset = ([, value]: readonly [number, string]) =>
      options.resetSysUsers.some((user) => value.split('\t').includes(user));
    await target.writeTable(name, {
      columns,
      rows: new Map([...rows, ...[...restored.rows].filter((row) => !isReset(row))]),
    });
  });
  log.info('systable_restore.go:237', 'successfully restore system database', [
    ['table', name.table],
    ['database', name.db],
  ]);
}
