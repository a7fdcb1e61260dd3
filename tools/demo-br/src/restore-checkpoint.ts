import { randomUUID } from 'node:crypto';
import { BrError } from './br-error.ts';
import type { DemoCluster } from './demo-cluster.ts';
import { TEMPORARY_PREFIX } from './schemas.ts';
import type { Storage } from './storage.ts';
import type { Table } from './table.ts';

/** Of which backup a restore is. */
export interface RestoreOrigin {
  readonly clusterId: bigint;
  readonly backupTs: bigint;
}

/** What a restore has done. */
export interface RestoredWork {
  /** Keys of regions. */
  readonly regions: readonly string[];
  /** Full names of tables whose sums were compared. */
  readonly tables: readonly string[];
}

/** The checkpoint of a restore. It has no lock: two restores of one backup both work on it. */
export interface RestoreCheckpoint {
  /** What messages call it. */
  readonly name: string;
  read(): Promise<RestoreOrigin | undefined>;
  create(origin: RestoreOrigin): Promise<void>;
  flush(work: RestoredWork, signal: AbortSignal): Promise<void>;
  /** Everything that was flushed. */
  readWork(): Promise<RestoredWork>;
  remove(): Promise<void>;
}

/** The name of its database, which in some versions ends with the number of the restore. */
export const CHECKPOINT_DATABASE = `${TEMPORARY_PREFIX}Snapshot_Restore_Checkpoint`;

const COLUMNS = 'id\tvalue';

/** A checkpoint in a database of the target, as from v8.4 on: its tables are there for everybody to see. */
export function checkpointInTarget(target: DemoCluster, db: string): RestoreCheckpoint {
  const metadata = { db, table: 'cpt_metadata' };
  const data = { db, table: 'cpt_data' };
  const checksum = { db, table: 'cpt_checksum' };
  const append = async (name: typeof data, values: readonly string[]) => {
    const found = await target.readTable(name);
    // Another restore of the same backup may have ended, and taken the checkpoint with it.
    if (found === undefined || values.length === 0) return;
    const { rows } = found;
    const added = values.map((value, index): [number, string] => [rows.size + index, value]);
    await target.writeTable(name, { columns: COLUMNS, rows: new Map([...rows, ...added]) });
  };
  const valuesOf = async (name: typeof data) => [...((await target.readTable(name)) ?? EMPTY).rows.values()];
  return {
    name: db,
    async read() {
      const [text] = await valuesOf(metadata);
      return text === undefined ? undefined : parseOrigin(text);
    },
    async create(origin) {
      await target.createDatabase(db);
      await target.writeTable(data, EMPTY);
      await target.writeTable(checksum, EMPTY);
      await target.writeTable(metadata, { columns: COLUMNS, rows: new Map([[0, originText(origin)]]) });
    },
    flush: ({ regions, tables }, signal) =>
      target.alone(signal, async () => {
        await append(data, regions);
        await append(checksum, tables);
      }),
    readWork: async () => ({ regions: await valuesOf(data), tables: await valuesOf(checksum) }),
    async remove() {
      for (const table of [data, checksum, metadata]) await target.dropTable(table);
      await target.dropDatabase(db);
    },
  };
}

const EMPTY: Table = { columns: COLUMNS, rows: new Map() };

/** A checkpoint in the backup's storage, as from v7.1 to v8.3: a storage that is only read cannot keep it. */
export function checkpointInStorage(storage: Storage, targetId: bigint): RestoreCheckpoint {
  const folder = `checkpoints/restore-${targetId}`;
  const metaName = `${folder}/checkpoint.meta`;
  const partNames = async () => (await storage.list()).filter((name) => name.startsWith(`${folder}/data/`));
  return {
    name: `${storage.uri}/${folder}`,
    async read() {
      const text = await storage.read(metaName);
      return text === undefined ? undefined : parseOrigin(text.toString());
    },
    create: (origin) => storage.writeWhole(metaName, originText(origin)),
    flush: (work) => storage.writeWhole(`${folder}/data/${randomUUID()}.cpt`, JSON.stringify(work)),
    async readWork() {
      const parts = await Promise.all((await partNames()).map((name) => storage.read(name)));
      const works = parts.flatMap((part) => (part === undefined ? [] : [JSON.parse(part.toString()) as RestoredWork]));
      return {
        regions: works.flatMap(({ regions }) => regions),
        tables: works.flatMap(({ tables }) => tables),
      };
    },
    async remove() {
      for (const name of await partNames()) await storage.remove(name);
      await storage.remove(metaName);
    },
  };
}

function originText({ clusterId, backupTs }: RestoreOrigin): string {
  return `{"upstream-cluster-id":${clusterId},"restored-ts":${backupTs}}`;
}

/** The numbers are beyond what JSON.parse keeps exactly. */
function parseOrigin(text: string): RestoreOrigin {
  const clusterId = /"upstream-cluster-id":(\d+)/.exec(text)?.[1];
  const backupTs = /"restored-ts":(\d+)/.exec(text)?.[1];
  if (clusterId === undefined || backupTs === undefined) throw new BrError('unexpected end of JSON input');
  return { clusterId: BigInt(clusterId), backupTs: BigInt(backupTs) };
}

/** @throws BrError if a checkpoint is of another backup; nothing else of a command is compared */
export function checkOrigin(name: string, recorded: RestoreOrigin, wanted: RestoreOrigin): void {
  const advice =
    'Perhaps you should specify the last full backup storage instead, or just clean the checkpoint ' +
    `database[${name}] if the cluster has been cleaned up.`;
  if (recorded.clusterId !== wanted.clusterId) {
    throw new BrError(
      `The upstream cluster id[${wanted.clusterId}] of the current snapshot restore does not match ` +
        `that[${recorded.clusterId}] recorded in checkpoint. ${advice}`,
    );
  }
  if (recorded.backupTs === wanted.backupTs) return;
  throw new BrError(
    `The current snapshot restore want to restore cluster to the BackupTS[${wanted.backupTs}], which is different ` +
      `from that[${recorded.backupTs}] recorded in checkpoint. ${advice}`,
  );
}
