/**
 * `tidemark.json`, which a worker writes beside the files of a good backup, read as what it is: text that anybody who can
 * write to the storage may have written. Pure.
 */
import { isId } from '@tidemark/limits/id';
import { MAX_MANIFEST_BYTES } from '@tidemark/limits/limits';
import { later } from '@tidemark/task/time';
import type { Backup, Result, Target } from './backup.ts';
import { isCleanRelativePath } from './validate.ts';

/** What a manifest holds; those of earlier versions hold less, and then what harms least is taken. */
export interface Manifest
  extends Pick<Backup, 'clusterId' | 'mode' | 'origin' | 'rule' | 'createdBy' | 'basePath' | 'path' | 'startTime'> {
  readonly backupId: string;
  readonly request: { readonly key?: string; readonly hash: string };
  readonly endTime: Date;
  readonly target: Target;
  readonly result: Result;
}

/** Why a manifest cannot be used, in a sentence for people. */
export class ManifestError extends Error {}

const BACKUP_ID = /^[A-Za-z0-9_-]{22}$/;
const HASH = /^[0-9a-f]{64}$/;
const NUMERAL = /^\d{1,20}$/;
/** The lower bits of a TSO count within a millisecond. */
const TSO_LOGICAL_BITS = 18n;

/**
 * Reads a manifest.
 *
 * @param bytes as they lie in the storage
 * @param folder in which they lie, below the storage
 * @throws ManifestError
 */
export function readManifest(bytes: Uint8Array, folder: string): Manifest {
  const fields = fieldsOf(parse(bytes), '');
  const version = fields.value('schemaVersion');
  if (version !== 1)
    throw new ManifestError(
      `Its schemaVersion is ${typeof version === 'number' ? version : 'no number'}; this version of Tidemark reads 1.`,
    );
  const path = fields.matching('path', isCleanRelativePath, 'a clean relative path');
  if (path !== folder) throw new ManifestError(`It says that it belongs into ${path}, but it does not lie there.`);
  const clusterId = fields.matching('clusterId', isId, 'the id of a cluster');
  if (path.split('/').at(-2) !== clusterId)
    throw new ManifestError(`It names the cluster ${clusterId}, but does not lie in that cluster's folder.`);
  const basePath =
    fields.optional('basePath', (text) => isBaseOf(text, path), 'its path, with or without -r<n>') ?? path;
  const result: Result = {
    tso: fields.matching('tso', (text) => NUMERAL.test(text) && text !== '0', 'a TSO in digits'),
    sizeBytes: fields.count('sizeBytes'),
    files: fields.count('files'),
    tidbClusterId: fields.matching('tidbClusterId', (text) => NUMERAL.test(text), 'digits'),
    clusterVersion: fields.text('clusterVersion'),
  };
  const startTime = fields.time('startTime') ?? new Date(Number(BigInt(result.tso) >> TSO_LOGICAL_BITS));
  const endTime = fields.time('endTime') ?? startTime;
  const rule = fields.optional('rule', isId, 'the name of a rule');
  const key = fields.optional('requestKey', () => true, 'a text');
  return {
    backupId: fields.matching('backupId', (text) => BACKUP_ID.test(text), 'the id of a backup'),
    clusterId,
    mode: fields.optional('mode', oneOf('manual', 'auto'), 'manual or auto') === 'auto' ? 'auto' : 'manual',
    // Retention deletes what the schedule or a log backup started: what is not known to be theirs, is not.
    origin: toOrigin(fields.optional('origin', oneOf('request', 'schedule', 'log'), 'request, schedule or log')),
    ...(rule !== undefined && { rule }),
    createdBy: fields.optional('createdBy', () => true, 'a text') ?? 'unknown',
    request: {
      ...(key !== undefined && key !== '' && { key }),
      hash: fields.optional('requestHash', (text) => HASH.test(text), '64 hexadecimal digits') ?? '',
    },
    path,
    basePath,
    startTime,
    endTime: later(startTime, endTime),
    target: readTarget(fields.object('target')),
    result,
  };
}

const toOrigin = (text: string | undefined) => (text === 'schedule' || text === 'log' ? text : 'request');

const oneOf =
  (...words: readonly string[]) =>
  (text: string) =>
    words.includes(text);

