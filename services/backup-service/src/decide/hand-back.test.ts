/** What becomes of a task that a worker gives back because of what is wrong with that worker. */

import { plus } from '@tidemark/task/time';
import { describe, expect, it } from 'vitest';
import type { Backup } from '../backup.ts';
import type { Command, Limits, Outcome, Peer } from './command.ts';
import { decide } from './decide.ts';
import { start } from './start.ts';

const LIMITS: Limits = {
  handBackMs: 5_000,
  leaseMs: 30_000,
  reapMarginMs: 5_000,
  ringMs: 60_000,
  quietMs: 60_000,
  unlockedQuietMs: 600_000,
  retryMs: 300_000,
  failureLimit: 3,
  lossLimit: 5,
};
const NOW = new Date('2026-01-01T00:00:00Z');
const at = (seconds: number) => plus(NOW, seconds * 1_000);
const NO_KEYS = { code: 'STORAGE_UNUSABLE', message: 'This worker has no keys.' };
const queued: Backup = start({
  _id: 'b1',
  request: { hash: 'h', id: 'r1' },
  createdBy: 'alice',
  clusterId: 'c1',
  mode: 'manual',
  origin: 'request',
  target: { pd: ['127.0.0.1:2379'], version: '8.5.0', pool: 'default' },
  storage: { id: 's1', local: { path: '/s' }, maxConcurrent: 0 },
  path: 'root/c1/p',
  acceptedAt: NOW,
  deadlineMs: 86_400_000,
});

const after = (backup: Backup, command: Command, now = NOW): Backup => {
  const { next } = decide(backup, command, now, LIMITS);
  if (!next) throw new Error(`${command.kind} changed nothing`);
  return next;
};
const peer = (worker: string, more: Partial<Peer> = {}): Peer => ({ instance: worker, worker, free: true, ...more });
const away = (worker: string, passing = false) => peer(worker, { outOfReach: { passing, reason: NO_KEYS } });
let tokens = 0;
const claim = (worker: string, extra: object = {}): Extract<Command, { kind: 'claim' }> => {
  tokens += 1;
  const who = { claim: `t${tokens}`, worker, instance: worker, pool: 'default' };
  return { kind: 'claim', ...who, slotKey: 'backup:b1', newerGood: true, ...extra };
};
const unable = (more: object = {}): Extract<Outcome, { kind: 'wait' }> => ({
  kind: 'wait',
  waitMs: 60_000,
  reason: NO_KEYS,
  handBack: { instance: 'w1', passing: false, storage: true, ...more },
});
const taken = (backup: Backup, worker: string, now = NOW) => {
  const command = claim(worker);
  return { token: command.claim, backup: after(backup, command, now) };
};
/** A worker takes the task and gives it back. */
const givenBack = (backup: Backup, worker: string, peers: readonly Peer[], now = NOW, more: object = {}): Backup => {
  const { token, backup: held } = taken(backup, worker, now);
  const outcome = unable({ instance: worker, ...more });
  return after(held, { kind: 'complete', claim: token, fence: held.fence, outcome, peers }, now);
};
const announced = (backup: Backup, worker: string, now = NOW) => {
  const { token, backup: held } = taken(backup, worker, now);
  const starting = { argv: ['br'], brVersion: 'v8.5.0', hasLock: true };
  return { token, backup: after(held, { kind: 'renew', claim: token, fence: held.fence, starting }, now) };
};

