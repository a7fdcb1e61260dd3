/** What may be given to `br`: the one validator, at a save, at a start, and before the spawn. Pure. */
import type { FieldViolation } from '@tidemark/errors/app-error';
import { MAX_CONCURRENCY, MAX_FILTER, MAX_FILTERS, MAX_FILTERS_BYTES, MAX_RATE_LIMIT } from '@tidemark/limits/limits';
import { BOOLEAN, DURATION, type FlagRule, flagViolations, WHOLE } from './flags.ts';
import { isCleanAbsolutePath } from './names.ts';

/** Options of `br` as messages and documents have them; what is not set is absent, empty or 0. */
export interface GivenBrOptions {
  readonly rateLimit?: number;
  readonly concurrency?: number;
  readonly compression?: string;
  readonly filters?: readonly string[];
  readonly checksum?: boolean | undefined;
  readonly crypterMethod?: string;
  readonly crypterKeyFile?: string;
  readonly extra?: Readonly<Record<string, string>>;
}

const COMPRESSIONS = ['', 'zstd', 'lz4', 'snappy'];
const CRYPTER_METHODS = ['aes128-ctr', 'aes192-ctr', 'aes256-ctr'];

/** The flags of br-contract 1.2 and 1.3 that may be given as they are; the others have fields, or are Tidemark's own. */
const EXTRA: Readonly<Record<string, FlagRule>> = {
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

export interface BrOptionsCheck {
  /** Whether the sum of the filters is looked at: what is stored already may be above it, and goes on being run. */
  readonly isNew: boolean;
}

/**
 * What is wrong with options, each under `brOptions.…`. A list or map that is too long is one violation, and its entries
 * are not looked at.
 */
export function brOptionsViolations(options: GivenBrOptions, { isNew }: BrOptionsCheck): FieldViolation[] {
  const found: FieldViolation[] = [];
  const require = (fine: boolean, field: string, description: string) => {
    if (!fine) found.push({ field: `brOptions.${field}`, description });
  };
  const { rateLimit = 0, concurrency = 0, compression = '', crypterMethod = '', crypterKeyFile = '' } = options;
  require(isWholeTo(rateLimit, MAX_RATE_LIMIT), 'rateLimit', `must be a whole number from 0 to ${MAX_RATE_LIMIT}`);
  require(isWholeTo(concurrency, MAX_CONCURRENCY), 'concurrency', `must be at most ${MAX_CONCURRENCY}`);
  require(COMPRESSIONS.includes(compression), 'compression', 'must be zstd, lz4 or snappy');
  require(crypterMethod === '' ||
    CRYPTER_METHODS.includes(crypterMethod), 'crypterMethod', `must be one of ${CRYPTER_METHODS.join(', ')}`);
  require(crypterKeyFile === '' ||
    isCleanAbsolutePath(crypterKeyFile), 'crypterKeyFile', 'must be the absolute path of a file on the worker');
  require((crypterMethod === '') === (crypterKeyFile === ''), crypterMethod === ''
    ? 'crypterMethod'
    : 'crypterKeyFile', 'must be set too: a method and its key file belong together');
  return [
    ...found,
    ...filterViolations(options.filters ?? [], isNew),
    ...flagViolations(options.extra ?? {}, 'brOptions.extra', { allowed: EXTRA, elsewhere: ELSEWHERE }),
  ];
}

/** A whole number from 0 on. */
export const isWholeTo = (value: number, max: number): boolean => Number.isInteger(value) && value >= 0 && value <= max;

function filterViolations(filters: readonly string[], isNew: boolean): FieldViolation[] {
  const field = 'brOptions.filters';
  if (filters.length > MAX_FILTERS) return [{ field, description: `must be at most ${MAX_FILTERS}` }];
  const found = filters.flatMap((filter, index): FieldViolation[] => {
    const description = filterProblem(filter);
    return description === undefined ? [] : [{ field: `${field}[${index}]`, description }];
  });
  const bytes = filters.reduce((sum, filter) => sum + utf8Length(filter), 0);
  if (isNew && found.length === 0 && bytes > MAX_FILTERS_BYTES)
    return [
      { field, description: `must be at most ${MAX_FILTERS_BYTES} bytes together; wildcards such as shop.* help` },
    ];
  return found;
}

/** As BR reads a rule (tidb: pkg/util/table-filter): blanks around it are nothing, `#` begins a comment, `@` names a file. */
function filterProblem(filter: string): string | undefined {
  if (filter.length > MAX_FILTER || !/^\P{Cc}+$/u.test(filter))
    return `must be a table filter such as shop.*, of at most ${MAX_FILTER} characters`;
  const rule = filter.trim();
  if (/^!?\s*@/.test(rule)) return 'must not name a file: write the rules themselves, such as shop.*';
  return /^!?[^#!].*\../u.test(rule) ? undefined : 'must be a table filter such as shop.*';
}

/** Of UTF-8; a half of a pair counts as the three bytes by which it is replaced. */
function utf8Length(text: string): number {
  return new TextEncoder().encode(text).length;
}
