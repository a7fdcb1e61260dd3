/**
 * Every state of small worlds in which something is taken out of logs: retention and a person who take, workers that die between any
 * two steps, restores that read, and a backup that is found damaged. In each of them what is shown lies in the storage (P1, P6), no
 * promised point of the horizon goes (P2), nothing is taken that a restore reads (P7), and nothing whole that is still written (U6). Each
 * of these rules switched off is missed.
 */
import { plus } from '@tidemark/task/time';
import { expect, it } from 'vitest';
import { recoverable } from '../../../recovery/recoverable.ts';
import { generationsOf } from '../../../recovery/recovery-state.ts';
import type { Snapshot } from '../../../recovery/state.ts';
import { snapshotAt } from '../../../recovery/testing/sample-state.ts';
import { acknowledgementOf } from '../../../recovery/would-lose.ts';
import { tsoAt } from '../../../snapshot-time.ts';
import { exploreModel, tell, Violation, type WorldStep } from '../../../testing/exploration.ts';
import { type LogBackup, type LogGeneration, newLogBackup, openGeneration } from '../../log-backup.ts';
import { decideLog } from '../decide.ts';
import { decideTruncation, type TruncationCommand, truncatingIn } from '../truncation.ts';
import { closed } from '../vocabulary.ts';

const START = new Date('2026-01-01T00:00:00Z');
const LIMITS = { ringMs: 60_000, leaseMs: 30_000, reapMarginMs: 5_000 };
const HOUR_MS = 3_600_000;
const HORIZON_DAYS = 2;
const day = (count: number) => plus(START, count * 24 * HOUR_MS);
const tso = (count: number) => tsoAt(day(count));
const dayOf = (point: bigint) => Number(point - tso(0)) / Number(tso(1) - tso(0));

/** What lies in a path: where br's safepoint stands, and the oldest files. In days. */
interface Stored {
  readonly safepoint: number;
  readonly files: number;
}

interface World {
  now: Date;
  log: LogBackup;
  snapshots: readonly Snapshot[];
  stored: Readonly<Record<string, Stored>>;
  worker: { readonly claim: string; readonly fence: number; readonly n: number } | undefined;
  claims: number;
  /** Of the restore that reads: its snapshot and its log. */
  restore: { readonly tso: bigint; readonly n: number } | undefined;
  promised: readonly number[];
  left: { days: number; damages: number; deaths: number; restores: number; persons: number };
}

type Decide = typeof decideTruncation;
type Hold = (log: LogBackup, n: number, from: bigint, now: Date) => LogBackup | undefined;
interface Rules {
  readonly decide: Decide;
  readonly hold: Hold;
}

const RULES: Rules = {
  decide: decideTruncation,
  hold(log, n, from, now) {
    const { next } = decideLog(log, { kind: 'hold', n, from: String(from), restoreId: 'r' }, now, LIMITS);
    return next;
  },
};

function generation(n: number, from: number, to: number, some: Partial<LogGeneration> = {}): LogGeneration {
  return {
    ...{ n, taskName: `t${n}`, path: `log-${n}`, createTime: day(from), storage: { id: 's', maxConcurrent: 0 } },
    ...{ startTs: String(tso(from)), min: String(tso(from)), max: String(tso(to)), open: false, begun: null },
    ...{ started: true, stopping: false, dead: false, baseId: null, vanished: null, endedWhy: 'stopped' },
    ...{ endedAt: day(to), pool: 'p', ...some },
  };
}

const OPEN = { open: true, endedWhy: null, endedAt: null } as const;
const WORLDS = [
  ['one log', 8, [1, 4, 7], [generation(1, 0, 8, OPEN)]],
  ['a log that ended before another', 8, [1, 5, 7], [generation(1, 0, 4), generation(2, 5, 8, OPEN)]],
  [
    'a log in the place of another',
    8,
    [1, 4, 6],
    [generation(1, 0, 6), generation(2, 6, 8, { ...OPEN, path: 'log-1' })],
  ],
] as const;

function beginning([, today, days, generations]: (typeof WORLDS)[number]): World {
  const settings = { storageId: 's', retentionDays: HORIZON_DAYS, lagWarnSeconds: 600, lagCriticalSeconds: 1_800 };
  const world: World = {
    now: day(today),
    log: { ...newLogBackup('c', START), settings, generations },
    snapshots: days.map((one) => snapshotAt(tso(one))),
    stored: Object.fromEntries(generations.map(({ path }) => [path, { safepoint: 0, files: 0 }])),
    ...{ worker: undefined, claims: 0, restore: undefined, promised: [] },
    left: { days: 1, damages: 1, deaths: 1, restores: 1, persons: 1 },
  };
  return { ...world, promised: within(world, shown(world)) };
}