describe('a task that a worker gives back', () => {
  const waits = givenBack(queued, 'w1', [peer('w1'), peer('w2')]);

  it('waits a few seconds for another worker, and leaves no attempt', () => {
    expect(waits).toMatchObject({ state: 'Queued', failures: 0, losses: 0, attempts: [], reason: NO_KEYS });
    expect(waits.task).toMatchObject({ ringAt: at(5), notBefore: at(5) });
  });

  it('is left alone by that worker while another may do it, and rung again at once for that one', () => {
    const decision = decide(waits, claim('w1', { peers: [peer('w1'), peer('w2')] }), at(6), LIMITS);
    expect(decision.answer).toEqual({ kind: 'lost' });
    const rung = after(waits, { kind: 'ring' }, at(6));
    expect(after(rung, claim('w1', { peers: [peer('w1'), peer('w2')] }), at(7)).task?.ringAt).toEqual(at(7));
    const passedOn = claim('w1', { peers: [peer('w1'), peer('w2')], passOnMs: 400 });
    expect(after(rung, passedOn, at(7)).task?.ringAt).toEqual(at(7.4));
    expect(after(rung, claim('w1', { peers: [peer('w2', { free: false })] }), at(7)).task?.ringAt).toEqual(at(17));
    expect(after(rung, claim('w2', { peers: [peer('w1'), peer('w2')] }), at(7)).state).toBe('Running');
  });

  it('is left alone by a worker whose claim says so, and is asked of it where nobody else is there', () => {
    const rung = after(queued, { kind: 'ring' });
    const told = { outOfReach: true };
    expect(decide(rung, claim('w1', { ...told, peers: [away('w1'), peer('w2')] }), NOW, LIMITS).answer.kind).toBe(
      'lost',
    );
    for (const peers of [[away('w1')], [away('w1'), away('w2')], []])
      expect(after(rung, claim('w1', { ...told, peers }), at(1)).state).toBe('Running');
  });

  it('rests longer each time that the same worker gives it back, up to five minutes', () => {
    const pauses: number[] = [];
    let backup = queued;
    for (let now = at(0), round = 0; round < 9; round += 1) {
      backup = givenBack(backup, 'w1', [], now, { passing: true });
      const { notBefore } = backup.task ?? { notBefore: now };
      pauses.push((notBefore.getTime() - now.getTime()) / 1_000);
      now = notBefore;
    }
    expect(pauses).toEqual([5, 10, 20, 40, 80, 160, 300, 300, 300]);
  });

  it('fails once every worker that is there has said so, and the sentence names each', () => {
    expect(givenBack(queued, 'w1', [peer('w1')])).toMatchObject({ state: 'Failed', reason: NO_KEYS });
    const all = givenBack(waits, 'w2', [peer('w1'), peer('w2')], at(6));
    expect(all.state).toBe('Failed');
    expect(all.reason?.message).toBe(
      'No worker of pool default can do it. w2: This worker has no keys. w1: This worker has no keys.',
    );
    expect(givenBack(queued, 'w1', [peer('w1'), away('w2')]).state).toBe('Failed');
  });

  it('waits for a busy worker that has not said so, until its deadline', () => {
    const busy = givenBack(queued, 'w1', [peer('w1'), peer('w2', { free: false })]);
    expect(busy.state).toBe('Queued');
    const over = after(busy, { kind: 'reap' }, at(86_401));
    expect(over).toMatchObject({
      state: 'Failed',
      reason: { code: 'DEADLINE', detail: 'w1: This worker has no keys.' },
    });
  });

  it('never fails for what may pass by itself, nor where br has been in the path', () => {
    expect(givenBack(queued, 'w1', [peer('w1')], NOW, { passing: true }).state).toBe('Queued');
    const { token, backup } = announced(queued, 'w1');
    const retry = { kind: 'retry' as const, reason: NO_KEYS, delayMs: 0 };
    const failedOnce = after(backup, { kind: 'complete', claim: token, fence: backup.fence, outcome: retry });
    expect(givenBack(failedOnce, 'w1', [peer('w1')], at(1))).toMatchObject({ state: 'Queued', attempts: [{}] });
  });

  it('keeps the attempt for which br was announced, unless nothing ran', () => {
    const { token, backup } = announced(queued, 'w1');
    const end = (more: object) =>
      after(backup, {
        kind: 'complete',
        claim: token,
        fence: backup.fence,
        outcome: unable(more),
        peers: [peer('w2')],
      });
    expect(end({}).attempts).toMatchObject([{ outcome: 'wait', argv: ['br'] }]);
    expect(end({ notStarted: true }).attempts).toEqual([]);
  });

  it('is answered the same way when that is told again, and its token is used up', () => {
    const { token, backup } = taken(queued, 'w1');
    const told: Command = {
      kind: 'complete',
      claim: token,
      fence: backup.fence,
      outcome: unable(),
      peers: [peer('w2')],
    };
    const back = after(backup, told);
    expect(decide(back, told, at(1), LIMITS)).toEqual({ answer: { kind: 'ok' } });
    expect(decide(back, { ...claim('w1'), claim: token }, at(70), LIMITS)).toEqual({ answer: { kind: 'lost' } });
  });

  it('that is being canceled ends as Canceled (T12)', () => {
    const { token, backup } = taken(queued, 'w1');
    const canceling = after(backup, { kind: 'cancel', requestId: 'c', by: 'alice', reason: '' });
    const told: Command = { kind: 'complete', claim: token, fence: backup.fence, outcome: unable(), peers: [] };
    expect(after(canceling, told).state).toBe('Canceled');
  });

  it('does not take the number of a path away: each new path has one of its own (T10)', () => {
    const { token, backup } = taken(waits, 'w2', at(6));
    const outcome: Outcome = { kind: 'newPath', reason: NO_KEYS };
    const moved = after(backup, { kind: 'complete', claim: token, fence: backup.fence, outcome }, at(6));
    expect(moved.path).toBe('root/c1/p-r2');
    expect(moved.handBacks).toEqual([]);
  });
});

