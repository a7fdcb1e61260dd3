import { resolve } from 'node:path';
import type { VerifyLevel } from '@tidemark/backupmeta/content-report';
import { MAX_MANIFEST_KEYS, MAX_VERIFY_FILES_AT_ONCE, MIN_VERIFY_SAMPLE } from '@tidemark/limits/limits';
import type { Storage } from '@tidemark/protocol/grpc/tidemark/backup/v1/registry_service';
import { UsageError } from './exit.ts';
import { parseStorageAddress } from './storage-address.ts';

/** What is to be verified, and how. */
export interface Wanted {
  readonly storage: Storage;
  readonly path: string;
  readonly level: VerifyLevel;
  readonly sample: number;
  readonly bytesPerSecond?: number;
  readonly filesAtOnce: number;
  readonly crypter?: { readonly method: string; readonly keyFile: string };
  /** Names of files. */
  readonly publicKeys: readonly string[];
  readonly json: boolean;
}

/** The options as they were given. */
export interface VerifyOptions {
  readonly storage?: string | undefined;
  readonly path?: string | undefined;
  readonly level?: string | undefined;
  readonly sample?: string | undefined;
  readonly rateLimit?: string | undefined;
  readonly filesAtOnce?: string | undefined;
  readonly crypterMethod?: string | undefined;
  readonly crypterKeyFile?: string | undefined;
  readonly publicKey?: readonly string[] | undefined;
  readonly json?: boolean | undefined;
}

const METHODS = ['aes128-ctr', 'aes192-ctr', 'aes256-ctr'];
const MIB = 1_024 * 1_024;

/**
 * Decides what the options of `verify` mean.
 *
 * @param folder that relative names are meant from
 * @throws UsageError
 */
export function toWanted(values: VerifyOptions, folder: string): Wanted {
  const { storage, path, level = 'bytes', json = false, publicKey: publicKeys = [] } = values;
  if (!storage) throw usage('--storage <address> must say where backups are');
  if (!path) throw usage('--path <path> must name a backup below the storage');
  if (level !== 'bytes' && level !== 'meta') throw usage(`--level is bytes or meta; "${level}" is not`);
  const sample = numberOf(
    values.sample,
    'sample',
    (value) => value >= MIN_VERIFY_SAMPLE && value <= 1,
    `a part from ${MIN_VERIFY_SAMPLE} to 1`,
  );
  const rateLimit = numberOf(values.rateLimit, 'rate-limit', (value) => value > 0, 'MiB per second above 0');
  const isFine = (value: number) => Number.isInteger(value) && value >= 1 && value <= MAX_VERIFY_FILES_AT_ONCE;
  const atOnce = numberOf(
    values.filesAtOnce,
    'files-at-once',
    isFine,
    `a number from 1 to ${MAX_VERIFY_FILES_AT_ONCE}`,
  );
  if (level === 'meta' && sample !== undefined)
    throw usage('--sample says nothing to --level meta, which reads no data');
  if (publicKeys.length > MAX_MANIFEST_KEYS)
    throw usage(`--public-key can be given at most ${MAX_MANIFEST_KEYS} times`);
  const method = values.crypterMethod;
  const keyFile = values.crypterKeyFile;
  if ((method === undefined) !== (keyFile === undefined))
    throw usage('--crypter-method and --crypter-key-file belong together');
  if (method !== undefined && !METHODS.includes(method))
    throw usage(`--crypter-method is one of ${METHODS.join(', ')}; "${method}" is not`);
  return {
    storage: parseStorageAddress(storage),
    path: path.replace(/^\/+|\/+$/g, ''),
    level,
    sample: sample ?? 1,
    ...(rateLimit !== undefined && { bytesPerSecond: rateLimit * MIB }),
    filesAtOnce: atOnce ?? 4,
    ...(method !== undefined && keyFile !== undefined && { crypter: { method, keyFile: resolve(folder, keyFile) } }),
    publicKeys: publicKeys.map((file) => resolve(folder, file)),
    json,
  };
}

function numberOf(
  text: string | undefined,
  name: string,
  isFine: (value: number) => boolean,
  wanted: string,
): number | undefined {
  if (text === undefined) return undefined;
  const value = /^\d+(\.\d+)?$/.test(text) ? Number(text) : Number.NaN;
  if (!isFine(value)) throw usage(`--${name} is ${wanted}; "${text}" is not`);
  return value;
}

const usage = (sentence: string) => new UsageError(`${sentence}. verify --help tells the rest.`);
