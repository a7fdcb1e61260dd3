/** What of `br restore full` differs between versions, as far as Tidemark goes by it. Pure. */
import { isBefore, readVersion, type Version } from '@tidemark/br-options/version';

/** Older ones were never looked at. */
export const FIRST_RESTORE: Version = [6, 5, 0];
const FIRST_WITH_CHECKPOINT: Version = [7, 1, 0];
/** Before, the target was looked at only where its system tables were to be restored. */
const FIRST_WITH_EMPTY_CHECK: Version = [7, 1, 0];
const FIRST_WITH_CHECKPOINT_IN_TARGET: Version = [8, 4, 0];
const FIRST_WITH_OWN_CHECKSUMS: Version = [8, 5, 0];
/** Before, tables that exist were written into where a filter chose them. */
const FIRST_WITH_TABLE_CHECK: Version = [8, 5, 5];
const FIRST_WITH_REGISTRY: Version = [8, 5, 5];

/** Where a `br` keeps how far a restore came: below the backup, in databases of the target, or nowhere. */
export function checkpointPlace(brVersion: string): 'none' | 'storage' | 'target' {
  if (isBefore(brVersion, FIRST_WITH_CHECKPOINT)) return 'none';
  return isBefore(brVersion, FIRST_WITH_CHECKPOINT_IN_TARGET) ? 'storage' : 'target';
}

/** Whether the same command goes on where an interrupted one stopped. Without, another attempt meets its own leftovers. */
export const keepsCheckpoint = (brVersion: string): boolean => checkpointPlace(brVersion) !== 'none';

/** Whether `br` refuses a target that holds tables of users, whatever else it restores. */
export const looksForTables = (brVersion: string): boolean => !isBefore(brVersion, FIRST_WITH_EMPTY_CHECK);

/** The first `br` that refuses tables which exist, in words. */
export const FIRST_REFUSING_TABLES = `v${FIRST_WITH_TABLE_CHECK.join('.')}`;

/** Whether `br` refuses tables that are in the target already where a filter chooses what is restored. Of releases alone that is known. */
export const refusesTables = (brVersion: string): boolean =>
  readVersion(brVersion) !== undefined &&
  !isBefore(brVersion, FIRST_WITH_TABLE_CHECK) &&
  !/-(?:alpha|beta|rc|dev)/.test(brVersion);

/** Whether `br` refuses a target in which it finds what it would make, and no checkpoint: then an earlier run may have finished there. */
export const looksFirst = (brVersion: string, filter: readonly string[]): boolean =>
  filter.length === 0 ? looksForTables(brVersion) : refusesTables(brVersion);

/** Whether checksums are compared although the backup was made without: they are added up from its files. */
export const addsUpChecksums = (brVersion: string): boolean => !isBefore(brVersion, FIRST_WITH_OWN_CHECKSUMS);

/** Whether restores are registered in the target, and the databases of their checkpoints named by that. */
export const hasRegistry = (brVersion: string): boolean => !isBefore(brVersion, FIRST_WITH_REGISTRY);
