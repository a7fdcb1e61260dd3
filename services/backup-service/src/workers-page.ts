/**
 * A page of workers, by pool and name. Pure.
 *
 * A token names where the last worker stood, so that any copy can go on behind it, also when that worker is gone.
 */
import { createHash } from 'node:crypto';
import type { Presence } from './presence.ts';

/** Where a worker stands in the list. */
export type WorkerPlace = readonly [pool: string, name: string, id: string];

/** Characters of a name by which workers are in order, so that a token is never too long. */
const ORDERED_NAME = 64;

export function placeOf({ pool, worker, _id }: Pick<Presence, 'pool' | 'worker' | '_id'>): WorkerPlace {
  return [pool, worker.slice(0, ORDERED_NAME), _id];
}

/** Those of a pool, or of all where it is empty, behind a place: the first so many of them. */
export function workersPage(
  present: readonly Presence[],
  { pool, behind, size }: { readonly pool: string; readonly behind: WorkerPlace | undefined; readonly size: number },
): { readonly page: readonly Presence[]; readonly total: number; readonly more: boolean } {
  const wanted = present.filter((one) => pool === '' || one.pool === pool);
  const rest = wanted
    .filter((one) => !behind || compare(placeOf(one), behind) > 0)
    .sort((one, other) => compare(placeOf(one), placeOf(other)));
  return { page: rest.slice(0, size), total: wanted.length, more: rest.length > size };
}

function compare(one: WorkerPlace, other: WorkerPlace): number {
  const at = one.findIndex((part, index) => part !== other[index]);
  if (at === -1) return 0;
  return String(one[at]) < String(other[at]) ? -1 : 1;
}

export function toToken(place: WorkerPlace, pool: string): string {
  return Buffer.from(JSON.stringify([digestOf(pool), ...place])).toString('base64url');
}

/** The place that a token names; undefined where it is none of this list. */
export function fromToken(token: string, pool: string): WorkerPlace | undefined {
  let parts: unknown;
  try {
    parts = JSON.parse(Buffer.from(token, 'base64url').toString());
  } catch {
    return undefined;
  }
  if (!Array.isArray(parts) || parts.length !== 4 || parts.some((part) => typeof part !== 'string')) return undefined;
  const [digest, ...place] = parts;
  return digest === digestOf(pool) ? (place as unknown as WorkerPlace) : undefined;
}

const digestOf = (pool: string) => createHash('sha256').update(pool).digest('base64url').slice(0, 8);
