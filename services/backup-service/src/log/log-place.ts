/** Where a log that begins now is written: a name and a path that nobody else has, nor can guess (L1, L3). */
import { randomBytes } from 'node:crypto';
import type { StorageSnapshot } from '../backup.ts';
import type { ClusterDocument } from '../registry-store.ts';
import type { LogPlace } from './decide/command.ts';

/** What `br` takes in the name of a task. */
const NOT_IN_A_NAME = /[^0-9a-zA-Z]+/g;
const SHOWN_OF_ID = 40;
const DIGITS = 'abcdefghijklmnopqrstuvwxyz0123456789';

/**
 * @param n number of the generation
 * @param root first part of the path of every backup in the storage
 */
export function newPlace(
  { _id: clusterId, pool }: Pick<ClusterDocument, '_id' | 'pool'>,
  n: number,
  storage: StorageSnapshot,
  root: string,
): LogPlace {
  const own = Array.from(randomBytes(8), (byte) => DIGITS[byte % DIGITS.length]).join('');
  const cluster = clusterId.replace(NOT_IN_A_NAME, '_').slice(0, SHOWN_OF_ID);
  return {
    taskName: `tidemark_${cluster}_${n}_${own}`,
    path: `${root}/${clusterId}/log-${n}-${own}`,
    storage,
    pool,
  };
}
