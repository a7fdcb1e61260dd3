import { createHash } from 'node:crypto';
import { boolFlag, type GivenFlags, listFlag, textFlag } from './arguments.ts';
import { invalidArgument } from './br-error.ts';
import { parseGoDuration } from './go-format.ts';
import { tsoAt } from './tso.ts';

/** What `br backup full` was asked to do, as far as it changes what this program does. */
export interface BackupOptions {
  readonly pd: readonly string[];
  /** As given, with its query. */
  readonly storage: string;
  readonly filters: readonly string[];
  readonly checksum: boolean;
  /** Off for incremental backups, as in BR from 7.1 on. */
  readonly useCheckpoint: boolean;
  /** 0 for a full backup, else the TSO of the backup that this one continues. */
  readonly lastBackupTs: bigint;
  /** The same for two command lines that may resume each other (br-contract 5.3); base64. */
  readonly configHash: string;
}

/** Flags whose values decide whether a checkpoint may be resumed (br-contract 5.3), beside `--s3.*` and the like. */
const HASHED_FLAGS = [
  'pd storage filter lastbackupts ignore-stats use-checkpoint send-credentials-to-tikv no-credentials',
  'crypter.method crypter.key crypter.key-file keyspace-name',
].flatMap((names) => names.split(' '));

function configHash(flags: GivenFlags): string {
  const hashed = [...flags]
    .filter(([name]) => HASHED_FLAGS.includes(name) || /^(s3|gcs|azblob)\./.test(name))
    .toSorted(([a], [b]) => (a < b ? -1 : 1));
  return createHash('sha256').update(JSON.stringify(hashed)).digest('base64');
}

/** The options in a command line. */
export function toBackupOptions(flags: GivenFlags): BackupOptions {
  const lastBackupTs = BigInt(textFlag(flags, 'lastbackupts', '0'));
  return {
    pd: listFlag(flags, 'pd', ['127.0.0.1:2379']),
    storage: textFlag(flags, 'storage'),
    filters: listFlag(flags, 'filter', ['*.*']),
    checksum: boolFlag(flags, 'checksum', false),
    useCheckpoint: boolFlag(flags, 'use-checkpoint', true) && lastBackupTs === 0n,
    lastBackupTs,
    configHash: configHash(flags),
  };
}

/**
 * The TSO that a new backup shall have: `--backupts` (a TSO or a date), `--timeago`, or now.
 *
 * @throws BrError if `--backupts` is neither
 */
export function requestedBackupTs(flags: GivenFlags, nowMs: number): bigint {
  const given = textFlag(flags, 'backupts');
  if (/^\d+$/.test(given)) return BigInt(given);
  if (given !== '') {
    const at = Date.parse(given.replace(/ (?=[+-]\d\d:?\d\d$)/, ''));
    if (Number.isNaN(at)) throw invalidArgument(`cannot read --backupts ${given} as a TSO or a time`);
    return tsoAt(at, 0);
  }
  return tsoAt(nowMs - (parseGoDuration(textFlag(flags, 'timeago', '0')) ?? 0));
}

/** The flags as `br` logs them: sorted, lists in brackets, without secrets and without the query of the storage URL. */
export function loggedArguments(flags: GivenFlags): Array<[string, string]> {
  const secret = /^(crypter\.key|log\.crypter\.key|master-key|azblob\.(account-key|sas-token|encryption-key))$/;
  return [...flags]
    .map(([name, values]): [string, string] => {
      if (secret.test(name)) return [name, '<redacted>'];
      if (name === 'storage') return [name, (values.at(-1) ?? '').replace(/\?.*$/s, '')];
      if (name === 'pd' || name === 'filter') return [name, `[${values.join(',')}]`];
      return [name, values.at(-1) ?? ''];
    })
    .toSorted(([a], [b]) => (a < b ? -1 : 1));
}
