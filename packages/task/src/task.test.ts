import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  atOnce,
  CLOCKS_APART_MS,
  grantTask,
  isClaimable,
  isHeldBy,
  isReapable,
  newTask,
  reapTask,
  releaseTask,
  renewTask,
  requeued,
  ringTask,
  type Task,
  type Tasked,
  unowned,
} from './task.ts';
import { plus } from './time.ts';

interface Work extends Tasked {
  readonly title: string;
  readonly task: (Task & { readonly tries: number }) | null;
}

const SECOND = 1_000;
const LIMITS = { ringMs: 60 * SECOND, leaseMs: 30 * SECOND, reapMarginMs: 5 * SECOND };
const NOW = new Date('2026-01-01T00:00:00Z');
const at = (seconds: number) => plus(NOW, seconds * SECOND);

const waiting: Work = { title: 'work', fence: 0, task: { ...newTask(NOW), tries: 2 } };
const done: Work = { ...waiting, task: null };
const claimed = (document: Work, claim: string, now: Date): Work => {
  if (!isClaimable(document, now)) throw new Error('not claimable');
  return grantTask(document, { claim, worker: `of ${claim}` }, now, LIMITS);
};
/** Its lease ends at 31 s; it may be reaped after 36 s, and rings at 37 s. */
const held = claimed(waiting, 'a', at(1));

describe('a task', () => {
  it('rings when it is due, once in an interval', () => {
    const rung = ringTask(waiting, NOW, LIMITS);
    expect(rung).toEqual({ ...waiting, task: { ...waiting.task, ringAt: at(60), rings: 1 } });
    expect(ringTask(rung ?? waiting, at(59), LIMITS)).toBeUndefined();
    expect(ringTask(rung ?? waiting, at(60), LIMITS)?.task).toMatchObject({ ringAt: at(120), rings: 2 });
    expect(ringTask(done, at(60), LIMITS)).toBeUndefined();
  });

  it('does not ring for an owner who is to be reaped first', () => {
    expect(ringTask(held, at(38), LIMITS)).toBeUndefined();
  });

  it('is granted under a higher fence, with a lease, and rings when a dead owner could be reaped', () => {
    expect(held).toEqual({
      title: 'work',
      fence: 1,
      task: { ...waiting.task, claim: 'a', worker: 'of a', leaseUntil: at(31), ringAt: at(37) },
    });
    expect(isReapable(held, at(36), LIMITS)).toBe(false);
    expect(isReapable(held, at(37), LIMITS)).toBe(true);
  });

  it('is granted to nobody while it is owned, before its time, or once there is none', () => {
    expect(isClaimable(held, at(100))).toBe(false);
    expect(isClaimable({ ...waiting, task: { ...newTask(NOW), tries: 0, notBefore: at(5) } }, at(4))).toBe(false);
    expect(isClaimable(done, at(100))).toBe(false);
  });

  it('may be claimed at once where it is rung for at once, also by a clock that is behind', () => {
    expect(isClaimable(waiting, plus(NOW, -CLOCKS_APART_MS))).toBe(true);
    expect(isClaimable({ ...held, task: requeued(held.task ?? newTask(NOW), at(9)) } as Work, atOnce(at(9)))).toBe(
      true,
    );
  });

  it('is kept by who names its claim and fence, or its claim alone, and by nobody else', () => {
    expect(renewTask(held, { claim: 'a', fence: 1 }, at(10), LIMITS)).toEqual({
      ...held,
      task: { ...held.task, leaseUntil: at(40), ringAt: at(46) },
    });
    expect(isHeldBy(held, { claim: 'a' })).toBe(true);
    for (const stranger of [
      { claim: 'b', fence: 1 },
      { claim: 'a', fence: 0 },
      { claim: 'a', fence: 2 },
      { claim: '' },
    ])
      for (const act of [renewTask(held, stranger, at(10), LIMITS), releaseTask(held, stranger, at(10))])
        expect(act).toBeUndefined();
    expect(renewTask(waiting, { claim: 'a', fence: 0 }, at(10), LIMITS)).toBeUndefined();
    expect(renewTask(done, { claim: 'a', fence: 0 }, at(10), LIMITS)).toBeUndefined();
  });

  it('that is given back or taken back waits for anybody, and keeps what is not its owner’s', () => {
    const started: Work = { ...held, task: held.task && { ...held.task, started: true } };
    const back = { ...held, task: { tries: 2, rings: 0, ringAt: at(40), notBefore: at(38) } };
    expect(releaseTask(started, { claim: 'a', fence: 1 }, at(40))).toEqual(back);
    expect(reapTask(started, at(40), LIMITS)).toEqual(back);
    expect(releaseTask(started, { claim: 'a' }, at(40), at(50))?.task?.notBefore).toEqual(at(50));
    expect(reapTask(started, at(40), LIMITS, at(50))?.task?.notBefore).toEqual(at(50));
    expect(reapTask(started, at(36), LIMITS)).toBeUndefined();
    expect(reapTask(waiting, at(1_000), LIMITS)).toBeUndefined();
  });

  it('that is tried again later waits until then', () => {
    const later = requeued({ ...newTask(NOW), claim: 'a', leaseUntil: NOW }, NOW, 10 * SECOND);
    expect(later).toEqual({ rings: 0, ringAt: at(10), notBefore: at(10) });
    expect(unowned(later, at(3), at(2))).toEqual({ rings: 0, ringAt: at(3), notBefore: at(2) });
  });
});

