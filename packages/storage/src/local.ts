/**
 * Files in a folder that worker and TiKV share.
 *
 * F2. No part of a name below the folder is a link, so that nothing outside can be listed, read, written or removed.
 * F3. A link among the files is a file like others: it is removed, never followed.
 * F4. Only regular files are read, and no more of them than the caller's limit: a pipe or a device cannot hold it up.
 * F5. Every name that is listed leads back to its file, whatever its bytes are.
 */
import { constants, type Dirent } from 'node:fs';
import {
  access,
  type FileHandle,
  lstat,
  mkdir,
  open,
  opendir,
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
import { raceAbort } from '@tidemark/service-kit/abort';
import { collect, handOver, readWithin, refuseTooLong, whileAlive } from './bounded-read.ts';
import { nameOf, pathOf } from './file-names.ts';
import { isGone, refuseLinks } from './links.ts';
import { type ReadLimit, SMALL_FILE_LIMIT } from './read-limit.ts';
import { namedFolders } from './requests.ts';
import type { RemovalFailure, StorageFiles, StoredEntry, StoredFile, TakePiece } from './storage-files.ts';

const ENTRIES_AT_ONCE = 256;
const PIECE_BYTES = 1_024 * 1_024;

/** What a person must put right: the owner of the files, or how they are mounted. */
const FORBIDDEN = ['EACCES', 'EPERM', 'EROFS'];

const codeOf = (error: unknown) => (error as NodeJS.ErrnoException).code ?? '';
const unusable = (message: string, cause?: unknown) => new AppError('storage_unusable', message, { cause });
/** The storage is there, and something else than a file lies at this name. */
const noFile = (name: string) =>
  new AppError('storage_unusable', `${name} could not be read: it is not a regular file.`, {
    info: { notAFile: name },
  });

/** @throws AppError `storage_unusable` when the folder is not there */
export async function openLocalFiles(storageFolder: string): Promise<StorageFiles> {
  const root = await openRoot(storageFolder);
  const within = async (parts: readonly string[]) => {
    await refuseLinks(root, parts);
    return join(root, ...parts);
  };
  const entries = async function* (folder: string, signal: AbortSignal) {
    yield* plainEntries(await within(folder === '' ? [] : partsOf(folder)), signal);
  };

  return {
    localRoot: root,
    async *list(folder, signal) {
      yield* walk(await within(partsOf(folder)), '', signal);
    },
    folders: (folder, signal) => namedFolders(entries(folder, signal)),
    entries,
    async find(name, signal) {
      const file = await within(partsOf(name));
      try {
        return { name, bytes: (await raceAbort(statRegular(file), signal)).size };
      } catch (error) {
        if (isGone(error)) return undefined;
        throw explained(error);
      }
    },
    async read(name, signal, limit = SMALL_FILE_LIMIT) {
      const file = await within(partsOf(name));
      try {
        // A server of the mount that stays silent holds up the system call, but nobody who waits for it.
        return await readWithin(name, limit, signal, (ending) =>
          raceAbort(readRegular(file, name, limit, ending), ending),
        );
      } catch (error) {
        if (isGone(error)) return undefined;
        throw explained(error);
      }
    },
    async stream(name, signal, take) {
      const file = await within(partsOf(name));
      try {
        return await whileAlive(name, signal, (ending, alive) =>
          raceAbort(streamRegular(file, name, take, ending, alive), ending),
        );
      } catch (error) {
        if (isGone(error)) return false;
        throw explained(error);
      }
    },
    async write(name, content, signal) {
      const target = await within(partsOf(name));
      try {
        await makeFolder(dirname(target), root);
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
        const folder = folders.get(parent) ?? (await within(parts));
        folders.set(parent, folder);
        try {
          await unlink(pathOf(join(folder, last)));
        } catch (error) {
          if (!isGone(error)) failures.push({ name, why: codeOf(error) || String(error) });
        }
      }
      return failures;
    },
    async finishRemoval(folder, signal) {
      await removeFolders(await within(partsOf(folder)), signal);
      return '';
    },
    async traits() {
      return { keepsOldVersions: false, versions: '', lock: '' };
    },
  };
}

/** @throws the error that says so where the file system is mounted read-only: there Node calls a folder absent instead */
async function makeFolder(folder: string, root: string): Promise<void> {
  try {
    await mkdir(folder, { recursive: true });
  } catch (error) {
    if (isGone(error)) await access(root, constants.W_OK);
    throw error;
  }
}

/** The parts of a name; a file system knows no empty ones (`a//b` is `a/b`). */
function partsOf(name: string): string[] {
  const parts = name.split('/').filter((part) => part !== '');
  if (parts.length === 0 || parts.some((part) => part === '.' || part === '..' || part.includes('\0')))
    throw unusable(`${name.toWellFormed()} is not the name of a file in a storage.`);
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

/** @throws AppError `storage_unusable` for what is no regular file, which is not even opened */
async function statRegular(file: string) {
  const found = await lstat(pathOf(file));
  if (!found.isFile()) throw noFile(file.toWellFormed());
  return found;
}

async function readRegular(file: string, name: string, limit: ReadLimit, signal: AbortSignal): Promise<Buffer> {
  refuseTooLong(name, (await statRegular(file)).size, limit);
  await using handle = await openRegular(file, name);
  return await collect(contentOf(handle), { name, limit }, signal, () => undefined);
}

async function streamRegular(
  file: string,
  name: string,
  take: TakePiece,
  signal: AbortSignal,
  alive: () => void,
): Promise<true> {
  await statRegular(file);
  await using handle = await openRegular(file, name);
  return await handOver(contentOf(handle), take, signal, alive);
}

/** Whatever came in the place of a regular file meanwhile must not block. */
async function openRegular(file: string, name: string): Promise<FileHandle> {
  const handle = await open(pathOf(file), constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW);
  if ((await handle.stat()).isFile()) return handle;
  await handle.close();
  throw noFile(name);
}

const contentOf = (handle: FileHandle) => handle.createReadStream({ highWaterMark: PIECE_BYTES, autoClose: false });

async function* walk(folder: string, prefix: string, signal: AbortSignal): AsyncGenerator<StoredFile> {
  for await (const { entry, name, path } of entriesOf(folder)) {
    signal.throwIfAborted();
    if (entry.isDirectory()) {
      yield* walk(path, `${prefix}${name}/`, signal);
      continue;
    }
    try {
      yield { name: prefix + name, bytes: (await lstat(pathOf(path))).size };
    } catch (error) {
      if (!isGone(error)) throw error; // else it went while we looked
    }
  }
}

async function* plainEntries(folder: string, signal: AbortSignal): AsyncGenerator<StoredEntry> {
  for await (const { entry, name, path } of entriesOf(folder)) {
    signal.throwIfAborted();
    if (entry.isDirectory()) yield { name, folder: true, bytes: 0 };
    if (!entry.isFile()) continue;
    try {
      const { size, mtime } = await lstat(pathOf(path));
      yield { name, folder: false, bytes: size, modified: mtime };
    } catch (error) {
      if (!isGone(error)) throw error;
    }
  }
}

interface RawEntry {
  readonly entry: Dirent<Buffer>;
  readonly name: string;
  readonly path: string;
}

async function* entriesOf(folder: string): AsyncGenerator<RawEntry> {
  try {
    // Its types know no other names than strings here.
    const options = { bufferSize: ENTRIES_AT_ONCE, encoding: 'buffer' as BufferEncoding };
    for await (const found of await opendir(pathOf(folder), options)) {
      const entry = found as unknown as Dirent<Buffer>;
      const name = nameOf(entry.name);
      yield { entry, name, path: join(folder, name) };
    }
  } catch (error) {
    if (!isGone(error)) throw explained(error);
  }
}

function explained(error: unknown): unknown {
  if (!FORBIDDEN.includes(codeOf(error))) return error;
  const { path } = error as NodeJS.ErrnoException;
  if (codeOf(error) === 'EROFS')
    return unusable(`${path} is mounted read-only on this worker (EROFS): mount it so that it can be written.`, error);
  return unusable(
    `This worker may not use ${path} (${codeOf(error)}): run it as the user that owns the storage.`,
    error,
  );
}

async function removeFolders(folder: string, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  const inner: string[] = [];
  for await (const { entry, path } of entriesOf(folder)) if (entry.isDirectory()) inner.push(path);
  for (const each of inner) await removeFolders(each, signal);
  try {
    await rmdir(pathOf(folder));
  } catch (error) {
    if (!isGone(error)) throw error;
  }
}
