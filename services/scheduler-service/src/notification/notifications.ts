/** Puts notifications together: what is looked for, the outbox, what is sent, and what is forgotten. */

import type { Env } from '@tidemark/service-kit/env';
import type { Logger } from '@tidemark/service-kit/logging';
import { type Loop, startLoop } from '@tidemark/service-kit/loop';
import { counter, gauge } from '@tidemark/service-kit/metrics';
import { plus } from '@tidemark/task/time';
import type { Db } from 'mongodb';
import type { Backends } from '../backends.ts';
import { templateFailed } from '../events.ts';
import type { Fleet } from '../fleet.ts';
import type { OccurrenceStore } from '../occurrence-store.ts';
import type { Quarantines } from '../quarantines.ts';
import type { Network } from './addresses.ts';
import { type BeatStore, createBeatStore } from './beat-store.ts';
import { createConditionStore } from './condition-store.ts';
import type { Delivery } from './decide/delivery.ts';
import type { NotificationEvent } from './decide/event.ts';
import type { Receiver } from './decide/receiver.ts';
import { createDeliveryStore, type DeliveryStore } from './delivery-store.ts';
import { acceptDigests } from './digests.ts';
import { beat } from './heartbeat.ts';
import { look } from './look-loop.ts';
import { createOutbox } from './outbox.ts';
import { createReceiverStore, pausedOf, type ReceiverStore } from './receiver-store.ts';
import { createRoundStore } from './round-store.ts';
import { send } from './send.ts';
import { createSender, tryOut } from './send-loop.ts';

export interface NotificationsOptions {
  readonly db: Db;
  readonly occurrences: Pick<OccurrenceStore, 'findDecided'>;
  readonly backends: Pick<Backends, 'backups' | 'registry' | 'restores'>;
  readonly fleet: Pick<Fleet, 'clusters' | 'asOf' | 'logsAsOf'>;
  readonly dueLoop: Pick<Loop, 'healthySince'>;
  readonly quarantines: Quarantines;
  /** Database time. */
  readonly now: () => Date;
  readonly log: Logger;
  /** Of this copy. */
  readonly worker: string;
  readonly env: Env;
  readonly notifyMs: number;
  readonly deliveriesMs: number;
  readonly notificationNetworks: readonly Network[];
  readonly notificationSource: string;
}

export interface Notifications extends AsyncDisposable {
  readonly receivers: ReceiverStore;
  readonly deliveries: DeliveryStore;
  readonly beats: BeatStore;
  readonly tryOut: (receiver: Receiver, signal: AbortSignal) => Promise<Delivery>;
}

const HOUR_MS = 3_600_000;
const MEASURE_MS = 15_000;

const waiting = gauge(
  'tidemark_notifications_waiting',
  'Notifications in the outbox that wait for receivers that are not paused; each copy shows all.',
);
const oldest = gauge(
  'tidemark_notification_oldest_seconds',
  'For how long the notification that has waited longest has; 0 where none does. Each copy shows all.',
);
const givenUp = gauge(
  'tidemark_notifications_given_up_last_day',
  'Notifications that were given up in the last 24 hours, from the records, without tests; each copy shows all.',
);
const tried = counter('tidemark_notification_tries_total', 'Tries to hand a notification over, by how they went.', [
  'outcome',
]);
for (const outcome of ['delivered', 'failed']) tried.inc({ outcome }, 0);

/** Starts the loops of one copy. */
export function startNotifications(options: NotificationsOptions): Notifications {
  const { db, log, now, quarantines, notifyMs, deliveriesMs, worker } = options;
  const receivers = createReceiverStore(db);
  const conditions = createConditionStore(db);
  const deliveries = createDeliveryStore(db, now);
  const beats = createBeatStore(db);
  const rounds = createRoundStore(db, now);
  const outbox = createOutbox({ conditions, deliveries, receivers, quarantines, now });
  const sendOne = async (receiver: Receiver, event: NotificationEvent, signal: AbortSignal) => {
    const { notificationNetworks: networks, notificationSource: source, env } = options;
    const outcome = await send(
      receiver,
      event,
      { networks, source, env, now, onTemplateTrouble: templateFailed },
      signal,
    );
    tried.inc({ outcome: outcome.kind });
    return outcome;
  };
  const heartbeats = { ...options, receivers, deliveries, conditions, rounds, beats, send: sendOne };
  const sending = {
    ...{ receivers, deliveries, send: sendOne, quarantines, now, worker },
    beat: (receiver: Receiver, signal: AbortSignal) => beat(receiver, heartbeats, signal),
  };

  const stack = new AsyncDisposableStack();
  const sender = stack.use(createSender(sending));
  const loop = (name: string, everyMs: number, run: (signal: AbortSignal) => Promise<boolean>) =>
    stack.use(startLoop({ name, everyMs, log, run }));
  loop('looks for notifications', notifyMs, async (signal) => {
    await look({ ...options, rounds, outbox, conditions }, signal);
    return false;
  });
  loop('outbox of notifications', notifyMs, async (signal) => {
    await sender.round(signal);
    return false;
  });
  loop('digests', notifyMs, async (signal) => {
    await acceptDigests({ ...options, receivers, deliveries, conditions }, signal);
    return false;
  });
  loop('measures of the outbox', MEASURE_MS, async (signal) => {
    const at = now();
    const paused = pausedOf(await receivers.list(signal));
    const { count, oldest: since } = await deliveries.waiting(paused, signal);
    waiting.set(count);
    oldest.set(since ? Math.max(0, at.getTime() - since.getTime()) / 1_000 : 0);
    givenUp.set(await deliveries.countGivenUp(plus(at, -24 * HOUR_MS), undefined, signal));
    return false;
  });
  loop('retention of notifications', HOUR_MS, async (signal) => {
    await deliveries.removeOld(plus(now(), -deliveriesMs), signal);
    await conditions.removeGood(plus(now(), -deliveriesMs), signal);
    return false;
  });
  return {
    receivers,
    deliveries,
    beats,
    tryOut: (receiver, signal) => tryOut(receiver, sending, signal),
    [Symbol.asyncDispose]: () => stack[Symbol.asyncDispose](),
  };
}
