import { describe, expect, it } from 'vitest';
import type { Backup, Task } from '../backup.ts';
import type { Command, Decision, Limits, Outcome } from './command.ts';
import { decide } from './decide.ts';
import { start } from './start.ts';
import { plus } from './vocabulary.ts';

const SECOND = 1_000;
const LIMITS: Limits = {
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
});

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
    expect(after(stray, removed(), at(62)).leftovers).toEqual([{ path: 'root/c1/p', after: at(121) }]);
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
  it('waits a minute after the end of the run, and rings at once', () => {
    expect(deleting).toMatchObject({ deletion: { state: 'Requested' }, leftovers: [{ after: at(60) }] });
    expect(after(succeeded, remove(), at(600)).leftovers).toEqual([{ path: 'root/c1/p', after: at(600) }]);
    expect(decide(succeeded, remove(), NOW, LIMITS).ring).toBe(true);
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
