import type { Generation, Snapshot } from '../state.ts';

/** A good snapshot of a rule. */
export const snapshotAt = (tso: bigint, some: Partial<Snapshot> = {}): Snapshot => ({
  id: `b${tso}`,
  tso,
  damagedAt: null,
  removal: 'none',
  removalBy: null,
  pinned: false,
  held: false,
  origin: 'rule',
  rule: 'daily',
  upstreamClusterId: '7',
  keyKnown: true,
  ...some,
});

/** A log that is written. */
export const logOf = (
  n: number,
  min: bigint | null,
  max: bigint | null,
  some: Partial<Generation> = {},
): Generation => ({
  n,
  min,
  max,
  cuts: [],
  open: true,
  paused: false,
  endedWhy: null,
  holds: [],
  truncating: null,
  upstreamClusterId: '7',
  ...some,
});
