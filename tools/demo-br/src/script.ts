import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { BrError } from './br-error.ts';
import { dialectOf } from './dialect.ts';
import { type Outcome, SUCCESS } from './outcome.ts';
import { readOutcome } from './script-outcome.ts';
import { DEFAULT_VERSION } from './version.ts';

/** What a run is given beyond its command line. Times are in seconds. */
export interface Script {
  /** How long it takes to write all regions. */
  readonly seconds: number;
  readonly regions: number;
  readonly bytesPerFile: number;
  readonly progressIntervalSeconds: number;
  /** Time between two writes of the checkpoint; 0 writes it after each region. A signal loses what came later. */
  readonly flushSeconds: number;
  /** The pause after taking checkpoint.lock; 3 in the real program. */
  readonly lockSettleSeconds: number;
  readonly lockTtlSeconds: number;
  /** How old the heartbeat of a restore must be for it to count as dead; 300 in the real program. */
  readonly registryStaleSeconds: number;
  /** How far behind now the checkpoint of a log backup stays. */
  readonly logLagSeconds: number;
  /** How long a truncation has its lock before the first file goes. */
  readonly truncateSeconds: number;
  /** How many files one truncation can remove; the others are left, and told. */
  readonly truncateFiles: number;
  /** How much of the real program's time to give up passes before a named failure; 1 is all, 0 (the default) none. */
  readonly waitScale: number;
  /** By default a number made from the PD addresses, so that each demo cluster has its own. */
  readonly clusterId: bigint;
  readonly version: string;
  /** Of every TiKV of the cluster; by default BR's. */
  readonly clusterVersion: string;
  /** Whether there is a checkpoint.lock; by default as in BR of `version` (from 6.5.1). */
  readonly hasLock: boolean;
  readonly outcome: Outcome;
  /** A file that gets a line at the start and at the end of each run. */
  readonly ledger: string | undefined;
  /** The folder that holds the folders of demo clusters; without it, there are none but untouched ones. */
  readonly clusters: string | undefined;
  /** Where the runs under this script are counted, for `outcome.times`; there is none without a script file. */
  readonly runsFile: string | undefined;
}

/** The name of the file that is looked for in the folders above a backup's path; the nearest one counts. */
export const SCRIPT_FILE = 'demo-br.json';

type Reader<T> = (value: unknown) => T | undefined;

const number: Reader<number> = (value) => {
  const read = typeof value === 'string' && value.trim() !== '' ? Number(value) : value;
  return typeof read === 'number' && Number.isFinite(read) && read >= 0 ? read : undefined;
};
const text: Reader<string> = (value) => (typeof value === 'string' && value !== '' ? value : undefined);
const flag: Reader<boolean> = (value) =>
  typeof value === 'boolean' ? value : ({ true: true, false: false } as Record<string, boolean>)[String(value)];
const bigId: Reader<bigint> = (value) =>
  /^\d+$/.test(String(value)) && (typeof value === 'string' || Number.isSafeInteger(value))
    ? BigInt(value as string)
    : undefined;

const fields: Reader<object> = (value) => {
  if (typeof value === 'string') return fields(parsed(value));
  return typeof value === 'object' && value !== null ? value : undefined;
};

function parsed(text: string): unknown {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'string' ? undefined : value;
  } catch {
    return undefined;
  }
}

/** Every field with what it must be. The environment gives it as DEMO_BR_ and its name in capitals. */
const FIELDS = {
  seconds: [number, 'a number of seconds'],
  regions: [number, 'a number'],
  bytesPerFile: [number, 'a number of bytes'],
  progressIntervalSeconds: [number, 'a number of seconds'],
  flushSeconds: [number, 'a number of seconds'],
  lockSettleSeconds: [number, 'a number of seconds'],
  lockTtlSeconds: [number, 'a number of seconds'],
  registryStaleSeconds: [number, 'a number of seconds'],
  logLagSeconds: [number, 'a number of seconds'],
  truncateSeconds: [number, 'a number of seconds'],
  truncateFiles: [number, 'a number'],
  waitScale: [number, 'a number'],
  clusterId: [bigId, 'the digits of a 64-bit number, as a text'],
  version: [text, 'a version such as v8.5.0'],
  clusterVersion: [text, 'a version such as v8.5.0'],
  hasLock: [flag, 'true or false'],
  outcome: [readOutcome, 'a kind of outcome, or an object with a kind and its fields (see outcome.ts)'],
  ledger: [text, 'the path of a file'],
  clusters: [text, 'the path of a folder'],
  restore: [fields, 'an object of such fields, for restores alone'],
  log: [fields, 'an object of such fields, for log backups alone'],
} as const satisfies Record<string, readonly [Reader<unknown>, string]>;

type FieldName = keyof typeof FIELDS;
type FieldValues = { [Name in FieldName]?: Exclude<ReturnType<(typeof FIELDS)[Name][0]>, undefined> };
type Env = Readonly<Record<string, string | undefined>>;

