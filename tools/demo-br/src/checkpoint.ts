import { randomUUID } from 'node:crypto';
import { type File, MetaFile } from '@tidemark/protocol/br/backup';
import { BrError } from './br-error.ts';
import type { CheckpointPaths } from './checkpoint-paths.ts';
import type { Storage } from './storage.ts';

/** What the first run of a path wrote down for those that resume it. */
export interface CheckpointMeta {
  readonly gcServiceId: string;
  /** Base64. */
  readonly configHash: string;
  readonly backupTs: bigint;
}

/** What earlier runs of a path have finished and flushed. */
export interface FlushedWork {
  readonly regions: ReadonlySet<number>;
  readonly files: readonly File[];
  /** How long those runs worked, in milliseconds. */
  readonly pastMs: number;
}

interface Flush {
  readonly regions: readonly number[];
  /** The files' records as a MetaFile, in base64. */
  readonly files: string;
  readonly costMs: number;
}

/** The checkpoint of one backup (br-contract 5.1). */
export interface Checkpoint {
  /**
   * What checkpoint.meta says, if there is one.
   *
   * @throws BrError if it cannot be understood
   */
  readMeta(): Promise<CheckpointMeta | undefined>;
  /** Writes checkpoint.meta with the key ranges that are to be backed up, by which it grows with the tables. */
  writeMeta(meta: CheckpointMeta, ranges: ReadonlyArray<readonly [start: Buffer, end: Buffer]>): Promise<void>;
  /** Adds finished regions and their files. `costMs` is how long the run has worked since its last flush. */
  flush(work: { regions: readonly number[]; files: readonly File[]; costMs: number }): Promise<void>;
  /** Everything that earlier runs flushed. */
  readFlushed(): Promise<FlushedWork>;
  /** Removes meta and data after a success; the empty folders stay, as BR leaves them on local storage. */
  remove(): Promise<void>;
}

/** The checkpoint of a backup in this storage. */
export function checkpointIn(storage: Storage, paths: CheckpointPaths): Checkpoint {
  return {
    async readMeta() {
      const text = (await storage.read(paths.meta))?.toString();
      if (text === undefined) return undefined;
      // The TSO is a bare number beyond what JSON.parse keeps exactly.
      const backupTs = /"backup-ts":(\d+)/.exec(text)?.[1];
      const gcServiceId = /"gc-service-id":"([^"]*)"/.exec(text)?.[1];
      const configHash = /"config-hash":"([^"]*)"/.exec(text)?.[1];
      if (backupTs === undefined || gcServiceId === undefined || configHash === undefined) {
        throw new BrError(`failed to read ${paths.meta}: unexpected end of JSON input`);
      }
      return { gcServiceId, configHash, backupTs: BigInt(backupTs) };
    },
    async writeMeta({ gcServiceId, configHash, backupTs }, ranges) {
      const members = [
        `"gc-service-id":${JSON.stringify(gcServiceId)}`,
        `"config-hash":${JSON.stringify(configHash)}`,
        `"backup-ts":${backupTs}`,
        `"ranges":${JSON.stringify(ranges.map(([start, end]) => ({ StartKey: base64(start), EndKey: base64(end) })))}`,
      ];
      await storage.writeWhole(paths.meta, `{${members.join(',')}}`);
      await storage.makeFolder(paths.data);
      await storage.makeFolder(paths.checksum);
    },
    async flush({ regions, files, costMs }) {
      const metaFile = MetaFile.encode(MetaFile.fromPartial({ dataFiles: [...files] })).finish();
      const flush: Flush = { regions, files: base64(metaFile), costMs };
      await storage.writeWhole(`${paths.data}/${randomUUID()}.cpt`, JSON.stringify(flush));
    },
    async readFlushed() {
      const names = (await storage.list()).filter((name) => name.startsWith(`${paths.data}/`) && name.endsWith('.cpt'));
      const flushes = await Promise.all(
        names.map(async (name) => JSON.parse(String(await storage.read(name))) as Flush),
      );
      return {
        regions: new Set(flushes.flatMap((flush) => flush.regions)),
        files: flushes.flatMap((flush) => MetaFile.decode(Buffer.from(flush.files, 'base64')).dataFiles),
        pastMs: flushes.reduce((sum, flush) => sum + flush.costMs, 0),
      };
    },
    async remove() {
      const own = (name: string) =>
        name === paths.meta || name.startsWith(`${paths.data}/`) || name.startsWith(`${paths.checksum}/`);
      await Promise.all((await storage.list()).filter(own).map((name) => storage.remove(name)));
    },
  };
}

const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64');
