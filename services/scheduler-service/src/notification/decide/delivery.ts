/**
 * An event on its way to one receiver: a document of the outbox, and after its end of the history.
 *
 * D1. Its id is made of the event and the receiver, so that there is one of each, however often an event is spread.
 * D2. It has a task exactly while it waits. Any copy of the scheduler may claim it, one at a time; what a copy leaves unfinished is taken from
 *     it when its lease is over.
 * D3. It is sent again until the receiver has taken it, with growing pauses, for seven days; what then was not taken is given up, which is counted.
 * D4. A receiver may get an event twice, where a copy ended or stood still between the answer and the note of it, or the answer or the note was
 *     lost: the event then has the same id.
 * D5. What is over never changes. A completion that comes twice is answered as the first time.
 */
import {
  grantTask,
  isClaimable,
  isHeldBy,
  newTask,
  reapTask,
  releaseTask,
  requeued,
  type Task,
  type TaskLimits,
} from '@tidemark/task/task';
import { plus } from '@tidemark/task/time';
import type { NotificationEvent } from './event.ts';

/** `Dropped`: its receiver is gone. */
export type DeliveryState = 'Waiting' | 'Delivered' | 'GivenUp' | 'Dropped';

export interface Delivery {
  /** `<event id>:<receiver id>`. */
  readonly _id: string;
  readonly receiverId: string;
  readonly event: NotificationEvent;
  readonly state: DeliveryState;
  readonly task: Task | null;
  readonly fence: number;
  /** How often it was tried to its end. */
  readonly tries: number;
  /** A test is tried once. */
  readonly once: boolean;
  /** Of the last try that failed, wholly or in part; empty while none has. It never holds a secret. */
  readonly trouble: string;
  /** The claim under which the last try ended. */
  readonly endedBy: string | null;
  readonly createTime: Date;
  readonly updateTime: Date;
  readonly endTime: Date | null;
  readonly revision: number;
}

/** How a try ended. */
export type Outcome =
  /** `trouble`: what of it was not taken, where that was not all. */
  | { readonly kind: 'delivered'; readonly trouble?: string }
  /** The receiver may take it later. */
  | { readonly kind: 'failed'; readonly trouble: string }
  /** There is nobody to send it to any more. */
  | { readonly kind: 'dropped'; readonly trouble: string };

export type DeliveryCommand =
  | { readonly kind: 'claim'; readonly claim: string; readonly worker: string }
  | { readonly kind: 'complete'; readonly claim: string; readonly fence: number; readonly outcome: Outcome }
  /** The copy ends: the delivery is given back untried. */
  | { readonly kind: 'release'; readonly claim: string; readonly fence: number }
  | { readonly kind: 'reap' };

export interface DeliveryDecision {
  readonly answer: 'ok' | 'held' | 'lost';
  /** Absent: no change. */
  readonly next?: Delivery;
}

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const FIRST_PAUSE_MS = 10_000;
const LONGEST_PAUSE_MS = HOUR_MS;
export const GIVEN_UP_AFTER_MS = 7 * 24 * HOUR_MS;

/** A send takes at most a third of the lease. */
export const DELIVERY_LIMITS: TaskLimits = { ringMs: MINUTE_MS, leaseMs: MINUTE_MS, reapMarginMs: 5_000 };

const LOST: DeliveryDecision = { answer: 'lost' };

export function deliveryId(eventId: string, receiverId: string): string {
  return `${eventId}:${receiverId}`;
}

/** @param isFull whether so many wait for the receiver already that this one is given up at once */
export function newDelivery(
  event: NotificationEvent,
  receiverId: string,
  now: Date,
  { once = false, isFull = false } = {},
): Delivery {
  return {
    _id: deliveryId(event.id, receiverId),
    receiverId,
    event,
    state: isFull ? 'GivenUp' : 'Waiting',
    task: isFull ? null : newTask(now),
    fence: 0,
    tries: 0,
    once,
    trouble: isFull ? 'Too many notifications wait for this receiver already.' : '',
    endedBy: null,
    createTime: now,
    updateTime: now,
    endTime: isFull ? now : null,
    revision: 1,
  };
}

/** What `command` does to `delivery` at `now` (database time). A command recognises its own effect. */
export function decideDelivery(
  delivery: Delivery,
  command: DeliveryCommand,
  now: Date,
  limits: TaskLimits = DELIVERY_LIMITS,
): DeliveryDecision {
  switch (command.kind) {
    case 'claim': {
      if (isHeldBy(delivery, { claim: command.claim })) return { answer: 'held' };
      if (!isClaimable(delivery, now)) return LOST;
      return { answer: 'held', next: grantTask(delivery, command, now, limits) };
    }
    case 'reap': {
      const next = reapTask(delivery, now, limits);
      return next ? { answer: 'ok', next } : { answer: 'ok' };
    }
    case 'release': {
      const next = releaseTask(delivery, command, now);
      return next ? { answer: 'held', next } : LOST;
    }
    case 'complete':
      return complete(delivery, command, now);
  }
}

function complete(
  delivery: Delivery,
  { claim, fence, outcome }: Extract<DeliveryCommand, { kind: 'complete' }>,
  now: Date,
): DeliveryDecision {
  if (delivery.endedBy === claim) return { answer: 'held' };
  if (!isHeldBy(delivery, { claim, fence })) return LOST;
  const tried: Delivery = { ...delivery, tries: delivery.tries + 1, endedBy: claim };
  if (outcome.kind === 'delivered')
    return { answer: 'held', next: over(tried, 'Delivered', outcome.trouble ?? '', now) };
  const { kind, trouble } = outcome;
  if (kind === 'dropped') return { answer: 'held', next: over(tried, 'Dropped', trouble, now) };
  const isOver = tried.once || plus(delivery.createTime, GIVEN_UP_AFTER_MS) <= now;
  if (isOver) return { answer: 'held', next: over(tried, 'GivenUp', trouble, now) };
  return { answer: 'held', next: { ...tried, trouble, task: requeued(delivery.task, now, pauseMs(tried.tries)) } };
}

/** After so many tries that failed. */
function pauseMs(tries: number): number {
  return Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** Math.min(tries - 1, 20));
}

function over(delivery: Delivery, state: DeliveryState, trouble: string, now: Date): Delivery {
  return { ...delivery, state, trouble, task: null, endTime: now };
}
