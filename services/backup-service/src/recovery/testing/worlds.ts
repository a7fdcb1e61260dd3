/** The worlds that are explored. */
import type { Setting } from './world.ts';

/** A snapshot or two, one log, and nothing that goes wrong. */
export const PEACE: Setting = {
  ticks: 4,
  snapshots: 2,
  logs: 1,
  damages: 0,
  restores: 0,
  removals: 0,
  pins: 0,
  stops: 0,
  horizonChanges: 0,
  byHand: 0,
  runners: 1,
  keepLast: 1,
  yearly: false,
  horizon: 2,
  manual: false,
};

type Named = readonly [name: string, setting: Setting];

export const SMALL: readonly Named[] = [
  ['three snapshots and a log', { ...PEACE, snapshots: 3 }],
  ['damage', { ...PEACE, ticks: 3, damages: 1 }],
  ['three snapshots, one of them damaged', { ...PEACE, ticks: 2, snapshots: 3, damages: 1 }],
  ['a restore', { ...PEACE, ticks: 3, horizon: 1, restores: 1 }],
  ['a person who removes', { ...PEACE, ticks: 3, removals: 1 }],
  ['a pin, and a horizon that changes', { ...PEACE, ticks: 3, pins: 1, horizonChanges: 1 }],
  ['a log that stands still, and a hand that truncates', { ...PEACE, stops: 1, byHand: 1 }],
  ['two logs', { ...PEACE, ticks: 3, logs: 2 }],
];

export const LARGE: readonly Named[] = [
  ['three snapshots, one of them damaged', { ...PEACE, ticks: 5, snapshots: 3, damages: 1 }],
  ['three snapshots, a restore and a person who removes', { ...PEACE, snapshots: 3, restores: 1, removals: 1 }],
  ['two runners and damage', { ...PEACE, ticks: 5, snapshots: 3, damages: 1, runners: 2 }],
  ['two logs and a restore', { ...PEACE, ticks: 5, logs: 2, snapshots: 3, restores: 1 }],
  ['two damages, and yearly backups', { ...PEACE, snapshots: 3, damages: 2, yearly: true }],
  ['backups of people, pins and a changing horizon', { ...PEACE, manual: true, pins: 1, horizonChanges: 2 }],
];
