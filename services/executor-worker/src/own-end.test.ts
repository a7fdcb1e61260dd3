import { expect, it, vi } from 'vitest';
import { watchOwnEnd } from './own-end.ts';

/** A worker, as far as its end goes. */
function worker({ idleMs = 0, most = Number.POSITIVE_INFINITY } = {}) {
  const runs = new Set<Promise<void>>();
  let taken = 0;
  let taking = true;
  const claim = { underWay: Promise.resolve() };
  const end = watchOwnEnd({
    idleMs,
    runs,
    tookAll: () => taken >= most,
    async stopTaking() {
      taking = false;
      await claim.underWay;
    },
  });
  let ended: string | undefined;
  void end.reached.then((reason) => {
    ended = reason;
  });
  return {
    claim,
    isTaking: () => taking,
    ended: () => ended,
    /** @returns what ends the task */
    take() {
      taken += 1;
      const { promise, resolve } = Promise.withResolvers<void>();
      const run: Promise<void> = promise.finally(() => {
        runs.delete(run);
        end.changed();
      });
      runs.add(run);
      end.changed();
      return resolve;
    },
  };
}

it('comes after as many tasks as there may be, once the last of them is done', async () => {
  const one = worker({ most: 2 });
  const ends = [one.take(), one.take()];
  ends[1]?.();
  await new Promise(setImmediate);
  expect(one.ended()).toBeUndefined();
  ends[0]?.();
  await vi.waitFor(() => expect(one.ended()).toBe('it has done as many tasks as it may'));
});

it('comes after a time without a task, which begins anew with the end of each', async () => {
  const one = worker({ idleMs: 50 });
  const finish = one.take();
  await new Promise((resolve) => setTimeout(resolve, 120));
  expect(one.ended()).toBeUndefined();
  finish();
  await vi.waitFor(() => expect(one.ended()).toBe('no task came for 0.05 s'));
  expect(one.isTaking()).toBe(false);
});

it('waits for the task of a claim that was under way', async () => {
  const one = worker({ idleMs: 20 });
  const { promise, resolve } = Promise.withResolvers<void>();
  one.claim.underWay = promise;
  await vi.waitFor(() => expect(one.isTaking()).toBe(false));
  const finish = one.take();
  resolve();
  await new Promise(setImmediate);
  expect(one.ended()).toBeUndefined();
  finish();
  await vi.waitFor(() => expect(one.ended()).toBe('no task came for 0.02 s'));
});

it('never comes of itself to one that is to stay', async () => {
  const one = worker();
  one.take()();
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect([one.ended(), one.isTaking()]).toEqual([undefined, true]);
});