/** The points that are shown, in half days. */
function shown({ log, snapshots, now }: World): number[] {
  const { ranges } = recoverable({ snapshots, generations: generationsOf(log) }, tsoAt(now));
  return ranges.flatMap(({ from, to }) => {
    const first = Math.ceil(2 * dayOf(from));
    return Array.from({ length: Math.floor(2 * dayOf(to)) - first + 1 }, (_, index) => (first + index) / 2);
  });
}

const within = ({ now }: World, points: readonly number[]) => {
  const from = dayOf(tsoAt(now)) - HORIZON_DAYS;
  return [...new Set(points)].filter((point) => point >= from);
};

/** Whether a point can be restored by what lies in the storage. */
function isTrue({ log, snapshots, stored }: World, point: number): boolean {
  return log.generations.some(({ path, startTs, max }) => {
    const { safepoint = 0, files = 0 } = stored[path] ?? {};
    const oldest = Math.max(safepoint, files, dayOf(BigInt(startTs ?? 0)));
    const bases = snapshots.filter(({ damagedAt }) => damagedAt === null).map((one) => dayOf(one.tso));
    return point <= dayOf(BigInt(max ?? 0)) && bases.some((base) => base >= oldest && base <= point);
  });
}

function check(world: World): void {
  const now = shown(world);
  if (now.some((point) => !isTrue(world, point))) throw new Violation('what is shown can be restored (P1)');
  if (within(world, world.promised).some((point) => !now.includes(point)))
    throw new Violation('a point of the horizon stays (P2)');
  const { restore, log, stored } = world;
  const read = restore && log.generations.find(({ n }) => n === restore.n);
  const { safepoint = 0, files = 0 } = (read && stored[read.path]) ?? {};
  if (restore && (!read || Math.max(safepoint, files) > dayOf(restore.tso)))
    throw new Violation('nothing is taken that a restore reads (P7)');
  if (log.generations.some(({ open, truncating }) => open && truncating?.until === null))
    throw new Violation('what is still written is never taken whole (U6)');
}

type Step = WorldStep<World> & { readonly costs?: keyof World['left'] };

