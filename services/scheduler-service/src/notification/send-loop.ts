/**
 * Empties the outbox, at every copy.
 *
 * SL1. Of each receiver one delivery at a time is under way at a copy, the longest due first, and each receiver is sent to by itself: one that hangs
 *      holds up only what is for it.
 * SL2. A delivery is claimed before it is sent, and what became of it is written under that claim (D2).
 * SL3. A delivery or a receiver that is damaged is set aside, and stops no other.
 */
import { randomUUID } from 'node:crypto';
import { AppError } from '@tidemark/errors/app-error';
import { MAX_TOGETHER } from '@tidemark/limits/limits';
import { sleep } from '@tidemark/service-kit/backoff';
import { notificationTried } from '../events.ts';
import { notificationLog } from '../logger.ts';
import type { Quarantines } from '../quarantines.ts';
import { type Delivery, deliveryId, type Outcome } from './decide/delivery.ts';
import { type NotificationEvent, newEvent } from './decide/event.ts';
import { areMany, titleOf, together } from './decide/message.ts';
import type { Receiver, ReceiverKind } from './decide/receiver.ts';
import type { DeliveryStore } from './delivery-store.ts';
import type { ReceiverStore } from './receiver-store.ts';

export interface SendLoopDependencies {
  readonly receivers: ReceiverStore;
  readonly deliveries: DeliveryStore;
  /** Tries once; it ends in 20 s. */
  readonly send: (receiver: Receiver, event: NotificationEvent, signal: AbortSignal) => Promise<Outcome>;
  /** Sends the beat of a heartbeat, where one is due. */
  readonly beat: (receiver: Receiver, signal: AbortSignal) => Promise<void>;
  readonly quarantines: Pick<Quarantines, 'receivers' | 'deliveries'>;
  /** Database time. */
  readonly now: () => Date;
  /** Of this copy. */
  readonly worker: string;
}

/** Who is not to get a thousand mails in a bad night. A webhook gets each event by itself. */
const FOR_PEOPLE: ReadonlySet<ReceiverKind> = new Set(['slack', 'mail']);
const STRAYS = 100;
/** For so long deliveries of a receiver are sent before it is looked up anew. */
const LANE_MS = 10_000;

/** Sends what is due, of each receiver by itself. */
export interface Sender extends AsyncDisposable {
  /** Begins with each receiver that is not being sent to; what it begins goes on by itself. */
  round(signal: AbortSignal): Promise<void>;
  /** Waits for all that was begun. */
  settled(): Promise<void>;
}

export function createSender(dependencies: SendLoopDependencies): Sender {
  const { receivers, quarantines } = dependencies;
  const stop = new AbortController();
  /** By receiver (SL1). */
  const lanes = new Map<string, Promise<void>>();

  async function run(receiver: Receiver): Promise<void> {
    const { _id } = receiver;
    try {
      const act = async () =>
        receiver.kind === 'heartbeat'
          ? dependencies.beat(receiver, stop.signal)
          : sendTo(receiver, dependencies, stop.signal);
      await quarantines.receivers.attempt(_id, act, stop.signal);
    } catch (error) {
      // An outage: it is tried again with the next round.
      if (!stop.signal.aborted) notificationLog.warn({ error, receiverId: _id }, 'notifications could not be sent');
    } finally {
      lanes.delete(_id);
    }
  }

  return {
    async round(signal) {
      const all = await receivers.list(signal);
      const ids = all.map(({ _id }) => _id);
      await dropStrays(ids, dependencies, signal);
      for (const receiver of all)
        if (!receiver.paused && !lanes.has(receiver._id)) lanes.set(receiver._id, run(receiver));
    },
    async settled() {
      await Promise.all(lanes.values());
    },
    async [Symbol.asyncDispose]() {
      stop.abort();
      await Promise.all(lanes.values());
    },
  };
}

/** Sends what is due for a receiver, until one fails: one that does not take this does not take the next either. */
async function sendTo(receiver: Receiver, dependencies: SendLoopDependencies, signal: AbortSignal): Promise<void> {
  const { deliveries, quarantines, now } = dependencies;
  const startedAt = performance.now();
  for (;;) {
    const limit = MAX_TOGETHER + quarantines.deliveries.size;
    const ids = await deliveries.findDue(receiver._id, now(), limit, signal);
    const admitted = ids.filter((id) => quarantines.deliveries.admits(id)).slice(0, MAX_TOGETHER);
    if (admitted.length === 0) return;
    if (FOR_PEOPLE.has(receiver.kind) && areMany(admitted.length)) {
      if ((await sendTogether(admitted, receiver, dependencies, signal)) !== 'delivered') return;
      continue;
    }
    let sent = 0;
    for (const id of admitted) {
      const send = () => sendOne(id, receiver, dependencies, signal);
      const outcome = await quarantines.deliveries.attempt(id, send, signal);
      if (outcome === 'failed' || performance.now() - startedAt > LANE_MS) return;
      if (outcome === 'delivered') sent += 1;
    }
    // Others have them, or they are damaged.
    if (sent === 0) return;
  }
}

/** A delivery that this copy has. */
interface Claimed {
  readonly id: string;
  readonly claim: string;
  readonly fence: number;
  readonly event: NotificationEvent;
}

/** Undefined where another copy has it, or it is over. */
async function claimOne(
  id: string,
  { deliveries, worker }: Pick<SendLoopDependencies, 'deliveries' | 'worker'>,
  signal: AbortSignal,
): Promise<Claimed | undefined> {
  await deliveries.apply(id, { kind: 'reap' }, signal);
  const claim = randomUUID();
  const claimed = await deliveries.apply(id, { kind: 'claim', claim, worker }, signal);
  if (claimed?.answer !== 'held') return undefined;
  const { fence, event } = claimed.delivery;
  return { id, claim, fence, event };
}