function read<Name extends FieldName>(into: FieldValues, name: Name, value: unknown, source: string): void {
  const [reader, expected] = FIELDS[name];
  const result = reader(value);
  if (result === undefined) throw new BrError(`demo-br: ${source} is not ${expected}`);
  into[name] = result as FieldValues[Name];
}

function fromEnv(env: Env): FieldValues {
  const values: FieldValues = {};
  for (const name of Object.keys(FIELDS) as FieldName[]) {
    const variable = `DEMO_BR_${name.replace(/[A-Z]/g, '_$&').toUpperCase()}`;
    const value = env[variable];
    if (value !== undefined && value !== '') read(values, name, value, variable);
  }
  return values;
}

function readAll(into: FieldValues, given: object, source: string): void {
  for (const [name, value] of Object.entries(given)) {
    if (!Object.hasOwn(FIELDS, name)) throw new BrError(`demo-br: ${source} has no use for a field ${name}`);
    read(into, name as FieldName, value, `${name} in ${source}`);
  }
}

function fromText({ body, file }: { body: string; file: string }): FieldValues {
  const given = parsed(body);
  if (typeof given !== 'object' || given === null) throw new BrError(`demo-br: ${file} is not JSON`);
  const values: FieldValues = {};
  readAll(values, given, file);
  if (values.ledger !== undefined) values.ledger = resolve(dirname(file), values.ledger);
  if (values.clusters !== undefined) values.clusters = resolve(dirname(file), values.clusters);
  return values;
}

async function findScript(
  env: Env,
  backupPath: string | undefined,
): Promise<{ file: string; body: string } | undefined> {
  const named = env.DEMO_BR_SCRIPT;
  if (named !== undefined && named !== '') {
    const file = resolve(named);
    const body = await readIfThere(file);
    if (body === undefined) throw new BrError(`demo-br: DEMO_BR_SCRIPT names ${file}, which is not there`);
    return { file, body };
  }
  if (backupPath === undefined) return undefined;
  for (let folder = dirname(backupPath); ; folder = dirname(folder)) {
    const file = join(folder, SCRIPT_FILE);
    const body = await readIfThere(file);
    if (body !== undefined) return { file, body };
    if (folder === dirname(folder)) return undefined;
  }
}

async function readIfThere(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    if (['ENOENT', 'ENOTDIR', 'EACCES'].includes((error as NodeJS.ErrnoException).code ?? '')) return undefined;
    throw error;
  }
}

/** A number between 7.0 and 7.9 × 10^18, where real cluster ids are, always the same for the same PD addresses. */
function clusterIdOf(pd: readonly string[]): bigint {
  const hash = createHash('sha256').update(pd.toSorted().join(',')).digest().readBigUInt64BE();
  return 7_000_000_000_000_000_000n + (hash % 900_000_000_000_000_000n);
}

/**
 * What a run in this path is given: by the file that DEMO_BR_SCRIPT names, else by the nearest `demo-br.json` in the
 * folders above the path; then by DEMO_BR_* variables; then by defaults.
 *
 * @param command whose fields count where the file has others for restores
 * @param backupPath undefined for a backup that is not in a folder: then no file is looked for
 * @throws BrError for a field that is unknown or cannot be read
 */
export async function readScript(
  env: Env,
  backupPath: string | undefined,
  pd: readonly string[],
  command: 'backup' | 'restore' | 'log' = 'backup',
): Promise<Script> {
  const found = await findScript(env, backupPath);
  const values: FieldValues = { ...fromEnv(env), ...(found && fromText(found)) };
  for (const own of ['restore', 'log'] as const) {
    const source = `${own} in ${found?.file ?? `DEMO_BR_${own.toUpperCase()}`}`;
    const given = values[own];
    if (given !== undefined) readAll(command === own ? values : {}, given, source);
  }
  // What is for backups says nothing of how a log goes.
  if (command === 'log' && !Object.hasOwn(values.log ?? {}, 'outcome')) delete values.outcome;
  const version = values.version ?? DEFAULT_VERSION;
  return {
    seconds: values.seconds ?? 5,
    regions: Math.floor(values.regions ?? 20),
    bytesPerFile: Math.floor(values.bytesPerFile ?? 65_536),
    progressIntervalSeconds: values.progressIntervalSeconds ?? 1,
    flushSeconds: values.flushSeconds ?? 1,
    lockSettleSeconds: values.lockSettleSeconds ?? 0,
    lockTtlSeconds: values.lockTtlSeconds ?? 300,
    registryStaleSeconds: values.registryStaleSeconds ?? 300,
    logLagSeconds: values.logLagSeconds ?? 0,
    truncateSeconds: values.truncateSeconds ?? 0,
    truncateFiles: values.truncateFiles ?? Number.POSITIVE_INFINITY,
    waitScale: values.waitScale ?? 0,
    clusterId: values.clusterId ?? clusterIdOf(pd),
    version,
    clusterVersion: values.clusterVersion ?? version,
    hasLock: values.hasLock ?? dialectOf(version).lock !== 'none',
    outcome: values.outcome ?? SUCCESS,
    ledger: values.ledger,
    clusters: values.clusters,
    runsFile: found && `${found.file}.${command === 'backup' ? '' : `${command}.`}runs`,
  };
}
