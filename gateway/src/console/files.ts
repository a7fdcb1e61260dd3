/** The files of the console as its build leaves them, read once: a build that replaces them disturbs no gateway that runs. */
import { readdir, readFile } from 'node:fs/promises';
import { extname, join } from 'node:path';

export interface ConsoleFile {
  readonly type: string;
  readonly plain: Buffer;
  /** The same in brotli, where the build found that worth it. */
  readonly brotli: Buffer | undefined;
}

export interface ConsoleFiles {
  /** The page that every address of the console answers with. */
  readonly page: ConsoleFile;
  /** All others by name; a name changes with what is in it. */
  readonly assets: ReadonlyMap<string, ConsoleFile>;
}

/** Where `gateway/console/build.mjs` writes to. */
export const CONSOLE_FOLDER = join(import.meta.dirname, '..', '..', 'console', 'dist');

const PAGE = 'index.html';
const TYPES: Readonly<Record<string, string>> = {
  '.css': 'text/css; charset=utf-8',
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.svg': 'image/svg+xml',
};

/** @returns nothing where the console was not built */
export async function readConsoleFiles(folder: string): Promise<ConsoleFiles | undefined> {
  const names = await namesIn(folder);
  const files = new Map<string, ConsoleFile>();
  for (const name of names) {
    const type = TYPES[extname(name)];
    if (type === undefined) continue;
    const plain = await readFile(join(folder, name));
    const brotli = names.includes(`${name}.br`) ? await readFile(join(folder, `${name}.br`)) : undefined;
    files.set(name, { type, plain, brotli });
  }
  const page = files.get(PAGE);
  files.delete(PAGE);
  return page && { page, assets: files };
}

async function namesIn(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}
