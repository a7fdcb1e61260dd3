import { MAX_CHECK_STEPS } from '@tidemark/limits/limits';
import { plus } from '@tidemark/task/time';
import { describe, expect, it } from 'vitest';
import { type CheckCommand, decideCheck, isSilent, newCheck, type StorageCheck } from './storage-check.ts';

const SECOND = 1_000;
const LIMITS = { leaseMs: 30 * SECOND, reapMarginMs: 5 * SECOND, ringMs: 60 * SECOND };
const NOW = new Date('2026-01-01T00:00:00Z');
const at = (seconds: number) => plus(NOW, seconds * SECOND);

const queued = newCheck(
  {
    _id: 'c1',
    kind: 'probe',
    storageId: 's1',
    storage: { id: 's1', local: { path: '/s' }, maxConcurrent: 0, root: 'nfs' },
    pool: 'default',
    createdBy: 'alice',
    requestId: 'r1',
  },
  NOW,
);
const step = { name: 'reach', ok: true, message: 'fine', seconds: 0.1 };

const claim = (token: string, pool = 'default'): CheckCommand => ({
  kind: 'claim',
  claim: token,
  worker: `of ${token}`,
  pool,
});
const renew = (token: string, fence: number): CheckCommand => ({
  kind: 'renew',
  claim: token,
  fence,
  steps: [step],
  totalSteps: 1,
});
const release = (token: string, fence?: number): CheckCommand => ({
  kind: 'release',
  claim: token,
  ...(fence !== undefined && { fence }),
});
const complete = (token: string, fence: number, ok = true): CheckCommand => ({
  kind: 'complete',
  claim: token,
  fence,
  ok,
  steps: [step],
  totalSteps: 1,
});
const decide = (check: StorageCheck, command: CheckCommand, now: Date) => decideCheck(check, command, now, LIMITS);
const after = (check: StorageCheck, command: CheckCommand, now: Date): StorageCheck => {
  const { next } = decide(check, command, now);
  if (!next) throw new Error(`${command.kind} changed nothing`);
  return next;
};

const running = after(queued, claim('t1'), at(1)); // its lease ends at 31 s
const done = after(running, complete('t1', 1), at(2));

