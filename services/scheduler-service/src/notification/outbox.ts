/** Brings facts to their conditions, and events to the outbox of each receiver that wants them (C2, D1). */
import { randomUUID } from 'node:crypto';
import type { Quarantines } from '../quarantines.ts';
import type { ConditionStore } from './condition-store.ts';
import { type ConditionState, conditionId, decideCondition, type Fact } from './decide/condition.ts';
import type { NotificationEvent } from './decide/event.ts';
import { toCloudEvent } from './decide/message.ts';
import { wants } from './decide/receiver.ts';
import type { DeliveryStore } from './delivery-store.ts';
import type { ReceiverStore } from './receiver-store.ts';

export interface OutboxDependencies {
  readonly conditions: ConditionStore;
  readonly deliveries: DeliveryStore;
  readonly receivers: ReceiverStore;
  readonly quarantines: Pick<Quarantines, 'conditions' | 'receivers'>;
  /** Database time. */
  readonly now: () => Date;
}

export interface Outbox {
  /** Takes facts in; those that say nothing new cost one read together. A condition that is damaged is set aside, and stops no other. */
  takeIn(facts: readonly Fact[], signal: AbortSignal): Promise<void>;
  /** Puts an event into the outbox for every receiver that wants it; done twice, it is there once. */
  spread(event: NotificationEvent, signal: AbortSignal): Promise<void>;
  /** Spreads what other copies, or this one, left. @returns whether there may be more */
  spreadPending(signal: AbortSignal): Promise<boolean>;
}

const BATCH = 100;
/** A condition with an event that was just spread is decided about again. */
const TRIES = 5;

export function createOutbox({ conditions, deliveries, receivers, quarantines, now }: OutboxDependencies): Outbox {
  async function spread(event: NotificationEvent, signal: AbortSignal): Promise<void> {
    // A damaged event fails here, and not where a receiver would be taken for damaged.
    toCloudEvent(event, '');
    for (const receiver of await receivers.list(signal)) {
      // What is for a receiver that cannot be read could not be sent either.
      const isWanted = quarantines.receivers.read(receiver._id, () => wants(receiver, event));
      if (isWanted) await deliveries.accept(event, receiver._id, {}, signal);
    }
  }

  async function spreadOf({ _id, pending }: ConditionState, signal: AbortSignal): Promise<void> {
    if (!pending) return;
    await spread(pending, signal);
    await conditions.spread(_id, pending.id, signal);
  }

  async function takeInOne(fact: Fact, signal: AbortSignal): Promise<void> {
    const id = conditionId(fact.condition, fact.subject);
    for (let tries = 0; tries < TRIES; tries += 1) {
      const eventId = randomUUID();
      const { state, isBusy } = await conditions.change(
        id,
        (before) => decideCondition(before, fact, eventId, now()),
        signal,
      );
      if (state) await spreadOf(state, signal);
      if (!isBusy) return;
    }
  }

  return {
    async takeIn(facts, signal) {
      const ids = [...new Set(facts.map(({ condition, subject }) => conditionId(condition, subject)))];
      const known = new Map<string, ConditionState>();
      for (let from = 0; from < ids.length; from += BATCH)
        for (const [id, state] of await conditions.find(ids.slice(from, from + BATCH), signal)) known.set(id, state);
      // In their order: of one condition the later fact is the newer.
      for (const fact of facts) {
        const id = conditionId(fact.condition, fact.subject);
        const act = async () => {
          const { next, isBusy } = decideCondition(known.get(id), fact, '', now());
          if (!next && !isBusy) return;
          await takeInOne(fact, signal);
          for (const after of (await conditions.find([id], signal)).values()) known.set(id, after);
        };
        await quarantines.conditions.attempt(id, act, signal);
      }
    },
    spread,
    async spreadPending(signal) {
      const found = await conditions.findPending(now(), BATCH + quarantines.conditions.size, signal);
      const admitted = found.filter(({ _id }) => quarantines.conditions.admits(_id));
      for (const state of admitted)
        await quarantines.conditions.attempt(state._id, () => spreadOf(state, signal), signal);
      return admitted.length >= BATCH;
    },
  };
}
