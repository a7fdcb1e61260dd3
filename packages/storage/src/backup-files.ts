import { join } from 'node:path';
import { AppError } from '@tidemark/errors/app-error';
import type { Storage } from '@tidemark/protocol/grpc/tidemark/backup/v1/registry_service';
import type { Env } from '@tidemark/service-kit/env';
import { refuseLinks } from './links.ts';
import { openStorage } from './open-storage.ts';
import type { ReadLimit } from './read-limit.ts';
import type { RemovalFailure, StorageFiles, StoredEntry, StoredFile, TakePiece } from './storage-files.ts';

const SHORTEST_DEPTH = 2;

/**
 * The files of one backup, wherever they are; names are relative to its path.
 *
 * F1. The path is clean and at least a cluster and a backup deep, and what is named below it is, too: nothing outside
 * can be reached through it (T10).
 */
export interface BackupFiles {
  /** For `br`: the absolute folder in a local storage; undefined elsewhere. */
  readonly folder: string | undefined;
  /** Everything below the path, `<path>/` and not its namesakes; nothing where the path does not exist. */
  list(signal: AbortSignal): AsyncIterable<StoredFile>;
  /** What is directly in a folder; `''` is the path itself, `/a` what is below a folder without a name. */
  entries(folder: string, signal: AbortSignal): AsyncIterable<StoredEntry>;
  /** The content of a file, or undefined when there is none; as `StorageFiles` has it. */
  read(name: string, signal: AbortSignal, limit?: ReadLimit): Promise<Buffer | undefined>;
  /** Hands the content of a file over piece by piece; as `StorageFiles` has it. */
  stream(name: string, signal: AbortSignal, take: TakePiece): Promise<boolean>;
  write(name: string, content: string | Uint8Array, signal: AbortSignal): Promise<void>;
  /** Removes files; says of each one that is still there why. A file that is gone already is fine. */
  remove(names: readonly string[], signal: AbortSignal): Promise<readonly RemovalFailure[]>;
  /** Removes what is left of the path once it has no files, such as empty folders; says what may be left of that. */
  finishRemoval(signal: AbortSignal): Promise<string>;
}

/**
 * Opens the files of a backup.
 *
 * @param path below the storage; at least a cluster and a backup deep
 * @param env of this process
 * @throws AppError `storage_unusable` when the storage is not there or the path leads out of it
 */
export async function openBackupFiles(storage: Storage | undefined, path: string, env: Env): Promise<BackupFiles> {
  refuseUncleanPath(path);
  return backupFilesIn(await openStorage(storage, env), path);
}

/**
 * The files of a backup in a storage that is open.
 *
 * @throws AppError `storage_unusable` when the path leads out of it
 */
export async function backupFilesIn(storage: StorageFiles, path: string): Promise<BackupFiles> {
  refuseUncleanPath(path);
  const { localRoot } = storage;
  if (localRoot !== undefined) await refuseLinks(localRoot, path.split('/'));
  const within = (name: string) => {
    if (name.split('/').some((part) => part === '.' || part === '..'))
      throw new AppError('storage_unusable', `${name} is not the name of a file of a backup.`);
    return `${path}/${name}`;
  };
  return {
    folder: localRoot === undefined ? undefined : join(localRoot, path),
    list: (signal) => storage.list(path, signal),
    entries: (folder, signal) => storage.entries(folder === '' ? path : within(folder), signal),
    read: (name, signal, limit) => storage.read(within(name), signal, limit),
    stream: (name, signal, take) => storage.stream(within(name), signal, take),
    write: (name, content, signal) => storage.write(within(name), content, signal),
    async remove(names, signal) {
      const failures = await storage.remove(names.map(within), signal);
      return failures.map(({ name, why }) => ({ name: name.slice(path.length + 1), why }));
    },
    finishRemoval: (signal) => storage.finishRemoval(path, signal),
  };
}

function refuseUncleanPath(path: string): void {
  const parts = path.split('/');
  if (
    parts.length < SHORTEST_DEPTH ||
    parts.some((part) => part === '' || part === '.' || part === '..' || part.includes('\0'))
  )
    throw new AppError('storage_unusable', `The path ${path} is not one of a backup.`);
}
