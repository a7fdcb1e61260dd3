import { describe, expect, it } from 'vitest';
import {
  DELIVERY_LIMITS,
  type Delivery,
  type DeliveryCommand,
  decideDelivery,
  GIVEN_UP_AFTER_MS,
  newDelivery,
} from './delivery.ts';
import { newEvent } from './event.ts';

const START = Date.UTC(2026, 11, 2, 3);
const at = (ms: number) => new Date(START + ms);
const EVENT = newEvent(
  { id: 'e1', type: 'backup.failed', topic: 'backup', severity: 'warning', at: at(0), text: 'It failed.' },
  { clusterId: 'orders' },
);
const claim = (token: string): DeliveryCommand => ({ kind: 'claim', claim: token, worker: 'copy' });
const failed = (token: string, fence: number): DeliveryCommand => ({
  kind: 'complete',
  claim: token,
  fence,
  outcome: { kind: 'failed', trouble: 'It answered 500.' },
});

function after(delivery: Delivery, command: DeliveryCommand, ms: number): Delivery {
  const { next } = decideDelivery(delivery, command, at(ms));
  if (!next) throw new Error(`${command.kind} changed nothing`);
  return next;
}

it('is one for each event and receiver', () => {
  expect(newDelivery(EVENT, 'ops', at(0))._id).toBe('e1:ops');
});

it('is claimed by one copy at a time, and by another once the lease of the first is over', () => {
  const first = after(newDelivery(EVENT, 'ops', at(0)), claim('a'), 0);
  expect(decideDelivery(first, claim('b'), at(1_000)).answer).toBe('lost');
  const { leaseMs, reapMarginMs } = DELIVERY_LIMITS;
  expect(decideDelivery(first, { kind: 'reap' }, at(leaseMs + reapMarginMs)).next).toBeUndefined();
  const reaped = after(first, { kind: 'reap' }, leaseMs + reapMarginMs + 1);
  const second = after(reaped, claim('b'), leaseMs + reapMarginMs + 1);
  expect(second.fence).toBe(2);
  expect(decideDelivery(second, failed('a', 1), at(70_000)).answer).toBe('lost');
});

it('is tried again with growing pauses, for seven days, and then given up', () => {
  let delivery = newDelivery(EVENT, 'ops', at(0));
  const pauses: number[] = [];
  for (let ms = 0; delivery.task; ) {
    const claimed = after(delivery, claim(`c${ms}`), ms);
    delivery = after(claimed, failed(`c${ms}`, claimed.fence), ms);
    const next = delivery.task?.ringAt.getTime();
    if (next !== undefined) pauses.push(next - START - ms);
    ms += pauses.at(-1) ?? 0;
  }
  expect(pauses.slice(0, 4)).toEqual([10_000, 20_000, 40_000, 80_000]);
  expect(Math.max(...pauses)).toBe(3_600_000);
  expect(delivery).toMatchObject({ state: 'GivenUp', task: null, trouble: 'It answered 500.' });
  expect(delivery.endTime?.getTime()).toBeGreaterThanOrEqual(START + GIVEN_UP_AFTER_MS);
});

it('a completion that comes twice is answered as the first time, and changes nothing', () => {
  const claimed = after(newDelivery(EVENT, 'ops', at(0)), claim('a'), 0);
  const over = after(claimed, { kind: 'complete', claim: 'a', fence: 1, outcome: { kind: 'delivered' } }, 100);
  expect(over).toMatchObject({ state: 'Delivered', task: null, tries: 1 });
  expect(decideDelivery(over, failed('a', 1), at(200))).toEqual({ answer: 'held' });
});

it('is given back untried by a copy that ends', () => {
  const claimed = after(newDelivery(EVENT, 'ops', at(0)), claim('a'), 0);
  const released = after(claimed, { kind: 'release', claim: 'a', fence: 1 }, 10);
  expect(released.tries).toBe(0);
  expect(decideDelivery(released, claim('b'), at(10)).answer).toBe('held');
});

describe('ends at once', () => {
  it('where it is a test that failed', () => {
    const claimed = after(newDelivery(EVENT, 'ops', at(0), { once: true }), claim('a'), 0);
    expect(after(claimed, failed('a', 1), 1)).toMatchObject({ state: 'GivenUp', task: null });
  });

  it('where too many wait already, and says so', () => {
    const delivery = newDelivery(EVENT, 'ops', at(0), { isFull: true });
    expect(delivery).toMatchObject({ state: 'GivenUp', task: null });
    expect(delivery.trouble).not.toBe('');
  });
});
