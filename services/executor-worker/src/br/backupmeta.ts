/** Reads and verifies `backupmeta` (br-contract.md section 6): what a success is proven by. */
import { BackupMeta, type File, MetaFile } from '@tidemark/protocol/br/backup';
import type { BackupResult } from '@tidemark/protocol/grpc/tidemark/backup/v1/backup';
import type { BackupFiles } from '../storage/backup-files.ts';

export const BACKUPMETA = 'backupmeta';

/** Depth that metafiles may nest; one in practice. */
const DEEPEST = 4;

export type Verification =
  | { readonly kind: 'absent' }
  | { readonly kind: 'good'; readonly result: BackupResult }
  /** There, but damaged or incomplete; `why` is a sentence. */
  | { readonly kind: 'bad'; readonly why: string };

/** Reads the metadata of a backup and checks that every file it names is there with its size. */
export async function verifyBackup(files: BackupFiles, signal: AbortSignal): Promise<Verification> {
  const bytes = await files.read(BACKUPMETA, signal);
  if (!bytes) return { kind: 'absent' };
  try {
    const meta = BackupMeta.decode(bytes);
    if (meta.endVersion === 0n) return { kind: 'bad', why: 'backupmeta names no snapshot (end_version is 0)' };
    if (meta.clusterId === 0n) return { kind: 'bad', why: 'backupmeta names no cluster' };
    const { metaFiles, dataFiles } = await collectFiles(files, meta, signal);
    const missing = await findMissing(files, [...metaFiles, ...dataFiles], signal);
    if (missing) return { kind: 'bad', why: missing };
    const listed = [...metaFiles, ...dataFiles].reduce((sum, { size }) => sum + size, 0n);
    return {
      kind: 'good',
      result: {
        tso: meta.endVersion,
        sizeBytes: meta.backupSize || listed + BigInt(bytes.length),
        files: BigInt(dataFiles.length),
        tidbClusterId: meta.clusterId,
        clusterVersion: plainVersion(meta.clusterVersion),
        remark: dataFiles.length === 0 ? 'The backup holds no data: nothing matched, or the cluster is empty.' : '',
      },
    };
  } catch (error) {
    signal.throwIfAborted();
    return { kind: 'bad', why: `backupmeta cannot be read: ${error instanceof Error ? error.message : String(error)}` };
  }
}

interface ListedFiles {
  readonly metaFiles: File[];
  readonly dataFiles: File[];
}

async function collectFiles(files: BackupFiles, meta: BackupMeta, signal: AbortSignal): Promise<ListedFiles> {
  const listed: ListedFiles = { metaFiles: [], dataFiles: [...meta.files] };
  const follow = async (index: MetaFile | undefined, depth: number): Promise<void> => {
    if (!index) return;
    if (depth > DEEPEST) throw new Error('its index is nested too deeply');
    listed.dataFiles.push(...index.dataFiles);
    for (const file of index.metaFiles) {
      listed.metaFiles.push(file);
      const body = await files.read(file.name, signal);
      if (!body) throw new Error(`${file.name} is missing`);
      await follow(MetaFile.decode(body), depth + 1);
    }
  };
  await follow(meta.fileIndex, 1);
  await follow(meta.schemaIndex, 1);
  return listed;
}

async function findMissing(
  files: BackupFiles,
  listed: readonly File[],
  signal: AbortSignal,
): Promise<string | undefined> {
  const wanted = new Map(listed.map(({ name, size }) => [name, size]));
  for await (const { name, bytes } of files.list(signal)) {
    const size = wanted.get(name);
    if (size === undefined) continue;
    // A size of 0 was not recorded, in metafiles of old versions.
    if (size !== 0n && size !== BigInt(bytes)) return `${name} has ${bytes} bytes instead of ${size}`;
    wanted.delete(name);
  }
  const [first] = wanted.keys();
  return first === undefined ? undefined : `${wanted.size} of ${listed.length} files are missing, among them ${first}`;
}

/** Older versions keep the version as a JSON string with a line break (br-contract section 14, 19). */
function plainVersion(text: string): string {
  return text.trim().replaceAll(/^"|"$/g, '').replaceAll('\\n', '').trim();
}
