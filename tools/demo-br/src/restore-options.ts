import { boolFlag, type GivenFlags, listFlag, textFlag } from './arguments.ts';
import { BrError, invalidArgument } from './br-error.ts';
import type { Dialect } from './dialect.ts';
import { pdAddresses } from './pd-addresses.ts';
import { parseFilters, quoted } from './table-filter.ts';
import { tsoAt } from './tso.ts';

/** The kinds of `br restore` that are here, with what summary and progress call them. */
export const RESTORE_NAMES = {
  full: 'Full Restore',
  db: 'DataBase Restore',
  table: 'Table Restore',
  // Of the part that brings the snapshot back.
  point: 'Full Restore',
} as const;

export type RestoreKind = keyof typeof RESTORE_NAMES;

export function isRestoreKind(value: string | undefined): value is RestoreKind {
  return value !== undefined && Object.hasOwn(RESTORE_NAMES, value);
}

/** Whether a kind restores a whole cluster. */
export function isWhole(kind: RestoreKind): boolean {
  return kind === 'full' || kind === 'point';
}

/** What `br restore` was asked to do, as far as it changes what this program does. */
export interface RestoreOptions {
  readonly kind: RestoreKind;
  readonly pd: readonly string[];
  /** Of the backup, as given, with its query; empty if `point` was given none. */
  readonly storage: string;
  /** Of `point`, the storage of the log; else empty. */
  readonly logStorage: string;
  /** Of `point`: without a backup, from when on the log is restored. */
  readonly startTs: bigint | undefined;
  /** Of `point`; without it, the end of the log. */
  readonly restoredTs: bigint | undefined;
  /** Of `db` and `table`; else empty. */
  readonly db: string;
  /** Of `table`; else empty. */
  readonly table: string;
  /** What to restore; `db` and `table` are filters too. */
  readonly filters: readonly string[];
  /** Whether `--filter` was given, which switches the search for user tables off. */
  readonly hasFilter: boolean;
  readonly checksum: boolean;
  readonly useCheckpoint: boolean;
  readonly checkRequirements: boolean;
  readonly withSysTable: boolean;
  /** Users whose rows stay those of the target. */
  readonly resetSysUsers: readonly string[];
  readonly placementMode: string;
}

/** Those that each kind cannot do without. */
const REQUIRED: Readonly<Record<RestoreKind, readonly string[]>> = {
  full: [],
  db: ['db'],
  table: ['db', 'table'],
  point: [],
};

/**
 * The options in a command line, with the defaults of a version.
 *
 * @throws BrError for values that BR refuses before it starts its task
 */
export function toRestoreOptions(kind: RestoreKind, flags: GivenFlags, dialect: Dialect): RestoreOptions {
  const db = isWhole(kind) ? '' : textFlag(flags, 'db');
  const table = kind === 'table' ? textFlag(flags, 'table') : '';
  const ofName = `${quoted(db)}.${kind === 'db' ? '*' : quoted(table)}`;
  const filters = isWhole(kind) ? listFlag(flags, 'filter', ['*.*']) : [ofName];
  parseFilters(filters);
  if (kind === 'point' && flags.has('start-ts') && flags.has('full-backup-storage')) {
    throw invalidArgument('start-ts and full-backup-storage are mutually exclusive');
  }
  return {
    kind,
    pd: pdAddresses(flags),
    storage: textFlag(flags, kind === 'point' ? 'full-backup-storage' : 'storage'),
    logStorage: kind === 'point' ? textFlag(flags, 'storage') : '',
    startTs: tsoFlag(flags, 'start-ts'),
    restoredTs: tsoFlag(flags, 'restored-ts'),
    db,
    table,
    filters,
    hasFilter: flags.has('filter'),
    checksum: boolFlag(flags, 'checksum', dialect.restoreChecksumDefault),
    useCheckpoint: dialect.restoreCheckpoint !== 'none' && boolFlag(flags, 'use-checkpoint', true),
    checkRequirements: boolFlag(flags, 'check-requirements', true),
    withSysTable: boolFlag(flags, 'with-sys-table', dialect.systemTablesDefault),
    resetSysUsers: listFlag(flags, 'reset-sys-users', ['cloud_admin', 'root']),
    placementMode: textFlag(flags, 'with-tidb-placement-mode', 'STRICT'),
  };
}

/** A TSO, or a time with its zone. @throws BrError for anything else */
function tsoFlag(flags: GivenFlags, name: string): bigint | undefined {
  const given = textFlag(flags, name);
  if (given === '') return undefined;
  if (/^\d+$/.test(given)) return BigInt(given);
  const at = Date.parse(given.replace(/ (?=[+-]\d\d:?\d\d$)/, ''));
  if (/(Z|[+-]\d\d:?\d\d)$/.test(given) && !Number.isNaN(at)) return tsoAt(at, 0);
  throw new BrError("must set timezone when using datetime format ts, e.g. '2018-05-11 01:42:23+0800'");
}

/** @throws BrError if a flag is not given without which this kind of restore does not even open its log */
export function checkRequiredFlags(kind: RestoreKind, flags: GivenFlags): void {
  const missing = REQUIRED[kind].filter((name) => !flags.has(name));
  if (missing.length > 0) {
    throw new BrError(`required flag(s) ${missing.map((name) => `"${name}"`).join(', ')} not set`);
  }
}
