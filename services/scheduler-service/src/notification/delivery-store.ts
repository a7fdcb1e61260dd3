/**
 * The collection `notification_deliveries`: the outbox, and what became of what was in it.
 *
 * DS1. What is over is forgotten by age, and above a number the oldest; what waits never is.
 */
import { MAX_DELIVERIES, MAX_WAITING_DELIVERIES } from '@tidemark/limits/limits';
import type { IndexSpec } from '@tidemark/mongo/indexes';
import { isDuplicateKey } from '@tidemark/mongo/mongo-error';
import type { TokenScope } from '@tidemark/mongo/page-token';
import { createPages, type Page, type PageWish } from '@tidemark/mongo/pages';
import { persist } from '@tidemark/mongo/persist';
import { FIRST_INSTANT, LAST_INSTANT } from '@tidemark/mongo/selection';
import { createTaskStore } from '@tidemark/mongo/task-store';
import { EPOCH, FAR } from '@tidemark/mongo/time-range';
import type { Db } from 'mongodb';
import {
  type Delivery,
  type DeliveryCommand,
  type DeliveryState,
  decideDelivery,
  newDelivery,
} from './decide/delivery.ts';
import type { NotificationEvent } from './decide/event.ts';

export const DELIVERY_INDEXES: readonly IndexSpec[] = [
  { collection: 'notification_deliveries', keys: { receiverId: 1, 'task.ringAt': 1 } },
  { collection: 'notification_deliveries', keys: { 'task.ringAt': 1 } },
  { collection: 'notification_deliveries', keys: { receiverId: 1, createTime: -1, _id: -1 } },
  { collection: 'notification_deliveries', keys: { receiverId: 1, state: 1, createTime: -1 } },
  { collection: 'notification_deliveries', keys: { state: 1, createTime: 1 } },
  { collection: 'notification_deliveries', keys: { endTime: 1 } },
];

/** How it is with a receiver. */
export interface Standing {
  readonly waiting: number;
  readonly waitingSince: Date | undefined;
  readonly deliveredAt: Date | undefined;
  /** Of the last try that failed, where none has succeeded since. */
  readonly trouble: string;
}

/** What waits in all. */
export interface Waiting {
  readonly count: number;
  readonly oldest: Date | undefined;
}

export interface DeliveryFilter {
  readonly receiverId: string;
  /** None means all. */
  readonly states: readonly DeliveryState[];
}

/** Every method throws `unavailable` when the database does. */
export interface DeliveryStore {
  /** Puts an event into the outbox for a receiver, unless it is there. */
  accept(
    event: NotificationEvent,
    receiverId: string,
    options: { readonly once?: boolean },
    signal: AbortSignal,
  ): Promise<void>;
  get(id: string, signal: AbortSignal): Promise<Delivery | undefined>;
  /** Decides and writes. @returns the answer, and the delivery after it; undefined where there is no such */
  apply(
    id: string,
    command: DeliveryCommand,
    signal: AbortSignal,
  ): Promise<{ readonly answer: 'ok' | 'held' | 'lost'; readonly delivery: Delivery } | undefined>;
  /** Ids of what is due for a receiver, the longest due first. */
  findDue(receiverId: string, now: Date, limit: number, signal: AbortSignal): Promise<string[]>;
  /** Ids of what is due for others than these receivers: they are gone. */
  findStray(receiverIds: readonly string[], now: Date, limit: number, signal: AbortSignal): Promise<string[]>;
  /** A page, newest first. @throws AppError as `Pages.read` */
  list(filter: DeliveryFilter, page: PageWish, signal: AbortSignal): Promise<Page<Delivery>>;
  standing(receiverId: string, signal: AbortSignal): Promise<Standing>;
  /** What waits for others than these receivers, which are paused. */
  waiting(paused: readonly string[], signal: AbortSignal): Promise<Waiting>;
  /** How many were given up since, of one receiver or of all; tests do not count. */
  countGivenUp(since: Date, receiverId: string | undefined, signal: AbortSignal): Promise<number>;
  /** Forgets what was over before, and the oldest above the number that is kept. */
  removeOld(before: Date, signal: AbortSignal): Promise<void>;
}

const REMOVED_AT_ONCE = 1_000;

