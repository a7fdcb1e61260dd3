import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import type { VerifyLevel } from '@tidemark/backupmeta/verify-content';
import { MAX_MANIFEST_KEYS, MAX_VERIFY_FILES_AT_ONCE, MIN_VERIFY_SAMPLE } from '@tidemark/limits/limits';
import type { Storage } from '@tidemark/protocol/grpc/tidemark/backup/v1/registry_service';
import { UsageError } from './options.ts';
import { parseStorageAddress } from './storage-address.ts';

export const VERIFY_HELP = `Verifies a backup in its storage, without a cluster and without a running Tidemark: reads its catalogue, looks whether
every file is there, and compares the SHA-256 of each with what TiKV wrote. Nothing is changed.

  npm run tidemark -- verify --storage /mnt/backup --path orders/2026-11-30-02-00-00-auto
  npm run tidemark -- verify --storage 's3://backups/tidb?endpoint=https://minio:9000' --path orders/2026-11-30-02-00-00-auto
  npm run tidemark -- verify --storage gcs://backups --path orders/… --sample 0.1 --rate-limit 100
  npm run tidemark -- verify --storage /mnt/backup --path orders/… --level meta --public-key manifest.pub

The address of a storage is that of br: an absolute folder, s3://, gcs:// or azure://. Credentials come from the environment
(AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, GOOGLE_APPLICATION_CREDENTIALS, AZURE_STORAGE_KEY and the others that br takes).

Options
  --storage <address>         where backups are
  --path <path>               of the backup below the storage, as its record says (path)
  --level <level>             bytes (reads every file; the default) or meta (the catalogue, and a list of the files)
  --sample <part>             reads only a random part of the data files: 0.1 is a tenth
  --rate-limit <MiB/s>        reads no faster than this
  --files-at-once <number>    how many files are read side by side (4)
  --crypter-method <method>   of an encrypted backup: aes128-ctr, aes192-ctr or aes256-ctr
  --crypter-key-file <file>   that holds its key in hexadecimal digits
  --public-key <file>         that holds public keys (PEM): tidemark.json must be signed by one of them; may be given again
  --json                      prints the report as one JSON object
  --help                      this text

With --public-key it is told, too, whether somebody tampered with the backup, which needs no server either: a catalogue that is not the
one that was signed, a manifest that was changed, or one of another backup.

Exit code: 0 nothing is wrong, 1 the backup is damaged or was tampered with, 2 it could not be verified (also where it is not signed
by a known key, or Ctrl-C stopped it) or wrong usage.
`;

/** What was asked for. */
export type AskedToVerify =
  | { readonly command: 'help' }
  | {
      readonly command: 'verify';
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
    };

const SPEC = {
  storage: { type: 'string' },
  path: { type: 'string' },
  level: { type: 'string' },
  sample: { type: 'string' },
  'rate-limit': { type: 'string' },
  'files-at-once': { type: 'string' },
  'crypter-method': { type: 'string' },
  'crypter-key-file': { type: 'string' },
  'public-key': { type: 'string', multiple: true },
  json: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
} as const;
const METHODS = ['aes128-ctr', 'aes192-ctr', 'aes256-ctr'];
const MIB = 1_024 * 1_024;

/**
 * Decides what the arguments after `verify` mean.
 *
 * @param folder that relative names are meant from
 * @throws UsageError
 */
export function parseVerifyOptions(args: readonly string[], folder: string): AskedToVerify {
  const { values, positionals } = parse(args);
  if (values.help) return { command: 'help' };
  const [odd] = positionals;
  if (odd !== undefined) throw usage(`"${odd}" is too much: a backup is named with --storage and --path`);
  const { storage, path, level = 'bytes', json = false, 'public-key': publicKeys = [] } = values;
  if (!storage) throw usage('--storage <address> must say where backups are');
  if (!path) throw usage('--path <path> must name a backup below the storage');
  if (level !== 'bytes' && level !== 'meta') throw usage(`--level is bytes or meta; "${level}" is not`);
  const sample = numberOf(
    values.sample,
    'sample',
    (value) => value >= MIN_VERIFY_SAMPLE && value <= 1,
    `a part from ${MIN_VERIFY_SAMPLE} to 1`,
  );
  const rateLimit = numberOf(values['rate-limit'], 'rate-limit', (value) => value > 0, 'MiB per second above 0');
  const isFine = (value: number) => Number.isInteger(value) && value >= 1 && value <= MAX_VERIFY_FILES_AT_ONCE;
  const atOnce = numberOf(
    values['files-at-once'],
    'files-at-once',
    isFine,
    `a number from 1 to ${MAX_VERIFY_FILES_AT_ONCE}`,
  );
  if (level === 'meta' && sample !== undefined)
    throw usage('--sample says nothing to --level meta, which reads no data');
  if (publicKeys.length > MAX_MANIFEST_KEYS)
    throw usage(`--public-key can be given at most ${MAX_MANIFEST_KEYS} times`);
  const method = values['crypter-method'];
  const keyFile = values['crypter-key-file'];
  if ((method === undefined) !== (keyFile === undefined))
    throw usage('--crypter-method and --crypter-key-file belong together');
  if (method !== undefined && !METHODS.includes(method))
    throw usage(`--crypter-method is one of ${METHODS.join(', ')}; "${method}" is not`);
  return {
    command: 'verify',
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

function parse(args: readonly string[]) {
  try {
    return parseArgs({ args: [...args], options: SPEC, allowPositionals: true });
  } catch (error) {
    const [sentence = ''] = (error as Error).message.split('. ');
    throw usage(sentence.replace(/\.$/, ''));
  }
}

const usage = (sentence: string) => new UsageError(`${sentence}. verify --help tells the rest.`);
