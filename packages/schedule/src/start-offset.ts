import { createHash } from 'node:crypto';
import type { Window } from './window.ts';

/**
 * When in its window a backup starts: at an offset that is always the same for a cluster and rule and even over a
 * fleet, so that a thousand clusters do not start in the same second. It lies in the first half of the window, so that
 * there is room for a late start, and no further in than `spreadMs`.
 */
export function startWithin({ opensAt, closesAt }: Window, clusterId: string, rule: string, spreadMs: number): Date {
  const share = createHash('sha256').update(`${clusterId}:${rule}`).digest().readUInt32BE() / 2 ** 32;
  const room = Math.min((closesAt.getTime() - opensAt.getTime()) / 2, spreadMs);
  return new Date(opensAt.getTime() + Math.floor(share * room));
}