/** What a copy of the service is asked, with its clock so far behind; time goes on before it. */
const step = fc.record({
  passMs: fc.oneof(fc.constant(0), fc.nat(5 * SECOND), fc.nat(90 * SECOND)),
  behindMs: fc.nat(CLOCKS_APART_MS),
  act: fc.constantFrom('ring', 'claim', 'renew', 'release', 'reap'),
  worker: fc.constantFrom('w1', 'w2', 'w3'),
});

describe('whatever is asked of it, a task', () => {
  it('has one owner at a time, who is heard by its claim and fence and undisturbed while it renews', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        let document: Work = waiting;
        let now = NOW;
        let tokens = 0;
        /** What each worker was granted last. */
        const grants = new Map<string, { claim: string; fence: number }>();
        /** Whose the task is, and until when nobody may take it. */
        let owner: { readonly worker: string; readonly safeUntil: Date } | undefined;
        for (const { passMs, behindMs, act, worker } of steps) {
          now = plus(now, passMs);
          const seen = plus(now, -behindMs);
          const safeUntil = plus(seen, LIMITS.leaseMs);
          const { fence } = document;
          const own = grants.get(worker);
          if (act === 'ring') document = ringTask(document, seen, LIMITS) ?? document;
          else if (act === 'claim') {
            if (!isClaimable(document, seen)) continue;
            expect(owner).toBeUndefined();
            const claim = `token ${++tokens}`;
            document = grantTask(document, { claim, worker }, seen, LIMITS);
            grants.set(worker, { claim, fence: document.fence });
            owner = { worker, safeUntil };
          } else if (act === 'reap') {
            const taken = reapTask(document, seen, LIMITS);
            if (!taken) continue;
            expect(owner !== undefined && now > owner.safeUntil).toBe(true);
            document = taken;
            owner = undefined;
          } else if (own) {
            const answered =
              act === 'renew' ? renewTask(document, own, seen, LIMITS) : releaseTask(document, own, seen);
            expect(answered !== undefined).toBe(owner?.worker === worker);
            document = answered ?? document;
            if (answered) owner = act === 'renew' ? { worker, safeUntil } : undefined;
          }

          expect(document.fence).toBe(act === 'claim' ? fence + 1 : fence);
          expect(document.task?.claim).toBe(owner && grants.get(owner.worker)?.claim);
          // It rings again in the end: nobody is needed for that but the clock.
          expect(document.task?.ringAt.getTime()).toBeLessThanOrEqual(+now + LIMITS.ringMs);
          expect(document.title).toBe('work');
        }
      }),
    );
  });
});