describe('a check of a storage', () => {
  it.each<[string, StorageCheck, CheckCommand, number, string, Partial<StorageCheck> | undefined]>([
    ['rings at once when it is new', queued, { kind: 'ring' }, 0, 'ok', { state: 'Queued' }],
    ['does not ring before its time', after(queued, { kind: 'ring' }, at(0)), { kind: 'ring' }, 59, 'ok', undefined],
    ['does not ring when it is to be reaped', running, { kind: 'ring' }, 37, 'ok', undefined],
    ['does not ring when it is done', done, { kind: 'ring' }, 1_000, 'ok', undefined],
    ['is granted to who asks first', queued, claim('t1'), 1, 'held', { state: 'Running', fence: 1, worker: 'of t1' }],
    ['is granted again to the same token', running, claim('t1'), 5, 'held', { fence: 1 }],
    ['is not granted to a second token', running, claim('t2'), 5, 'lost', undefined],
    ['is not granted to another pool', queued, claim('t1', 'far'), 1, 'lost', undefined],
    ['is not granted when it is done', done, claim('t2'), 5, 'lost', undefined],
    ['takes down what its worker found so far', running, renew('t1', 1), 5, 'held', { steps: [step], totalSteps: 1 }],
    ['takes nothing from a stranger', running, renew('t2', 1), 5, 'lost', undefined],
    ['takes nothing under an old fence', { ...running, fence: 2 }, renew('t1', 1), 5, 'lost', undefined],
    [
      'ends with what its worker found',
      running,
      complete('t1', 1),
      5,
      'held',
      { state: 'Done', ok: true, endTime: at(5) },
    ],
    ['ends badly when a step was not fine', running, complete('t1', 1, false), 5, 'held', { state: 'Done', ok: false }],
    ['answers a repeated end as the first time', done, complete('t1', 1), 9, 'held', undefined],
    ['is not ended by a stranger', running, complete('t2', 1), 5, 'lost', undefined],
    [
      'waits for another worker at once when its own gives it back, without that being a loss',
      after(running, renew('t1', 1), at(3)),
      release('t1', 1),
      5,
      'held',
      { state: 'Queued', losses: 0, steps: [], totalSteps: 0 },
    ],
    ['is given back by who never heard of its grant', running, release('t1'), 5, 'held', { state: 'Queued' }],
    ['is not given back by a stranger', running, release('t2', 1), 5, 'lost', undefined],
    ['is not given back when it is done', done, release('t1', 1), 5, 'held', undefined],
    ['is left to a worker whose lease has just ended', running, { kind: 'reap' }, 36, 'ok', undefined],
    [
      'goes back when its worker is dead',
      running,
      { kind: 'reap' },
      37,
      'ok',
      { state: 'Queued', losses: 1, steps: [] },
    ],
    ['waits ten minutes for a worker', queued, { kind: 'reap' }, 600, 'ok', undefined],
    [
      'is given up when no worker took it',
      queued,
      { kind: 'reap' },
      601,
      'ok',
      { state: 'Done', ok: false, totalSteps: 1 },
    ],
    ['is not reaped when it is done', done, { kind: 'reap' }, 5_000, 'ok', undefined],
  ])('%s', (_sentence, check, command, seconds, answer, changes) => {
    const decision = decide(check, command, at(seconds));
    expect(decision.answer).toBe(answer);
    if (changes) expect(decision.next).toMatchObject(changes);
    else expect(decision.next).toBeUndefined();
  });

  it('can be claimed as soon as it was given back', () => {
    const again = after(running, release('t1', 1), at(5));
    expect(after(again, claim('t2'), at(5))).toMatchObject({ state: 'Running', fence: 2, worker: 'of t2' });
  });

  it('is done where only the worker that gives it back may do it, and says nothing about the storage (Q5)', () => {
    const part = { ...running, part: { of: 'c0', instance: 'i', worker: 'w' } };
    const ended = after(part, release('t1', 1), at(5));
    expect(ended).toMatchObject({ state: 'Done', task: null, steps: [{ name: 'stopped', ok: false }] });
    expect(isSilent(ended)).toBe(true);
    expect(decide(ended, release('t1', 1), at(6))).toEqual({ answer: 'held' });
  });

  it('writes the next ring down before it publishes (D2)', () => {
    const decision = decide(queued, { kind: 'ring' }, NOW);
    expect(decision.ring).toBe(true);
    expect(decision.next?.task).toMatchObject({ ringAt: at(60), rings: 1 });
  });

  it('has a task exactly as long as it is not done (Q1)', () => {
    for (const check of [queued, running]) expect(check.task).not.toBeNull();
    expect(done.task).toBeNull();
  });

  it('is run again three times after a loss, and then given up with a sentence (Q2)', () => {
    let check = queued;
    let seconds = 0;
    for (let run = 1; run <= 4; run += 1) {
      expect(check).toMatchObject({ state: 'Queued', losses: run - 1 });
      expect(check.task?.claim).toBeUndefined();
      check = after(check, claim(`t${run}`), at(seconds));
      expect(check.fence).toBe(run);
      seconds += 40;
      check = after(check, { kind: 'reap' }, at(seconds));
    }
    expect(check).toMatchObject({ state: 'Done', ok: false, losses: 4, task: null, endTime: at(seconds) });
    expect(check.steps.at(-1)?.message).toMatch(/lost 4 times, the last time of t4/);
  });

  it('names the pool that has no worker (Q3)', () => {
    const [last] = after(queued, { kind: 'reap' }, at(601)).steps;
    expect(last).toMatchObject({ ok: false, message: expect.stringContaining('No worker of pool default took it') });
  });

  it('waits ten minutes anew after a loss', () => {
    const again = after(running, { kind: 'reap' }, at(500));
    expect(decide(again, { kind: 'reap' }, at(1_000)).next).toBeUndefined();
    expect(after(again, { kind: 'reap' }, at(1_101)).state).toBe('Done');
  });

  it('goes on where an earlier version wrote it down', () => {
    const waiting: StorageCheck = { ...queued, task: { ringAt: NOW, notBefore: NOW, rings: 1 } };
    expect(after(waiting, claim('t1'), at(1))).toMatchObject({ state: 'Running', fence: 1 });
    const granted = { ringAt: at(37), notBefore: NOW, rings: 1, claim: 't1', leaseUntil: at(31) };
    const held: StorageCheck = { ...queued, state: 'Running', worker: 'of t1', fence: 1, task: granted };
    expect(after(held, renew('t1', 1), at(5))).toMatchObject({ steps: [step], task: { leaseUntil: at(35) } });
    expect(after(held, complete('t1', 1), at(5))).toMatchObject({ state: 'Done', ok: true, task: null });
    const lost = after(held, { kind: 'reap' }, at(37));
    expect(lost).toMatchObject({ state: 'Queued', losses: 1, task: { rings: 1, ringAt: at(37) } });
    expect(lost.task).not.toHaveProperty('claim');
  });

  it('keeps the first thousand steps and the number of all', () => {
    const steps = Array.from({ length: MAX_CHECK_STEPS + 5 }, (_, index) => ({ ...step, name: String(index) }));
    const next = after(running, { kind: 'renew', claim: 't1', fence: 1, steps, totalSteps: steps.length }, at(2));
    expect(next.steps).toHaveLength(MAX_CHECK_STEPS);
    expect(next.totalSteps).toBe(MAX_CHECK_STEPS + 5);
  });
});
