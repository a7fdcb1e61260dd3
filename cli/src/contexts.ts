/** Contexts: addresses of Tidemark under names, each with the file of its token. Tokens themselves are not kept here. */
import { mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, isAbsolute, join } from 'node:path';
import { MAX_CONTEXTS, MAX_CONTEXTS_FILE_BYTES } from '@tidemark/limits/limits';
import { readFileWithinSync, whyUnread } from '@tidemark/service-kit/bounded-read';
import type { Env } from '@tidemark/service-kit/env';
import { CommandError, UsageError } from './exit.ts';

export interface Context {
  readonly url: string;
  /** Absolute. */
  readonly tokenFile: string;
}

export interface Contexts {
  /** The one that is in use where nothing else is named. */
  readonly current?: string;
  readonly contexts: Readonly<Record<string, Context>>;
}

const NONE: Contexts = { contexts: {} };
const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;

/** Where they are kept. */
export function contextsFile(env: Env): string {
  const { XDG_CONFIG_HOME: named, HOME: home = homedir() } = env;
  const folder = named !== undefined && isAbsolute(named) ? named : join(home, '.config');
  return join(folder, 'tidemark', 'contexts.json');
}

/** @throws CommandError for a file that cannot be used, which quotes nothing of it */
export function readContexts(file: string): Contexts {
  let text: string;
  try {
    text = readFileWithinSync(file, MAX_CONTEXTS_FILE_BYTES).toString('utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return NONE;
    throw new CommandError(`The contexts in ${file} cannot be used: it ${whyUnread(error)}.`);
  }
  const read = parsed(text);
  if (!isContexts(read))
    throw new CommandError(`The contexts in ${file} cannot be used: it is not what "context add" wrote.`);
  return read;
}

/** The contexts with one more, or another under its name; the first is in use. @throws UsageError */
export function withContext({ current, contexts }: Contexts, name: string, context: Context): Contexts {
  if (!NAME.test(name))
    throw new UsageError(`"${name}" is no name of a context: letters, digits, dots, dashes and underscores.`);
  const all = { ...contexts, [name]: context };
  if (Object.keys(all).length > MAX_CONTEXTS) throw new UsageError(`There are at most ${MAX_CONTEXTS} contexts.`);
  return { current: current ?? name, contexts: all };
}

/** @throws UsageError for a name that is not there */
export function withCurrent(before: Contexts, name: string): Contexts {
  if (!Object.hasOwn(before.contexts, name))
    throw new UsageError(`There is no context "${name}"; "context list" shows those that there are.`);
  return { ...before, current: name };
}

/** @throws UsageError for a name that is not there */
export function withoutContext(before: Contexts, name: string): Contexts {
  const { [name]: _, ...contexts } = withCurrent(before, name).contexts;
  return before.current === name ? { contexts } : { ...before, contexts };
}

/** Writes them for their user alone; another reader sees the old or the new ones, and never a half. */
export function writeContexts(file: string, contexts: Contexts): void {
  const draft = `${file}.${process.pid}`;
  try {
    mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
    writeFileSync(draft, `${JSON.stringify(contexts, null, 2)}\n`, { mode: 0o600 });
    renameSync(draft, file);
  } catch (error) {
    rmSync(draft, { force: true });
    throw new CommandError(`${file} could not be written (${(error as NodeJS.ErrnoException).code ?? 'unknown'}).`);
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function isContexts(value: unknown): value is Contexts {
  if (typeof value !== 'object' || value === null) return false;
  const { current, contexts } = value as { readonly current?: unknown; readonly contexts?: unknown };
  if (typeof contexts !== 'object' || contexts === null) return false;
  const all = Object.entries(contexts);
  const areSound = all.every(
    ([name, one]) => NAME.test(name) && typeof one?.url === 'string' && typeof one?.tokenFile === 'string',
  );
  return areSound && (current === undefined || all.some(([name]) => name === current));
}