describe('a removal that a worker gives back', () => {
  const { token, backup: running } = announced(queued, 'w0');
  const result = { tso: '5', sizeBytes: 7, files: 1, tidbClusterId: '1', clusterVersion: '8.5.0' };
  const good = after(running, {
    kind: 'complete',
    claim: token,
    fence: running.fence,
    outcome: { kind: 'succeeded', result },
  });
  const deleting = after(
    good,
    { kind: 'delete', by: { kind: 'person', name: 'alice' }, reason: '', requestId: 'd', newerGood: false, trashMs: 0 },
    at(100),
  );

  it('goes to another worker, and is no failure of the deletion', () => {
    const waits = givenBack(deleting, 'w1', [peer('w1'), peer('w2')], at(100));
    expect(waits.deletion.state).toBe('Deleting');
    expect(waits.task).toMatchObject({ kind: 'remove', tries: 0, notBefore: at(105) });
    expect(decide(waits, claim('w1', { peers: [peer('w2')] }), at(106), LIMITS).answer.kind).toBe('lost');
    expect(decide(waits, claim('w2', { peers: [peer('w2')] }), at(106), LIMITS).answer.kind).toBe('removeGrant');
  });

  it('fails visibly, and is tried again, once no worker that is there can do it', () => {
    const all = givenBack(deleting, 'w1', [peer('w1'), away('w2')], at(100));
    expect(all.deletion).toMatchObject({
      state: 'DeleteFailed',
      error: expect.stringContaining('w2: This worker has'),
    });
    expect(all.task).toMatchObject({ kind: 'remove', tries: 1 });
  });
});

describe('what a running br waits for', () => {
  const { token, backup } = announced(queued, 'w1');
  const stall = { code: 'STORE_AWAY', message: 'store 4', store: '4', forMs: 3_000 };
  const renew = (extra: object): Command => ({ kind: 'renew', claim: token, fence: backup.fence, ...extra });
  const waiting = after(backup, renew({ stall }), at(10));

  it('is on the record with the store and since when, and stays so while it lasts', () => {
    expect(waiting.waiting).toEqual({ code: 'STORE_AWAY', message: 'store 4', store: '4', since: at(7) });
    expect(after(waiting, renew({ stall: { ...stall, forMs: 13_500 } }), at(20)).waiting).toEqual(waiting.waiting);
  });

  it('is gone when it goes on, and when br ends', () => {
    expect(after(waiting, renew({}), at(20)).waiting).toBeNull();
    const outcome: Outcome = { kind: 'retry', reason: NO_KEYS };
    const told: Command = { kind: 'complete', claim: token, fence: backup.fence, outcome };
    expect(after(waiting, told, at(20)).waiting).toBeNull();
    expect(after(waiting, { kind: 'reap' }, at(80)).waiting).toBeNull();
  });
});
