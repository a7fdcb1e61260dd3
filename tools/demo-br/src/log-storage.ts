/** The storage of a log (br-contract 11). */
import { BackupMeta } from '@tidemark/protocol/br/backup';
import type { GivenFlags } from './arguments.ts';
import { BrError, invalidArgument } from './br-error.ts';
import type { Dialect } from './dialect.ts';
import { LOG_SUFFIX, type LogFile, listLogFiles, metaOf, writeLogFile } from './log-files.ts';
import type { RowChange } from './log-state.ts';
import { openStorage } from './open-storage.ts';
import type { Storage } from './storage.ts';
import { parseStorage } from './storage-url.ts';
import { BACKUP_LOCK, BACKUP_META } from './used-path.ts';

/** Spelt so in BR. */
export const SAFEPOINT = 'v1_stream_trancate_safepoint.txt';
export const TRUNCATING_LOCK = 'truncating.lock';
const CHECKPOINT = 'v1/global_checkpoint/1.ts';

/** From and to when a log reaches. */
export interface LogRange {
  readonly min: bigint;
  readonly max: bigint;
}

export interface LogStorage {
  /** As BR prints it. */
  readonly uri: string;
  readonly files: Storage;
  /**
   * Marks the path as that of a log.
   *
   * @returns where the log goes on that is there already; undefined for a new one
   * @throws BrError for a path that holds a full backup, or the log of another cluster
   */
  begin(startTs: bigint, clusterId: bigint): Promise<bigint | undefined>;
  /** Writes changes, and to when the log is complete with them. */
  append(changes: readonly RowChange[], until: bigint): Promise<void>;
  /** @throws BrError for a path that holds no log */
  range(): Promise<LogRange>;
  /** Of the cluster whose log it is. @throws BrError for a path that holds no log */
  clusterId(): Promise<bigint>;
  /**
   * The files with changes from one time to another, the first first, as their metadata says: whether they are there is another
   * matter.
   *
   * @throws BrError if metadata is damaged
   */
  filesWithin(from: bigint, to: bigint): Promise<LogFile[]>;
  /** Names of the files whose changes all came before. */
  filesBefore(until: bigint): Promise<string[]>;
  /** Removes a file and its metadata. */
  removeFile(name: string): Promise<void>;
}

const STORAGE_FLAGS = /^(s3|gcs|azblob)\./;

/** The flags that say how a storage is reached. */
export function storageFlagsOf(flags: GivenFlags): Record<string, readonly string[]> {
  return Object.fromEntries([...flags].filter(([name]) => STORAGE_FLAGS.test(name)));
}

export async function openLogStorage(
  url: string,
  flags: Readonly<Record<string, readonly string[]>>,
  dialect: Dialect,
  env: Readonly<Record<string, string | undefined>>,
): Promise<LogStorage> {
  const files = await openStorage(parseStorage(url, new Map(Object.entries(flags))), dialect, env);
  const readMeta = async () => {
    const bytes = await files.read(BACKUP_META);
    return bytes && BackupMeta.decode(bytes);
  };
  const readLogMeta = async () => {
    const meta = await readMeta();
    if (!meta) throw new BrError(`open ${files.path ?? files.uri}/${BACKUP_META}: no such file or directory`);
    if (meta.endVersion > 0n)
      throw new BrError('the storage has been used for full backup', 'BR:ExternalStorage:ErrStorageUnknown');
    return meta;
  };
  const logNames = async () => (await files.list()).filter((name) => name.endsWith(LOG_SUFFIX));
  const readTs = async (name: string) => {
    const bytes = await files.read(name);
    return bytes && bytes.length >= 8 ? bytes.readBigUInt64LE() : 0n;
  };

  return {
    uri: printedUri(files, url),
    files,

    async begin(startTs, clusterId) {
      const meta = await readMeta();
      if (!meta) {
        await files.writeWhole(BACKUP_LOCK, 'DO NOT DELETE');
        await files.writeWhole(
          BACKUP_META,
          BackupMeta.encode(BackupMeta.fromPartial({ clusterId, startVersion: startTs })).finish(),
        );
        return undefined;
      }
      if (meta.endVersion > 0n)
        throw new BrError('the storage has been used for full backup', 'BR:ExternalStorage:ErrStorageUnknown');
      if (meta.clusterId !== clusterId)
        throw invalidArgument(
          `the stream log files from cluster ID:${meta.clusterId} and current cluster ID:${clusterId} `,
        );
      const checkpoint = await readTs(CHECKPOINT);
      return checkpoint > 0n ? checkpoint : meta.startVersion;
    },

    async append(changes, until) {
      if (changes.length > 0) await writeLogFile(files, changes, until);
      const bytes = Buffer.alloc(8);
      bytes.writeBigUInt64LE(until);
      await files.writeWhole(CHECKPOINT, bytes);
    },

    async range() {
      const meta = await readLogMeta();
      const truncated = BigInt((await files.read(SAFEPOINT))?.toString() || 0);
      const checkpoint = await readTs(CHECKPOINT);
      const min = truncated > meta.startVersion ? truncated : meta.startVersion;
      return { min, max: checkpoint > min ? checkpoint : min };
    },

    clusterId: async () => (await readLogMeta()).clusterId,
    filesWithin: (from, to) => listLogFiles(files, { from, to }),

    // Of a file, the last change is the one that it is named by, or came before.
    filesBefore: async (until) =>
      (await logNames()).filter((name) => BigInt(/(\d+)\.log$/.exec(name)?.[1] ?? 0) < until),

    // Metadata that names a file which is gone would stop whoever reads it.
    async removeFile(name) {
      await files.remove(metaOf(name));
      await files.remove(name);
    },
  };
}

/** Without what says how it is reached. */
function printedUri({ kind, path }: Storage, url: string): string {
  return kind === 'local' ? `local://${path}` : url.replace(/\?.*$/s, '').replace(/\/$/, '');
}
