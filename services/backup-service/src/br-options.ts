/** Which options of `br` people may give, for a cluster or for one backup, and how the two are put together. Pure. */
import type { BrOptions } from '@tidemark/protocol/grpc/tidemark/backup/v1/registry_service';
import type { Target } from './backup.ts';
import { isCleanAbsolutePath, isTableFilter, type Validation } from './validate.ts';

export type StoredBrOptions = NonNullable<Target['brOptions']>;

const MOST_FILTERS = 100;
const MOST_CONCURRENCY = 256;
const COMPRESSIONS = ['', 'zstd', 'lz4', 'snappy'];
const CRYPTER_METHODS = ['aes128-ctr', 'aes192-ctr', 'aes256-ctr'];

interface ExtraOption {
  readonly fits: RegExp;
  /** What it must be, as the end of a sentence. */
  readonly must: string;
}

const BOOLEAN: ExtraOption = { fits: /^(true|false)$/, must: 'must be "true" or "false"' };
const WHOLE: ExtraOption = { fits: /^\d{1,12}$/, must: 'must be a whole number' };
const DURATION: ExtraOption = { fits: /^(\d{1,9}(ms|s|m|h))+$/, must: 'must be a duration such as "10s"' };

/** The flags of br-contract 1.2 and 1.3 that may be given as they are; the others have fields, or are Tidemark's own. */
const EXTRA: Readonly<Record<string, ExtraOption>> = {
  gcttl: WHOLE,
  'compression-level': { fits: /^-?\d{1,3}$/, must: 'must be a whole number' },
  'ignore-stats': BOOLEAN,
  'case-sensitive': BOOLEAN,
  'table-concurrency': WHOLE,
  'checksum-concurrency': WHOLE,
  'range-limit': WHOLE,
  'use-checkpoint': BOOLEAN,
  'use-backupmeta-v2': BOOLEAN,
  'keyspace-name': { fits: /^[A-Za-z0-9_-]{1,64}$/, must: 'must be a name' },
  'replica-read-label': { fits: /^[^:\s]{1,64}:[^:\s]{1,64}$/, must: 'must be a label such as "zone:a"' },
  'grpc-keepalive-time': DURATION,
  'grpc-keepalive-timeout': DURATION,
};

/** Flags that somebody may well try, and what to do instead. */
const ELSEWHERE: Readonly<Record<string, string>> = {
  storage: 'is set by Tidemark from the storage of the cluster',
  pd: 'is set by Tidemark from the cluster’s "pd"',
  ca: 'is the cluster’s "tls.ca"',
  cert: 'is the cluster’s "tls.cert"',
  key: 'is the cluster’s "tls.key"',
  ratelimit: 'is "rateLimit"',
  concurrency: 'is "concurrency"',
  compression: 'is "compression"',
  filter: 'is "filters"',
  checksum: 'is "checksum"',
  'send-credentials-to-tikv': 'is "sendCredentialsToTikv" of the storage',
  'crypter.method': 'is "crypterMethod"',
  'crypter.key':
    'would show the key to everybody on the worker: put it into a file and name that with "crypterKeyFile"',
  'crypter.key-file': 'is "crypterKeyFile"',
  'log-file': 'is set by Tidemark, which keeps the log itself',
  'log-level': 'is set by Tidemark, which reads the log',
  'log-format': 'is set by Tidemark, which reads the log',
  'status-addr': 'is set by Tidemark, which asks there what a hanging br does',
  'check-requirements': 'stays on: a br that does not fit its cluster must say so',
  lastbackupts: 'is not supported: backups are full ones for now',
  backupts: 'is not supported: a backup is of the moment in which it starts',
  timeago: 'is not supported: a backup is of the moment in which it starts',
};

/** Adds what is wrong with options to a validation, under `brOptions.…`. */
export function checkBrOptions(check: Validation, options: BrOptions): void {
  const { compression, concurrency, filters, crypterMethod, crypterKeyFile, extra } = options;
  check.require(COMPRESSIONS.includes(compression), 'brOptions.compression', 'must be zstd, lz4 or snappy');
  check.require(concurrency <= MOST_CONCURRENCY, 'brOptions.concurrency', `must be at most ${MOST_CONCURRENCY}`);
  check.require(filters.length <= MOST_FILTERS, 'brOptions.filters', `must be at most ${MOST_FILTERS}`);
  for (const [index, filter] of filters.entries())
    check.require(isTableFilter(filter), `brOptions.filters[${index}]`, 'must be a table filter such as shop.*');
  check.require(
    crypterMethod === '' || CRYPTER_METHODS.includes(crypterMethod),
    'brOptions.crypterMethod',
    `must be one of ${CRYPTER_METHODS.join(', ')}`,
  );
  check.require(
    crypterKeyFile === '' || isCleanAbsolutePath(crypterKeyFile),
    'brOptions.crypterKeyFile',
    'must be the absolute path of a file on the worker',
  );
  check.require(
    (crypterMethod === '') === (crypterKeyFile === ''),
    crypterMethod === '' ? 'brOptions.crypterMethod' : 'brOptions.crypterKeyFile',
    'must be set too: a method and its key file belong together',
  );
  for (const [name, value] of Object.entries(extra)) {
    const field = `brOptions.extra.${name.slice(0, 64)}`;
    const known = Object.hasOwn(EXTRA, name) ? EXTRA[name] : undefined;
    if (known) check.require(known.fits.test(value), field, known.must);
    else check.require(false, field, refusal(name));
  }
}

function refusal(name: string): string {
  const bare = name.replace(/^-+/, '');
  if (Object.hasOwn(ELSEWHERE, bare)) return ELSEWHERE[bare] ?? '';
  const hint = bare !== name && Object.hasOwn(EXTRA, bare) ? `write ${bare}, without dashes` : '';
  return hint || `is no option that may be given; possible are ${Object.keys(EXTRA).join(', ')}`;
}

/** The options of a backup: what its request set wins over the cluster's; undefined when neither sets any. */
export function mergeBrOptions(
  ofCluster: StoredBrOptions | undefined,
  ofRequest: BrOptions | undefined,
): StoredBrOptions | undefined {
  if (!ofRequest) return ofCluster;
  const own = toStoredBrOptions(ofRequest);
  if (!ofCluster) return own;
  return {
    ...ofCluster,
    ...(own.rateLimit !== 0 && { rateLimit: own.rateLimit }),
    ...(own.concurrency !== 0 && { concurrency: own.concurrency }),
    ...(own.compression !== '' && { compression: own.compression }),
    ...(own.filters.length > 0 && { filters: own.filters }),
    ...(own.checksum !== undefined && { checksum: own.checksum }),
    ...(own.crypterMethod && { crypterMethod: own.crypterMethod, crypterKeyFile: own.crypterKeyFile ?? '' }),
    extra: { ...ofCluster.extra, ...own.extra },
  };
}

/** Options as they are stored: what is not set is not there. */
export function toStoredBrOptions(options: BrOptions): StoredBrOptions {
  const { rateLimit, concurrency, compression, filters, checksum, crypterMethod, crypterKeyFile, extra } = options;
  return {
    rateLimit,
    concurrency,
    compression,
    filters,
    ...(checksum !== undefined && { checksum }),
    ...(crypterMethod !== '' && { crypterMethod, crypterKeyFile }),
    ...(Object.keys(extra).length > 0 && { extra }),
  };
}
