/**
 * Files of a backup in a folder that worker and TiKV share.
 *
 * F1. The path is clean, at least a cluster and a backup deep, and strictly below the storage's folder.
 * F2. No part of it below the storage is a link, so that nothing outside can be listed, written or removed.
 * F3. Links inside the path are files like others: they are removed, never followed.
 */
import { lstat, mkdir, readdir, readFile, realpath, rename, rmdir, stat, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { AppError } from '@tidemark/errors/app-error';
import type { BackupFiles, RemovalFailure, StoredFile } from './backup-files.ts';

const SHORTEST_DEPTH = 2;
const GONE = ['ENOENT', 'ENOTDIR'];

const codeOf = (error: unknown) => (error as NodeJS.ErrnoException).code ?? '';
const unusable = (message: string, cause?: unknown) => new AppError('storage_unusable', message, { cause });

/** @throws AppError `storage_unusable` */
export async function openLocalFiles(storageFolder: string, path: string): Promise<BackupFiles> {
  const parts = path.split('/');
  if (
    parts.length < SHORTEST_DEPTH ||
    parts.some((part) => part === '' || part === '.' || part === '..' || part.includes('\0'))
  )
    throw unusable(`The path ${path} is not one of a backup.`);
  const root = await openRoot(storageFolder);
  const folder = join(root, ...parts);
  await refuseLinks(root, parts);
  const within = (name: string) => {
    const pieces = name.split('/');
    if (pieces.some((piece) => piece === '' || piece === '.' || piece === '..'))
      throw unusable(`${name} is not the name of a file of a backup.`);
    return join(folder, ...pieces);
  };

  return {
    folder,
    list: (signal) => walk(folder, '', signal),
    async read(name, signal) {
      try {
        return await readFile(within(name), { signal });
      } catch (error) {
        if (GONE.includes(codeOf(error))) return undefined;
        throw error;
      }
    },
    async write(name, content, signal) {
      const target = within(name);
      await mkdir(join(target, '..'), { recursive: true });
      await writeFile(`${target}.tmp`, content, { signal });
      await rename(`${target}.tmp`, target);
    },
    async remove(names, signal) {
      await refuseLinks(root, parts);
      const failures: RemovalFailure[] = [];
      for (const name of names) {
        signal.throwIfAborted();
        try {
          await unlink(within(name));
        } catch (error) {
          if (!GONE.includes(codeOf(error))) failures.push({ name, why: codeOf(error) || String(error) });
        }
      }
      return failures;
    },
    async finishRemoval(signal) {
      await refuseLinks(root, parts);
      await removeFolders(folder, signal);
    },
  };
}

async function openRoot(storageFolder: string): Promise<string> {
  try {
    const root = await realpath(storageFolder);
    if (!(await stat(root)).isDirectory()) throw unusable(`The storage ${storageFolder} is not a folder.`);
    return root;
  } catch (error) {
    if (error instanceof AppError) throw error;
    throw unusable(
      `The storage folder ${storageFolder} cannot be used on this worker (${codeOf(error)}): is it mounted?`,
      error,
    );
  }
}

async function refuseLinks(root: string, parts: readonly string[]): Promise<void> {
  let folder = root;
  for (const part of parts) {
    folder = join(folder, part);
    try {
      if ((await lstat(folder)).isSymbolicLink())
        throw unusable(`${folder} is a link; a backup’s path must not lead out of its storage.`);
    } catch (error) {
      if (GONE.includes(codeOf(error))) return;
      throw error;
    }
  }
}

async function* walk(folder: string, prefix: string, signal: AbortSignal): AsyncGenerator<StoredFile> {
  signal.throwIfAborted();
  for (const entry of await entriesOf(folder)) {
    const name = prefix + entry.name;
    const file = join(folder, entry.name);
    if (entry.isDirectory()) {
      yield* walk(file, `${name}/`, signal);
      continue;
    }
    try {
      yield { name, bytes: (await lstat(file)).size };
    } catch (error) {
      if (!GONE.includes(codeOf(error))) throw error; // else it went while we looked
    }
  }
}

async function entriesOf(folder: string) {
  try {
    return await readdir(folder, { withFileTypes: true });
  } catch (error) {
    if (GONE.includes(codeOf(error))) return [];
    throw error;
  }
}

async function removeFolders(folder: string, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  for (const entry of await entriesOf(folder))
    if (entry.isDirectory()) await removeFolders(join(folder, entry.name), signal);
  try {
    await rmdir(folder);
  } catch (error) {
    if (!GONE.includes(codeOf(error))) throw error;
  }
}
