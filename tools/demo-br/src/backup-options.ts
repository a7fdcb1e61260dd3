import { createHash } from 'node:crypto';
import { boolFlag, type GivenFlags, listFlag, textFlag } from './arguments.ts';
import { invalidArgument } from './br-error.ts';
import type { Dialect } from './dialect.ts';
import { parseGoDuration } from './go-format.ts';
import { pdAddresses } from './pd-addresses.ts';
import { parseFilters } from './table-filter.ts';
import { tsoAt } from './tso.ts';

/** What `br backup full` was asked to do, as far as it changes what this program does. */
export interface BackupOptions {
  readonly pd: readonly string[];
  /** As given, with its query. */
  readonly storage: string;
  readonly filters: readonly string[];
  readonly checksum: boolean;
  /** Off where the version, the storage or another flag switches it off (br-contract 1.4). */
  readonly useCheckpoint: boolean;
  /** 0 for a full backup, else the TSO of the backup that this one continues. */
  readonly lastBackupTs: bigint;
  /** Whether `backupmeta` names files of its own, or holds everything itself. */
  readonly metaV2: boolean;
  /** Whether versions are compared with the cluster's. */
  readonly checkRequirements: boolean;
  /** How long PD keeps what the backup reads, without a renewal. */
  readonly gcTtlSeconds: number;
  /** Requests to each store at once. */
  readonly concurrency: number;
  /** The same for two command lines that may resume each other (br-contract 5.3); base64. */
  readonly configHash: string;
}

export const DEFAULT_GC_TTL_SECONDS = 300;
const COMPRESSIONS = ['zstd', 'lz4', 'snappy'];

/** Flags whose values decide whether a checkpoint may be resumed (br-contract 5.3), beside `--s3.*` and the like. */
const HASHED_FLAGS = [
  'pd storage filter lastbackupts ignore-stats use-checkpoint send-credentials-to-tikv no-credentials',
  'crypter.method crypter.key crypter.key-file keyspace-name',
].flatMap((names) => names.split(' '));

function configHash(flags: GivenFlags, dialect: Dialect): string {
  const isHashed = (name: string) =>
    dialect.hashesWholeConfig || HASHED_FLAGS.includes(name) || /^(s3|gcs|azblob)\./.test(name);
  const hashed = [...flags].filter(([name]) => isHashed(name)).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return createHash('sha256').update(JSON.stringify(hashed)).digest('base64');
}

/** A rate limit turns requests to a store into a queue (br-contract 1.2). */
function concurrencyOf(flags: GivenFlags, { maxConcurrency }: Dialect): number {
  if (textFlag(flags, 'ratelimit', '0') !== '0') return 1;
  return Math.min(maxConcurrency, Number(textFlag(flags, 'concurrency', '0')) || 4);
}

/**
 * The options in a command line, with the defaults of a version.
 *
 * @throws BrError for values that BR refuses before it starts its task
 */
export function toBackupOptions(flags: GivenFlags, dialect: Dialect): BackupOptions {
  const compression = textFlag(flags, 'compression', 'zstd');
  if (!COMPRESSIONS.includes(compression)) throw invalidArgument(`invalid compression type '${compression}'`);
  const lastBackupTs = BigInt(textFlag(flags, 'lastbackupts', '0'));
  const filters = listFlag(flags, 'filter', ['*.*']);
  parseFilters(filters);
  const metaV2 = boolFlag(flags, 'use-backupmeta-v2', dialect.metaV2Default);
  return {
    pd: pdAddresses(flags),
    storage: textFlag(flags, 'storage'),
    filters,
    checksum: boolFlag(flags, 'checksum', dialect.checksumDefault) && lastBackupTs === 0n,
    useCheckpoint:
      dialect.checkpoint &&
      boolFlag(flags, 'use-checkpoint', true) &&
      lastBackupTs === 0n &&
      !(dialect.checkpointNeedsMetaV1 && metaV2) &&
      !/^noop:/i.test(textFlag(flags, 'storage')),
    metaV2,
    checkRequirements: boolFlag(flags, 'check-requirements', true),
    gcTtlSeconds: Number(textFlag(flags, 'gcttl', String(DEFAULT_GC_TTL_SECONDS))),
    concurrency: concurrencyOf(flags, dialect),
    lastBackupTs,
    configHash: configHash(flags, dialect),
  };
}

/**
 * The TSO that a new backup shall have: `--backupts` (a TSO or a date), `--timeago`, or now.
 *
 * @throws BrError if `--backupts` is neither, or not after `--lastbackupts`
 */
export function requestedBackupTs(flags: GivenFlags, nowMs: number): bigint {
  const backupTs = snapshotPoint(flags, nowMs);
  if (backupTs > BigInt(textFlag(flags, 'lastbackupts', '0'))) return backupTs;
  throw invalidArgument('LastBackupTS is larger or equal to current TS');
}

function snapshotPoint(flags: GivenFlags, nowMs: number): bigint {
  const given = textFlag(flags, 'backupts');
  if (/^\d+$/.test(given)) return BigInt(given);
  if (given !== '') {
    const at = Date.parse(given.replace(/ (?=[+-]\d\d:?\d\d$)/, ''));
    if (Number.isNaN(at)) throw invalidArgument(`cannot read --backupts ${given} as a TSO or a time`);
    return tsoAt(at, 0);
  }
  return tsoAt(nowMs - (parseGoDuration(textFlag(flags, 'timeago', '0')) ?? 0));
}

/**
 * The flags as `br` logs them: sorted, lists in brackets, without the keys of crypters and the query of storage URLs.
 * Azure's keys do stand there, as in the real program (br-contract 2.2).
 */
export function loggedArguments(flags: GivenFlags): Array<[string, string]> {
  const secret = /^(crypter\.key|log\.crypter\.key|master-key)$/;
  return [...flags]
    .map(([name, values]): [string, string] => {
      if (secret.test(name)) return [name, '<redacted>'];
      if (name === 'storage' || name === 'full-backup-storage')
        return [name, (values.at(-1) ?? '').replace(/\?.*$/s, '')];
      if (name === 'pd' || name === 'filter') return [name, `[${values.join(',')}]`];
      return [name, values.at(-1) ?? ''];
    })
    .toSorted(([a], [b]) => (a < b ? -1 : 1));
}
