import { AppError } from '@tidemark/errors/app-error';
import type { Storage } from '@tidemark/protocol/grpc/tidemark/backup/v1/registry_service';
import type { Env } from '@tidemark/service-kit/env';
import { storageCredentials } from './credentials.ts';
import type { StorageFiles } from './storage-files.ts';

/** How a storage is opened. */
export interface StorageOptions {
  /** After this long without an answer a request has failed, its repetitions included, in milliseconds. */
  readonly answerMs?: number;
}

const ANSWER_MS = 30_000;

/**
 * Opens a storage with the credentials that it names.
 *
 * @param env of this process
 * @throws AppError `storage_unusable` when it is not there, or its credentials are not
 */
export async function openStorage(
  storage: Storage | undefined,
  env: Env,
  { answerMs = ANSWER_MS }: StorageOptions = {},
): Promise<StorageFiles> {
  const location = storage?.location;
  const credentials = storage ? await storageCredentials(storage, env) : {};
  // Each client is loaded when it is needed: together they take a second to load.
  switch (location?.$case) {
    case 'local':
      return (await import('./local.ts')).openLocalFiles(location.value.path);
    case 's3':
      return (await import('./s3.ts')).openS3Files(location.value, credentials, answerMs, env);
    case 'azure':
      return (await import('./azure.ts')).openAzureFiles(location.value, credentials, answerMs);
    case 'gcs':
      return (await import('./gcs.ts')).openGcsFiles(location.value, credentials, answerMs);
    default:
      throw new AppError('storage_unusable', 'This worker does not know this kind of storage; update the worker.');
  }
}