function stepsFrom(world: World, { decide, hold }: Rules): Step[] {
  const { left, log, worker, restore, snapshots } = world;
  const ask = (next: World, command: TruncationCommand) => {
    const decision = decide(next.log, command, next.snapshots, next.now, LIMITS);
    next.log = decision.next ?? next.log;
    return decision.answer;
  };
  const excuse = (next: World) => {
    const now = shown(next);
    next.promised = next.promised.filter((point) => now.includes(point));
  };
  const steps: Step[] = [
    { name: 'retention looks', kind: 'free', act: (next) => void ask(next, { kind: 'retain' }) },
    {
      name: 'a day passes',
      kind: 'free',
      costs: 'days',
      act(next) {
        next.now = plus(next.now, 24 * HOUR_MS);
        const max = String(tsoAt(next.now));
        next.log = { ...next.log, generations: next.log.generations.map((one) => (one.open ? { ...one, max } : one)) };
      },
    },
    {
      name: 'a person takes all before day 6',
      kind: 'wish',
      costs: 'persons',
      act(next) {
        const wish = { kind: 'truncate', until: String(tso(6)), requestId: 'q' } as const;
        const answer = ask(next, wish);
        if (answer.kind !== 'refused' || answer.refusal.why !== 'pointsLost') return;
        ask(next, { ...wish, acknowledge: acknowledgementOf(answer.refusal.loss) });
        excuse(next);
      },
    },
  ];
  steps.push({
    name: 'a person takes all logs',
    kind: 'wish',
    costs: 'persons',
    act(next) {
      const wish = { kind: 'remove', by: 'p', requestId: 'q', callId: 'c' } as const;
      const answer = ask(next, wish);
      if (answer.kind === 'refused' && answer.refusal.why === 'pointsLost')
        ask(next, { ...wish, acknowledge: acknowledgementOf(answer.refusal.loss) });
      excuse(next);
    },
  });
  const open = openGeneration(log);
  if (open?.removal)
    steps.push({
      name: `log ${open.n} is seen to be stopped`,
      kind: 'free',
      act(next) {
        next.log = closed(next.log, 'stopped', next.now);
      },
    });
  if (log.generations.some(({ removal, truncating }) => removal && !truncating))
    steps.push({
      name: 'the logs that are to go are looked at',
      kind: 'free',
      act(next) {
        next.now = plus(next.now, LIMITS.ringMs);
        ask(next, { kind: 'ring' });
      },
    });
  for (const { id, damagedAt, tso: point } of snapshots) {
    if (damagedAt !== null) continue;
    const act = (next: World) => {
      next.snapshots = next.snapshots.map((one) => (one.id === id ? { ...one, damagedAt: next.now } : one));
      excuse(next);
    };
    steps.push({ name: `the backup of day ${dayOf(point)} is found damaged`, kind: 'fault', costs: 'damages', act });
    for (const { n, max } of restore ? [] : log.generations) {
      if (BigInt(max ?? 0) < point) continue;
      const read = (next: World) => {
        const held = hold(next.log, n, point, next.now);
        if (held) Object.assign(next, { log: held, restore: { tso: point, n } });
      };
      steps.push({
        name: `a restore reads log ${n} from day ${dayOf(point)} on`,
        kind: 'wish',
        costs: 'restores',
        act: read,
      });
    }
  }
  if (restore)
    steps.push({
      name: 'the restore ends',
      kind: 'free',
      act(next) {
        next.restore = undefined;
        next.log = decideLog(next.log, { kind: 'giveBack', restoreId: 'r' }, next.now, LIMITS).next ?? next.log;
      },
    });
  if (!worker)
    steps.push({
      name: 'a worker claims',
      kind: 'free',
      act(next) {
        next.claims += 1;
        const claim = `c${next.claims}`;
        const answer = ask(next, { kind: 'claim', claim, worker: 'w' });
        if (answer.kind === 'held') next.worker = { claim, fence: answer.fence, n: answer.n };
      },
    });
  else {
    const died = (next: World) => {
      next.worker = undefined;
      next.now = plus(next.now, LIMITS.leaseMs + LIMITS.reapMarginMs + 1);
      ask(next, { kind: 'reap' });
    };
    steps.push({ name: 'the worker dies', kind: 'fault', costs: 'deaths', act: died });
    steps.push({ name: 'the worker goes on', kind: 'free', act: (next) => goOn(next, worker, ask) });
  }
  return steps.filter(({ costs }) => costs === undefined || left[costs] > 0);
}

/** The safepoint is written, then files go, then that is told. */
function goOn(
  world: World,
  worker: NonNullable<World['worker']>,
  ask: (world: World, command: TruncationCommand) => unknown,
): void {
  const held = truncatingIn(world.log).find(({ n }) => n === worker.n);
  const { safepoint = 0, files = 0 } = (held && world.stored[held.path]) ?? {};
  const until = held?.truncating.until ? dayOf(BigInt(held.truncating.until)) : Infinity;
  const store = (change: Partial<Stored>) => {
    if (held) world.stored = { ...world.stored, [held.path]: { safepoint, files, ...change } };
  };
  if (safepoint < until) store({ safepoint: until });
  else if (files < until) store({ files: until });
  else {
    const { claim, fence } = worker;
    ask(world, { kind: 'done', claim, fence });
    world.worker = undefined;
  }
}

/** What of a world decides what can happen in it. */
function likenessOf({ now, log, snapshots, stored, worker, restore, promised, left }: World): string {
  return JSON.stringify([
    Math.floor(dayOf(tsoAt(now))),
    log.generations.map(({ n, min, open, holds, truncating, removal }) => {
      const { until, by, minBefore, fence, task } = truncating ?? {};
      return [n, min, open, holds, until, by, minBefore, fence === 0, task?.claim !== undefined, removal !== undefined];
    }),
    snapshots.map(({ damagedAt }) => damagedAt === null),
    Object.values(stored).map(({ safepoint, files }) => [String(safepoint), String(files)]),
    [worker?.n, restore?.n, String(restore?.tso)],
    [promised, left],
  ]);
}

function explore(first: World, rules: Rules) {
  return exploreModel<World, Step>(
    {
      stepsFrom: (world) => stepsFrom(world, rules),
      take(world, { act, costs }) {
        const next = { ...world, left: { ...world.left } };
        if (costs) next.left[costs] -= 1;
        act(next);
        next.promised = within(next, [...next.promised, ...shown(next)]);
        check(next);
        return next;
      },
      likenessOf,
      goals: [
        {
          otherwise: 'when the faults stop, what is under way comes to an end',
          by: ['free'],
          isReached: ({ log, worker }) =>
            !worker && truncatingIn(log).length === 0 && log.generations.every(({ removal }) => !removal),
        },
      ],
    },
    first,
  );
}

