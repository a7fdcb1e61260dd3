/** Reads and verifies `backupmeta` (br-contract.md section 6): what a success is proven by. */
import { DEFAULT_METADATA_BYTES } from '@tidemark/limits/limits';
import { BackupMeta } from '@tidemark/protocol/br/backup';
import type { BackupResult } from '@tidemark/protocol/grpc/tidemark/backup/v1/backup';
import type { BackupFiles } from '@tidemark/storage/backup-files';
import type { ReadLimit } from '@tidemark/storage/read-limit';
import { type ListedFile, type MetadataProblem, unreadable, walkCatalogue } from './catalogue.ts';
import { type Decrypt, PLAIN } from './crypter.ts';
import { createFileTable, type FileTable } from './file-table.ts';
import { type Seal, sealOf } from './seal.ts';

export const BACKUPMETA = 'backupmeta';

/** The setting that says how much of `backupmeta` is read, in bytes. */
export const METADATA_BYTES_SETTING = 'TIDEMARK_BACKUPMETA_BYTES';
const METADATA_MS = 10 * 60_000;

/** How much of `backupmeta` and of each of its metafiles is read. */
export function metadataLimit(bytes: number): ReadLimit {
  return { bytes, ms: METADATA_MS, setting: METADATA_BYTES_SETTING };
}

export type Verification =
  | { readonly kind: 'absent' }
  | { readonly kind: 'good'; readonly result: BackupResult; readonly sealed: Seal }
  /** There, but damaged or incomplete; `why` is a sentence. */
  | { readonly kind: 'bad'; readonly why: string };

export interface VerifyOptions {
  /** How the metadata of an encrypted backup is read. */
  readonly decrypt?: Decrypt;
  /** The TSO that `br` said, where it said one: `backupmeta` must be of that run. */
  readonly tso?: string | undefined;
  /** How much of `backupmeta` and of each of its metafiles is read. */
  readonly limit?: ReadLimit;
}

/**
 * Reads the metadata of a backup and checks that every file it names is there with its size.
 *
 * @throws AppError `storage_unusable` for metadata beyond the limit: that it cannot be read says nothing against the backup
 */
export async function verifyBackup(
  files: BackupFiles,
  signal: AbortSignal,
  { decrypt = PLAIN, tso, limit = metadataLimit(DEFAULT_METADATA_BYTES) }: VerifyOptions = {},
): Promise<Verification> {
  const bytes = await files.read(BACKUPMETA, signal, limit);
  if (!bytes) return { kind: 'absent' };
  const read = readMeta(bytes, decrypt);
  if (read.kind === 'bad') return read;
  const { meta } = read;
  if (tso !== undefined && String(meta.endVersion) !== tso)
    return { kind: 'bad', why: `backupmeta is of snapshot ${meta.endVersion}, but br said ${tso}` };
  const problems: MetadataProblem[] = [];
  const walk = () =>
    walkCatalogue(meta, {
      decrypt,
      read: (name) => files.read(name, signal, limit),
      report: (problem) => problems.push(problem),
    });
  const listed = await noteFiles(walk());
  const [problem] = problems;
  if (problem) return { kind: 'bad', why: problem.why };
  for await (const { why } of compareWithList(files, listed.table, walk, signal)) return { kind: 'bad', why };
  return { kind: 'good', result: resultOf(meta, bytes.length, listed), sealed: sealOf(bytes) };
}

/** What `backupmeta` itself holds, or why it cannot be believed. */
export function readMeta(
  bytes: Buffer,
  decrypt: Decrypt,
): { readonly kind: 'read'; readonly meta: BackupMeta } | { readonly kind: 'bad'; readonly why: string } {
  let meta: BackupMeta;
  try {
    meta = BackupMeta.decode(decrypt === PLAIN ? bytes : decrypt(bytes.subarray(16), bytes.subarray(0, 16)));
  } catch (error) {
    return { kind: 'bad', why: unreadable(BACKUPMETA, error) };
  }
  if (meta.endVersion === 0n) return { kind: 'bad', why: 'backupmeta names no snapshot (end_version is 0)' };
  if (meta.clusterId === 0n) return { kind: 'bad', why: 'backupmeta names no cluster' };
  return { kind: 'read', meta };
}

/** The id that TiDB gave the cluster that writes a log, by the `backupmeta` in its place. @throws Error where that says none */
export function clusterIdOfLog(bytes: Buffer): bigint {
  const { clusterId } = BackupMeta.decode(bytes);
  if (clusterId === 0n) throw new Error('the backupmeta of the log names no cluster');
  return clusterId;
}

/** The files that a backup should have. */
interface NotedFiles {
  readonly table: FileTable;
  readonly dataFiles: number;
  /** Of all of them. */
  readonly bytes: bigint;
}

async function noteFiles(walk: AsyncIterable<ListedFile>): Promise<NotedFiles> {
  const table = createFileTable();
  let dataFiles = 0;
  let sum = 0n;
  for await (const { kind, name, bytes } of walk) {
    if (!table.note(name, bytes)) continue;
    sum += bytes;
    if (kind === 'data') dataFiles += 1;
  }
  return { table, dataFiles, bytes: sum };
}

/** A file that is not there, or not in its size. */
export interface ListProblem {
  readonly kind: 'missing' | 'size';
  readonly name: string;
  /** A sentence without its full stop. */
  readonly why: string;
}

/**
 * Looks for what a backup should have in a list of what is there: files of another size first, then what is missing. What one list lacks
 * is looked for in a second one: a share may come back in the middle of the first.
 */
export async function* compareWithList(
  files: BackupFiles,
  table: FileTable,
  walk: () => AsyncIterable<ListedFile>,
  signal: AbortSignal,
): AsyncGenerator<ListProblem> {
  if (table.unseen === 0) return;
  for await (const { name, bytes } of files.list(signal)) {
    const seen = table.see(name, bytes);
    if (typeof seen === 'object')
      yield { kind: 'size', name, why: `${name} has ${bytes} bytes instead of ${seen.expected}` };
  }
  if (table.unseen === 0) return;
  for await (const { name, bytes } of files.list(signal)) {
    const seen = table.isUnseen(name) ? table.see(name, bytes) : 'unlisted';
    if (typeof seen === 'object')
      yield { kind: 'size', name, why: `${name} has ${bytes} bytes instead of ${seen.expected}` };
  }
  if (table.unseen === 0) return;
  for await (const { name } of walk())
    if (table.isUnseen(name))
      yield { kind: 'missing', name, why: `${table.unseen} of ${table.toList} files are missing, among them ${name}` };
}

/** What is told of a good backup. */
export function resultOf(
  meta: BackupMeta,
  metaBytes: number,
  { dataFiles, bytes }: Pick<NotedFiles, 'dataFiles' | 'bytes'>,
): BackupResult {
  return {
    tso: meta.endVersion,
    sizeBytes: meta.backupSize || bytes + BigInt(metaBytes),
    files: BigInt(dataFiles),
    tidbClusterId: meta.clusterId,
    clusterVersion: plainVersion(meta.clusterVersion),
    remark: dataFiles === 0 ? 'The backup holds no data: nothing matched, or the cluster is empty.' : '',
  };
}

/** Older versions keep the version as a JSON string with a line break (br-contract 14.19). */
export function plainVersion(text: string): string {
  return text.trim().replaceAll(/^"|"$/g, '').replaceAll('\\n', '').trim();
}
