import type { BackupMeta } from '@tidemark/protocol/br/backup';
import { type BackupContent, plainName } from './backup-content.ts';
import { BrError } from './br-error.ts';
import { versionNumbers } from './dialect.ts';
import { isWhole, type RestoreOptions } from './restore-options.ts';
import { fullName, type TableName } from './table.ts';

/** What a restore refuses before it touches the target, in BR's words. Pure. */

/** How many names the refusal of a target with user tables gives. */
const MAX_NAMES = 10;

/**
 * The version of the backup's cluster against that of the target; only a backup that is two majors ahead is refused.
 *
 * @returns false if the backup names no version, which BR only warns of
 * @throws BrError
 */
export function checkBackupVersion({ clusterVersion }: BackupMeta, targetVersion: string): boolean {
  const plain = clusterVersion.trim().replaceAll('"', '');
  if (!/^v?\d+\.\d+\.\d+/.test(plain)) return false;
  const [backup] = versionNumbers(plain);
  const [target] = versionNumbers(targetVersion);
  if (backup - target <= 1) return true;
  throw new BrError(
    `backup with cluster version ${plain} cannot be restored at cluster of version ` +
      `${targetVersion.replace(/^v/, '')}: major version mismatches`,
    'BR:Common:ErrVersionMismatch',
  );
}

/** @throws BrError if the two clusters compare texts in different ways, or the backup does not say how its did */
export function checkCollation({ newCollationsEnabled }: BackupMeta, newCollation: boolean): void {
  const downstream = newCollation ? 'True' : 'False';
  if (newCollationsEnabled === '') {
    const name = 'new_collation_enabled';
    throw new BrError(
      `the value '${name}' not found in backupmeta. you can use "SELECT VARIABLE_VALUE FROM mysql.tidb WHERE ` +
        `VARIABLE_NAME='${name}';" to manually check the config. if you ensure the value '${name}' in backup cluster ` +
        'is as same as restore cluster, use --check-requirements=false to skip this check',
      'BR:Common:ErrUnknown',
    );
  }
  if (newCollationsEnabled.toLowerCase() === downstream.toLowerCase()) return;
  throw new BrError(
    `the config 'new_collation_enabled' not match, upstream:${newCollationsEnabled}, downstream: ${downstream}`,
    'BR:Common:ErrUnknown',
  );
}

/** @throws BrError if the database or table that is named is not in the backup */
export function checkNamed({ kind, db, table }: RestoreOptions, { databases, tables }: BackupContent): void {
  if (isWhole(kind)) return;
  if (!databases.some((name) => plainName(name) === db)) {
    throw new BrError(
      `[database: \`${db}\`] has not been backup, please ensure you has input a correct database name`,
      'BR:Common:ErrUndefinedDbOrTable',
    );
  }
  if (kind === 'db' || tables.some((one) => plainName(one.db) === db && one.table === table)) return;
  throw new BrError(
    `[table: \`${db}\`.\`${table}\`] has not been backup, please ensure you has input a correct table name`,
    'BR:Common:ErrUndefinedDbOrTable',
  );
}

/**
 * @param names user tables, and user databases without tables
 * @throws BrError if there is any
 */
export function checkFresh(names: readonly string[]): void {
  if (names.length === 0) return;
  const named = names.slice(0, MAX_NAMES).concat(names.length > MAX_NAMES ? ['...'] : []);
  throw new BrError(`user db/tables: ${named.join(', ')}`, 'BR:Restore:ErrRestoreNotFreshCluster');
}

/** @throws BrError if there is any, as BR from 8.5.5 on */
export function checkNoneExists(existing: readonly TableName[]): void {
  if (existing.length === 0) return;
  throw new BrError(`table already exists: ${existing.map(fullName).join(', ')}`, 'BR:Restore:ErrTablesAlreadyExisted');
}
