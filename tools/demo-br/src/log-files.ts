import { createHash } from 'node:crypto';
import { BrError } from './br-error.ts';
import type { RowChange } from './log-state.ts';
import type { Storage } from './storage.ts';
import { tsoMillis } from './tso.ts';

// The files of a log, in a form of its own where BR's is not needed: changes are JSON, a line each, and so is metadata.
//
// F1. A file of changes is there before the metadata that names it, and the checkpoint passes it only after both.
// F2. What has no metadata is not read: BR would not miss it either.

export const LOG_SUFFIX = '.log';
const META_FOLDER = 'v1/backupmeta/';
const META_SUFFIX = '.meta';

/** A file of changes, as its metadata has it. */
export interface LogFile {
  readonly name: string;
  readonly bytes: number;
  /** In hex. */
  readonly sha256: string;
  readonly changes: number;
  /** TSOs, decimal. */
  readonly minTs: string;
  readonly maxTs: string;
}

const sha256Of = (body: Uint8Array | string): string => createHash('sha256').update(body).digest('hex');

/** @param changes in the order of their times, at least one */
export async function writeLogFile(storage: Storage, changes: readonly RowChange[], until: bigint): Promise<void> {
  const at = new Date(tsoMillis(until)).toISOString();
  const name = `v1/${at.slice(0, 10).replaceAll('-', '')}/${at.slice(11, 13)}/1/${until}${LOG_SUFFIX}`;
  const body = changes.map((change) => `${JSON.stringify(change)}\n`).join('');
  const file: LogFile = {
    name,
    bytes: Buffer.byteLength(body),
    sha256: sha256Of(body),
    changes: changes.length,
    minTs: changes[0]?.ts ?? '0',
    maxTs: changes.at(-1)?.ts ?? '0',
  };
  await storage.writeWhole(name, body);
  const meta = JSON.stringify(file);
  await storage.writeWhole(metaOf(name), `${meta}\n${sha256Of(meta)}\n`);
}

/** The name of the metadata of a file. */
export function metaOf(name: string): string {
  return `${META_FOLDER}${name.slice(name.lastIndexOf('/') + 1, -LOG_SUFFIX.length)}${META_SUFFIX}`;
}

/**
 * The files with changes from one time to another, the first first.
 *
 * @throws BrError if metadata is damaged
 */
export async function listLogFiles(
  storage: Storage,
  { from, to }: { readonly from: bigint; readonly to: bigint },
): Promise<LogFile[]> {
  const ends = (await storage.list())
    .filter((name) => name.startsWith(META_FOLDER) && name.endsWith(META_SUFFIX))
    .map((name) => BigInt(/(\d+)\.meta$/.exec(name)?.[1] ?? 0))
    .toSorted((one, other) => Number(one - other));
  // Each begins where the one before ended.
  const last = ends.findIndex((end) => end >= to);
  const within = ends.slice(0, last < 0 ? undefined : last + 1).filter((end) => end >= from);
  const files: LogFile[] = [];
  for (const end of within) {
    const file = parseMeta((await storage.read(`${META_FOLDER}${end}${META_SUFFIX}`))?.toString());
    if (file && BigInt(file.maxTs) >= from && BigInt(file.minTs) <= to) files.push(file);
  }
  return files;
}

/** Undefined for what was removed since it was listed. */
function parseMeta(text: string | undefined): LogFile | undefined {
  if (text === undefined) return undefined;
  const [meta = '', expected = ''] = text.split('\n');
  const found = sha256Of(meta);
  if (found === expected) return JSON.parse(meta) as LogFile;
  throw new BrError(`checksum mismatch expect ${expected}, got ${found}`, 'BR:Common:ErrInvalidMetaFile');
}

/**
 * The changes in a file. TiKV reads it, and says so where it cannot.
 *
 * @param place how TiKV names the storage
 * @throws BrError if it is gone, or holds other bytes than those that were written
 */
export async function readLogFile(storage: Storage, file: LogFile, place: string): Promise<RowChange[]> {
  const body = await storage.read(file.name);
  const fail = (why: string) =>
    new BrError(`Cannot read ${place}/${file.name} into /data/import/.temp: ${why}`, 'BR:KV:ErrKVDownloadFailed');
  if (body === undefined) throw fail('Os { code: 2, kind: NotFound, message: "No such file or directory" }');
  if (sha256Of(body) !== file.sha256)
    throw fail(`Custom { kind: InvalidData, error: "sha256 not match, expect: ${file.sha256}" }`);
  return body
    .toString()
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as RowChange);
}
