import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it, vi } from 'vitest';
import { startRenewal } from './renewal.ts';

/** None comes by itself within a test. */
const renewMs = 60_000;
const never = new AbortController().signal;

describe('renewals of a lease', () => {
  it('come one after the other, other calls between them, and none is under way after their end', async () => {
    let underWay = 0;
    const most: number[] = [];
    const call = async () => {
      underWay += 1;
      most.push(underWay);
      await sleep(20);
      underWay -= 1;
    };
    const renewal = startRenewal({ renewMs: 10, renew: call, lost: never, onFailed: () => undefined });
    await Promise.all(Array.from({ length: 5 }, () => renewal.inTurn(call)));
    await vi.waitFor(() => expect(most.length).toBeGreaterThan(8));
    await renewal[Symbol.asyncDispose]();
    expect(underWay).toBe(0);
    const made = most.length;
    await sleep(50);
    expect(most).toEqual(Array.from({ length: made }, () => 1));
  });

  it('come again soon after one that was not answered, which is told', async () => {
    const told: unknown[] = [];
    const at: number[] = [];
    const renew = async () => {
      at.push(performance.now());
      if (at.length < 3) throw new Error(`no answer ${at.length}`);
    };
    await using renewal = startRenewal({ renewMs, renew, lost: never, onFailed: (error) => told.push(error) });
    renewal.soon();
    await vi.waitFor(() => expect(at.length).toBe(3), { timeout: 10_000 });
    expect(told).toMatchObject([{ message: 'no answer 1' }, { message: 'no answer 2' }]);
    expect((at[1] ?? 0) - (at[0] ?? 0)).toBeGreaterThan(renewal.retryMs - 5);
  });

  it('go on after another call that failed', async () => {
    const renew = vi.fn(async () => undefined);
    await using renewal = startRenewal({ renewMs, renew, lost: never, onFailed: () => undefined });
    await expect(renewal.inTurn(() => Promise.reject(new Error('refused')))).rejects.toThrow('refused');
    renewal.now();
    await vi.waitFor(() => expect(renew).toHaveBeenCalledTimes(1));
  });

  it('end once the lease is lost', async () => {
    const lost = new AbortController();
    const renew = vi.fn(async () => lost.abort());
    await using _ = startRenewal({ renewMs: 2, renew, lost: lost.signal, onFailed: () => undefined });
    await vi.waitFor(() => expect(renew).toHaveBeenCalled());
    await sleep(50);
    expect(renew).toHaveBeenCalledTimes(1);
  });
});
