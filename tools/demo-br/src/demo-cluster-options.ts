import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import type { TableName } from './table.ts';

export const CLUSTER_HELP = `Looks into the made-up clusters that demo-br backs up and restores, and changes them.

  npm run demo-cluster -- list                           databases, tables, and what restores left behind
  npm run demo-cluster -- show DATABASE.TABLE            the rows of a table
  npm run demo-cluster -- insert DATABASE.TABLE ID TEXT  adds a row, or changes it; makes the table
  npm run demo-cluster -- delete DATABASE.TABLE ID       takes a row away
  npm run demo-cluster -- drop DATABASE[.TABLE]          drops a table, or a database with all its tables
  npm run demo-cluster -- write DATABASE.TABLE SECONDS   has the cluster write a row so often into a new table, by itself
  npm run demo-cluster -- write off                      ends that; the rows stay
  npm run demo-cluster -- empty                          drops everything: the cluster is as after its first start

Options:
  --pd <addresses>   which cluster, by the PD addresses that it is registered with (127.0.0.1:2379)
  --data <folder>    the data folder of npm start (.tidemark)
`;

/** What was asked, or the text of the mistake. */
export type ClusterTask =
  | { readonly verb: 'help' }
  | { readonly verb: 'list' }
  | { readonly verb: 'empty' }
  | { readonly verb: 'write'; readonly name: TableName; readonly everyMs: number }
  | { readonly verb: 'write-off' }
  | { readonly verb: 'show'; readonly name: TableName }
  | { readonly verb: 'insert'; readonly name: TableName; readonly handle: number; readonly value: string }
  | { readonly verb: 'delete'; readonly name: TableName; readonly handle: number }
  | { readonly verb: 'drop'; readonly db: string; readonly table: string | undefined };

export interface ClusterOptions {
  readonly task: ClusterTask;
  readonly pd: readonly string[];
  /** The folder that holds the folders of all clusters. */
  readonly root: string;
}

/** A command line that makes no sense; the message says why. */
export class ClusterUsageError extends Error {}

/** Where a stack keeps its demo clusters, in its data folder. */
export const CLUSTERS_FOLDER = 'demo-clusters';

const VERBS: Readonly<Record<string, readonly [least: number, most: number]>> = {
  list: [0, 0],
  empty: [0, 0],
  show: [1, 1],
  insert: [3, 3],
  delete: [2, 2],
  drop: [1, 1],
  write: [1, 2],
};

/**
 * Reads the command line.
 *
 * @param folder that relative paths start from
 * @param root of the clusters unless `--data` says otherwise
 * @throws ClusterUsageError
 */
export function parseClusterOptions(
  args: readonly string[],
  { folder, root }: { folder: string; root: string },
): ClusterOptions {
  const { values, positionals } = parse(args);
  const { pd = '127.0.0.1:2379', data } = values;
  const [verb = 'help', ...rest] = positionals;
  const task = values.help || verb === 'help' ? ({ verb: 'help' } as const) : parseTask(verb, rest);
  return { task, pd: pd.split(','), root: data === undefined ? root : join(resolve(folder, data), CLUSTERS_FOLDER) };
}

function parse(args: readonly string[]) {
  try {
    const options = {
      pd: { type: 'string' },
      data: { type: 'string' },
      help: { type: 'boolean', short: 'h' },
    } as const;
    return parseArgs({ args: [...args], options, allowPositionals: true });
  } catch (error) {
    throw new ClusterUsageError((error as Error).message);
  }
}

function parseTask(verb: string, rest: readonly string[]): ClusterTask {
  const counts = Object.hasOwn(VERBS, verb) ? VERBS[verb] : undefined;
  if (counts === undefined) throw new ClusterUsageError(`There is no "${verb}": ${Object.keys(VERBS).join(', ')}.`);
  const [least, most] = counts;
  if (rest.length < least || rest.length > most) {
    const wanted = least === most ? `${least}` : `${least} or ${most}`;
    throw new ClusterUsageError(`"${verb}" takes ${wanted} words, not ${rest.length}.`);
  }
  const [name = '', id = '', value = ''] = rest;
  switch (verb) {
    case 'show':
      return { verb, name: tableName(name) };
    case 'insert':
      if (/[\n\r]/.test(value)) throw new ClusterUsageError('A row is one line.');
      return { verb, name: tableName(name), handle: handleOf(id), value };
    case 'delete':
      return { verb, name: tableName(name), handle: handleOf(id) };
    case 'drop': {
      const [db = '', table] = split(name);
      return { verb, db, table };
    }
    case 'write':
      if (name === 'off' && rest.length === 1) return { verb: 'write-off' };
      return { verb, name: tableName(name), everyMs: intervalOf(id) };
    default:
      return verb === 'list' ? { verb } : { verb: 'empty' };
  }
}

/** At the first dot, as names of databases have none here. */
function split(name: string): readonly [db: string, table?: string] {
  const [db = '', ...table] = name.split('.');
  if (db === '' || (table.length > 0 && table.join('.') === '')) {
    throw new ClusterUsageError(`"${name}" is not DATABASE or DATABASE.TABLE.`);
  }
  return table.length === 0 ? [db] : [db, table.join('.')];
}

function tableName(name: string): TableName {
  const [db, table] = split(name);
  if (table === undefined) throw new ClusterUsageError(`"${name}" is not DATABASE.TABLE.`);
  return { db, table };
}

/** In milliseconds. */
function intervalOf(seconds: string): number {
  const everyMs = Math.round(Number(seconds) * 1_000);
  if (!(everyMs >= 1 && everyMs <= 86_400_000)) {
    throw new ClusterUsageError(`"${seconds}" is no interval: seconds, from 0.001 to 86400.`);
  }
  return everyMs;
}

function handleOf(id: string): number {
  if (!/^(0|[1-9]\d{0,14})$/.test(id)) throw new ClusterUsageError(`"${id}" is no ID: a number of at most 15 digits.`);
  return Number(id);
}
