import { plus } from '@tidemark/task/time';
import { describe, expect, it } from 'vitest';
import type { Backup, Task } from '../backup.ts';
import type { Command, Decision, Limits, Outcome } from './command.ts';
import { decide } from './decide.ts';
import { start } from './start.ts';

const SECOND = 1_000;
const LIMITS: Limits = {
  handBackMs: 5_000,
  leaseMs: 30 * SECOND,
  reapMarginMs: 5 * SECOND,
  ringMs: 60 * SECOND,
  quietMs: 60 * SECOND,
  unlockedQuietMs: 600 * SECOND,
  retryMs: 300 * SECOND,
  failureLimit: 3,
  lossLimit: 5,
};
const NOW = new Date('2026-01-01T00:00:00Z');
const at = (seconds: number) => plus(NOW, seconds * SECOND);
const reason = { code: 'X', message: 'x' };
const result = { tso: '5', sizeBytes: 7, files: 1, tidbClusterId: '1', clusterVersion: '8.5.0' };

const queued: Backup = start({
  _id: 'b1',
  request: { hash: 'h', id: 'r1' },
  createdBy: 'alice',
  clusterId: 'c1',
  mode: 'manual',
  origin: 'schedule',
  target: { pd: ['127.0.0.1:2379'], version: '8.5.0', pool: 'default' },
  storage: { id: 's1', local: { path: '/s' }, maxConcurrent: 0 },
  path: 'root/c1/p',
  acceptedAt: NOW,
  deadlineMs: 86_400 * SECOND,
});

/** The backup after a command that must change it. */
const after = (backup: Backup, command: Command, now = NOW): Backup => {
  const { next } = decide(backup, command, now, LIMITS);
  if (!next) throw new Error(`${command.kind} changed nothing`);
  return next;
};
const answer = (backup: Backup, command: Command, now = NOW): Decision['answer'] =>
  decide(backup, command, now, LIMITS).answer;
const untouched = (backup: Backup, command: Command, now = NOW) =>
  expect(decide(backup, command, now, LIMITS).next).toBeUndefined();

const claim = (token = 'w1', extra: object = {}): Command => ({
  kind: 'claim',
  claim: token,
  worker: token,
  pool: 'default',
  slotKey: 'backup:b1',
  newerGood: true,
  ...extra,
});
const starting = { argv: ['br'], brVersion: 'v8.5.0', hasLock: true };
const renew = (fence = 1, token = 'w1', extra: object = {}): Command => ({
  kind: 'renew',
  claim: token,
  fence,
  ...extra,
});
const complete = (outcome: Outcome, fence = 1, token = 'w1'): Command => ({
  kind: 'complete',
  claim: token,
  fence,
  outcome,
});
const cancel = (requestId = 'c', code = {}): Command => ({
  kind: 'cancel',
  requestId,
  by: 'alice',
  reason: '',
  ...code,
});
const remove = (kind: 'person' | 'retention' = 'person', newerGood = true): Command => ({
  kind: 'delete',
  by: { kind, name: kind },
  reason: '',
  requestId: 'd',
  newerGood,
  trashMs: 0,
});

/** A rebuild found it in another storage than it was made with. */
const REMEMBER = { kind: 'remember', storage: { id: 's1', local: { path: '/elsewhere' }, maxConcurrent: 0 } } as const;

const claimed = after(queued, claim());
const started = after(claimed, renew(1, 'w1', { starting }));
const unlocked = after(claimed, renew(1, 'w1', { starting: { ...starting, hasLock: false } }));
const canceling = after(started, cancel());
const succeeded = after(started, complete({ kind: 'succeeded', result }));
const failed = after(started, complete({ kind: 'failed', reason }));
const deleting = after(succeeded, remove());
const dead = at(36); // the lease ended 6 s ago

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

