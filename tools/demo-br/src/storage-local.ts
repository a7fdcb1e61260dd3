import { randomUUID } from 'node:crypto';
import { access, chmod, mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { BrError } from './br-error.ts';
import type { Storage } from './storage.ts';

const isMissing = (error: unknown): boolean => (error as NodeJS.ErrnoException).code === 'ENOENT';

/** Makes a folder and those above it as needed, open to all whatever the umask, as BR does (br-contract 14.18). */
async function makeOpenFolder(path: string): Promise<void> {
  let made = await mkdir(path, { recursive: true });
  for (let folder = path; made !== undefined; folder = dirname(folder)) {
    await chmod(folder, 0o777);
    if (folder === made) made = undefined;
  }
}

/** A folder on this host, by its absolute path. */
export function localStorage(path: string): Storage {
  return {
    kind: 'local',
    uri: `file://${path}`,
    path,
    // Under another name first, as BR's local storage does (br-contract 2.5).
    async writeWhole(name, body) {
      const file = join(path, name);
      const unfinished = `${file}.tmp.${randomUUID()}`;
      try {
        await makeOpenFolder(dirname(file));
        await writeFile(unfinished, body, { mode: 0o644 });
        await rename(unfinished, file);
      } catch (error) {
        throw new BrError(`failed to write ${name}: ${(error as Error).message}`, 'BR:KV:ErrKVStorage');
      }
    },
    async read(name) {
      try {
        return await readFile(join(path, name));
      } catch (error) {
        if (isMissing(error)) return undefined;
        throw error;
      }
    },
    async exists(name) {
      try {
        await access(join(path, name));
        return true;
      } catch {
        return false;
      }
    },
    async list() {
      try {
        const entries = await readdir(path, { recursive: true, withFileTypes: true });
        return entries
          .filter((entry) => !entry.isDirectory())
          .map((entry) => join(entry.parentPath, entry.name).slice(path.length + 1))
          .toSorted();
      } catch (error) {
        if (isMissing(error)) return [];
        throw new BrError(`failed to list file://${path}: ${(error as Error).message}`);
      }
    },
    remove: (name) => rm(join(path, name), { force: true }),
    makeFolder: (name) => makeOpenFolder(join(path, name)),
  };
}
