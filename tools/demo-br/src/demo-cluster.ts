import { randomUUID } from 'node:crypto';
import { access, mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { waitForLock } from '@tidemark/processes/file-lock';
import { BrError } from './br-error.ts';
import type { LogTask, RowChange } from './log-state.ts';
import { EMPTY_DATABASE, SAMPLE_TABLES, type SampleSize, sampleTables } from './sample-data.ts';
import { parseTable, type Table, type TableName, tableText } from './table.ts';
import { tsoAt } from './tso.ts';
import { type Writes, writtenTable } from './writes.ts';

// C1. A cluster without a folder is one that nobody has touched: it holds the sample data. Its folder appears whole.
// C2. A file of a cluster appears whole, and a table is in one file, so a reader needs no lock.
// C3. Who reads and then writes holds the cluster's lock from before the one until after the other.

/** What a cluster keeps beside its tables. Ends are Unix milliseconds; one that has passed means nothing any more. */
export interface ClusterState {
  /** `new_collations_enabled_on_first_bootstrap` */
  readonly newCollation: boolean;
  /** Until when TiKV stays in import mode. */
  readonly importModeUntil: number;
  /** Until when PD's schedulers stay paused. */
  readonly schedulersPausedUntil: number;
  /** Restores that registered themselves in PD's etcd, with the end of each lease. */
  readonly restoresUntil: Readonly<Record<string, number>>;
  /** The highest number that a restore was given (from BR v8.5.5 on). */
  readonly lastRestoreId: number;
  /** The log backup task, if one is there. */
  readonly logTask: LogTask | null;
  /** Changes that the log does not hold yet, the first first; without those of `writes`. */
  readonly logChanges: readonly RowChange[];
  /** What it writes by itself, if it does. */
  readonly writes: Writes | null;
  /** `gc.ratio-threshold` of TiKV: below 0, nothing that was deleted goes. */
  readonly gcRatioThreshold: number;
}

/** A demo cluster: databases are folders, tables are files in them, `<db>/<table>.tsv`. */
export interface DemoCluster {
  /** Where it lies, or would. */
  readonly folder: string;
  isTouched(): Promise<boolean>;
  /** Makes the folder of a cluster that nobody has touched, with its sample data. */
  touch(): Promise<void>;
  /** The names of all databases, sorted. */
  databases(): Promise<string[]>;
  /** The names of the tables of a database, sorted; none if it is not there. */
  tables(db: string): Promise<string[]>;
  /**
   * @param at the TSO as of which a table is read that the cluster writes by itself; by default now
   * @throws BrError if its file is damaged
   */
  readTable(name: TableName, at?: bigint): Promise<Table | undefined>;
  /** Makes the database too. */
  writeTable(name: TableName, table: Table): Promise<void>;
  dropTable(name: TableName): Promise<void>;
  createDatabase(db: string): Promise<void>;
  dropDatabase(db: string): Promise<void>;
  readState(): Promise<ClusterState>;
  /** Changes the state of a cluster that was touched. */
  changeState(change: (state: ClusterState) => Partial<ClusterState>): Promise<void>;
  /** Does work while no other process does such; not to be nested (C3). */
  alone<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T>;
}

const STATE_FILE = 'cluster.json';
const TABLE_SUFFIX = '.tsv';
/** Of a cluster at its first start. */
export const NEW_STATE: ClusterState = {
  newCollation: true,
  importModeUntil: 0,
  schedulersPausedUntil: 0,
  restoresUntil: {},
  lastRestoreId: 0,
  logTask: null,
  logChanges: [],
  writes: null,
  gcRatioThreshold: 1.1,
};

/** The name of a cluster's folder: its PD addresses, whichever comes first. */
export function clusterFolderName(pd: readonly string[]): string {
  return pd
    .toSorted()
    .join(',')
    .replaceAll(/[^\w.,-]/g, '_');
}

/**
 * The cluster of these PD addresses.
 *
 * @param root holds the folders of all clusters
 * @param size of the sample data that it has while nobody has touched it
 */
export function demoCluster(root: string, pd: readonly string[], size: SampleSize): DemoCluster {
  const folder = join(root, clusterFolderName(pd));
  const fileOf = ({ db, table }: TableName) => join(folder, encoded(db), encoded(table) + TABLE_SUFFIX);

  const readState = async (): Promise<ClusterState> => {
    const text = await readIfThere(join(folder, STATE_FILE));
    return text === undefined ? NEW_STATE : { ...NEW_STATE, ...(JSON.parse(text) as Partial<ClusterState>) };
  };
  /** The table that the cluster writes by itself, once it is there. */
  const writtenNow = async (): Promise<TableName[]> => {
    const { writes } = await readState();
    return writes && writes.since <= Date.now() ? [writes] : [];
  };

  return {
    folder,
    isTouched: () => isThere(folder),
    async touch() {
      if (await isThere(folder)) return;
      const made = `${folder}.tmp.${randomUUID()}`;
      try {
        await mkdir(join(made, EMPTY_DATABASE), { recursive: true });
        for (const { db, table, ...content } of sampleTables(size)) {
          await mkdir(join(made, db), { recursive: true });
          await writeFile(join(made, db, table + TABLE_SUFFIX), tableText(content));
        }
        await rename(made, folder);
      } catch (error) {
        await rm(made, { recursive: true, force: true });
        if (!(await isThere(folder))) throw error;
      }
    },
    async databases() {
      if (!(await isThere(folder)))
        return [...new Set([...SAMPLE_TABLES.map(({ db }) => db), EMPTY_DATABASE])].toSorted();
      const entries = await readdir(folder, { withFileTypes: true });
      const names = entries.filter((entry) => entry.isDirectory()).map(({ name }) => decodeURIComponent(name));
      return [...new Set([...names, ...(await writtenNow()).map(({ db }) => db)])].toSorted();
    },
    async tables(db) {
      const files = await readdir(join(folder, encoded(db))).catch(() => []);
      const names = files
        .filter((name) => name.endsWith(TABLE_SUFFIX))
        .map((name) => decodeURIComponent(name.slice(0, -TABLE_SUFFIX.length)));
      const written = (await writtenNow()).filter((name) => name.db === db).map(({ table }) => table);
      return [...new Set([...names, ...written])].toSorted();
    },
    async readTable(name, at = tsoAt(Date.now())) {
      const { writes } = await readState();
      if (writes?.db === name.db && writes.table === name.table) return writtenTable(writes, at);
      const text = await readIfThere(fileOf(name));
      if (text === undefined) return undefined;
      const table = parseTable(text);
      if (table === undefined) throw new BrError(`demo-br: ${fileOf(name)} is not a table of a demo cluster`);
      return table;
    },
    async writeTable(name, table) {
      await mkdir(join(folder, encoded(name.db)), { recursive: true });
      await writeWhole(fileOf(name), tableText(table));
    },
    dropTable: (name) => rm(fileOf(name), { force: true }),
    async createDatabase(db) {
      await mkdir(join(folder, encoded(db)), { recursive: true });
    },
    dropDatabase: (db) => rm(join(folder, encoded(db)), { recursive: true, force: true }),
    readState,
    async changeState(change) {
      const state = await readState();
      await writeWhole(join(folder, STATE_FILE), `${JSON.stringify({ ...state, ...change(state) }, undefined, 1)}\n`);
    },
    async alone(signal, work) {
      using _lock = await waitForLock(`${folder}.lock`, signal, () => undefined);
      return await work();
    },
  };
}

/** A name as a file has it. */
const encoded = (name: string): string => encodeURIComponent(name).replace(/^\.+/, (dots) => '%2E'.repeat(dots.length));

async function writeWhole(file: string, text: string): Promise<void> {
  const unfinished = `${file}.tmp.${randomUUID()}`;
  await writeFile(unfinished, text);
  await rename(unfinished, file);
}

async function isThere(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

async function readIfThere(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
