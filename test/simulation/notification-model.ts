/**
 * The life of notifications in a small world: one condition whose truth changes, two copies of the scheduler that look, spread and send, and
 * receivers. Any copy may end at any line or stand still for longer than its lease, and any answer may be lost.
 */
import {
  type Exploration,
  exploreModel,
  Violation,
  type WorldStep,
} from '../../services/backup-service/src/testing/exploration.ts';
import {
  type ConditionState,
  decideCondition,
  type Fact,
  spread,
} from '../../services/scheduler-service/src/notification/decide/condition.ts';
import {
  DELIVERY_LIMITS,
  type Delivery,
  decideDelivery,
  deliveryId,
  newDelivery,
  type Outcome,
} from '../../services/scheduler-service/src/notification/decide/delivery.ts';
import type { NotificationEvent } from '../../services/scheduler-service/src/notification/decide/event.ts';

/** What the world asks; a rule that is switched off is another function here. */
export interface Rules {
  readonly decideCondition: typeof decideCondition;
  readonly spread: typeof spread;
  readonly decideDelivery: typeof decideDelivery;
  readonly deliveryId: typeof deliveryId;
}

export const RULES: Rules = { decideCondition, spread, decideDelivery, deliveryId };

export type Fault = 'crash' | 'stall' | 'refuse' | 'lostAnswer';

export interface Setting {
  readonly copies: number;
  readonly receivers: number;
  /** How often what is true changes. */
  readonly changes: number;
  readonly faults: number;
  readonly fault: readonly Fault[];
}

/** What a copy is at. */
type Work =
  | { readonly kind: 'idle' }
  | { readonly kind: 'looked'; readonly fact: Fact }
  | { readonly kind: 'spreading'; readonly event: NotificationEvent; readonly next: number }
  | { readonly kind: 'claimed'; readonly id: string; readonly claim: string; readonly fence: number }
  | {
      readonly kind: 'sent';
      readonly id: string;
      readonly claim: string;
      readonly fence: number;
      readonly outcome: Outcome;
    };

interface World {
  readonly setting: Setting;
  readonly rules: Rules;
  now: number;
  faultsLeft: number;
  /** A fault that lets a receiver get an event twice has come. */
  mayRepeat: boolean;
  /** How often the truth changed: it is bad after an odd number of times. */
  truth: number;
  state: ConditionState | undefined;
  /** Every event that a change of the state made, oldest first. */
  events: NotificationEvent[];
  deliveries: Delivery[];
  /** What each receiver took, event by event. */
  taken: string[][];
  works: Work[];
}

type Step = WorldStep<World>;
const IDLE: Work = { kind: 'idle' };

const beginning = (setting: Setting, rules: Rules): World => ({
  setting,
  rules,
  now: 0,
  faultsLeft: setting.faults,
  mayRepeat: false,
  truth: 0,
  state: undefined,
  events: [],
  deliveries: [],
  taken: Array.from({ length: setting.receivers }, () => []),
  works: Array.from({ length: setting.copies }, () => IDLE),
});

const copyOf = (world: World): World => ({
  ...world,
  events: [...world.events],
  deliveries: [...world.deliveries],
  taken: world.taken.map((one) => [...one]),
  works: [...world.works],
});

function changeTruth(world: World): void {
  world.truth += 1;
}

const isBad = (truth: number) => truth % 2 === 1;

function factOf({ truth }: World): Fact {
  const level = isBad(truth) ? 'warning' : 'good';
  return {
    ...{ condition: 'backup', subject: 'c', at: new Date(truth), level, grade: isBad(truth) ? 'failed' : '' },
    text: level,
    about: { clusterId: 'c' },
  };
}

const free = (name: string, act: (world: World) => void): Step => ({ name, kind: 'free', act });

function fault({ setting, faultsLeft }: World, kind: Fault, name: string, act: (world: World) => void): Step[] {
  if (faultsLeft === 0 || !setting.fault.includes(kind)) return [];
  const step = (world: World) => {
    world.faultsLeft -= 1;
    act(world);
  };
  return [{ name, kind: 'fault', act: step }];
}

function stepsFrom(world: World): Step[] {
  const steps = world.works.flatMap((work, copy) => stepsOfCopy(world, copy, work));
  const busy = world.works.some(({ kind }) => kind !== 'idle');
  const changes =
    world.truth < world.setting.changes ? [{ name: 'the truth changes', kind: 'wish' as const, act: changeTruth }] : [];
  return [...steps, ...changes, ...stepsOfTime(world, busy)];
}

