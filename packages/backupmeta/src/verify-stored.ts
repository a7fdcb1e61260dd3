/**
 * Verifies a backup together with the manifest beside it, as far as the signature of that lets it be believed: the one way in which
 * verifications, restores and the command line look at a backup.
 *
 * The manifest is one file. Where it cannot be read although the catalogue can, that is a finding about it, and nothing is waited for.
 */
import type { KeyObject } from 'node:crypto';
import { AppError } from '@tidemark/errors/app-error';
import type { BackupFiles } from '@tidemark/storage/backup-files';
import type { ContentReport } from './content-report.ts';
import { MANIFEST } from './seal.ts';
import { type JudgedManifest, judgeManifest, unreadableManifest } from './signature.ts';
import { type VerifyContentOptions, verifyContent } from './verify-content.ts';

/** A backup in its storage. */
export interface StoredBackup {
  readonly files: BackupFiles;
  /** In which it lies, below the storage. */
  readonly path: string;
  /** By which its manifest may be signed, the public halves; with none it is believed as it is. */
  readonly keys: readonly KeyObject[];
}

export interface VerifiedBackup {
  readonly report: ContentReport;
  readonly manifest: JudgedManifest;
}

/**
 * Verifies a backup and judges its manifest, whose finding is among the problems of the report.
 *
 * @throws AppError as `verifyContent`
 */
export async function verifyStored(
  { files, path, keys }: StoredBackup,
  signal: AbortSignal,
  options: Omit<VerifyContentOptions, 'sealed' | 'signature' | 'finding'>,
): Promise<VerifiedBackup> {
  const manifest = await judged(files, path, keys, signal);
  const { sealed, signature, finding } = manifest;
  const report = await verifyContent(files, signal, { ...options, sealed, signature, finding });
  return { report, manifest };
}

async function judged(
  files: BackupFiles,
  path: string,
  keys: readonly KeyObject[],
  signal: AbortSignal,
): Promise<JudgedManifest> {
  try {
    return judgeManifest(await files.read(MANIFEST, signal), path, keys);
  } catch (error) {
    // Where it is the storage that cannot be used, its catalogue cannot be read either.
    if (!(error instanceof AppError && error.code === 'storage_unusable')) throw error;
    return unreadableManifest(error.message.replace(/\.$/, ''), keys);
  }
}
