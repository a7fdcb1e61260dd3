import { describe, expect, it } from 'vitest';
import type { Task } from '../backup.ts';
import {
  after,
  answer,
  at,
  cancel,
  canceling,
  claim,
  claimed,
  complete,
  dead,
  deleting,
  failed,
  LIMITS,
  NOW,
  queued,
  reason,
  remove,
  renew,
  result,
  SECOND,
  started,
  starting,
  succeeded,
  unlocked,
  untouched,
} from '../testing/sample-backup.ts';
import type { Command } from './command.ts';
import { decide } from './decide.ts';

const isUnowned = ({ claim: token, worker, leaseUntil, started: spawned }: Task) =>
  [token, worker, leaseUntil, spawned].every((field) => field === undefined);

describe('ring', () => {
  it('writes the next ring down before it rings (T2)', () => {
    const decision = decide(queued, { kind: 'ring' }, NOW, LIMITS);
    expect(decision.ring).toBe(true);
    expect(decision.next?.task).toMatchObject({ ringAt: at(60), rings: 1 });
  });
  it('does nothing before its time, without a task, or where there is something to reap', () => {
    for (const [backup, now] of [
      [queued, at(-1)],
      [succeeded, NOW],
      [started, dead],
      [queued, at(86_401)],
    ] as const)
      untouched(backup, { kind: 'ring' }, now);
  });
});

describe('nudge', () => {
  const rung = after(queued, { kind: 'ring' });
  it('lets a backup that waits be rung for now instead of a minute later, once', () => {
    const nudged = after(rung, { kind: 'nudge' }, at(5));
    expect(nudged).toEqual({ ...rung, task: { ...rung.task, ringAt: at(5) } });
    untouched(nudged, { kind: 'nudge' }, at(6));
    expect(decide(nudged, { kind: 'ring' }, at(6), LIMITS)).toMatchObject({ ring: true });
  });
  it('changes nothing of what runs, is over, may not be claimed yet, or is past its deadline', () => {
    const waiting = after(claimed, complete({ kind: 'wait', waitMs: 100 * SECOND, reason }));
    for (const [backup, now] of [
      [started, at(1)],
      [canceling, at(1)],
      [deleting, at(1)],
      [succeeded, at(1)],
      [waiting, at(99)],
      [after(rung, { kind: 'ring' }, at(86_390)), at(86_401)],
    ] as const)
      untouched(backup, { kind: 'nudge' }, now);
  });
});

describe('retry', () => {
  const handBack = { instance: 'i1', passing: true, storage: true };
  const away = { kind: 'wait', waitMs: 0, reason, handBack } as const;
  it('has a removal that failed tried at once, and again with the pauses that it had', () => {
    const failing = after(
      after(deleting, claim('w2'), at(60)),
      complete({ kind: 'removeFailed', reason }, 2, 'w2'),
      at(61),
    );
    const again = after(failing, { kind: 'retry' }, at(62));
    expect(again).toMatchObject({ deletion: { state: 'DeleteFailed' }, task: { tries: 1 } });
    untouched(again, { kind: 'retry' }, at(62));
    const claimedAgain = after(again, claim('w3'), at(62));
    const failedAgain = after(claimedAgain, complete({ kind: 'removeFailed', reason }, 3, 'w3'), at(63));
    expect(failedAgain.task?.notBefore).toEqual(at(63 + 120));
  });
  it('has a task that a worker gave back tried at once, also by that worker, and forgets what was said of it', () => {
    const given = after(claimed, { ...complete(away), peers: [] } as Command, at(1));
    const again = after(given, { kind: 'retry' }, at(2));
    expect(again.task?.notBefore.getTime()).toBeLessThanOrEqual(at(2).getTime());
    const peers = [{ instance: 'i2', worker: 'w2', free: true }];
    expect(answer(again, claim('w3', { instance: 'i1', peers }), at(2)).kind).toBe('backupGrant');
    expect(answer(again, claim('w1', { instance: 'i1', peers }), at(2)), 'the claim that gave it back').toEqual({
      kind: 'lost',
    });
  });
  it('changes nothing of what runs, waits for another reason, is over, or has leftovers whose time has not come', () => {
    const locked = after(claimed, complete({ kind: 'wait', waitMs: 100 * SECOND, reason }));
    const retried = after(claimed, complete({ kind: 'retry', reason }));
    const removing = after(deleting, claim('w2'), at(60));
    for (const backup of [queued, started, canceling, succeeded, failed, deleting, locked, retried, removing])
      untouched(backup, { kind: 'retry' }, at(2));
  });
});