function stepsOfCopy(world: World, copy: number, work: Work): Step[] {
  const name = (what: string) => `copy ${copy} ${what}`;
  const goes = (next: World, to: Work) => {
    next.works[copy] = to;
  };
  const crash =
    work.kind === 'idle'
      ? []
      : fault(world, 'crash', name(`ends while it is ${work.kind}`), (next) => {
          if (work.kind === 'sent') next.mayRepeat = true;
          goes(next, IDLE);
        });
  switch (work.kind) {
    case 'idle':
      return [
        free(name('looks'), (next) => goes(next, { kind: 'looked', fact: factOf(next) })),
        ...(world.state?.pending
          ? [
              free(name('begins to spread'), (next) => {
                if (next.state?.pending) goes(next, { kind: 'spreading', event: next.state.pending, next: 0 });
              }),
            ]
          : []),
        ...world.deliveries.flatMap(({ _id }) => stepsToClaim(world, copy, _id)),
      ];
    case 'looked':
      return [
        ...crash,
        free(name('takes the fact in'), (next) => {
          takeIn(next, work.fact, copy);
          goes(next, IDLE);
        }),
      ];
    case 'spreading':
      return [...crash, ...stepsOfSpreading(world, copy, work)];
    case 'claimed':
      return [
        ...crash,
        free(name(`sends ${work.id}`), (next) => send(next, copy, work)),
        ...fault(world, 'refuse', name(`is refused with ${work.id}`), (next) =>
          goes(next, { ...work, kind: 'sent', outcome: { kind: 'failed', trouble: 'refused' } }),
        ),
        ...fault(world, 'lostAnswer', name(`sends ${work.id}, and gets no answer`), (next) => {
          next.mayRepeat = true;
          send(next, copy, work);
          goes(next, { ...work, kind: 'sent', outcome: { kind: 'failed', trouble: 'no answer' } });
        }),
      ];
    case 'sent':
      return [
        ...crash,
        free(name(`notes how ${work.id} went`), (next) => {
          change(next, work.id, { ...work, kind: 'complete' });
          goes(next, IDLE);
        }),
      ];
  }
}

/** What a copy does with a fact, in one write as compare-and-set makes it: a state that changed meanwhile is read again, the fact is not. */
function takeIn(world: World, fact: Fact, copy: number): void {
  const id = `e${world.events.length}.${copy}`;
  const { next } = world.rules.decideCondition(world.state, fact, id, new Date(world.now));
  if (!next) return;
  if (world.state && next.basis < world.state.basis) throw new Violation('an older fact undoes no newer one (C4)');
  const before = world.state?.level ?? 'good';
  if (next.level !== before) {
    const event = next.pending ?? { id: 'none' };
    world.events.push(event as NotificationEvent);
  } else if (next.pending && next.pending.id !== world.state?.pending?.id)
    throw new Violation('what stays as it is is told once (C1)');
  world.state = next;
}

function stepsOfSpreading(world: World, copy: number, work: Extract<Work, { kind: 'spreading' }>): Step[] {
  const { event, next: at } = work;
  if (at < world.setting.receivers)
    return [
      free(`copy ${copy} gives ${event.id} to receiver ${at}`, (next) => {
        const made = {
          ...newDelivery(event, String(at), new Date(next.now)),
          _id: next.rules.deliveryId(event.id, String(at)),
        };
        if (!next.deliveries.some(({ _id }) => _id === made._id)) next.deliveries.push(made);
        next.works[copy] = { ...work, next: at + 1 };
      }),
    ];
  return [
    free(`copy ${copy} has spread ${event.id}`, (next) => {
      const state = next.state && next.rules.spread(next.state, event.id);
      if (state) next.state = state;
      next.works[copy] = IDLE;
    }),
  ];
}

function stepsToClaim(world: World, copy: number, id: string): Step[] {
  const delivery = world.deliveries.find(({ _id }) => _id === id);
  if (!delivery?.task || delivery.task.ringAt.getTime() > world.now) return [];
  return [
    free(`copy ${copy} claims ${id}`, (next) => {
      change(next, id, { kind: 'reap' });
      const fence = (next.deliveries.find(({ _id }) => _id === id)?.fence ?? 0) + 1;
      const claim = `${copy}.${fence}`;
      const { answer } = change(next, id, { kind: 'claim', claim, worker: String(copy) });
      if (answer === 'held') next.works[copy] = { kind: 'claimed', id, claim, fence };
    }),
  ];
}

function change(world: World, id: string, command: Parameters<typeof decideDelivery>[1]) {
  const index = world.deliveries.findIndex(({ _id }) => _id === id);
  const before = world.deliveries[index];
  if (!before) throw new Violation('what is in the outbox stays there');
  const decision = world.rules.decideDelivery(before, command, new Date(world.now));
  if (decision.next) {
    if (before.task === null) throw new Violation('what is over never changes (D5)');
    world.deliveries[index] = decision.next;
  }
  return decision;
}

