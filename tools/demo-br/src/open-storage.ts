import type { Dialect } from './dialect.ts';
import type { Storage } from './storage.ts';
import { azureStorage } from './storage-azure.ts';
import { gcsStorage } from './storage-gcs.ts';
import { localStorage } from './storage-local.ts';
import { noopStorage } from './storage-noop.ts';
import { s3Storage } from './storage-s3.ts';
import type { StorageTarget } from './storage-url.ts';

/**
 * Opens a storage. The vendors' clients are loaded only when one is needed: that takes longer than a local run's start.
 *
 * @throws BrError if its parameters make no sense, or the bucket's region is wrong
 */
export async function openStorage(
  target: StorageTarget,
  dialect: Dialect,
  env: Readonly<Record<string, string | undefined>>,
): Promise<Storage> {
  switch (target.kind) {
    case 'local':
      return localStorage(target.path);
    case 'noop':
      return noopStorage();
    case 's3':
      return s3Storage(target, dialect);
    case 'gcs':
      return gcsStorage(target, env);
    case 'azure':
      return azureStorage(target, env);
  }
}