describe('reap', () => {
  it('takes a task back 5 s after its lease ended, and not before', () => {
    untouched(started, { kind: 'reap' }, at(35));
    const reaped = after(started, { kind: 'reap' }, dead);
    expect(reaped).toMatchObject({ state: 'Queued', losses: 1, path: 'root/c1/p', slotKey: 'backup:b1' });
    expect(reaped.activeKey).toBe('cluster:c1');
    expect(reaped.attempts[0]).toMatchObject({ outcome: 'lost', endedAt: dead });
    expect(reaped.task && isUnowned(reaped.task)).toBe(true);
    expect(reaped.task).toMatchObject({ ringAt: dead });
    expect(answer(reaped, claim('w2'), dead)).toMatchObject({ kind: 'backupGrant' });
  });
  it('does not count a loss before br could have started', () => {
    expect(after(claimed, { kind: 'reap' }, dead).losses).toBe(0);
  });
  it('moves to a new path where br has no lock, and leaves the old one alone for ten minutes (T13)', () => {
    const reaped = after(unlocked, { kind: 'reap' }, dead);
    expect(reaped.path).toBe('root/c1/p-r1');
    expect(reaped.leftovers).toEqual([{ path: 'root/c1/p', after: at(636) }]);
  });
  it('ends a canceling backup as canceled, its files kept for a minute, or ten without a lock', () => {
    expect(after(canceling, { kind: 'reap' }, dead)).toMatchObject({
      state: 'Canceled',
      activeKey: 'backup:b1',
      leftovers: [{ path: 'root/c1/p', after: at(96) }],
      task: { kind: 'remove', notBefore: at(96) },
    });
    expect(after(after(unlocked, cancel()), { kind: 'reap' }, dead).leftovers[0]?.after).toEqual(at(636));
  });
  it('gives up after the last allowed loss and one claim that was only to look (T14)', () => {
    const exhausted = { ...queued, losses: 5 };
    const looking = after(exhausted, claim());
    expect(looking.attempts[0]?.mayRun).toBe(false);
    expect(after(looking, { kind: 'reap' }, dead)).toMatchObject({
      state: 'Failed',
      losses: 6,
      reason: { code: 'LOST' },
    });
  });
  it('frees a removal and ends what waits beyond its deadline', () => {
    const removing = after(deleting, claim('w2'), at(60));
    const freed = after(removing, { kind: 'reap' }, at(96));
    expect(freed.task && isUnowned(freed.task)).toBe(true);
    expect(after(queued, { kind: 'reap' }, at(86_401))).toMatchObject({
      state: 'Failed',
      reason: { code: 'DEADLINE' },
    });
  });
  it('has what br may have finished looked for past the deadline too, and starts nothing (T14)', () => {
    const late = at(86_401);
    const waiting = after(started, { kind: 'reap' }, late);
    expect(waiting).toMatchObject({ state: 'Queued', losses: 1 });
    for (const kind of ['reap', 'nudge'] as const) untouched(waiting, { kind }, late);
    expect(decide(waiting, { kind: 'ring' }, late, LIMITS).ring).toBe(true);
    expect(answer(waiting, claim('w2'), late)).toMatchObject({ kind: 'backupGrant', mayRun: false, remainingMs: 0 });
    const looking = after(waiting, claim('w2'), late);
    const found = after(looking, complete({ kind: 'succeeded', result }, 2, 'w2'), late);
    expect(found).toMatchObject({ state: 'Succeeded', task: null });
    const elsewhere = after(looking, complete({ kind: 'newPath', reason }, 2, 'w2'), late);
    expect(after(elsewhere, { kind: 'reap' }, at(86_402))).toMatchObject({
      state: 'Failed',
      reason: { code: 'DEADLINE' },
      leftovers: [{ path: 'root/c1/p' }],
    });
  });
});

