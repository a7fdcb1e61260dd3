/**
 * What happens in a run and when, all of it from the seed: which faults, which requests. What a request is about (which
 * of the backups that are there) depends on the run, but the choice among them is planned too.
 */
import { type Random, randomOf } from '../simulation/random.ts';

/** What can be broken, with how often it is chosen and how long it lasts. */
const KINDS = {
  kill: { weight: 7, from: 0, to: 3_000 },
  'freeze-short': { weight: 4, from: 300, to: 2_000 },
  'freeze-long': { weight: 4, from: 4_500, to: 9_000 },
  restart: { weight: 4, from: 0, to: 500 },
  clock: { weight: 3, from: 5_000, to: 20_000 },
  'br-kill': { weight: 3, from: 0, to: 0 },
  'br-freeze': { weight: 2, from: 500, to: 6_000 },
  'guard-kill': { weight: 2, from: 0, to: 0 },
  'guard-freeze': { weight: 2, from: 500, to: 9_000 },
  'broker-stop': { weight: 1, from: 500, to: 5_000 },
  'broker-kill': { weight: 1, from: 500, to: 5_000 },
  'broker-wipe': { weight: 1, from: 0, to: 0 },
  'broker-alarm': { weight: 2, from: 1_000, to: 6_000 },
  'link-cut': { weight: 5, from: 0, to: 0 },
  'link-slow': { weight: 4, from: 3_000, to: 10_000 },
  'link-hole': { weight: 5, from: 1_000, to: 8_000 },
  'link-down': { weight: 3, from: 1_000, to: 8_000 },
  'database-stop': { weight: 1, from: 300, to: 4_000 },
  'database-kill': { weight: 2, from: 300, to: 4_000 },
  'database-freeze': { weight: 2, from: 500, to: 6_000 },
  'storage-full': { weight: 2, from: 1_000, to: 5_000 },
  'storage-read-only': { weight: 2, from: 1_000, to: 5_000 },
  'storage-frozen': { weight: 2, from: 500, to: 4_000 },
  'mount-lost': { weight: 3, from: 2_000, to: 12_000 },
  'disk-full': { weight: 2, from: 2_000, to: 8_000 },
  'store-habit': { weight: 4, from: 3_000, to: 12_000 },
  'record-damaged': { weight: 2, from: 0, to: 0 },
  crowd: { weight: 1, from: 0, to: 0 },
} as const satisfies Record<string, { weight: number; from: number; to: number }>;

export type FaultKind = keyof typeof KINDS;

export const FAULT_KINDS = Object.keys(KINDS) as FaultKind[];

export interface Fault {
  /** Milliseconds from the start of the run. */
  readonly at: number;
  readonly kind: FaultKind;
  /** Until it is healed, in milliseconds. */
  readonly lasts: number;
  /** Which of the things that it can hit: a fraction of their list. */
  readonly which: number;
  /** How much, where that is a question: a fraction. */
  readonly amount: number;
}

/** What people do: mostly starting backups. */
const ACTIONS = {
  start: 10,
  cancel: 4,
  delete: 4,
  pin: 1,
  unpin: 1,
  rule: 1,
  read: 2,
} as const;

/** What people do about restores, and to the clusters that take part in them. */
const RESTORE_ACTIONS = {
  restore: 8,
  'cancel-restore': 2,
  'see-to-restore': 4,
  'back-up-source': 2,
  'back-up-target': 2,
  'delete-source': 3,
  'write-source': 2,
} as const;

/** What people do about log backups, some of it by hand. */
const LOG_ACTIONS = {
  'pause-log': 2,
  'resume-log': 4,
  'stop-log': 1,
  'start-log': 4,
  'pause-log-by-hand': 2,
  'stop-log-by-hand': 1,
  'back-up-logged': 3,
  'truncate-log': 2,
} as const;

export type RestoreActionKind = keyof typeof RESTORE_ACTIONS;
export type LogActionKind = keyof typeof LOG_ACTIONS;
export type ActionKind = keyof typeof ACTIONS | RestoreActionKind | LogActionKind;

export interface Action<Kind extends ActionKind = ActionKind> {
  readonly at: number;
  readonly kind: Kind;
  /** Which of what it can be about, and whether and where it is repeated: fractions. */
  readonly which: number;
  readonly again: number;
}

export interface Plan {
  readonly seed: number;
  readonly faults: readonly Fault[];
  readonly actions: readonly Action[];
}

const FRACTIONS = 1_000_000;
/** From one fault to the next, and from one request to the next. */
const FAULT_EVERY_MS = [2_000, 7_000] as const;
const ACTION_EVERY_MS = [200, 1_300] as const;
const RESTORE_ACTION_EVERY_MS = [300, 1_200] as const;
const LOG_ACTION_EVERY_MS = [2_000, 8_000] as const;

/** @param kinds the faults to choose among, at least one */
export function planOf(seed: number, lastsMs: number, kinds: readonly FaultKind[]): Plan {
  // A stream for each, so that other faults leave the requests as they are.
  const faultChance = randomOf(seed);
  const actionChance = randomOf(seed ^ 0x5f3759df);
  const restoreChance = randomOf(seed ^ 0x27d4eb2f);
  const logChance = randomOf(seed ^ 0x165667b1);
  const faults = times(faultChance, lastsMs, FAULT_EVERY_MS).map((at): Fault => {
    const kind = weighted(
      faultChance,
      kinds.map((one) => [one, KINDS[one].weight] as const),
    );
    const { from, to } = KINDS[kind];
    return {
      at,
      kind,
      lasts: faultChance.between(from, to),
      which: fraction(faultChance),
      amount: fraction(faultChance),
    };
  });
  const choose = <Kind extends ActionKind>(
    chance: Random,
    everyMs: readonly [number, number],
    weights: Readonly<Record<Kind, number>>,
  ) =>
    times(chance, lastsMs, everyMs).map((at): Action => {
      const kind = weighted(chance, Object.entries(weights) as [Kind, number][]);
      return { at, kind, which: fraction(chance), again: fraction(chance) };
    });
  const actions = [
    ...choose(actionChance, ACTION_EVERY_MS, ACTIONS),
    ...choose(restoreChance, RESTORE_ACTION_EVERY_MS, RESTORE_ACTIONS),
    ...choose(logChance, LOG_ACTION_EVERY_MS, LOG_ACTIONS),
  ];
  return { seed, faults, actions: actions.sort((one, other) => one.at - other.at) };
}

function times(chance: Random, lastsMs: number, [from, to]: readonly [number, number]): number[] {
  const found: number[] = [];
  for (let at = chance.between(from, to); at < lastsMs; at += chance.between(from, to)) found.push(at);
  return found;
}

function fraction(chance: Random): number {
  return chance.int(FRACTIONS) / FRACTIONS;
}

function weighted<T>(chance: Random, options: readonly (readonly [T, number])[]): T {
  let left = chance.int(options.reduce((sum, [, weight]) => sum + weight, 0));
  for (const [option, weight] of options) {
    left -= weight;
    if (left < 0) return option;
  }
  throw new Error('there is nothing to choose from');
}

/** The one of a list that a fraction means; undefined for an empty list. */
export function pickOf<T>(list: readonly T[], fraction: number): T | undefined {
  return list[Math.floor(fraction * list.length)];
}
