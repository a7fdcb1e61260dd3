/** What is handed to this worker is looked at as if it came from a stranger, before anything of it reaches `br`. */
import { brOptionsViolations } from '@tidemark/br-options/br-options';
import { isBackupPath, isCleanAbsolutePath, isPdAddress } from '@tidemark/br-options/names';
import { restoreOptionsViolations } from '@tidemark/br-options/restore-options';
import type { RestoreOrder } from '@tidemark/br-restore/command';
import { AppError, type FieldViolation } from '@tidemark/errors/app-error';
import { MAX_PD, MAX_PROBLEMS, MAX_TLS_FILE_BYTES } from '@tidemark/limits/limits';
import type { BackupGrant, Target } from '@tidemark/protocol/grpc/tidemark/backup/v1/executor_service';
import type { Storage, TlsFiles } from '@tidemark/protocol/grpc/tidemark/backup/v1/registry_service';
import { mustBe, useFile } from '@tidemark/storage/secret-file';

const TLS_PARTS = ['ca', 'cert', 'key'] as const;
/** A bucket or container ends up in a URL, where these would begin its parameters or another host. */
const BUCKET = /^[A-Za-z0-9.$_-]{1,255}$/;

/**
 * Where a backup lies, before anything there is opened. Pure.
 *
 * @throws AppError `invalid_argument` naming every bad field
 */
export function requireSoundPlace({ storage, path }: Pick<BackupGrant, 'storage' | 'path'>): void {
  refuse([
    ...unless(isBackupPath(path), 'path', 'must be a clean path below the storage'),
    ...unless(
      storage === undefined || isPlace(storage),
      'storage',
      'must name a folder, bucket or container, and nothing beside it',
    ),
  ]);
}

/**
 * What of a cluster goes on the command line. Sizes that only a save looks at are not looked at, so that what was accepted
 * before goes on. Pure.
 *
 * @throws AppError `invalid_argument` naming every bad field
 */
export function requireSoundTarget({ pd, tls, brOptions }: Target): void {
  refuse([...clusterViolations({ pd, tls }), ...brOptionsViolations(brOptions ?? {}, { isNew: false })]);
}

/**
 * What of a restore goes on the command line. Pure.
 *
 * @throws AppError `invalid_argument` naming every bad field
 */
export function requireSoundRestore(
  { source: { key }, target, options }: RestoreOrder,
  rateLimit: number | undefined,
  brVersion: string,
): void {
  const { method = '', keyFile = '' } = key ?? {};
  refuse([
    ...clusterViolations(target),
    ...brOptionsViolations({ crypterMethod: method, crypterKeyFile: keyFile }, { isNew: false }),
    ...restoreOptionsViolations({ ...options, ...(rateLimit !== undefined && { rateLimit }) }, brVersion),
  ]);
}

function clusterViolations({ pd, tls }: RestoreOrder['target']): FieldViolation[] {
  return [
    ...unless(
      pd.length > 0 && pd.length <= MAX_PD && pd.every(isPdAddress),
      'pd',
      `must be 1 to ${MAX_PD} addresses such as 10.0.0.1:2379`,
    ),
    ...TLS_PARTS.flatMap((part) =>
      unless(!tls?.[part] || isCleanAbsolutePath(tls[part]), `tls.${part}`, 'must be an absolute path on the worker'),
    ),
  ];
}

function unless(fine: boolean, field: string, description: string): FieldViolation[] {
  return fine ? [] : [{ field, description }];
}

function refuse(found: readonly FieldViolation[]): void {
  if (found.length === 0) return;
  const problems = found.slice(0, MAX_PROBLEMS).map(({ field, description }) => `${field} ${description}`);
  throw new AppError('invalid_argument', `This worker refuses what it was handed: ${problems.join('; ')}.`);
}

function isPlace({ location }: Storage): boolean {
  switch (location?.$case) {
    case 'local':
      return isCleanAbsolutePath(location.value.path);
    case 's3':
    case 'gcs':
      return BUCKET.test(location.value.bucket);
    case 'azure':
      return BUCKET.test(location.value.container);
    default:
      return true; // whoever opens it says so
  }
}

/**
 * The TLS files of a cluster, which `br` itself opens: regular, of a bounded size, and below the folder for secrets where
 * one is set; the key then for nobody else's eyes.
 *
 * @throws AppError `storage_unusable`, the same whether a file is missing, unreadable or unfit
 */
export async function requireTlsFiles(
  tls: TlsFiles | undefined,
  folder: string | undefined,
  signal: AbortSignal,
): Promise<void> {
  for (const part of TLS_PARTS) {
    const file = tls?.[part];
    if (!file) continue;
    const readers = part === 'key' && folder !== undefined ? ('worker' as const) : ('anybody' as const);
    const rules = { folder, maxBytes: MAX_TLS_FILE_BYTES, readers };
    await useFile(file, { ...rules, must: mustBe(rules) }, signal, () => true);
  }
}