/** Writes how it went; the loop may end now, and what is known is written all the same. @returns undefined where another copy has it */
async function complete(
  { id, claim, fence }: Claimed,
  outcome: Outcome,
  { deliveries }: Pick<SendLoopDependencies, 'deliveries'>,
): Promise<Delivery | undefined> {
  const command = { kind: 'complete', claim, fence, outcome } as const;
  const completed = await deliveries.apply(id, command, AbortSignal.timeout(COMPLETE_MS));
  if (completed?.answer !== 'held') return undefined;
  notificationTried(completed.delivery);
  return completed.delivery;
}

/** @returns how it went; `lost` where another copy has it */
async function sendOne(
  id: string,
  receiver: Receiver,
  dependencies: SendLoopDependencies,
  signal: AbortSignal,
): Promise<Outcome['kind'] | 'lost'> {
  const { deliveries, send } = dependencies;
  const claimed = await claimOne(id, dependencies, signal);
  if (!claimed) return 'lost';
  let outcome: Outcome;
  try {
    outcome = await send(receiver, claimed.event, signal);
  } catch (error) {
    await release(claimed, deliveries);
    throw error;
  }
  return (await complete(claimed, outcome, dependencies)) ? outcome.kind : 'lost';
}

/** The same of many, in one text: each is claimed, and over, by itself. */
async function sendTogether(
  ids: readonly string[],
  receiver: Receiver,
  dependencies: SendLoopDependencies,
  signal: AbortSignal,
): Promise<Outcome['kind'] | 'lost'> {
  const { deliveries, send, quarantines } = dependencies;
  const claimed: Claimed[] = [];
  const startedAt = performance.now();
  try {
    for (const id of ids) {
      // The first lease must last for the send.
      if (performance.now() - startedAt > CLAIM_MS) break;
      const one = await quarantines.deliveries.attempt(id, () => claimOne(id, dependencies, signal), signal);
      if (one) claimed.push(one);
    }
    const isSound = ({ id, event }: Claimed) => quarantines.deliveries.read(id, () => titleOf(event)) !== undefined;
    const sound = claimed.filter(isSound);
    for (const one of claimed) if (!sound.includes(one)) await release(one, deliveries);
    if (sound.length === 0) return 'lost';
    const events = sound.map(({ event }) => event);
    const outcome = await send(receiver, together(events), signal);
    for (const one of sound) await complete(one, outcome, dependencies);
    return outcome.kind;
  } catch (error) {
    for (const one of claimed) await release(one, deliveries);
    throw error;
  }
}

const COMPLETE_MS = 5_000;
/** For so long many are claimed one after the other. */
const CLAIM_MS = 10_000;
const LOOK_MS = 200;

/** The copy ends, or the delivery is damaged. Where this fails too the lease ends by itself. */
async function release({ id, claim, fence }: Claimed, deliveries: DeliveryStore): Promise<void> {
  const command = { kind: 'release', claim, fence } as const;
  await deliveries.apply(id, command, AbortSignal.timeout(COMPLETE_MS)).catch(() => undefined);
}

/** What waits for receivers that are gone is dropped. */
async function dropStrays(
  receiverIds: readonly string[],
  dependencies: SendLoopDependencies,
  signal: AbortSignal,
): Promise<void> {
  const { receivers, deliveries, quarantines, now } = dependencies;
  const outcome = { kind: 'dropped', trouble: 'Its receiver was deleted.' } as const;
  for (const id of await deliveries.findStray(receiverIds, now(), STRAYS, signal)) {
    const drop = async () => {
      // One that was saved since the list was read has what is for it.
      const receiverId = (await deliveries.get(id, signal))?.receiverId;
      if (receiverId === undefined || (await receivers.get(receiverId, signal))) return;
      const claimed = await claimOne(id, dependencies, signal);
      if (claimed) await complete(claimed, outcome, dependencies);
    };
    await quarantines.deliveries.attempt(id, drop, signal);
  }
}

/** What became of a test that a loop took first. */
async function untilOver(id: string, deliveries: DeliveryStore, signal: AbortSignal): Promise<Delivery> {
  for (;;) {
    const delivery = await deliveries.get(id, signal);
    if (!delivery) throw new AppError('receiver_not_found', 'The receiver was deleted while it was tried.');
    if (delivery.task === null) return delivery;
    await sleep(LOOK_MS, signal);
  }
}

/** Sends a receiver something once, now; a heartbeat gets a beat, though all may not be well. @returns the delivery as it ended */
export async function tryOut(
  receiver: Receiver,
  dependencies: Pick<SendLoopDependencies, 'deliveries' | 'send' | 'worker' | 'now'>,
  signal: AbortSignal,
): Promise<Delivery> {
  const { deliveries, send, now } = dependencies;
  const at = now();
  const text = `This is a test of the receiver ${receiver._id}. Nothing is wrong.`;
  const event = newEvent({ id: randomUUID(), type: 'test', topic: 'test', severity: 'info', at, text }, {});
  await deliveries.accept(event, receiver._id, { once: true }, signal);
  const id = deliveryId(event.id, receiver._id);
  const claimed = await claimOne(id, dependencies, signal);
  if (!claimed) return await untilOver(id, deliveries, signal);
  const outcome = await send(receiver, event, signal).catch(async (error: unknown) => {
    // Nobody waits for it any more; left alone, it would be sent when its lease is over.
    await complete(claimed, { kind: 'failed', trouble: 'The test was given up.' }, dependencies).catch(() => undefined);
    throw error;
  });
  return (await complete(claimed, outcome, dependencies)) ?? (await untilOver(id, deliveries, signal));
}
