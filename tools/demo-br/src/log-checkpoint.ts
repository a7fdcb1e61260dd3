import { BrError } from './br-error.ts';
import type { DemoCluster } from './demo-cluster.ts';
import { TEMPORARY_PREFIX } from './schemas.ts';
import type { Table } from './table.ts';

/** Which part of which log is restored. */
export interface LogOrigin {
  readonly clusterId: bigint;
  readonly startTs: bigint;
  readonly restoredTs: bigint;
}

/** What the checkpoint of a log's restore says of it. */
export interface LogRestore extends LogOrigin {
  /** To be put back in the end. */
  readonly gcRatio: number;
}

/** The checkpoint of a log's restore: a database of the target, there from before the first row until after the success. */
export interface LogCheckpoint {
  read(): Promise<LogRestore | undefined>;
  create(restore: LogRestore): Promise<void>;
  /** Adds the name of a file of changes all of which are in the tables. */
  flush(file: string): Promise<void>;
  /** The names of those. */
  readFiles(): Promise<readonly string[]>;
  remove(): Promise<void>;
}

export const LOG_CHECKPOINT_DATABASE = `${TEMPORARY_PREFIX}Log_Restore_Checkpoint`;

const COLUMNS = 'id\tvalue';
const EMPTY: Table = { columns: COLUMNS, rows: new Map() };

/** To be called by who holds the target (C3), but for what reads. */
export function logCheckpointIn(target: DemoCluster): LogCheckpoint {
  const db = LOG_CHECKPOINT_DATABASE;
  const metadata = { db, table: 'cpt_metadata' };
  const data = { db, table: 'cpt_data' };
  const valuesOf = async (name: typeof data) => [...((await target.readTable(name)) ?? EMPTY).rows.values()];
  return {
    async read() {
      const [text] = await valuesOf(metadata);
      return text === undefined ? undefined : parseRestore(text);
    },
    async create(restore) {
      await target.writeTable(data, EMPTY);
      await target.writeTable(metadata, { columns: COLUMNS, rows: new Map([[0, restoreText(restore)]]) });
    },
    async flush(file) {
      const found = await target.readTable(data);
      // Another restore of the same may have ended, and taken the checkpoint with it.
      if (found === undefined) return;
      await target.writeTable(data, { columns: COLUMNS, rows: new Map([...found.rows, [found.rows.size, file]]) });
    },
    readFiles: () => valuesOf(data),
    remove: () => target.dropDatabase(db),
  };
}

function restoreText({ clusterId, startTs, restoredTs, gcRatio }: LogRestore): string {
  return `{"upstream-cluster-id":${clusterId},"start-ts":${startTs},"restored-ts":${restoredTs},"gc-ratio":"${gcRatio}"}`;
}

/** The numbers are beyond what JSON.parse keeps exactly. */
function parseRestore(text: string): LogRestore {
  const [, clusterId, startTs, restoredTs, gcRatio] = TEXT.exec(text) ?? [];
  if (!clusterId || !startTs || !restoredTs) throw new BrError('unexpected end of JSON input');
  return {
    clusterId: BigInt(clusterId),
    startTs: BigInt(startTs),
    restoredTs: BigInt(restoredTs),
    gcRatio: Number(gcRatio),
  };
}

const TEXT = /"upstream-cluster-id":(\d+),"start-ts":(\d+),"restored-ts":(\d+),"gc-ratio":"([\d.-]+)"/;

/** @throws BrError if a checkpoint is of another log or of other times */
export function checkLogOrigin(recorded: LogOrigin, wanted: LogOrigin): void {
  if (recorded.clusterId !== wanted.clusterId) {
    throw new BrError(
      `The upstream cluster id[${wanted.clusterId}] of the current log restore does not match ` +
        `that[${recorded.clusterId}] recorded in checkpoint. Perhaps you should specify the last log backup storage ` +
        `instead, or just clean the checkpoint database[${LOG_CHECKPOINT_DATABASE}] if the cluster has been cleaned up.`,
    );
  }
  if (recorded.startTs === wanted.startTs && recorded.restoredTs === wanted.restoredTs) return;
  throw new BrError(
    `The current log restore want to restore cluster from ${wanted.startTs} to ${wanted.restoredTs}, which is different ` +
      `from that from ${recorded.startTs} to ${recorded.restoredTs} recorded in checkpoint. Perhaps you should specify ` +
      'the last full backup storage to match the start-ts and the parameter --restored-ts to match the restored-ts. or ' +
      `just clean the checkpoint database[${LOG_CHECKPOINT_DATABASE}] if the cluster has been cleaned up.`,
  );
}
