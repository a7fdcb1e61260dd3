/** What is left after a run, gathered from the outside: nothing here is the product's own code. */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join, relative } from 'node:path';
import { BackupMeta, MetaFile } from '@tidemark/protocol/br/backup';
import type { Db, Document } from 'mongodb';
import type { LedgerLine } from '../e2e/ledger.ts';
import { DAMAGED, type DamagedRecord, NO_RESTORE } from './damaged-records.ts';
import type { Request } from './request.ts';
import type { Tables } from './tables.ts';

/** A backup as the database has it, as far as it is looked at. */
export interface BackupDocument {
  readonly _id: string;
  readonly request: { readonly key?: string };
  readonly clusterId: string;
  readonly origin: string;
  readonly rule?: string;
  readonly startTime: Date;
  readonly basePath: string;
  readonly path: string;
  readonly leftovers: readonly { readonly path: string }[];
  readonly state: string;
  readonly activeKey: string;
  readonly slotKey: string;
  readonly fence: number;
  readonly task: object | null;
  readonly result: { readonly tso: string; readonly files: number } | null;
  readonly reason: { readonly code: string } | null;
  readonly failures: number;
  readonly losses: number;
  readonly attempts: readonly {
    readonly fence: number;
    readonly path: string;
    readonly worker: string;
    readonly startedAt: Date;
    readonly endedAt?: Date;
    readonly outcome?: string;
    readonly argv?: readonly string[];
    readonly reason?: { readonly code: string };
  }[];
  readonly cancel: object | null;
  readonly deletion: { readonly state: string; readonly by?: { readonly kind: string }; readonly at?: Date };
  readonly holds: readonly string[];
  readonly endTime: Date | null;
}

/** A restore as the database has it, as far as it is looked at. */
export interface RestoreDocument {
  readonly _id: string;
  readonly activeKey: string;
  readonly slotKey: string;
  readonly request: { readonly key?: string };
  readonly source: { readonly backupId: string; readonly path: string; readonly point?: object };
  readonly target: { readonly clusterId: string; readonly pd: readonly string[] };
  readonly options: { readonly filter?: readonly string[] };
  readonly held: boolean;
  readonly state: string;
  readonly targetState: string;
  readonly outcomeUnknown: boolean;
  readonly fence: number;
  readonly task: object | null;
  readonly reason: { readonly code: string } | null;
  readonly attempts: readonly {
    readonly fence: number;
    readonly worker: string;
    readonly startedAt: Date;
    /** When `br` was announced. */
    readonly starting: { readonly at: Date } | null;
    readonly endedAt?: Date;
    readonly outcome?: string;
    readonly end: {
      readonly kind: string;
      readonly reason?: { readonly code: string };
      readonly checkpointLeft?: boolean;
    } | null;
  }[];
  readonly cancels: readonly { readonly current: boolean }[];
  readonly resumes: readonly object[];
  readonly released: { readonly at: Date; readonly how: string } | null;
  readonly result: object | null;
  readonly endTime: Date | null;
}

/** What a target held once its restore was over, before anybody changed it again, and what was said of the restore then. */
export interface TargetSight {
  readonly restoreId: string;
  readonly clusterId: string;
  readonly state: string;
  readonly targetState: string;
  readonly needsCleaning: boolean;
  /** What it held when the restore was asked for. */
  readonly before: Tables;
  readonly now: Tables;
}

/** The log backup of a cluster as the database has it, as far as it is looked at. */
export interface LogDocument {
  readonly _id: string;
  readonly wanted: string;
  readonly task: { readonly act?: object } | null;
  readonly generations: readonly {
    readonly n: number;
    readonly taskName: string;
    readonly path: string;
    readonly startTs: string | null;
    readonly min: string | null;
    readonly max: string | null;
    readonly open: boolean;
    readonly endedWhy: string | null;
    readonly truncating?: object | null;
  }[];
}

/** A point that was shown once all was healed, and what its restore made of it. */
export interface PointSight {
  readonly clusterId: string;
  readonly generation: number;
  readonly at: string;
  /** The state of the restore, and why. */
  readonly end: string;
  /** Whether the target held the rows of that moment, and no others. */
  readonly same: boolean;
}

export interface LogEvidence {
  /** What could not be done about logs when all was healed. */
  readonly problems: readonly string[];
  readonly sights: readonly PointSight[];
  /** Whether the task of somebody else was as it had been. */
  readonly othersKept: boolean;
}

export interface OccurrenceDocument {
  readonly _id: string;
  readonly clusterId: string;
  readonly rule: string;
  readonly opensAt: Date;
  readonly closesAt: Date;
  readonly state: string;
  readonly backupId: string | null;
}

export interface StoredFile {
  /** Below the storage. */
  readonly path: string;
  readonly bytes: number;
}

/** What a `backupmeta` says, or why it cannot be read. */
export interface StoredMeta {
  /** Of the backup, below the storage. */
  readonly path: string;
  readonly tso: string;
  /** Sizes by name, below the backup's path. */
  readonly files: Readonly<Record<string, number>>;
  readonly problem?: string;
}

