/** The storage of a log (br-contract 11), in a form of its own where BR's is not needed: a file of changes is JSON, a line each. */
import { BackupMeta } from '@tidemark/protocol/br/backup';
import { BrError, invalidArgument } from './br-error.ts';
import type { Dialect } from './dialect.ts';
import type { RowChange } from './log-state.ts';
import { openStorage } from './open-storage.ts';
import type { Storage } from './storage.ts';
import { parseStorage } from './storage-url.ts';
import { tsoMillis } from './tso.ts';
import { BACKUP_LOCK, BACKUP_META } from './used-path.ts';

/** Spelt so in BR. */
export const SAFEPOINT = 'v1_stream_trancate_safepoint.txt';
export const TRUNCATING_LOCK = 'truncating.lock';
const CHECKPOINT = 'v1/global_checkpoint/1.ts';
const LOG_SUFFIX = '.log';

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
  /** All changes, the first first. */
  changes(): Promise<RowChange[]>;
  /** Names of the files whose changes all came before. */
  filesBefore(until: bigint): Promise<string[]>;
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
      if (changes.length > 0) {
        const at = new Date(tsoMillis(until)).toISOString();
        const folder = `v1/${at.slice(0, 10).replaceAll('-', '')}/${at.slice(11, 13)}/1`;
        const lines = changes.map((change) => `${JSON.stringify(change)}\n`).join('');
        await files.writeWhole(`${folder}/${until}${LOG_SUFFIX}`, lines);
      }
      const bytes = Buffer.alloc(8);
      bytes.writeBigUInt64LE(until);
      await files.writeWhole(CHECKPOINT, bytes);
    },

    async range() {
      const meta = await readMeta();
      if (!meta) throw new BrError(`open ${files.path ?? files.uri}/${BACKUP_META}: no such file or directory`);
      if (meta.endVersion > 0n)
        throw new BrError('the storage has been used for full backup', 'BR:ExternalStorage:ErrStorageUnknown');
      const truncated = BigInt((await files.read(SAFEPOINT))?.toString() || 0);
      const checkpoint = await readTs(CHECKPOINT);
      const min = truncated > meta.startVersion ? truncated : meta.startVersion;
      return { min, max: checkpoint > min ? checkpoint : min };
    },

    async changes() {
      const all: RowChange[] = [];
      for (const name of await logNames()) {
        const text = (await files.read(name))?.toString() ?? '';
        all.push(
          ...text
            .split('\n')
            .filter((line) => line !== '')
            .map((line) => JSON.parse(line) as RowChange),
        );
      }
      return all.toSorted((one, other) => (BigInt(one.ts) < BigInt(other.ts) ? -1 : 1));
    },

    // Of a file, the last change is the one that it is named by, or came before.
    filesBefore: async (until) =>
      (await logNames()).filter((name) => BigInt(/(\d+)\.log$/.exec(name)?.[1] ?? 0) < until),
  };
}

/** Without what says how it is reached. */
function printedUri({ kind, path }: Storage, url: string): string {
  return kind === 'local' ? `local://${path}` : url.replace(/\?.*$/s, '').replace(/\/$/, '');
}