describe('claim', () => {
  it('opens an attempt under the next fence and takes the slot', () => {
    expect(claimed).toMatchObject({ state: 'Running', fence: 1, slotKey: 'backup:b1' });
    expect(claimed.task).toMatchObject({ claim: 'w1', leaseUntil: at(30), ringAt: at(36) });
    expect(answer(queued, claim())).toMatchObject({
      kind: 'backupGrant',
      fence: 1,
      mayRun: true,
      attempt: 1,
      previousEnded: false,
    });
  });
  it('is granted by a copy whose clock is behind that of the one that rang, or the next ring would be a minute off', () => {
    const reaped = after(started, { kind: 'reap' }, at(36));
    const released = after(started, { kind: 'release', claim: 'w1' }, at(36));
    expect(answer(queued, claim(), at(-1))).toMatchObject({ kind: 'backupGrant' });
    for (const rung of [reaped, released])
      expect(answer(rung, claim('w2'), at(35))).toMatchObject({ kind: 'backupGrant' });
  });
  it('gives the same token the same grant with a renewed lease, and nobody else anything (T3)', () => {
    expect(answer(claimed, claim(), at(10))).toMatchObject({ kind: 'backupGrant', fence: 1 });
    expect(after(claimed, claim(), at(10)).task?.leaseUntil).toEqual(at(40));
    expect(answer(claimed, claim('w2'))).toEqual({ kind: 'lost' });
    untouched(claimed, claim('w2'));
  });
  it('is lost before its time, from another pool, without a free slot, for a used token, and for an ended backup', () => {
    const waiting = after(claimed, complete({ kind: 'wait', waitMs: 100 * SECOND, reason }));
    expect(answer(waiting, claim('w2'))).toEqual({ kind: 'lost' });
    expect(answer(queued, claim('w1', { pool: 'other' }))).toEqual({ kind: 'lost' });
    expect(answer(queued, claim('w1', { slotKey: undefined }))).toEqual({ kind: 'lost' });
    const released = after(claimed, { kind: 'release', claim: 'w1', fence: 1 });
    expect(answer(released, claim('w1'))).toEqual({ kind: 'lost' });
    expect(answer(succeeded, claim('w2'))).toEqual({ kind: 'lost' });
  });
  it('ends a backup whose cluster may not use the storage any more, before its turn too, and removes what br left', () => {
    const denied = { storageDenied: true };
    const { next, answer: told } = decide(queued, claim('w1', { ...denied, slotKey: undefined }), NOW, LIMITS);
    expect(told).toEqual({ kind: 'lost' });
    expect(next).toMatchObject({ state: 'Failed', reason: { code: 'STORAGE_DENIED' }, attempts: [], task: null });
    expect(next).toMatchObject({ activeKey: 'backup:b1', slotKey: 'backup:b1', fence: 0 });
    untouched(queued, claim('w1', { ...denied, pool: 'other' }));

    const ran = after(after(after(queued, claim()), renew(1, 'w1', { starting })), {
      kind: 'release',
      claim: 'w1',
      fence: 1,
    });
    const over = after(ran, claim('w2', denied), at(10));
    expect(over).toMatchObject({ state: 'Failed', leftovers: [{ path: 'root/c1/p' }], task: { kind: 'remove' } });
    untouched(over, claim('w2', denied), at(10));
  });

  it('may not run when failures, losses or time are used up', () => {
    for (const used of [{ failures: 3 }, { losses: 5 }, { deadline: NOW }])
      expect(answer({ ...queued, ...used }, claim())).toMatchObject({ mayRun: false });
  });
  it('says whether the last attempt in the path told its end', () => {
    const retried = after(started, complete({ kind: 'retry', reason, delayMs: 0 }));
    expect(answer(retried, claim('w2'))).toMatchObject({ previousEnded: true });
    expect(answer(after(started, { kind: 'reap' }, dead), claim('w2'), dead)).toMatchObject({ previousEnded: false });
  });
  it('does not take the end of a wait for the end of the br that was waited for', () => {
    const lost = after(started, { kind: 'reap' }, dead);
    const waited = after(
      after(lost, claim('w2'), dead),
      complete({ kind: 'wait', waitMs: SECOND, reason }, 2, 'w2'),
      dead,
    );
    expect(answer(waited, claim('w3'), at(60))).toMatchObject({ kind: 'backupGrant', previousEnded: false });
  });
  it('grants a removal with the paths whose time has come, and starts the deletion', () => {
    expect(answer(deleting, claim('w2'), at(60))).toMatchObject({ kind: 'removeGrant', paths: ['root/c1/p'] });
    expect(after(deleting, claim('w2'), at(60)).deletion.state).toBe('Deleting');
    expect(answer(deleting, claim('w2'), at(59))).toEqual({ kind: 'lost' });
  });
  it('takes a deletion by retention back when no newer good backup is left', () => {
    const wanted = after(succeeded, remove('retention'));
    const decision = decide(wanted, claim('w2', { newerGood: false }), at(60), LIMITS);
    expect(decision.answer).toEqual({ kind: 'lost' });
    expect(decision.next).toMatchObject({ deletion: { state: 'None' }, leftovers: [], task: null });
    expect(answer(wanted, claim('w2'), at(60))).toMatchObject({ kind: 'removeGrant' });
  });
});