/** @param now database time */
export function createDeliveryStore(db: Db, now: () => Date): DeliveryStore {
  const deliveries = db.collection<Delivery>('notification_deliveries');
  const tasks = createTaskStore(deliveries, { now, onChanged: () => undefined });
  const pages = createPages(deliveries, { time: 'createTime' });

  return {
    accept: (event, receiverId, { once = false }, signal) =>
      persist(signal, async () => {
        const waiting = await deliveries.countDocuments(
          { receiverId, state: 'Waiting' },
          { limit: MAX_WAITING_DELIVERIES, signal },
        );
        const isFull = waiting >= MAX_WAITING_DELIVERIES;
        try {
          await deliveries.insertOne(newDelivery(event, receiverId, now(), { once, isFull }));
        } catch (error) {
          if (!isDuplicateKey(error)) throw error;
        }
      }),
    get: (id, signal) => tasks.get(id, signal),
    async apply(id, command, signal) {
      const prepare = async (before: Delivery) => (at: Date) => decideDelivery(before, command, at);
      const written = await tasks.apply(id, prepare, signal);
      return written && { answer: written.decision.answer, delivery: written.after };
    },
    findDue: (receiverId, at, limit, signal) =>
      persist(signal, () =>
        deliveries
          .find({ receiverId, 'task.ringAt': { $gt: EPOCH, $lte: at } }, { projection: { _id: 1 }, signal })
          .sort({ 'task.ringAt': 1 })
          .limit(limit)
          .map(({ _id }) => _id)
          .toArray(),
      ),
    findStray: (receiverIds, at, limit, signal) =>
      persist(signal, () =>
        deliveries
          .find(
            { 'task.ringAt': { $gt: EPOCH, $lte: at }, receiverId: { $nin: [...receiverIds] } },
            { projection: { _id: 1 }, signal },
          )
          .limit(limit)
          .map(({ _id }) => _id)
          .toArray(),
      ),
    list: ({ receiverId, states }, wish, signal) =>
      persist(signal, () =>
        pages.read(
          {
            from: FIRST_INSTANT,
            until: LAST_INSTANT,
            parts: [{ receiverId }],
            rest: states.length > 0 ? { state: { $in: [...states] } } : {},
            isCountedWhole: false,
          },
          wish,
          now(),
          signal,
        ),
      ),
    standing: (receiverId, signal) =>
      persist(signal, async () => {
        const newest = (state: DeliveryState, order: 1 | -1) =>
          deliveries.find({ receiverId, state }, { signal }).sort({ createTime: order }).limit(1).next();
        const [waiting, oldest, delivered, given] = await Promise.all([
          deliveries.countDocuments({ receiverId, state: 'Waiting' }, { limit: MAX_WAITING_DELIVERIES, signal }),
          newest('Waiting', 1),
          newest('Delivered', -1),
          newest('GivenUp', -1),
        ]);
        const failed = oldest?.trouble ? oldest : given;
        const isOlder = delivered?.endTime && failed && delivered.endTime > failed.updateTime;
        return {
          waiting,
          waitingSince: oldest?.createTime,
          deliveredAt: delivered?.endTime ?? undefined,
          trouble: failed && !isOlder ? failed.trouble : '',
        };
      }),
    waiting: (paused, signal) =>
      persist(signal, async () => {
        const which = { state: 'Waiting' as const, ...(paused.length > 0 && { receiverId: { $nin: [...paused] } }) };
        const [count, oldest] = await Promise.all([
          deliveries.countDocuments(which, { signal }),
          deliveries.find(which, { signal }).sort({ createTime: 1 }).limit(1).next(),
        ]);
        return { count, oldest: oldest?.createTime };
      }),
    countGivenUp: (since, receiverId, signal) =>
      persist(signal, () =>
        deliveries.countDocuments(
          {
            ...(receiverId !== undefined && { receiverId }),
            state: 'GivenUp',
            once: false,
            endTime: { $gt: since, $lte: FAR },
          },
          { signal },
        ),
      ),
    removeOld: (before, signal) =>
      persist(signal, async () => {
        await deliveries.deleteMany({ endTime: { $gt: EPOCH, $lt: before } });
        for (let excess = (await deliveries.estimatedDocumentCount()) - MAX_DELIVERIES; excess > 0; ) {
          const oldest = await deliveries
            .find({ endTime: { $gt: EPOCH, $lt: FAR } }, { signal, projection: { endTime: 1 } })
            .sort({ endTime: 1 })
            .limit(Math.min(excess, REMOVED_AT_ONCE))
            .toArray();
          if (oldest.length === 0) return;
          await deliveries.deleteMany({ _id: { $in: oldest.map(({ _id }) => _id) } });
          excess -= oldest.length;
        }
      }),
  };
}

export function toTokenScope({ receiverId, states }: DeliveryFilter): TokenScope {
  return { list: 'n1', filters: [receiverId, [...states].sort()] };
}
