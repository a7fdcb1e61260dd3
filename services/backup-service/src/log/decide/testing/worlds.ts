import type { Setting } from './world.ts';

export const PEACE: Setting = { wishes: 1, events: 0, faults: 0 };

/** Seconds for all of them. */
export const SMALL: readonly (readonly [string, Setting])[] = [
  ['two wishes and one thing by hand', { wishes: 2, events: 1, faults: 0 }],
  ['one wish and two things by hand', { wishes: 1, events: 2, faults: 0 }],
  ['two wishes and a fault', { wishes: 2, events: 0, faults: 1 }],
  ['one wish, one thing by hand and a fault', { wishes: 1, events: 1, faults: 1 }],
  ['a running log, one wish, one thing by hand and a fault', { running: true, wishes: 1, events: 1, faults: 1 }],
];

/** Minutes. */
export const LARGE: readonly (readonly [string, Setting])[] = [
  ['a running log, one wish, two things by hand', { running: true, wishes: 1, events: 2, faults: 0 }],
  ['two wishes, two things by hand and a fault', { wishes: 2, events: 2, faults: 1 }],
  ['two wishes and three things by hand', { wishes: 2, events: 3, faults: 0 }],
  ['the same, where br says who paused', { wishes: 2, events: 3, faults: 0, tellsWho: true }],
  ['three wishes, one thing by hand and two faults', { wishes: 3, events: 1, faults: 2 }],
];