export interface Evidence {
  /** By the database's clock, in milliseconds. */
  readonly takenAt: number;
  readonly requests: readonly Request[];
  readonly backups: readonly BackupDocument[];
  readonly restores: readonly RestoreDocument[];
  readonly occurrences: readonly OccurrenceDocument[];
  readonly logDocuments: readonly LogDocument[];
  readonly logs: LogEvidence;
  readonly sights: readonly TargetSight[];
  /** What backups held before they were restored, by their ids. */
  readonly backedUp: Readonly<Record<string, Tables>>;
  /** What people could not do about restores when all was healed. */
  readonly unfinished: readonly string[];
  readonly ledger: readonly LedgerLine[];
  readonly files: readonly StoredFile[];
  readonly metas: readonly StoredMeta[];
  /** Command lines of `br` and guards that still live. */
  readonly orphans: readonly string[];
  /** Messages that wait, by queue. */
  readonly messages: Readonly<Record<string, number>>;
  /** What ended without having been told to. */
  readonly crashes: readonly string[];
  /** When a worker did not see the storage. */
  readonly mountLosses: readonly MountLoss[];
  /** What was damaged on purpose; none of it is among backups and occurrences. */
  readonly damagedRecords: readonly DamagedRecord[];
}

export interface MountLoss {
  readonly worker: string;
  readonly from: Date;
  /** Undefined where it was not given back before the worker ended. */
  readonly to?: Date;
}

/** How far the clock of this process and the database's may differ. */
export const CLOCK_MS = 1_000;

/** Whether the worker of an attempt did not see the storage for some of its time. */
export function hadNoMount(
  { worker, startedAt, endedAt }: { readonly worker: string; readonly startedAt: Date; readonly endedAt?: Date },
  losses: readonly MountLoss[],
): boolean {
  return losses.some(
    (loss) =>
      loss.worker === worker &&
      (!endedAt || loss.from.getTime() - CLOCK_MS < endedAt.getTime()) &&
      (!loss.to || startedAt.getTime() < loss.to.getTime() + CLOCK_MS),
  );
}

/** The records of the database, as they are now, but for those that were damaged on purpose. */
export async function readDocuments(
  db: Db,
): Promise<Pick<Evidence, 'takenAt' | 'backups' | 'restores' | 'occurrences' | 'logDocuments'>> {
  const others = { $ne: DAMAGED };
  const { localTime } = await db.admin().command({ hello: 1 });
  const [backups, restores, occurrences, logDocuments] = await Promise.all([
    db
      .collection<BackupDocument>('backups')
      .find({ ...NO_RESTORE, clusterId: others })
      .toArray(),
    db.collection('backups').find({ kind: 'restore', 'restore.target.clusterId': others }).toArray(),
    db.collection<OccurrenceDocument>('occurrences').find({ clusterId: others }).toArray(),
    db.collection<LogDocument>('logBackups').find().toArray(),
  ]);
  return { takenAt: Number(localTime), backups, restores: restores.map(toRestore), occurrences, logDocuments };
}

/** Restores lie beside the backups, and what is theirs alone below one field. */
function toRestore({ restore, ...shared }: Document): RestoreDocument {
  return { ...restore, ...shared };
}

/** What tells demo-br what to do, and what tells a storage from others, is no file of a backup. */
const BESIDE = /(^|\/)(demo-br\.json((\.restore)?\.runs)?|\.tidemark\/[^/]+)$/;
const META = /\/backupmeta$/;

/** The files of a storage, and how one is read. */
export interface StoredContent {
  readonly files: readonly StoredFile[];
  read(path: string): Promise<Buffer>;
}

/** What a folder holds. */
export function contentOf(folder: string): StoredContent {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => !entry.isDirectory())
    .map((entry) => join(entry.parentPath, entry.name))
    .map((path) => ({ path: relative(folder, path), bytes: statSync(path).size }));
  return { files, read: async (path) => readFileSync(join(folder, path)) };
}

/** Everything below some storages. */
export async function readStorages(storages: readonly StoredContent[]): Promise<Pick<Evidence, 'files' | 'metas'>> {
  const found = await Promise.all(
    storages.map(async ({ files, read }) => {
      const own = files.filter(({ path }) => !BESIDE.test(path));
      const finished = own.filter(({ path }) => META.test(path)).map(({ path }) => path.replace(META, ''));
      return { files: own, metas: await Promise.all(finished.map((path) => readMeta(path, read))) };
    }),
  );
  return { files: found.flatMap(({ files }) => files), metas: found.flatMap(({ metas }) => metas) };
}

async function readMeta(path: string, readFile: StoredContent['read']): Promise<StoredMeta> {
  const read = (name: string) => readFile(`${path}/${name}`);
  const files: Record<string, number> = {};
  try {
    const meta = BackupMeta.decode(await read('backupmeta'));
    for (const index of [meta.fileIndex, meta.schemaIndex])
      for (const { name } of index?.metaFiles ?? []) {
        const content = await read(name);
        files[name] = content.length;
        for (const file of MetaFile.decode(content).dataFiles) files[file.name] = Number(file.size);
      }
    for (const { name, size } of meta.files) files[name] = Number(size);
    return { path, tso: String(meta.endVersion), files };
  } catch (error) {
    return { path, tso: '', files, problem: (error as Error).message };
  }
}

/** What `rabbitmqctl list_queues name messages` printed. */
export function readQueues(printed: string): Record<string, number> {
  return Object.fromEntries(
    printed
      .split('\n')
      .map((line) => line.split('\t'))
      .filter(([, count]) => /^\d+$/.test(count ?? ''))
      .map(([name = '', count]) => [name, Number(count)]),
  );
}
