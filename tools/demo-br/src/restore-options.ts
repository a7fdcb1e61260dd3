import { boolFlag, type GivenFlags, listFlag, textFlag } from './arguments.ts';
import { BrError } from './br-error.ts';
import type { Dialect } from './dialect.ts';
import { pdAddresses } from './pd-addresses.ts';
import { parseFilters, quoted } from './table-filter.ts';

/** The kinds of `br restore` that are here, with what summary and progress call them. */
export const RESTORE_NAMES = { full: 'Full Restore', db: 'DataBase Restore', table: 'Table Restore' } as const;

export type RestoreKind = keyof typeof RESTORE_NAMES;

export function isRestoreKind(value: string | undefined): value is RestoreKind {
  return value !== undefined && Object.hasOwn(RESTORE_NAMES, value);
}

/** What `br restore` was asked to do, as far as it changes what this program does. */
export interface RestoreOptions {
  readonly kind: RestoreKind;
  readonly pd: readonly string[];
  /** As given, with its query. */
  readonly storage: string;
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
const REQUIRED: Readonly<Record<RestoreKind, readonly string[]>> = { full: [], db: ['db'], table: ['db', 'table'] };

/**
 * The options in a command line, with the defaults of a version.
 *
 * @throws BrError for values that BR refuses before it starts its task
 */
export function toRestoreOptions(kind: RestoreKind, flags: GivenFlags, dialect: Dialect): RestoreOptions {
  const db = kind === 'full' ? '' : textFlag(flags, 'db');
  const table = kind === 'table' ? textFlag(flags, 'table') : '';
  const ofName = `${quoted(db)}.${kind === 'db' ? '*' : quoted(table)}`;
  const filters = kind === 'full' ? listFlag(flags, 'filter', ['*.*']) : [ofName];
  parseFilters(filters);
  return {
    kind,
    pd: pdAddresses(flags),
    storage: textFlag(flags, 'storage'),
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

/** @throws BrError if a flag is not given without which this kind of restore does not even open its log */
export function checkRequiredFlags(kind: RestoreKind, flags: GivenFlags): void {
  const missing = REQUIRED[kind].filter((name) => !flags.has(name));
  if (missing.length > 0) {
    throw new BrError(`required flag(s) ${missing.map((name) => `"${name}"`).join(', ')} not set`);
  }
}