describe('renew', () => {
  it('is lost without the claim and its fence (T4)', () => {
    for (const command of [renew(2), renew(1, 'w2')]) {
      expect(answer(started, command)).toEqual({ kind: 'lost' });
      untouched(started, command);
    }
  });
  it('keeps the lease, takes progress and the announced start', () => {
    const progress = { step: 'Full Backup', percent: 10, speed: '1 p/s' };
    const renewed = after(claimed, renew(1, 'w1', { starting, progress }), at(10));
    expect(renewed).toMatchObject({ progress, task: { leaseUntil: at(40), started: true } });
    expect(renewed.attempts[0]).toMatchObject({ argv: ['br'], hasLock: true });
  });
  it('never lets the percentage go back, also when another run begins to count anew', () => {
    const progress = (percent: number, speed: string) => ({ step: 'Full Backup', percent, speed });
    const far = after(started, renew(1, 'w1', { progress: progress(60, '9 p/s') }));
    const again = after(after(far, complete({ kind: 'newPath', reason })), claim('w2'), at(300));
    const renewed = after(again, renew(2, 'w2', { progress: progress(2, '5 p/s') }), at(310));
    expect(renewed.progress).toEqual(progress(60, '5 p/s'));
    expect(after(renewed, renew(2, 'w2', { progress: progress(61, '5 p/s') }), at(320)).progress?.percent).toBe(61);
  });
  it('tells of a cancel and lets nothing start any more', () => {
    const before = after(claimed, cancel());
    expect(answer(before, renew(1, 'w1', { starting }))).toEqual({ kind: 'held', state: 'Canceling' });
    expect(after(before, renew(1, 'w1', { starting })).attempts[0]?.argv).toBeUndefined();
  });
});

