/**
 * Files in a folder that worker and TiKV share.
 *
 * F2. No part of a name below the folder is a link, so that nothing outside can be listed, read, written or removed.
 * F3. A link among the files is a file like others: it is removed, never followed.
 */
import {
  lstat,
  mkdir,
  opendir,
  readFile,
  realpath,
  rename,
  rm,
  rmdir,
  stat,
  unlink,
  writeFile,
} from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { AppError } from '@tidemark/errors/app-error';
import { isGone, refuseLinks } from './links.ts';
import type { RemovalFailure, StorageFiles, StoredFile } from './storage-files.ts';

const ENTRIES_AT_ONCE = 256;

/** What a person must put right: the owner of the files, or how they are mounted. */
const FORBIDDEN = ['EACCES', 'EPERM', 'EROFS'];

const codeOf = (error: unknown) => (error as NodeJS.ErrnoException).code ?? '';
const unusable = (message: string, cause?: unknown) => new AppError('storage_unusable', message, { cause });

/** @throws AppError `storage_unusable` when the folder is not there */
export async function openLocalFiles(storageFolder: string): Promise<StorageFiles> {
  const root = await openRoot(storageFolder);
  const open = async (parts: readonly string[]) => {
    await refuseLinks(root, parts);
    return join(root, ...parts);
  };

  return {
    localRoot: root,
    async *list(folder, signal) {
      yield* walk(await open(partsOf(folder)), '', signal);
    },
    async *folders(folder, signal) {
      for await (const entry of entriesOf(await open(folder === '' ? [] : partsOf(folder)))) {
        signal.throwIfAborted();
        if (entry.isDirectory()) yield entry.name;
      }
    },
    async read(name, signal) {
      try {
        return await readFile(await open(partsOf(name)), { signal });
      } catch (error) {
        if (isGone(error)) return undefined;
        throw explained(error);
      }
    },
    async write(name, content, signal) {
      const target = await open(partsOf(name));
      try {
        await mkdir(dirname(target), { recursive: true });
        await rm(`${target}.tmp`, { force: true });
        await writeFile(`${target}.tmp`, content, { signal, flag: 'wx' });
        await rename(`${target}.tmp`, target);
      } catch (error) {
        throw explained(error);
      }
    },
    async remove(names, signal) {
      const failures: RemovalFailure[] = [];
      const folders = new Map<string, string>();
      for (const name of names) {
        signal.throwIfAborted();
        const parts = partsOf(name);
        const last = parts.pop() ?? '';
        const parent = parts.join('/');
        const folder = folders.get(parent) ?? (await open(parts));
        folders.set(parent, folder);
        try {
          await unlink(join(folder, last));
        } catch (error) {
          if (!isGone(error)) failures.push({ name, why: codeOf(error) || String(error) });
        }
      }
      return failures;
    },
    async finishRemoval(folder, signal) {
      await removeFolders(await open(partsOf(folder)), signal);
    },
    async traits() {
      return { keepsOldVersions: false, versions: '', lock: '' };
    },
  };
}

/** The parts of a name; a file system knows no empty ones (`a//b` is `a/b`). */
function partsOf(name: string): string[] {
  const parts = name.split('/').filter((part) => part !== '');
  if (parts.length === 0 || parts.some((part) => part === '.' || part === '..' || part.includes('\0')))
    throw unusable(`${name} is not the name of a file in a storage.`);
  return parts;
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

async function* walk(folder: string, prefix: string, signal: AbortSignal): AsyncGenerator<StoredFile> {
  for await (const entry of entriesOf(folder)) {
    signal.throwIfAborted();
    const name = prefix + entry.name;
    const file = join(folder, entry.name);
    if (entry.isDirectory()) {
      yield* walk(file, `${name}/`, signal);
      continue;
    }
    try {
      yield { name, bytes: (await lstat(file)).size };
    } catch (error) {
      if (!isGone(error)) throw error; // else it went while we looked
    }
  }
}

async function* entriesOf(folder: string) {
  try {
    yield* await opendir(folder, { bufferSize: ENTRIES_AT_ONCE });
  } catch (error) {
    if (!isGone(error)) throw explained(error);
  }
}

function explained(error: unknown): unknown {
  if (!FORBIDDEN.includes(codeOf(error))) return error;
  const { path } = error as NodeJS.ErrnoException;
  return unusable(
    `This worker may not use ${path} (${codeOf(error)}): run it as the user that owns the storage.`,
    error,
  );
}

async function removeFolders(folder: string, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  const inner: string[] = [];
  for await (const entry of entriesOf(folder)) if (entry.isDirectory()) inner.push(join(folder, entry.name));
  for (const each of inner) await removeFolders(each, signal);
  try {
    await rmdir(folder);
  } catch (error) {
    if (!isGone(error)) throw error;
  }
}
