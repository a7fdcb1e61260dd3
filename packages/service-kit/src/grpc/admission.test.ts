import type { AppError } from '@tidemark/errors/app-error';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { type Admission, createAdmission } from './admission.ts';

beforeEach(() => vi.useFakeTimers({ toFake: ['setTimeout', 'performance'] }));
afterEach(() => vi.useRealTimers());

const STEPS = 6;
const DEADLINE_MS = 1_000;
const never = new AbortController().signal;
const sleep = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

/** A database that does one thing after the other, each in a millisecond: who asks much at once waits for all. */
function database(): () => Promise<void> {
  let last: Promise<unknown> = Promise.resolve();
  return () => {
    const mine = last.then(() => sleep(1));
    last = mine;
    return mine;
  };
}

/** What becomes of calls that come so many a second, for two seconds; a call takes six steps of the database. */
async function crowd(perSecond: number, admission: Admission) {
  const query = database();
  const refused: AppError[] = [];
  let [begun, inTime, late] = [0, 0, 0];
  const call = async () => {
    const deadline = performance.now() + DEADLINE_MS;
    try {
      const place = await admission.enter(() => deadline - performance.now(), never);
      begun += 1;
      for (let step = 0; step < STEPS && performance.now() < deadline; step++) await query();
      place.leave();
      if (performance.now() < deadline) inTime += 1;
      else late += 1;
    } catch (error) {
      refused.push(error as AppError);
    }
  };
  const calls: Promise<void>[] = [];
  for (let ms = 0; ms < 2_000; ms++) {
    for (let due = Math.floor((ms * perSecond) / 1_000); calls.length < due; ) calls.push(call());
    await vi.advanceTimersByTimeAsync(1);
  }
  await vi.advanceTimersByTimeAsync(10_000);
  await Promise.all(calls);
  return { begun, inTime, late, refused };
}

const CAPACITY = 1_000 / STEPS;
const everything = () => createAdmission('test', { atOnce: 1_000_000, waiting: 0 });
const bounded = () => createAdmission('test', { atOnce: 16, waiting: 256 });

it('answers a crowd nearly as fast as one that fits, and refuses what is over at once', async () => {
  const fits = await crowd(CAPACITY * 0.9, bounded());
  expect(fits.refused).toEqual([]);
  for (const times of [3, 10]) {
    const over = await crowd(CAPACITY * times, bounded());
    expect(over.inTime, `goodput at ${times} times the capacity`).toBeGreaterThan(0.9 * 2 * CAPACITY);
    expect(over.late, 'calls that were begun in vain').toBeLessThan(20);
  }
  // What the bound is for: with everything begun at once, next to nothing is done in time.
  const unbounded = await crowd(CAPACITY * 10, everything());
  expect(unbounded.inTime).toBeLessThan(0.5 * 2 * CAPACITY);
});

it('asks those that it refuses to come back at different times, later the more there are', async () => {
  const { refused } = await crowd(CAPACITY * 10, bounded());
  const times = refused.map(({ details }) => details.retryAfterMs ?? 0);
  expect(refused[0]?.code).toBe('overloaded');
  expect(Math.min(...times)).toBeLessThan(1_000);
  expect(Math.max(...times)).toBeGreaterThan(4_000);
});

it('lets those that wait begin after a slow first call, where they have the time that it took', async () => {
  const admission = createAdmission('test', { atOnce: 2, waiting: 10 });
  const first = await admission.enter(() => 5_000, never);
  await admission.enter(() => 5_000, never);
  let timeLeftMs = 5_000;
  const third = admission.enter(() => timeLeftMs, never);
  await vi.advanceTimersByTimeAsync(2_000);
  timeLeftMs = 3_000;
  first.leave();
  (await third).leave();
});

it('begins nothing whose deadline is nearly over, which is no sign of overload where it did not wait, and gives every place back once', async () => {
  const admission = createAdmission('test', { atOnce: 1, waiting: 1 });
  await expect(admission.enter(() => 10, never)).rejects.toMatchObject({ code: 'deadline_exceeded' });
  const first = await admission.enter(() => 1_000, never);
  const gone = new AbortController();
  const second = admission.enter(() => 1_000, gone.signal);
  await expect(admission.enter(() => 1_000, never)).rejects.toMatchObject({ code: 'overloaded' });
  gone.abort(new Error('the caller went away'));
  await expect(second).rejects.toThrow('the caller went away');
  let timeLeftMs = 1_000;
  const third = admission.enter(() => timeLeftMs, never);
  timeLeftMs = 10;
  first.leave();
  await expect(third).rejects.toMatchObject({ code: 'overloaded' });
  first.leave();
  const fourth = await admission.enter(() => 1_000, never);
  await expect(Promise.race([admission.enter(() => 1_000, never), 'it waits'])).resolves.toBe('it waits');
  fourth.leave();
});