function isBaseOf(basePath: string, path: string): boolean {
  return path === basePath || (path.startsWith(`${basePath}-r`) && /^\d+$/.test(path.slice(basePath.length + 2)));
}

function parse(bytes: Uint8Array): unknown {
  if (bytes.length > MAX_MANIFEST_BYTES)
    throw new ManifestError(`It has ${bytes.length} bytes; no manifest is that large.`);
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch {
    throw new ManifestError('It is not JSON: was it cut off, or written by something else?');
  }
}

function readTarget(fields: Fields | undefined): Target {
  const tls = fields?.object('tls');
  const options = fields?.object('brOptions');
  return {
    pd: fields?.texts('pd') ?? [],
    version: fields?.text('version') ?? '',
    pool: fields?.optional('pool', () => true, 'a text') || 'default',
    ...(tls && { tls: { ca: tls.text('ca'), cert: tls.text('cert'), key: tls.text('key') } }),
    ...(options && { brOptions: readOptions(options) }),
  };
}

function readOptions(fields: Fields): NonNullable<Target['brOptions']> {
  const checksum = fields.value('checksum');
  const crypterMethod = fields.text('crypterMethod');
  const crypterKeyFile = fields.text('crypterKeyFile');
  const extra = fields.object('extra')?.all();
  return {
    rateLimit: fields.count('rateLimit'),
    concurrency: fields.count('concurrency'),
    compression: fields.text('compression'),
    filters: fields.texts('filters'),
    ...(typeof checksum === 'boolean' && { checksum }),
    ...(crypterMethod && { crypterMethod, crypterKeyFile }),
    ...(extra && Object.keys(extra).length > 0 && { extra }),
  };
}

interface Fields {
  value(name: string): unknown;
  /** A text, or '' where it is left out. */
  text(name: string): string;
  texts(name: string): string[];
  /** A whole number from 0, or 0 where it is left out. */
  count(name: string): number;
  time(name: string): Date | undefined;
  optional(name: string, fine: (text: string) => boolean, wanted: string): string | undefined;
  matching(name: string, fine: (text: string) => boolean, wanted: string): string;
  object(name: string): Fields | undefined;
  /** Every field, each a text. */
  all(): Record<string, string>;
}

/** Reads fields by name; every method throws a `ManifestError` that names a field of a wrong kind. */
function fieldsOf(value: unknown, prefix: string): Fields {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new ManifestError(prefix === '' ? 'It is not a JSON object.' : `Its field ${prefix} is not an object.`);
  const found = new Map(Object.entries(value));
  const wrong = (name: string, wanted: string) =>
    new ManifestError(`Its field ${prefix === '' ? name : `${prefix}.${name}`} must be ${wanted}.`);

  const optional: Fields['optional'] = (name, fine, wanted) => {
    const text = found.get(name) ?? undefined;
    if (text === undefined) return undefined;
    if (typeof text !== 'string' || text.length > 1_024 || !fine(text)) throw wrong(name, wanted);
    return text;
  };
  return {
    value: (name) => found.get(name),
    optional,
    text: (name) => optional(name, () => true, 'a text') ?? '',
    texts(name) {
      const list = found.get(name) ?? [];
      if (!Array.isArray(list) || !list.every((one) => typeof one === 'string')) throw wrong(name, 'a list of texts');
      return list;
    },
    count(name) {
      const number = found.get(name) ?? 0;
      if (typeof number !== 'number' || !Number.isSafeInteger(number) || number < 0)
        throw wrong(name, 'a whole number from 0');
      return number;
    },
    time(name) {
      const text = optional(name, (one) => !Number.isNaN(Date.parse(one)), 'a time such as 2026-01-31T12:00:00.000Z');
      return text === undefined ? undefined : new Date(text);
    },
    matching(name, fine, wanted) {
      const text = optional(name, fine, wanted);
      if (text === undefined) throw wrong(name, wanted);
      return text;
    },
    object: (name) =>
      found.get(name) ? fieldsOf(found.get(name), prefix === '' ? name : `${prefix}.${name}`) : undefined,
    all() {
      for (const [name, text] of found) if (typeof text !== 'string') throw wrong(name, 'a text');
      return Object.fromEntries(found) as Record<string, string>;
    },
  };
}
