/**
 * Beats for dead man's switches: whoever waits for them raises an alarm when they stay out, as they do when nothing of Tidemark runs any more.
 *
 * HB1. A beat is sent only while all is well: the clusters are read, windows are taken up, notifications are looked for and delivered (none was
 *      given up in the last day), and nothing that the receiver chooses is in a critical condition.
 * HB2. One copy sends the beat of an interval. One that fails is not sent again: late, it would say what is not so.
 */
import type { Loop } from '@tidemark/service-kit/loop';
import { plus } from '@tidemark/task/time';
import type { Fleet } from '../fleet.ts';
import type { Quarantines } from '../quarantines.ts';
import type { BeatStore } from './beat-store.ts';
import type { ConditionStore } from './condition-store.ts';
import type { ConditionState } from './decide/condition.ts';
import type { Outcome } from './decide/delivery.ts';
import { type NotificationEvent, newEvent } from './decide/event.ts';
import type { Receiver } from './decide/receiver.ts';
import type { DeliveryStore } from './delivery-store.ts';
import { lineFor } from './line-for.ts';
import { pausedOf, type ReceiverStore } from './receiver-store.ts';
import type { RoundStore } from './round-store.ts';

export interface HeartbeatDependencies {
  readonly receivers: ReceiverStore;
  readonly deliveries: DeliveryStore;
  readonly conditions: ConditionStore;
  readonly rounds: RoundStore;
  readonly beats: BeatStore;
  readonly fleet: Pick<Fleet, 'asOf'>;
  /** That takes up windows. */
  readonly dueLoop: Pick<Loop, 'healthySince'>;
  readonly send: (receiver: Receiver, event: NotificationEvent, signal: AbortSignal) => Promise<Outcome>;
  readonly quarantines: Pick<Quarantines, 'conditions'>;
  /** Database time. */
  readonly now: () => Date;
}

/** Older than that, what is known says nothing of now. */
const OLD_MS = 300_000;
/** A notification that waits longer is held up. */
const HELD_UP_MS = 900_000;
const DAY_MS = 86_400_000;

/** Sends the beat that is due, if one is, and all is well (HB1, HB2). */
export async function beat(
  receiver: Receiver,
  dependencies: HeartbeatDependencies,
  signal: AbortSignal,
): Promise<void> {
  const { beats, send, now } = dependencies;
  const { _id, everySeconds } = receiver;
  const at = now();
  if (!(await beats.take(_id, at, plus(at, everySeconds * 1_000), signal))) return;
  const wrong = await whatIsWrong(receiver, dependencies, signal);
  if (wrong !== undefined) return beats.note(_id, { trouble: `No beat was sent: ${wrong}` }, signal);
  const text = 'All is well.';
  const id = `beat.${at.getTime()}`;
  const event = newEvent({ id, type: 'heartbeat', topic: 'test', severity: 'info', at, text }, {});
  const outcome = await send(receiver, event, signal);
  const how = outcome.kind === 'delivered' ? { beatAt: now(), trouble: '' } : { trouble: outcome.trouble };
  await beats.note(_id, how, signal);
}

/** Why it cannot be said that all is well; undefined where it can. */
async function whatIsWrong(
  receiver: Receiver,
  { fleet, dueLoop, rounds, receivers, deliveries, conditions, quarantines, now }: HeartbeatDependencies,
  signal: AbortSignal,
): Promise<string | undefined> {
  const at = now();
  const isOld = (time: Date | null | undefined) => !time || plus(time, OLD_MS) < at;
  if (isOld(fleet.asOf)) return 'the clusters could not be read of late.';
  if (dueLoop.healthySince() === undefined) return 'windows could not be taken up of late.';
  if (isOld((await rounds.get(signal))?.doneAt)) return 'it could not be looked for notifications of late.';
  const { oldest } = await deliveries.waiting(pausedOf(await receivers.list(signal)), signal);
  if (oldest && plus(oldest, HELD_UP_MS) < at) return 'notifications wait longer than they should.';
  if ((await deliveries.countGivenUp(plus(at, -DAY_MS), undefined, signal)) > 0)
    return 'notifications were given up in the last day.';
  return await conditions.ofBad('critical', pickFor(receiver, quarantines), signal);
}

/** The first that the receiver is to know of. */
function pickFor(receiver: Receiver, quarantines: HeartbeatDependencies['quarantines']) {
  return async (critical: AsyncIterable<ConditionState>): Promise<string | undefined> => {
    for await (const state of critical) {
      const line = lineFor(receiver, state, quarantines);
      if (line !== undefined) return line;
    }
    return undefined;
  };
}
