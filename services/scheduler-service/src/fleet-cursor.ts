/**
 * Where somebody who watches the fleet goes on. Pure.
 *
 * A cursor is a time of the database, up to which everything was told, with the set of clusters that it was told of. Any copy can find
 * out what changed since; of what is registered no longer nothing is left to be found, so the set must be the same.
 */
import { createHash } from 'node:crypto';
import { type FleetScope, filtersOf, type Members } from './fleet-scope.ts';

export interface FleetCursor {
  readonly at: Date;
  readonly members: Members;
}

export function toCursor({ at, members }: FleetCursor, scope: FleetScope): string {
  return Buffer.from(JSON.stringify([digestOf(scope), at.getTime(), members.count, members.times])).toString(
    'base64url',
  );
}

/** Undefined where the text is no cursor, or is one of other clusters, labels or another text. */
export function readCursor(text: string, scope: FleetScope): FleetCursor | undefined {
  let parts: unknown;
  try {
    parts = JSON.parse(Buffer.from(text, 'base64url').toString());
  } catch {
    return undefined;
  }
  if (!Array.isArray(parts)) return undefined;
  const [digest, at, count, times, ...others] = parts;
  if (digest !== digestOf(scope) || others.length > 0) return undefined;
  if (![at, count, times].every((one) => Number.isSafeInteger(one) && one >= 0)) return undefined;
  const time = new Date(at);
  return Number.isNaN(time.getTime()) ? undefined : { at: time, members: { count, times } };
}

export const isSame = (one: Members, other: Members): boolean => one.count === other.count && one.times === other.times;

const digestOf = (scope: FleetScope) =>
  createHash('sha256')
    .update(JSON.stringify(filtersOf(scope)))
    .digest('base64url')
    .slice(0, 8);