describe('complete', () => {
  it('ends a success with its result, keys and task in one write (T5)', () => {
    expect(succeeded).toMatchObject({
      state: 'Succeeded',
      result,
      activeKey: 'backup:b1',
      slotKey: 'backup:b1',
      task: null,
      endTime: NOW,
    });
    expect(succeeded.leftovers).toEqual([]);
    // Also of a run that was over before it told any progress.
    expect(succeeded.progress?.percent).toBe(100);
  });
  it('leaves the files of a failure to a removal, if br could have written any', () => {
    expect(failed).toMatchObject({ state: 'Failed', reason, task: { kind: 'remove', notBefore: at(60) } });
    expect(after(claimed, complete({ kind: 'failed', reason }))).toMatchObject({
      state: 'Failed',
      leftovers: [],
      task: null,
    });
  });
  it('tries again in the same path after five minutes, in a new one where that is needed, three times in all', () => {
    const retried = after(started, complete({ kind: 'retry', reason }));
    expect(retried).toMatchObject({ state: 'Queued', failures: 1, path: 'root/c1/p', task: { notBefore: at(300) } });
    const moved = after(started, complete({ kind: 'newPath', reason }));
    expect(moved).toMatchObject({ path: 'root/c1/p-r1', leftovers: [{ path: 'root/c1/p', after: at(60) }] });
    expect(moved.task?.kind).toBe('backup');
    expect(after({ ...started, failures: 2 }, complete({ kind: 'retry', reason }))).toMatchObject({
      state: 'Failed',
      failures: 3,
      reason: { ...reason, message: `${reason.message} Tidemark gave up after 3 failed tries.` },
    });
  });
  it('waits uncounted, for a backup and for a removal', () => {
    const wait = { kind: 'wait', waitMs: 20 * SECOND, reason } as const;
    expect(after(started, complete(wait))).toMatchObject({
      state: 'Queued',
      failures: 0,
      losses: 0,
      task: { notBefore: at(20) },
    });
    const removing = after(deleting, claim('w2'), at(60));
    expect(after(removing, complete(wait, 2, 'w2'), at(60)).task).toMatchObject({ kind: 'remove', notBefore: at(80) });
  });
  it('ends as canceled whatever is told once a cancel was recorded (T12)', () => {
    for (const outcome of [
      { kind: 'failed', reason },
      { kind: 'retry', reason },
      { kind: 'newPath', reason },
      { kind: 'wait', waitMs: 1, reason },
      { kind: 'stopped' },
    ] as const)
      expect(after(canceling, complete(outcome)).state, outcome.kind).toBe('Canceled');
    const finished = after(canceling, complete({ kind: 'succeeded', result }));
    expect(finished).toMatchObject({ state: 'Canceled', result: { remark: 'finished while being canceled' } });
    expect(finished.leftovers).toHaveLength(1);
  });
  it('answers a repeat as the first time, and LOST for another end or after a loss (T5)', () => {
    expect(answer(succeeded, complete({ kind: 'succeeded', result }))).toEqual({ kind: 'ok' });
    untouched(succeeded, complete({ kind: 'succeeded', result }));
    expect(answer(succeeded, complete({ kind: 'failed', reason }))).toEqual({ kind: 'lost' });
    const lost = after(started, { kind: 'reap' }, dead);
    expect(answer(lost, complete({ kind: 'succeeded', result }))).toEqual({ kind: 'lost' });
  });
  it('refuses an end that does not fit, and changes nothing', () => {
    for (const [backup, command] of [
      [started, complete({ kind: 'stopped' })],
      [started, complete({ kind: 'removed', paths: [], bytes: 0 })],
      [after(deleting, claim('w2'), at(60)), complete({ kind: 'succeeded', result }, 2, 'w2')],
    ] as const) {
      expect(answer(backup, command, at(60))).toEqual({ kind: 'refused', why: 'wrongPair' });
      untouched(backup, command, at(60));
    }
  });
});

describe('release', () => {
  it('gives the task back uncounted, also without a fence, and a repeat is fine', () => {
    const released = after(started, { kind: 'release', claim: 'w1' });
    expect(released).toMatchObject({ state: 'Queued', failures: 0, losses: 0, task: { ringAt: NOW } });
    expect(answer(released, { kind: 'release', claim: 'w1' })).toEqual({ kind: 'ok' });
    expect(answer(queued, { kind: 'release', claim: 'w1' })).toEqual({ kind: 'lost' });
    expect(after(canceling, { kind: 'release', claim: 'w1', fence: 1 }).state).toBe('Canceled');
  });
  it('of a stray path changes nothing where the path is still wanted, unknown, or the task still held', () => {
    const stray = (path: string, fence = 0): Command => ({ kind: 'stray', claim: 'w1', fence, path });
    untouched(started, stray('root/c1/p', 1));
    untouched(started, stray('root/c1/p'));
    untouched(succeeded, stray('root/c1/p'));
    untouched(succeeded, stray('somewhere/else/entirely'));
  });
  it('of a stray path makes it a leftover otherwise, and an active backup keeps its backup task', () => {
    const over = { ...failed, leftovers: [], task: null };
    const command: Command = { kind: 'stray', claim: 'w0', fence: 0, path: 'root/c1/p' };
    expect(after(over, command)).toMatchObject({
      leftovers: [{ after: at(60) }],
      task: { kind: 'remove', notBefore: at(60) },
    });
    const moved = after(started, complete({ kind: 'newPath', reason }));
    expect(after(moved, command, at(10))).toMatchObject({ leftovers: [{ after: at(70) }], task: { kind: 'backup' } });
  });
});

