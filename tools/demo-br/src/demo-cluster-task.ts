import { type DemoCluster, NEW_STATE } from './demo-cluster.ts';
import type { ClusterTask } from './demo-cluster-options.ts';
import { endWrites } from './end-writes.ts';
import { noteChange } from './log-task.ts';
import { REGISTRY } from './restore-registry.ts';
import { isSystemDatabase } from './schemas.ts';
import { fullName, type Table, type TableName, tableText } from './table.ts';

/**
 * Does what was asked of a demo cluster. A change makes the folder of a cluster that nobody has touched.
 *
 * @returns what to print
 */
export async function performTask(
  cluster: DemoCluster,
  task: Exclude<ClusterTask, { verb: 'help' }>,
  signal: AbortSignal,
): Promise<string> {
  if (task.verb === 'list') return await list(cluster);
  if (task.verb === 'show') return await show(cluster, task.name);
  await cluster.touch();
  return await cluster.alone(signal, async () => {
    if ((task.verb === 'insert' || task.verb === 'delete') && (await writesItself(cluster, task.name)))
      return `The cluster writes ${fullName(task.name)} by itself: end that with "write off", or change another table.`;
    switch (task.verb) {
      case 'write': {
        const { name, everyMs } = task;
        if (await cluster.readTable(name)) return `There is a ${fullName(name)} already: take another name.`;
        await endWrites(cluster);
        await cluster.changeState(() => ({ writes: { ...name, everyMs, since: Date.now() } }));
        return `The cluster writes a row into ${fullName(name)} every ${everyMs / 1_000} s from now on.`;
      }
      case 'write-off':
        await endWrites(cluster);
        return 'The cluster writes nothing by itself.';
      case 'insert': {
        const { name, handle, value } = task;
        const { columns, rows } = (await cluster.readTable(name)) ?? NEW_TABLE;
        await cluster.writeTable(name, { columns, rows: new Map([...rows, [handle, value]]) });
        await noteChange(cluster, { ...name, handle, value });
        return `${fullName(name)} has row ${handle}.`;
      }
      case 'delete': {
        const { name, handle } = task;
        const table = await cluster.readTable(name);
        if (table === undefined) return `There is no ${fullName(name)}.`;
        const rows = new Map([...table.rows].filter(([other]) => other !== handle));
        await cluster.writeTable(name, { ...table, rows });
        await noteChange(cluster, { ...name, handle });
        return `${fullName(name)} has no row ${handle}.`;
      }
      case 'drop': {
        const { db, table } = task;
        const { writes } = await cluster.readState();
        if (writes && (await writesItself(cluster, { db, table: table ?? writes.table }))) await endWrites(cluster);
        if (table === undefined) await cluster.dropDatabase(db);
        else await cluster.dropTable({ db, table });
        return `Dropped ${table === undefined ? db : fullName({ db, table })}.`;
      }
      case 'empty':
        await emptyCluster(cluster);
        return 'The cluster is empty.';
    }
  });
}

async function writesItself(cluster: DemoCluster, { db, table }: TableName): Promise<boolean> {
  const { writes } = await cluster.readState();
  return writes?.db === db && writes.table === table;
}

const NEW_TABLE: Table = { columns: 'id\tvalue', rows: new Map() };

/** Drops all that users and restores made: the databases are those of a new cluster, and `mysql.user` has no row. */
async function emptyCluster(cluster: DemoCluster): Promise<void> {
  for (const db of await cluster.databases()) {
    if (!isSystemDatabase(db)) await cluster.dropDatabase(db);
    for (const table of await cluster.tables(db)) {
      const { columns } = (await cluster.readTable({ db, table })) ?? NEW_TABLE;
      await cluster.writeTable({ db, table }, { columns, rows: new Map() });
    }
  }
  await cluster.dropTable(REGISTRY);
  await cluster.createDatabase('test');
  await cluster.changeState(({ newCollation }) => ({ ...NEW_STATE, newCollation }));
}

async function show(cluster: DemoCluster, name: TableName): Promise<string> {
  if (!(await cluster.isTouched())) return UNTOUCHED;
  const table = await cluster.readTable(name);
  return table === undefined ? `There is no ${fullName(name)}.` : tableText(table).trimEnd();
}

const UNTOUCHED = 'Nobody has touched this cluster: it holds sample data, as much of it as a backup is given to write.';

async function list(cluster: DemoCluster): Promise<string> {
  if (!(await cluster.isTouched())) return UNTOUCHED;
  const lines: string[] = [];
  for (const db of await cluster.databases()) {
    const tables = await cluster.tables(db);
    if (tables.length === 0) lines.push(db);
    for (const table of tables) {
      lines.push(`${fullName({ db, table })}: ${(await cluster.readTable({ db, table }))?.rows.size ?? 0} rows`);
    }
  }
  const { importModeUntil, schedulersPausedUntil, restoresUntil, gcRatioThreshold } = await cluster.readState();
  const ends: ReadonlyArray<readonly [what: string, until: number]> = [
    ['TiKV is in import mode', importModeUntil],
    ['the schedulers of PD are paused', schedulersPausedUntil],
    ['a restore is registered', Math.max(0, ...Object.values(restoresUntil))],
  ];
  const now = Date.now();
  return [
    ...lines,
    ...ends.filter(([, until]) => until > now).map(([what, until]) => `${what} until ${new Date(until).toISOString()}`),
    ...(gcRatioThreshold < 0 ? ['TiKV keeps what was deleted: gc.ratio-threshold is -1'] : []),
  ].join('\n');
}