it('tells with a removal that fails that the storage is registered elsewhere today', () => {
  const removing = after(deleting, claim('w2'), at(60));
  const told = (outcome: Outcome) =>
    after(removing, { ...complete(outcome, 2, 'w2'), elsewhere: 'It is elsewhere.' } as Command, at(61)).deletion.error;
  const detailed = { code: 'X', message: 'It failed.', detail: 'EACCES' };
  expect(told({ kind: 'removeFailed', reason: detailed })).toBe('It failed. It is elsewhere.\nEACCES');
  const handBack = { instance: 'i1', passing: true, storage: true };
  expect(told({ kind: 'wait', waitMs: 0, reason, handBack })).toBe('x It is elsewhere.');
  const gone = told({ kind: 'removed', paths: ['root/c1/p'], bytes: 0, empty: ['root/c1/p'] });
  expect(gone).toMatch(/^Nothing of this good backup was found.* It is elsewhere\.$/);
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

describe('a removal', () => {
  const removing = after(deleting, claim('w2'), at(60));
  const removed = (paths = ['root/c1/p']) => complete({ kind: 'removed', paths, bytes: 9 }, 2, 'w2');

  it('that is done leaves a tombstone', () => {
    expect(after(removing, removed(), at(61))).toMatchObject({
      deletion: { state: 'Deleted', bytes: 9, by: { name: 'person' } },
      deleteTime: at(61),
      task: null,
      leftovers: [],
    });
  });
  it('that fails stays visible and is tried again, later each time, up to an hour', () => {
    const command = complete({ kind: 'removeFailed', reason: { code: 'F', message: 'read-only' } }, 2, 'w2');
    const once = after(removing, command, at(61));
    expect(once).toMatchObject({
      deletion: { state: 'DeleteFailed', error: 'read-only' },
      task: { tries: 1, notBefore: at(121) },
    });
    const often = after({ ...removing, task: { ...(removing.task as Task), tries: 20 } }, command, at(61));
    expect(often.task?.notBefore).toEqual(at(61 + 3_600));
  });
  it('says which files stayed and why, and what is to be known of those that went', () => {
    const reason = { code: 'F', message: '2 files could not be removed.', detail: 'a: AccessDenied' };
    const failed = after(removing, complete({ kind: 'removeFailed', reason }, 2, 'w2'), at(61));
    expect(failed.deletion.error).toBe('2 files could not be removed.\na: AccessDenied');
    const remark = 'The bucket keeps old versions.';
    const done = after(
      removing,
      complete({ kind: 'removed', paths: ['root/c1/p'], bytes: 0, remark }, 2, 'w2'),
      at(61),
    );
    expect(done.deletion).toMatchObject({ state: 'Deleted', bytes: 0, remark });
  });
  it('of a path without a lock lists it twice, ten minutes apart (T11)', () => {
    const lost = after(unlocked, { kind: 'reap' }, dead);
    const canceled = after(lost, cancel(), dead);
    const holder = after(canceled, claim('w2'), at(700));
    const once = after(holder, complete({ kind: 'removed', paths: ['root/c1/p'], bytes: 0 }, 2, 'w2'), at(700));
    expect(once.leftovers).toEqual([{ path: 'root/c1/p', after: at(1_300), listedOnce: true }]);
    const again = after(once, claim('w3'), at(1_300));
    expect(
      after(again, complete({ kind: 'removed', paths: ['root/c1/p'], bytes: 0 }, 3, 'w3'), at(1_300)),
    ).toMatchObject({ leftovers: [], task: null });
  });
  it('that is told of twice is LOST the second time, also when nothing is left to remove (T5)', () => {
    const done = after(removing, removed(), at(61));
    expect(answer(done, removed(), at(61))).toEqual({ kind: 'lost' });
    untouched(done, removed(), at(61));
  });
  it('is not granted under the token of an attempt, which comes late (T3)', () => {
    const canceled = after(after(started, { kind: 'reap' }, dead), cancel(), dead);
    expect(answer(canceled, claim('w1'), at(700))).toEqual({ kind: 'lost' });
    untouched(canceled, claim('w1'), at(700));
  });
  it('keeps a path that a stray made busy again meanwhile', () => {
    const stray = after(removing, { kind: 'stray', claim: 'w0', fence: 0, path: 'root/c1/p' }, at(61));
    expect(after(stray, removed(), at(62)).leftovers).toMatchObject([{ path: 'root/c1/p', after: at(121) }]);
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

describe('delete by retention', () => {
  const byRetention = remove('retention');
  it('takes a good backup of the schedule while a newer one is there, and never the newest', () => {
    expect(after(succeeded, byRetention).deletion).toMatchObject({ state: 'Requested', by: { kind: 'retention' } });
    expect(answer(succeeded, remove('retention', false))).toEqual({ kind: 'refused', why: 'newest' });
    untouched(succeeded, remove('retention', false));
    expect(after(succeeded, remove('person', false)).deletion.state).toBe('Requested');
  });
  it('has no say in what people started, what failed, and what is held', () => {
    for (const backup of [failed, { ...succeeded, origin: 'request' as const }])
      expect(answer(backup, byRetention)).toEqual({ kind: 'refused', why: 'notScheduled' });
    expect(answer(after(succeeded, { kind: 'pin', id: 'pin:1' }), byRetention)).toEqual({
      kind: 'refused',
      why: 'held',
    });
  });
  it('that is repeated is answered as the first time, whatever is there by then', () => {
    const wanted = after(succeeded, byRetention);
    expect(answer(wanted, remove('retention', false))).toEqual({ kind: 'ok' });
    untouched(wanted, remove('retention', false));
  });
});

describe('delete', () => {
  it('is refused while the backup is active or held', () => {
    expect(answer(started, remove())).toEqual({ kind: 'refused', why: 'active' });
    expect(answer(after(succeeded, { kind: 'hold', id: 'pin' }), remove())).toEqual({ kind: 'refused', why: 'held' });
  });
  it('waits a minute after the end of a backup that was only found good, and rings at once', () => {
    expect(deleting).toMatchObject({ deletion: { state: 'Requested' }, leftovers: [{ after: at(60) }] });
    // A little before, for copies whose clocks differ.
    expect(after(succeeded, remove(), at(600)).leftovers).toEqual([
      { path: 'root/c1/p', after: at(598), untouched: true },
    ]);
    expect(decide(succeeded, remove(), NOW, LIMITS).ring).toBe(true);
  });
  describe('of a backup whose br was seen to exit with 0', () => {
    const seen: Outcome = { kind: 'succeeded', result, exitSeen: true };
    const removedFrom = (backup: Backup, now: Date) => after(backup, remove(), now).task?.notBefore;
    /** After a first attempt that ended so at second 10, a second one in the same path, which exited with 0. */
    const secondOf = (first: Command, from: Date) => {
      const again = after(after(after(started, first, at(10)), claim('w2'), from), renew(2, 'w2', { starting }), from);
      return after(again, complete(seen, 2, 'w2'), from);
    };
    it('removes the files at once', () => {
      expect(removedFrom(after(started, complete(seen), at(5)), at(10))).toEqual(at(8));
      expect(decide(after(started, complete(seen)), remove(), at(10), LIMITS).ring).toBe(true);
    });
    it('waits for the minute of an attempt that ended otherwise in the same path', () => {
      const good = secondOf({ kind: 'release', claim: 'w1', fence: 1 }, at(12));
      expect(removedFrom(good, at(20))).toEqual(at(70));
      expect(removedFrom(good, at(100))).toEqual(at(98));
    });
    it('waits as ever where an attempt of the same path was lost', () => {
      const lost = after(
        after(after(started, { kind: 'reap' }, dead), claim('w2'), at(40)),
        renew(2, 'w2', { starting }),
      );
      const good = after(lost, complete(seen, 2, 'w2'), at(50));
      expect(good.path).toBe(started.path);
      expect(removedFrom(good, at(55))).toEqual(at(110));
    });
    it('does not wait for what was lost in a path that was left', () => {
      const moved = after(after(unlocked, { kind: 'reap' }, dead), claim('w2'), at(40));
      const good = after(after(moved, renew(2, 'w2', { starting }), at(41)), complete(seen, 2, 'w2'), at(50));
      expect(good.path).not.toBe(started.path);
      expect(after(good, remove(), at(55)).leftovers).toMatchObject([{}, { path: good.path, after: at(53) }]);
    });
  });
  it('of a person overrides the wish of retention and renews a failed one; retention does not', () => {
    const wanted = after(succeeded, remove('retention'));
    expect(after(wanted, remove()).deletion.by).toEqual({ kind: 'person', name: 'person' });
    const stuck = { ...deleting, deletion: { ...deleting.deletion, state: 'DeleteFailed' as const } };
    untouched(stuck, remove('retention'));
    expect(after(stuck, remove()).deletion.state).toBe('Requested');
    untouched(deleting, remove());
  });
  it('while a removal is under way stays requested for the next claim', () => {
    const removing = after(failed, claim('w2'), at(60));
    const wanted = after(removing, remove(), at(61));
    expect(wanted).toMatchObject({ deletion: { state: 'Requested' }, task: { claim: 'w2' } });
  });
});

describe('a removal that finds nothing', () => {
  const removing = after(deleting, claim('w2'), at(60));
  const removed = (paths: readonly string[], empty: readonly string[]) =>
    complete({ kind: 'removed', paths, bytes: 0, empty }, 2, 'w2');
  const announced = after(removing, renew(2, 'w2', { removing: ['root/c1/p'] }), at(60));

  it('of a good backup, although nobody ever began to remove it, is a deletion that failed and is tried again', () => {
    expect(after(removing, removed(['root/c1/p'], ['root/c1/p']), at(61))).toMatchObject({
      deletion: { state: 'DeleteFailed', errorCode: 'FILES_GONE', error: expect.stringContaining('mounted') },
      task: { kind: 'remove', tries: 1, notBefore: at(121) },
      leftovers: [{ path: 'root/c1/p' }],
      deleteTime: null,
    });
  });
  it('of what somebody announced to remove is done, also for the next worker', () => {
    expect(after(announced, removed(['root/c1/p'], ['root/c1/p']), at(61)).deletion.state).toBe('Deleted');
    const lost = after(announced, { kind: 'reap' }, at(200));
    const again = after(lost, claim('w3'), at(201));
    const done = complete({ kind: 'removed', paths: ['root/c1/p'], bytes: 0, empty: ['root/c1/p'] }, 3, 'w3');
    expect(after(again, done, at(202)).deletion.state).toBe('Deleted');
  });
  it('of a backup that was never good, or as told by an older worker, is done', () => {
    const wanted = after(after(failed, remove()), claim('w2'), at(60));
    expect(after(wanted, removed(['root/c1/p'], ['root/c1/p']), at(61)).deletion.state).toBe('Deleted');
    expect(after(removing, removed(['root/c1/p'], []), at(61)).deletion.state).toBe('Deleted');
  });
  it('in one path leaves what was removed from others removed', () => {
    const both = {
      ...removing,
      leftovers: [...removing.leftovers, { path: 'root/c1/p-r1', after: NOW }],
    };
    expect(after(both, removed(['root/c1/p-r1', 'root/c1/p'], ['root/c1/p']), at(61))).toMatchObject({
      deletion: { state: 'DeleteFailed', errorCode: 'FILES_GONE' },
      leftovers: [{ path: 'root/c1/p' }],
    });
  });
  describe('where the storage was moved to', () => {
    const nothing = (backup: Backup, movedAt: Date, now = at(61)) =>
      after(
        backup,
        {
          ...complete({ kind: 'removed', paths: ['root/c1/p'], bytes: 0, empty: ['root/c1/p'] }, 2, 'w2'),
          moved: { at: movedAt, from: '/s' },
        } as Command,
        now,
      );
    const gone = { state: 'DeleteFailed', errorCode: 'FILES_GONE', error: expect.stringContaining('may remain in /s') };

    it('fails, although it was announced at the place before', () => {
      expect(nothing(announced, at(60))).toMatchObject({ deletion: gone, leftovers: [{ path: 'root/c1/p' }] });
      expect(nothing(announced, at(59)).deletion.state, 'announced after the move').toBe('Deleted');
    });
    it('fails of a backup that was never good, too, unless br only ran there, or never', () => {
      const wanted = after(after(failed, remove()), claim('w2'), at(60));
      expect(nothing(wanted, at(1)).deletion).toMatchObject(gone);
      expect(nothing(wanted, at(-1)).deletion.state).toBe('Deleted');
      const unwritten = { ...wanted, attempts: wanted.attempts.map(({ argv: _, ...attempt }) => attempt) };
      expect(nothing(unwritten, at(1)).deletion.state).toBe('Deleted');
    });
    it('fails of a record that was rebuilt, of which no attempt is known', () => {
      const state = 'Succeeded' as const;
      const rebuilt = { ...announced, state, attempts: [] };
      expect(nothing(rebuilt, at(60)).deletion).toMatchObject(gone);
    });
    it('is not done while another path of it is missing, so that it can be forgotten', () => {
      const attempts = announced.attempts.flatMap((attempt) => [attempt, { ...attempt, path: 'root/c1/p-r1' }]);
      const leftovers = [...announced.leftovers, { path: 'root/c1/p-r1', after: NOW }];
      const both = { ...announced, attempts, leftovers };
      const paths = ['root/c1/p', 'root/c1/p-r1'];
      const outcome: Outcome = { kind: 'removed', paths, bytes: 7, empty: ['root/c1/p-r1'] };
      const ended = { ...complete(outcome, 2, 'w2'), moved: { at: at(59), from: '/s' } } as Command;
      expect(after(both, ended, at(61))).toMatchObject({ deletion: gone, leftovers: [{ path: 'root/c1/p-r1' }] });
    });
    it('is not announced any more once a stray may have written to the path', () => {
      const stray: Command = { kind: 'stray', claim: 'w1', fence: 1, path: 'root/c1/p' };
      expect(after(announced, stray, at(60)).leftovers[0]).not.toHaveProperty('announcedAt');
    });
  });
  it('cannot be announced by a worker that lost the task', () => {
    expect(answer(removing, renew(1, 'w1', { removing: ['root/c1/p'] }), at(61))).toEqual({ kind: 'lost' });
  });
});

describe('forget', () => {
  const forget = (gone = false): Command => ({
    kind: 'forget',
    by: { kind: 'person', name: 'root' },
    reason: 'the disk burned',
    requestId: 'f',
    gone,
  });
  const failing = after(
    after(deleting, claim('w2'), at(60)),
    complete({ kind: 'removeFailed', reason }, 2, 'w2'),
    at(61),
  );

  it('gives the files up of a backup whose removal failed, and says who, when and that files may remain', () => {
    const forgotten = after(failing, forget(), at(70));
    expect(forgotten).toMatchObject({
      state: 'Succeeded',
      deletion: { state: 'Forgotten', by: { name: 'root' }, reason: 'the disk burned', at: at(70), requestId: 'f' },
      deleteTime: at(70),
      task: null,
      leftovers: [],
      basePath: 'root/c1/p',
    });
    expect(forgotten.deletion.remark).toContain('may remain in root/c1/p');
    for (const command of [forget(), forget(true), remove(), { kind: 'reap' }, { kind: 'ring' }] as const)
      untouched(forgotten, command, at(99_999));
  });
  it('is refused where nothing failed, unless the storage was declared gone; and always for active and held ones', () => {
    for (const backup of [succeeded, deleting, failed, after(deleting, claim('w2'), at(60))]) {
      expect(answer(backup, forget())).toEqual({ kind: 'refused', why: 'notFailed' });
      expect(after(backup, forget(true)).deletion.state).toBe('Forgotten');
    }
    for (const backup of [queued, started, canceling])
      expect(answer(backup, forget(true))).toEqual({ kind: 'refused', why: 'active' });
    expect(answer(after(succeeded, { kind: 'pin', id: 'pin:1' }), forget(true))).toEqual({
      kind: 'refused',
      why: 'held',
    });
  });
  it('takes the task from a worker that is at it, and is not undone by what a lost one tells', () => {
    const forgotten = after(after(deleting, claim('w2'), at(60)), forget(true), at(61));
    expect(answer(forgotten, renew(2, 'w2', { removing: ['root/c1/p'] }), at(62))).toEqual({ kind: 'lost' });
    expect(answer(forgotten, complete({ kind: 'removed', paths: [], bytes: 0 }, 2, 'w2'))).toEqual({ kind: 'lost' });
    untouched(forgotten, { kind: 'stray', claim: 'w1', fence: 1, path: 'root/c1/p' }, at(62));
  });
  it('is taken back where a rebuild finds the backup, unless somebody may have begun to remove it', () => {
    const back = after(after(failing, forget(), at(70)), REMEMBER, at(80));
    expect(back).toMatchObject({ deletion: { state: 'None' }, deleteTime: null, result: { tso: '5' }, task: null });
    expect(back.storage, 'where it was found').toEqual(REMEMBER.storage);
    untouched(back, REMEMBER);
    const begun = after(after(deleting, claim('w2'), at(60)), renew(2, 'w2', { removing: ['root/c1/p'] }), at(61));
    expect(answer(after(begun, forget(true)), REMEMBER)).toEqual({ kind: 'refused', why: 'notForgotten' });
    expect(answer(after(failed, forget(true)), REMEMBER)).toEqual({ kind: 'refused', why: 'notForgotten' });
    expect(answer(deleting, REMEMBER)).toEqual({ kind: 'refused', why: 'notForgotten' });
  });
  it('is taken back with the paths that earlier attempts left, whose files are removed after all', () => {
    const moved = after(started, complete({ kind: 'newPath', reason }));
    const again = after(after(moved, claim('w2'), at(300)), renew(2, 'w2', { starting }), at(301));
    const good = after(again, complete({ kind: 'succeeded', result }, 2, 'w2'), at(302));
    const back = after(after(good, forget(true), at(400)), REMEMBER, at(500));
    expect(back).toMatchObject({
      path: 'root/c1/p-r1',
      deletion: { state: 'None' },
      leftovers: [{ path: 'root/c1/p' }],
      task: { kind: 'remove' },
    });
  });
});

describe('holds', () => {
  it('keep a good backup, and only one that is not being deleted', () => {
    const held = after(succeeded, { kind: 'hold', id: 'pin' });
    expect(held.holds).toEqual(['pin']);
    untouched(held, { kind: 'hold', id: 'pin' });
    expect(after(held, { kind: 'unhold', id: 'pin' }).holds).toEqual([]);
    expect(answer(deleting, { kind: 'hold', id: 'pin' })).toEqual({ kind: 'refused', why: 'notGood' });
    expect(answer(failed, { kind: 'hold', id: 'pin' })).toEqual({ kind: 'refused', why: 'notGood' });
  });
  it('that are pins are taken off together, and leave those of readers', () => {
    const pinned = after(after(succeeded, { kind: 'hold', id: 'restore-1' }), { kind: 'pin', id: 'pin:1' });
    expect(pinned.holds).toEqual(['restore-1', 'pin:1']);
    untouched(pinned, { kind: 'pin', id: 'pin:2' });
    const unpinned = after({ ...pinned, holds: [...pinned.holds, 'pin:2'] }, { kind: 'unpin' });
    expect(unpinned.holds).toEqual(['restore-1']);
    untouched(unpinned, { kind: 'unpin' });
    untouched(failed, { kind: 'unpin' });
    expect(answer(failed, { kind: 'pin', id: 'pin:1' })).toEqual({ kind: 'refused', why: 'notGood' });
    expect(answer(deleting, { kind: 'pin', id: 'pin:1' })).toEqual({ kind: 'refused', why: 'notGood' });
  });
});
