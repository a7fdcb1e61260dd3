import { BrError, invalidArgument } from './br-error.ts';
import type { DemoCluster } from './demo-cluster.ts';
import type { TableName } from './table.ts';
import { matchesFilters } from './table-filter.ts';

// The registry of restores that BR has from v8.5.5 on: a table of the target.
//
// 1. Of restores with the same parameters one runs at a time; one that failed is `paused`, and goes on under its number.
// 2. One that was stopped or killed stays `running`; it counts as paused once its heartbeat is old.
// 3. A success takes its row away, so a row means that a restore is under way or was broken off.

/** What makes two restores the same. */
export interface RestoreIdentity {
  readonly filters: readonly string[];
  readonly startTs: bigint;
  readonly restoredTs: bigint;
  readonly clusterId: bigint;
  readonly withSysTable: boolean;
  /** The name of the command, such as `Full Restore`. */
  readonly command: string;
}

/** A restore's row, while it is under way. */
export interface Registration extends Disposable {
  readonly id: number;
  /** Marks it as broken off. */
  pause(): Promise<void>;
  /** Takes the row away. */
  remove(): Promise<void>;
}

export const REGISTRY: TableName = { db: 'mysql', table: 'tidb_restore_registry' };

const COLUMNS =
  'id filter_strings start_ts restored_ts upstream_cluster_id with_sys_table status cmd last_heartbeat_time'.replaceAll(
    ' ',
    '\t',
  );
/** What BR puts between filters. */
const SEPARATOR = '\u001f';
const HEARTBEAT_MS = 60_000;
/** How long a run waits for others when it ends. */
const CLEAN_UP_MS = 30_000;

interface RegistryRow {
  readonly identity: string;
  readonly filters: readonly string[];
  readonly timeRange: string;
  readonly status: string;
  readonly command: string;
  /** Unix milliseconds. */
  readonly heartbeat: number;
}

/**
 * Registers a restore, or takes up its row.
 *
 * @param staleMs how old a heartbeat must be for its restore to count as dead
 * @throws BrError if the same restore runs, or a table belongs to another restore that is under way or was broken off
 */
export async function registerRestore(
  target: DemoCluster,
  identity: RestoreIdentity,
  { tables, staleMs, signal }: { tables: readonly TableName[]; staleMs: number; signal: AbortSignal },
): Promise<Registration> {
  const set = (id: number, status: string | undefined, within: AbortSignal) =>
    target.alone(within, () => writeRow(target, id, status === undefined ? undefined : rowText(identity, status)));
  const id = await target.alone(signal, async () => {
    const rows = await readRows(target);
    const same = [...rows].find(([, row]) => row.identity === identityText(identity));
    if (same?.[1].status === 'running' && Date.now() - same[1].heartbeat < staleMs) {
      throw invalidArgument(`task with ID ${same[0]} already exists and is running`);
    }
    const { lastRestoreId } = await target.readState();
    const number = same?.[0] ?? lastRestoreId + 1;
    checkConflicts(number, rows, tables);
    await target.changeState((state) => ({ lastRestoreId: Math.max(state.lastRestoreId, number) }));
    await writeRow(target, number, rowText(identity, 'running'));
    return number;
  });
  const timer = setInterval(() => {
    // A heartbeat that is missed is made up for by the next one.
    set(id, 'running', signal).catch(() => undefined);
  }, HEARTBEAT_MS);
  const end = async (status: string | undefined) => {
    clearInterval(timer);
    await set(id, status, AbortSignal.timeout(CLEAN_UP_MS));
  };
  return {
    id,
    pause: () => end('paused'),
    remove: () => end(undefined),
    [Symbol.dispose]: () => clearInterval(timer),
  };
}

/** Earlier restores keep the tables that their filters match. */
function checkConflicts(id: number, rows: ReadonlyMap<number, RegistryRow>, tables: readonly TableName[]): void {
  for (const [other, { filters, timeRange, command }] of [...rows].filter(([number]) => number < id)) {
    const table = tables.find((name) => matchesFilters(filters, name));
    if (table === undefined) continue;
    throw new BrError(
      `table ${table.db}.${table.table} cannot be restored by current task with ID ${id} because it is already being ` +
        `restored by task (restoreId: ${other}, time range: ${timeRange}, cmd: ${command})`,
      'BR:Restore:ErrTablesAlreadyExisted',
    );
  }
}

const identityText = ({ filters, startTs, restoredTs, clusterId, withSysTable, command }: RestoreIdentity): string =>
  JSON.stringify([filters, `${startTs}`, `${restoredTs}`, `${clusterId}`, withSysTable, command]);

function rowText(identity: RestoreIdentity, status: string): string {
  const { filters, startTs, restoredTs, clusterId, withSysTable, command } = identity;
  const known = [filters.join(SEPARATOR), startTs, restoredTs, clusterId, Number(withSysTable)];
  return [...known, status, command, new Date().toISOString()].join('\t');
}

async function readRows(target: DemoCluster): Promise<Map<number, RegistryRow>> {
  const { rows } = (await target.readTable(REGISTRY)) ?? { rows: new Map<number, string>() };
  return new Map([...rows].map(([id, text]) => [id, parseRow(text)]));
}

function parseRow(text: string): RegistryRow {
  const [
    filterText = '',
    startTs = '',
    restoredTs = '',
    clusterId = '',
    withSysTable,
    status = '',
    command = '',
    time = '',
  ] = text.split('\t');
  const filters = filterText.split(SEPARATOR);
  return {
    identity: JSON.stringify([filters, startTs, restoredTs, clusterId, withSysTable === '1', command]),
    filters,
    timeRange: `${startTs}->${restoredTs}`,
    status,
    command,
    heartbeat: Date.parse(time),
  };
}

/** Undefined takes the row away, and the table with the last one. */
async function writeRow(target: DemoCluster, id: number, text: string | undefined): Promise<void> {
  const others = [...((await target.readTable(REGISTRY))?.rows ?? [])].filter(([other]) => other !== id);
  const rows = new Map(text === undefined ? others : [...others, [id, text] as const]);
  if (rows.size === 0) await target.dropTable(REGISTRY);
  else await target.writeTable(REGISTRY, { columns: COLUMNS, rows });
}