/** The receiver takes it. */
function send(world: World, copy: number, work: Extract<Work, { kind: 'claimed' }>): void {
  const delivery = world.deliveries.find(({ _id }) => _id === work.id);
  if (!delivery) throw new Violation('what is in the outbox stays there');
  const taken = world.taken[Number(delivery.receiverId)];
  if (taken?.includes(delivery.event.id) && !world.mayRepeat)
    throw new Violation(
      'while no copy ends or stands still between an answer and its note, a receiver gets an event once (D4)',
    );
  taken?.push(delivery.event.id);
  world.works[copy] = { ...work, kind: 'sent', outcome: { kind: 'delivered' } };
}

/** Time moves to the next instant at which something is due; not while a copy is at work, unless that stands still. */
function stepsOfTime(world: World, busy: boolean): Step[] {
  const { leaseMs, reapMarginMs } = DELIVERY_LIMITS;
  const instants = world.deliveries
    .flatMap(({ task }) => (task ? [task.ringAt.getTime(), task.notBefore.getTime()] : []))
    .filter((instant) => instant > world.now);
  if (instants.length === 0) return [];
  const to = Math.min(...instants);
  const passes = (next: World) => {
    next.now = to;
  };
  if (!busy) return [free(`${to - world.now} ms pass`, passes)];
  return fault(world, 'stall', `all stand still for ${leaseMs + reapMarginMs} ms or more`, (next) => {
    next.mayRepeat = true;
    next.now = Math.max(to, next.now + leaseMs + reapMarginMs + 1);
  });
}

/** @throws Violation */
function hold(world: World): void {
  const { events, deliveries, taken, state, setting } = world;
  for (const [index, { id, severity }] of events.entries()) {
    if (events.findIndex((one) => one.id === id) !== index) throw new Violation('every change has an event of its own');
    if ((severity === 'info') === (index % 2 === 0)) throw new Violation('bad and good are told in turn (C1)');
    const isPending = state?.pending?.id === id;
    const inOutbox = new Set(deliveries.filter(({ event }) => event.id === id).map(({ receiverId }) => receiverId));
    if (!isPending && inOutbox.size < setting.receivers)
      throw new Violation('an event stays on its condition until every receiver has it in the outbox (C2, C3)');
  }
  const pairs = deliveries.map(({ event, receiverId }) => `${event.id} ${receiverId}`);
  if (new Set(pairs).size < pairs.length) throw new Violation('an event is in the outbox once for each receiver (D1)');
  for (const { state: ended, event, receiverId, task } of deliveries) {
    if (ended === 'Delivered' && !taken[Number(receiverId)]?.includes(event.id))
      throw new Violation('what is called delivered was taken');
    if ((ended === 'Waiting') !== (task !== null))
      throw new Violation('a delivery has a task exactly while it waits (D2)');
  }
  const held = world.works.flatMap((work) => (work.kind === 'claimed' || work.kind === 'sent' ? [work.id] : []));
  if (new Set(held).size < held.length && !world.mayRepeat)
    throw new Violation('one copy at a time has a delivery (D2)');
}

function take(world: World, step: Step): World {
  const next = copyOf(world);
  step.act(next);
  hold(next);
  return next;
}

/** Times count from now, and the past is all the same. */
function likenessOf(world: World): string {
  const from = (at: Date | undefined) => at && Math.max(0, at.getTime() - world.now);
  const task = ({ task: one }: Delivery) =>
    one && [from(one.ringAt), from(one.notBefore), one.claim, from(one.leaseUntil)];
  return JSON.stringify([
    ...[world.faultsLeft, world.mayRepeat, world.truth, world.events.map(({ id }) => id), world.taken, world.works],
    world.state && [world.state.level, world.state.basis, world.state.pending?.id],
    world.deliveries.map((one) => [one._id, one.state, one.tries, one.fence, one.endedBy, task(one)]),
  ]);
}

const isTold = ({ state, truth, deliveries, works }: World) =>
  works.every(({ kind }) => kind === 'idle') &&
  (state?.level ?? 'good') === (isBad(truth) ? 'warning' : 'good') &&
  !state?.pending &&
  deliveries.every(({ state: ended }) => ended === 'Delivered');

/** Explores a world; up to so many states. */
export function explore(setting: Setting, rules: Rules = RULES, most = Infinity): Exploration {
  const goal = {
    otherwise: 'when the faults stop, what is true is known, and every receiver has every event',
    by: ['free' as const],
    isReached: isTold,
  };
  return exploreModel({ stepsFrom, take, likenessOf, goals: [goal] }, beginning(setting, rules), most);
}

/** A rule that is switched off, the world in which that is missed, and what breaks first. */
export interface Mutation {
  readonly without: string;
  readonly rules: Partial<Rules>;
  readonly in: Partial<Setting>;
  readonly breaks: string;
}

export const PEACE: Setting = { copies: 1, receivers: 1, changes: 1, faults: 0, fault: [] };

