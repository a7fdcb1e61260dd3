import { randomUUID } from 'node:crypto';
import { access, mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { BrError, invalidStorage } from './br-error.ts';

/** A backup's folder on this host. */
export interface LocalStorage {
  /** Absolute, without a slash at its end. */
  readonly path: string;
  /** As BR's messages write it: `file://<path>`. */
  readonly uri: string;
}

/**
 * Reads a storage URL (br-contract 2.1). This program writes to folders only: `local://`, `file://` or a plain path.
 *
 * @throws BrError in the words of `br` if it is empty or of another scheme
 */
export function parseStorage(url: string): LocalStorage {
  if (url === '') throw invalidStorage('empty store is not allowed');
  const [, scheme = 'local', rest = url] = /^([a-z][a-z0-9+.-]*):\/\/(.*)$/is.exec(url) ?? [];
  if (!['local', 'file'].includes(scheme.toLowerCase())) throw invalidStorage(`storage ${scheme} not support yet`);
  const encoded = rest.replace(/[?#].*$/s, '');
  // Between `local://` and the path there may be a host, which BR ignores.
  const path = resolve(decoded(rest === url ? encoded : encoded.replace(/^[^/]*/, ''), url));
  return { path, uri: `file://${path}` };
}

function decoded(path: string, url: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    throw new BrError(`parse "${url}": invalid URL escape`);
  }
}

/** Whether there is a file of this name. */
export async function fileExists(storage: LocalStorage, name: string): Promise<boolean> {
  try {
    await access(join(storage.path, name));
    return true;
  } catch {
    return false;
  }
}

/** Writes a file whole or not at all: under another name first, as BR's local storage does, in folders made as needed. */
export async function writeWhole(storage: LocalStorage, name: string, body: Uint8Array | string): Promise<void> {
  const file = join(storage.path, name);
  const unfinished = `${file}.tmp.${randomUUID()}`;
  try {
    await mkdir(dirname(file), { recursive: true });
    await writeFile(unfinished, body, { mode: 0o644 });
    await rename(unfinished, file);
  } catch (error) {
    throw new BrError(`failed to write ${name}: ${(error as Error).message}`, 'BR:KV:ErrKVStorage');
  }
}

/** Removes a file; one that is not there is fine. */
export async function removeFile(storage: LocalStorage, name: string): Promise<void> {
  await rm(join(storage.path, name), { force: true });
}

/** The names of all files, with `/`, relative to the backup's folder, sorted; none if there is no folder. */
export async function listFiles(storage: LocalStorage): Promise<string[]> {
  try {
    const entries = await readdir(storage.path, { recursive: true, withFileTypes: true });
    return entries
      .filter((entry) => !entry.isDirectory())
      .map((entry) => join(entry.parentPath, entry.name).slice(storage.path.length + 1))
      .toSorted();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw new BrError(`failed to list ${storage.uri}: ${(error as Error).message}`);
  }
}
