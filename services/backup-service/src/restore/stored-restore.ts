/**
 * How a restore lies in the collection of the backups: the keys that exclude each other as those of a backup, the rest below
 * `restore`. So the queries of backups, also those of copies of an earlier version, find none of it.
 */

import type { Shape } from '@tidemark/mongo/task-store';
import type { Document } from 'mongodb';
import type { Restore } from './restore.ts';

/** Fields that lie beside those of backups. */
const SHARED = ['_id', 'kind', 'activeKey', 'slotKey', 'basePath', 'revision'] as const satisfies (keyof Restore)[];

const isShared = (field: string) => (SHARED as readonly string[]).includes(field);

export function isRestore(stored: Document): boolean {
  return stored.kind === 'restore';
}

/** The restore that is stored; undefined where it is a backup. */
export function fromStored(stored: Document): Restore | undefined {
  if (!isRestore(stored)) return undefined;
  const shared = Object.fromEntries(SHARED.map((field) => [field, stored[field]]));
  return { ...stored.restore, ...shared } as Restore;
}

/**
 * A restore as it is stored. `restoreTime` is what lists of restores go by. A copy of an earlier version that is rung for it finds
 * that there is no task.
 */
export function toStored(restore: Restore): Document {
  const fields = Object.entries(restore);
  return {
    ...Object.fromEntries(fields.filter(([field]) => isShared(field))),
    task: null,
    restoreTime: restore.startTime,
    restore: Object.fromEntries(fields.filter(([field]) => !isShared(field))),
  };
}

export const RESTORE_SHAPE: Shape<Restore> = {
  read: fromStored,
  placeOf: (field) => (isShared(field) ? field : `restore.${field}`),
};
