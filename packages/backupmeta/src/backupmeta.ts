/** Reads and verifies `backupmeta` (br-contract.md section 6): what a success is proven by. */
import { DEFAULT_METADATA_BYTES, MAX_METADATA_DEPTH } from '@tidemark/limits/limits';
import { BackupMeta, type File, MetaFile } from '@tidemark/protocol/br/backup';
import type { BackupResult } from '@tidemark/protocol/grpc/tidemark/backup/v1/backup';
import type { BackupFiles } from '@tidemark/storage/backup-files';
import type { ReadLimit } from '@tidemark/storage/read-limit';
import { type Decrypt, PLAIN } from './crypter.ts';

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
  | { readonly kind: 'good'; readonly result: BackupResult }
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
  try {
    const meta = decodeMeta(bytes, decrypt);
    if (meta.endVersion === 0n) return { kind: 'bad', why: 'backupmeta names no snapshot (end_version is 0)' };
    if (meta.clusterId === 0n) return { kind: 'bad', why: 'backupmeta names no cluster' };
    if (tso !== undefined && String(meta.endVersion) !== tso)
      return { kind: 'bad', why: `backupmeta is of snapshot ${meta.endVersion}, but br said ${tso}` };
    const { metaFiles, dataFiles, dataCount } = await collectFiles(
      (name) => files.read(name, signal, limit),
      meta,
      decrypt,
    );
    const listed = [...metaFiles.values(), ...dataFiles.values()].reduce((sum, size) => sum + size, 0n);
    const missing = await findMissing(files, [metaFiles, dataFiles], signal);
    if (missing) return { kind: 'bad', why: missing };
    return {
      kind: 'good',
      result: {
        tso: meta.endVersion,
        sizeBytes: meta.backupSize || listed + BigInt(bytes.length),
        files: BigInt(dataCount),
        tidbClusterId: meta.clusterId,
        clusterVersion: plainVersion(meta.clusterVersion),
        remark: dataCount === 0 ? 'The backup holds no data: nothing matched, or the cluster is empty.' : '',
      },
    };
  } catch (error) {
    signal.throwIfAborted();
    if (!(error instanceof Unreadable)) throw error;
    return { kind: 'bad', why: error.message };
  }
}

/** The metadata itself is at fault, not the way to it. */
class Unreadable extends Error {}

function decodeMeta(bytes: Buffer, decrypt: Decrypt): BackupMeta {
  return decoded('backupmeta', () =>
    BackupMeta.decode(decrypt === PLAIN ? bytes : decrypt(bytes.subarray(16), bytes.subarray(0, 16))),
  );
}

function decoded<T>(name: string, decode: () => T): T {
  try {
    return decode();
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new Unreadable(`${name} cannot be read, it is damaged or its key is another one: ${why}`);
  }
}

/** Sizes by name. Only these are kept of each entry: a large backup has hundreds of thousands. */
interface ListedFiles {
  readonly metaFiles: Map<string, bigint>;
  readonly dataFiles: Map<string, bigint>;
  readonly dataCount: number;
}

async function collectFiles(
  read: (name: string) => Promise<Buffer | undefined>,
  meta: BackupMeta,
  decrypt: Decrypt,
): Promise<ListedFiles> {
  const metaFiles = new Map<string, bigint>();
  const dataFiles = new Map<string, bigint>();
  const note = (into: Map<string, bigint>, listed: readonly File[]) => {
    for (const { name, size } of listed) into.set(name, size);
  };
  const follow = async (index: MetaFile | undefined, depth: number): Promise<void> => {
    if (!index) return;
    if (depth > MAX_METADATA_DEPTH) throw new Unreadable('the index of backupmeta is nested too deeply');
    note(dataFiles, index.dataFiles);
    note(metaFiles, index.metaFiles);
    for (const { name, cipherIv } of index.metaFiles) {
      const body = await read(name);
      if (!body) throw new Unreadable(`${name} is missing`);
      await follow(
        decoded(name, () => MetaFile.decode(decrypt(body, cipherIv))),
        depth + 1,
      );
    }
  };
  note(dataFiles, meta.files);
  await follow(meta.fileIndex, 1);
  await follow(meta.schemaIndex, 1);
  return { metaFiles, dataFiles, dataCount: dataFiles.size };
}

async function findMissing(
  files: BackupFiles,
  wanted: readonly Map<string, bigint>[],
  signal: AbortSignal,
): Promise<string | undefined> {
  const total = wanted.reduce((sum, { size }) => sum + size, 0);
  if (total === 0) return undefined;
  for await (const { name, bytes } of files.list(signal)) {
    const found = wanted.find((listed) => listed.has(name));
    const size = found?.get(name);
    if (size === undefined) continue;
    // A size of 0 was not recorded, in metafiles of old versions.
    if (size !== 0n && size !== BigInt(bytes)) return `${name} has ${bytes} bytes instead of ${size}`;
    found?.delete(name);
  }
  const left = wanted.flatMap((listed) => [...listed.keys().take(1)]);
  const missing = wanted.reduce((sum, { size }) => sum + size, 0);
  return left.length === 0 ? undefined : `${missing} of ${total} files are missing, among them ${left[0]}`;
}

/** Older versions keep the version as a JSON string with a line break (br-contract 14.19). */
function plainVersion(text: string): string {
  return text.trim().replaceAll(/^"|"$/g, '').replaceAll('\\n', '').trim();
}