for (const world of WORLDS)
  it(`holds in every state of: ${world[0]}`, { timeout: 60_000 }, () => {
    const { finding, cut, states } = explore(beginning(world), RULES);
    expect(finding && tell(finding)).toBeUndefined();
    expect(cut).toBe(false);
    expect(states).toBeGreaterThan(500);
  });

/** Decides by another document than there is; what is not decided about stays. */
const seeing = (alter: (one: LogGeneration) => LogGeneration): Decide => {
  return (log, command, snapshots, now, limits) => {
    const seen = { ...log, generations: log.generations.map(alter) };
    const { next, ...decision } = decideTruncation(seen, command, snapshots, now, limits);
    const own = new Map(
      log.generations.map(({ n, path, open, holds }) => [n, { path, open, ...(holds && { holds }) }]),
    );
    return next
      ? { ...decision, next: { ...next, generations: next.generations.map((one) => ({ ...one, ...own.get(one.n) })) } }
      : decision;
  };
};

const forRemoval = (alter: (one: LogGeneration) => LogGeneration): Decide => {
  const altered = seeing(alter);
  return (log, command, ...rest) =>
    (command.kind === 'remove' || command.kind === 'ring' ? altered : decideTruncation)(log, command, ...rest);
};

const MUTATIONS: readonly (readonly [string, number, Partial<Rules>, string])[] = [
  [
    'the promise shrinks before the files go (U1)',
    0,
    {
      decide(log, command, ...rest) {
        const decision = decideTruncation(log, command, ...rest);
        if (command.kind !== 'retain' || !decision.next) return decision;
        const mins = new Map(log.generations.map(({ n, min }) => [n, min]));
        const generations = decision.next.generations.map((one) => ({ ...one, min: mins.get(one.n) ?? one.min }));
        return { ...decision, next: { ...decision.next, generations } };
      },
    },
    'what is shown can be restored (P1)',
  ],
  [
    'nothing is taken while a restore reads it (U2)',
    0,
    { decide: seeing((one) => ({ ...one, holds: [] })) },
    'nothing is taken that a restore reads (P7)',
  ],
  [
    'logs that are to go wait for the restore that reads them (U8)',
    0,
    { decide: forRemoval((one) => ({ ...one, holds: [] })) },
    'nothing is taken that a restore reads (P7)',
  ],
  [
    'logs that are to go wait until they are stopped (U6, U8)',
    0,
    { decide: forRemoval((one) => ({ ...one, open: false })) },
    'what is still written is never taken whole (U6)',
  ],
  [
    'a log in the place of another does not go before that (U7, U8)',
    2,
    { decide: forRemoval((one) => ({ ...one, path: `own-${one.n}` })) },
    'nothing is taken that a restore reads (P7)',
  ],
  [
    'no restore begins to read what is being taken (P7)',
    0,
    {
      hold: (log, n, from, now) =>
        RULES.hold(
          { ...log, generations: log.generations.map((one) => ({ ...one, min: '1', truncating: null })) },
          n,
          from,
          now,
        ) && {
          ...log,
          generations: log.generations.map((one) => (one.n === n ? { ...one, holds: ['r'] } : one)),
        },
    },
    'nothing is taken that a restore reads (P7)',
  ],
  [
    'it goes no further than the base of the horizon (K3)',
    0,
    {
      decide: (log, command, snapshots, ...rest) =>
        decideTruncation(log, command, command.kind === 'retain' ? snapshots.slice(-1) : snapshots, ...rest),
    },
    'a point of the horizon stays (P2)',
  ],
  [
    'a log in the place of another waits for that (K6, U7)',
    2,
    { decide: seeing((one) => ({ ...one, path: `own-${one.n}` })) },
    'what is shown can be restored (P1)',
  ],
];

for (const [without, at, rules, breaks] of MUTATIONS)
  it(`misses the rule that ${without}`, { timeout: 60_000 }, () => {
    const world = WORLDS[at];
    if (!world) throw new Error('there is no such world');
    expect(explore(beginning(world), { ...RULES, ...rules }).finding?.sentence).toBe(breaks);
  });
