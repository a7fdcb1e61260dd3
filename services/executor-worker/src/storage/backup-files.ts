import { AppError } from '@tidemark/errors/app-error';
import type { Storage } from '@tidemark/protocol/grpc/tidemark/backup/v1/registry_service';
import { openLocalFiles } from './local.ts';

/** A file below the path of a backup. */
export interface StoredFile {
  /** Relative to the path, with slashes. */
  readonly name: string;
  readonly bytes: number;
}

/** The files of one backup, wherever they are. Nothing outside its path can be reached through it (T10). */
export interface BackupFiles {
  /** For `br`: the absolute folder of a local storage. */
  readonly folder: string;
  /** Everything below the path, `<path>/` and not its namesakes; nothing where the path does not exist. */
  list(signal: AbortSignal): AsyncIterable<StoredFile>;
  /** The content of a file, or undefined when there is none. */
  read(name: string, signal: AbortSignal): Promise<Buffer | undefined>;
  write(name: string, content: string, signal: AbortSignal): Promise<void>;
  /** Removes files; says of each one that is still there why. A file that is gone already is fine. */
  remove(names: readonly string[], signal: AbortSignal): Promise<readonly RemovalFailure[]>;
  /** Removes what is left of the path once it is empty, such as folders. */
  finishRemoval(signal: AbortSignal): Promise<void>;
}

export interface RemovalFailure {
  readonly name: string;
  readonly why: string;
}

/**
 * Opens the files of a backup.
 *
 * @param path below the storage; at least a cluster and a backup deep
 * @throws AppError `storage_unusable` when the storage is not there or the path leads out of it
 */
export async function openBackupFiles(storage: Storage | undefined, path: string): Promise<BackupFiles> {
  if (storage?.location?.$case === 'local') return openLocalFiles(storage.location.value.path, path);
  throw new AppError('storage_unusable', 'This worker does not know this kind of storage; update the worker.');
}