export const MUTATIONS: readonly Mutation[] = [
  {
    without: 'writes the event with the level',
    rules: {
      decideCondition: (...asked) => {
        const decision = decideCondition(...asked);
        return decision.next ? { next: { ...decision.next, pending: null } } : decision;
      },
    },
    in: {},
    breaks: 'an event stays on its condition until every receiver has it in the outbox (C2, C3)',
  },
  {
    without: 'waits with a change until the event before is spread',
    rules: {
      decideCondition: (state, ...rest) => decideCondition(state && { ...state, pending: null }, ...rest),
    },
    in: { changes: 2 },
    breaks: 'an event stays on its condition until every receiver has it in the outbox (C2, C3)',
  },
  {
    without: 'leaves older facts alone',
    rules: {
      decideCondition: (state, fact, id, now) => {
        const decision = decideCondition(state && { ...state, basis: new Date(0) }, fact, id, now);
        return decision.next ? { next: { ...decision.next, basis: fact.at } } : decision;
      },
    },
    in: { copies: 2, changes: 2 },
    breaks: 'an older fact undoes no newer one (C4)',
  },
  {
    without: 'spreads an event until every receiver has it',
    rules: { spread: (state, id) => spread(state, state.pending?.id ?? id) },
    in: { copies: 2, changes: 2, receivers: 1 },
    breaks: 'an event stays on its condition until every receiver has it in the outbox (C2, C3)',
  },
  {
    without: 'makes the id of a delivery of event and receiver',
    rules: {
      deliveryId: (() => {
        let made = 0;
        return () => {
          made += 1;
          return `d${made}`;
        };
      })(),
    },
    in: { copies: 2 },
    breaks: 'an event is in the outbox once for each receiver (D1)',
  },
  {
    without: 'lets one copy have a delivery',
    rules: {
      decideDelivery: (delivery, command, now) =>
        decideDelivery(
          command.kind === 'claim' && delivery.task
            ? { ...delivery, task: { ringAt: now, notBefore: now, rings: 0 } }
            : delivery,
          command,
          now,
          { ...DELIVERY_LIMITS, leaseMs: -DELIVERY_LIMITS.reapMarginMs * 2 },
        ),
    },
    in: { copies: 2 },
    breaks: 'one copy at a time has a delivery (D2)',
  },
  {
    without: 'takes a delivery from a copy that ended',
    rules: {
      decideDelivery: (delivery, command, now) =>
        command.kind === 'reap' ? { answer: 'ok' } : decideDelivery(delivery, command, now),
    },
    in: { faults: 1, fault: ['crash'] },
    breaks: 'when the faults stop, what is true is known, and every receiver has every event',
  },
  {
    without: 'tries again what was refused',
    rules: {
      decideDelivery: (delivery, command, now) => decideDelivery({ ...delivery, once: true }, command, now),
    },
    in: { faults: 1, fault: ['refuse'] },
    breaks: 'when the faults stop, what is true is known, and every receiver has every event',
  },
  {
    without: 'asks for claim and fence of a completion',
    rules: {
      decideDelivery: (delivery, command, now) => {
        if (command.kind !== 'complete') return decideDelivery(delivery, command, now);
        const { claim, fence } = command;
        const held = { ringAt: now, notBefore: now, rings: 0, claim, leaseUntil: now };
        return decideDelivery({ ...delivery, fence, endedBy: null, task: held }, command, now);
      },
    },
    in: { copies: 2, faults: 1, fault: ['stall'] },
    breaks: 'what is over never changes (D5)',
  },
];

export const SMALL: readonly (readonly [name: string, setting: Setting])[] = [
  ['one copy, three changes, nothing that goes wrong', { ...PEACE, changes: 3 }],
  ['two copies, two receivers, one change, nothing that goes wrong', { ...PEACE, copies: 2, receivers: 2 }],
  [
    'one copy, two receivers, two faults of any kind',
    { ...PEACE, receivers: 2, faults: 2, fault: ['crash', 'stall', 'refuse', 'lostAnswer'] },
  ],
  [
    'two copies, two changes, one fault of any kind',
    { ...PEACE, copies: 2, changes: 2, faults: 1, fault: ['crash', 'stall', 'refuse', 'lostAnswer'] },
  ],
];

export const LARGE: readonly (readonly [name: string, setting: Setting])[] = [
  [
    'two copies, three changes, two faults of any kind',
    { ...PEACE, copies: 2, changes: 3, faults: 2, fault: ['crash', 'stall', 'refuse', 'lostAnswer'] },
  ],
  [
    'two copies, two receivers, one change, two faults of any kind',
    { ...PEACE, copies: 2, receivers: 2, faults: 2, fault: ['crash', 'stall', 'refuse', 'lostAnswer'] },
  ],
];