describe('cancel', () => {
  it('ends a waiting backup at once, stops a running one, and is refused when it is over', () => {
    expect(after(queued, cancel())).toMatchObject({ state: 'Canceled', cancel: { by: 'alice' }, task: null });
    expect(decide(started, cancel(), NOW, LIMITS)).toMatchObject({ broadcast: true, next: { state: 'Canceling' } });
    expect(decide(canceling, cancel('again'), NOW, LIMITS)).toMatchObject({ broadcast: true, answer: { kind: 'ok' } });
    expect(answer(succeeded, cancel())).toEqual({ kind: 'refused', why: 'over' });
  });
  it('that ended the backup is answered the same way when it is repeated', () => {
    const canceled = after(queued, cancel('c1'));
    expect(answer(canceled, cancel('c1'))).toEqual({ kind: 'ok' });
    expect(answer(canceled, cancel('c2'))).toEqual({ kind: 'refused', why: 'over' });
  });
});

describe('cancel by a rule', () => {
  const byRule = cancel('c', { code: 'WINDOW_CLOSED' });
  const stopped = after(started, byRule);
  const why = { reason: { code: 'WINDOW_CLOSED', message: expect.stringContaining('next window starts anew') } };

  it('ends the backup with the reason of the rule, whichever way it ends', () => {
    expect(after(queued, byRule)).toMatchObject({ state: 'Canceled', ...why });
    expect(stopped).toMatchObject({ state: 'Canceling', cancel: { code: 'WINDOW_CLOSED' }, reason: null });
    for (const [command, now] of [
      [complete({ kind: 'stopped' }), NOW],
      [complete({ kind: 'succeeded', result }), NOW],
      [complete({ kind: 'failed', reason }), NOW],
      [complete({ kind: 'wait', waitMs: 1, reason }), NOW],
      [{ kind: 'release', claim: 'w1', fence: 1 }, NOW],
      [{ kind: 'reap' }, dead],
    ] as const)
      expect(after(stopped, command, now), command.kind).toMatchObject({ state: 'Canceled', ...why });
  });
  it('does not override the cancel of a person, and is not overridden by one (T12)', () => {
    untouched(canceling, byRule);
    expect(after(canceling, complete({ kind: 'stopped' }))).toMatchObject({ state: 'Canceled', reason: null });
    expect(after(stopped, complete({ kind: 'stopped' }))).toMatchObject({ cancel: { requestId: 'c' }, ...why });
    untouched(stopped, cancel('person'));
  });
  it('whose constant is a new one says what the rule said', () => {
    const command: Command = { kind: 'cancel', requestId: 'c', by: 's', reason: 'It rains.', code: 'RAIN' };
    expect(after(queued, command).reason).toEqual({ code: 'RAIN', message: 'It rains.' });
  });
});

describe('an estimate', () => {
  const estimate = { writtenBytes: 10, percent: 5 };
  const estimated = after(started, renew(1, 'w1', { estimate }));
  it('is there as long as it is told, and br runs', () => {
    expect(estimated).toMatchObject({ estimate, progress: null });
    expect(after(estimated, renew()).estimate).toBeNull();
    for (const end of [
      complete({ kind: 'succeeded', result }),
      complete({ kind: 'retry', reason }),
      { kind: 'release', claim: 'w1', fence: 1 } as const,
    ])
      expect(after(estimated, end).estimate).toBeNull();
    expect(after(estimated, { kind: 'reap' }, dead).estimate).toBeNull();
  });
});
