import { mkdirSync, readdirSync, readFileSync, realpathSync, rmSync, symlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { findOnPath } from './find-program.ts';

/**
 * RabbitMQ 3 looks for each of its modules in the folder of every plugin, enabled or not, and loads a thousand of
 * them at start: 53,000 files that are not there, half of the time until it listens (measured with 3.10.8: 7.3 s
 * and 4.1 s). So it gets a plugin folder of its own that holds only what the broker itself is made of, and a code
 * path where large folders come first.
 */
export interface CodePath {
  /** For RABBITMQ_PLUGINS_DIR. */
  readonly plugins: string;
  /** For `erl -pa`. */
  readonly folders: readonly string[];
}

/**
 * Links what the broker at `program` is made of into `folder`.
 *
 * @returns `undefined` where the installation looks different: RabbitMQ 4 (whose Erlang caches its path), packed
 * applications, or paths with blanks. The broker then starts as it always does.
 */
export function linkBrokerCode(program: string, folder: string): CodePath | undefined {
  const home = join(dirname(dirname(realpathSync(program))), 'plugins');
  const applications = foldersByApplication(home);
  if (!applications.get('rabbit')?.startsWith('rabbit-3.')) return undefined;
  const needed = applicationsOf('rabbit', home, applications);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { mode: 0o700 });
  for (const name of needed) symlinkSync(join(home, name), join(folder, name));

  const erlang = erlangLibrary();
  const all = [...needed.map((name) => join(home, name)), ...list(erlang).map((name) => join(erlang, name))];
  const folders = all.map((path) => join(path, 'ebin')).sort((a, b) => list(b).length - list(a).length);
  return folders.some((path) => /\s/.test(path)) ? undefined : { plugins: folder, folders };
}

/** `rabbit` → `rabbit-3.10.8`. */
function foldersByApplication(home: string): Map<string, string> {
  return new Map(list(home).map((name) => [name.replace(/-[^-]*$/, ''), name]));
}

/** The folders of an application and of all it needs, as far as they are below `home`. */
function applicationsOf(root: string, home: string, folders: ReadonlyMap<string, string>): string[] {
  const found = new Set<string>();
  const visit = (application: string) => {
    const folder = folders.get(application);
    if (folder === undefined || found.has(folder)) return;
    found.add(folder);
    for (const name of requirements(join(home, folder, 'ebin', `${application}.app`))) visit(name);
  };
  visit(root);
  return [...found];
}

/** The `applications` of an Erlang application resource file. */
function requirements(path: string): string[] {
  const text = readFileSync(path, 'utf8');
  return /\{applications,\s*\[([^\]]*)\]/.exec(text)?.[1]?.match(/[a-z]\w*/g) ?? [];
}

/** Where the `erl` on PATH keeps its applications. */
function erlangLibrary(): string {
  const erl = findOnPath('erl');
  return erl === undefined ? '' : join(dirname(dirname(realpathSync(erl))), 'lib');
}

function list(path: string): string[] {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}
