/** Restores that are not over, as metrics tell of them; pure. */
import { isActive, type Restore } from './restore.ts';

/** Of a restore that is active, or that ended and left its target Partial. */
export type OpenRestore = Pick<Restore, 'state' | 'endTime'>;

export const OPEN_STATES = ['Queued', 'Running', 'Canceling', 'Partial'] as const;

export interface OpenRestores {
  /** How many there are; `Partial`: they ended in the middle, and people must resume them or free their targets. */
  readonly counts: Readonly<Record<(typeof OPEN_STATES)[number], number>>;
  /** For how long the longest of those has waited for a person, in milliseconds; 0 where none does. */
  readonly oldestPartialMs: number;
}

export function countOpen(restores: readonly OpenRestore[], now: Date): OpenRestores {
  const counts = { Queued: 0, Running: 0, Canceling: 0, Partial: 0 };
  let oldestPartialMs = 0;
  for (const { state, endTime } of restores) {
    counts[isActive({ state }) ? (state as keyof typeof counts) : 'Partial'] += 1;
    if (!isActive({ state }) && endTime) oldestPartialMs = Math.max(oldestPartialMs, now.getTime() - endTime.getTime());
  }
  return { counts, oldestPartialMs };
}
