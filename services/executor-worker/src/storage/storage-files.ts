import { AppError } from '@tidemark/errors/app-error';
import type { Storage } from '@tidemark/protocol/grpc/tidemark/backup/v1/registry_service';
import type { Env } from '@tidemark/service-kit/env';
import { storageCredentials } from './credentials.ts';

/** A file in a storage. */
export interface StoredFile {
  /** Relative to the folder that was listed, with slashes. In a bucket it may be empty or begin with a slash. */
  readonly name: string;
  readonly bytes: number;
}

/** A file that could not be removed. */
export interface RemovalFailure {
  readonly name: string;
  readonly why: string;
}

/** What a storage does with files that are deleted or protected. */
export interface StorageTraits {
  /** A deletion frees no space, at least not at once. */
  readonly keepsOldVersions: boolean;
  /** What is kept after a deletion, or that it could not be asked, in a sentence; empty when nothing is. */
  readonly versions: string;
  /** What keeps files from being deleted, or that it could not be asked, in a sentence; empty when nothing does. */
  readonly lock: string;
}

/**
 * The files of a storage. Names and folders are relative to the storage, with slashes.
 *
 * What a person must put right throws AppError `storage_unusable`; what passes by itself, such as a network that is
 * down or a server that stays silent, AppError `unavailable`; an aborted signal its reason. None tells a secret.
 */
export interface StorageFiles {
  /** The absolute folder of a local storage, free of links; undefined elsewhere. */
  readonly localRoot?: string;
  /** Everything below `<folder>/`, page by page; nothing where the folder does not exist. */
  list(folder: string, signal: AbortSignal): AsyncIterable<StoredFile>;
  /** The names of the folders directly in this one; `''` is the storage itself. */
  folders(folder: string, signal: AbortSignal): AsyncIterable<string>;
  /** The content of a file, or undefined when there is none. */
  read(name: string, signal: AbortSignal): Promise<Buffer | undefined>;
  write(name: string, content: string, signal: AbortSignal): Promise<void>;
  /** Removes files; says of each one that is still there why. A file that is gone already is fine. */
  remove(names: readonly string[], signal: AbortSignal): Promise<readonly RemovalFailure[]>;
  /** Removes what a folder without files still holds: empty folders, unfinished uploads. */
  finishRemoval(folder: string, signal: AbortSignal): Promise<void>;
  traits(signal: AbortSignal): Promise<StorageTraits>;
}

/** How a storage is opened. */
export interface StorageOptions {
  /** After this long without an answer a request has failed, its repetitions included, in milliseconds. */
  readonly answerMs?: number;
}

const ANSWER_MS = 30_000;

/**
 * Opens a storage with the credentials that it names.
 *
 * @param env of this worker
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
      return (await import('./s3.ts')).openS3Files(location.value, credentials, answerMs);
    case 'azure':
      return (await import('./azure.ts')).openAzureFiles(location.value, credentials, answerMs);
    case 'gcs':
      return (await import('./gcs.ts')).openGcsFiles(location.value, credentials, answerMs);
    default:
      throw new AppError('storage_unusable', 'This worker does not know this kind of storage; update the worker.');
  }
}
