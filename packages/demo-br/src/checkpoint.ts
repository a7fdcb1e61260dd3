import { randomUUID } from 'node:crypto';
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type File, MetaFile } from '@tidemark/protocol/br/backup';
import { BrError } from './br-error.ts';
import { fileExists, type LocalStorage, listFiles, removeFile, writeWhole } from './storage.ts';

/** Where everything of a checkpoint lies (br-contract 5.1, from v7.1). */
export const CHECKPOINT_FOLDER = 'checkpoints/backup';
const META = `${CHECKPOINT_FOLDER}/checkpoint.meta`;
const DATA = `${CHECKPOINT_FOLDER}/data`;

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

async function readText(storage: LocalStorage, name: string): Promise<string> {
  return readFile(join(storage.path, name), 'utf8');
}

/**
 * The checkpoint.meta of a path, if there is one.
 *
 * @throws BrError if it cannot be understood
 */
export async function readCheckpointMeta(storage: LocalStorage): Promise<CheckpointMeta | undefined> {
  if (!(await fileExists(storage, META))) return undefined;
  const text = await readText(storage, META);
  // The TSO is a bare number beyond what JSON.parse keeps exactly.
  const backupTs = /"backup-ts":(\d+)/.exec(text)?.[1];
  const gcServiceId = /"gc-service-id":"([^"]*)"/.exec(text)?.[1];
  const configHash = /"config-hash":"([^"]*)"/.exec(text)?.[1];
  if (backupTs === undefined || gcServiceId === undefined || configHash === undefined) {
    throw new BrError(`failed to read ${META}: unexpected end of JSON input`);
  }
  return { gcServiceId, configHash, backupTs: BigInt(backupTs) };
}

/** Writes checkpoint.meta; the key ranges in it are for its size only. */
export async function writeCheckpointMeta(storage: LocalStorage, meta: CheckpointMeta): Promise<void> {
  const { gcServiceId, configHash, backupTs } = meta;
  const members = [
    `"gc-service-id":${JSON.stringify(gcServiceId)}`,
    `"config-hash":${JSON.stringify(configHash)}`,
    `"backup-ts":${backupTs}`,
    '"ranges":[]',
  ];
  await writeWhole(storage, META, `{${members.join(',')}}`);
  await mkdir(join(storage.path, DATA), { recursive: true });
  await mkdir(join(storage.path, CHECKPOINT_FOLDER, 'checksum'), { recursive: true });
}

/** Adds finished regions and their files. `costMs` is how long the run has worked since its last flush. */
export async function flushWork(
  storage: LocalStorage,
  work: { regions: readonly number[]; files: readonly File[]; costMs: number },
): Promise<void> {
  const metaFile = MetaFile.encode(MetaFile.fromPartial({ dataFiles: [...work.files] })).finish();
  const flush: Flush = {
    regions: work.regions,
    files: Buffer.from(metaFile).toString('base64'),
    costMs: work.costMs,
  };
  await writeWhole(storage, `${DATA}/${randomUUID()}.cpt`, JSON.stringify(flush));
}

/** Everything that earlier runs flushed. */
export async function readFlushedWork(storage: LocalStorage): Promise<FlushedWork> {
  const names = (await listFiles(storage)).filter((name) => name.startsWith(`${DATA}/`) && name.endsWith('.cpt'));
  const flushes = await Promise.all(names.map(async (name) => JSON.parse(await readText(storage, name)) as Flush));
  return {
    regions: new Set(flushes.flatMap((flush) => flush.regions)),
    files: flushes.flatMap((flush) => MetaFile.decode(Buffer.from(flush.files, 'base64')).dataFiles),
    pastMs: flushes.reduce((sum, flush) => sum + flush.costMs, 0),
  };
}

/** Removes meta and data after a success; the empty folders stay, as BR leaves them on local storage. */
export async function removeCheckpoint(storage: LocalStorage): Promise<void> {
  const names = (await listFiles(storage)).filter((name) => name.startsWith(`${CHECKPOINT_FOLDER}/`));
  await Promise.all(
    names.filter((name) => !name.endsWith('/checkpoint.lock')).map((name) => removeFile(storage, name)),
  );
}
