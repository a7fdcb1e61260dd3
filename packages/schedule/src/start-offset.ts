import { createHash } from 'node:crypto';
import type { Window } from './window.ts';

/**
 * Where in the spread of its windows a cluster starts: 0 is at once and 1, which is never reached, is the end. Always
 * the same for a cluster and rule, and even over a fleet.
 */
export function spreadShare(clusterId: string, rule: string): number {
  return createHash('sha256').update(`${clusterId}:${rule}`).digest().readUInt32BE() / 2 ** 32;
}

/**
 * When in its window a backup starts: at an offset that is always the same for a cluster and rule and even over a
 * fleet, so that a thousand clusters do not start in the same second. It lies in the first half of the window, so that
 * there is room for a late start, and no further in than `spreadMs`.
 */
export function startWithin({ opensAt, closesAt }: Window, clusterId: string, rule: string, spreadMs: number): Date {
  const room = Math.min((closesAt.getTime() - opensAt.getTime()) / 2, spreadMs);
  return new Date(opensAt.getTime() + Math.floor(spreadShare(clusterId, rule) * room));
}
