import { describe, expect, it } from 'vitest';
import type { Backup, Task } from '../backup.ts';
import {
  after,
  answer,
  at,
  cancel,
  canceling,
  claim,
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
  started,
  starting,
  succeeded,
  unlocked,
  untouched,
} from '../testing/sample-backup.ts';
import type { Command, Outcome } from './command.ts';
import { decide } from './decide.ts';

/** A rebuild found it in another storage than it was made with. */
const REMEMBER = { kind: 'remember', storage: { id: 's1', local: { path: '/elsewhere' }, maxConcurrent: 0 } } as const;

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
  it('is not granted before a path is quiet that a stray made busy again, and rings then', () => {
    const released = after(removing, { kind: 'release', claim: 'w2', fence: 2 }, at(61));
    const stray = after(released, { kind: 'stray', claim: 'w0', fence: 0, path: 'root/c1/p' }, at(61));
    expect(answer(stray, claim('w3'), at(62))).toEqual({ kind: 'lost' });
    expect(after(stray, claim('w3'), at(62)).task).toMatchObject({ ringAt: at(121), notBefore: at(121) });
    expect(answer(after(stray, claim('w3'), at(62)), claim('w4'), at(121))).toMatchObject({ paths: ['root/c1/p'] });
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
  it('never takes one that a log is replayed from, and takes its wish back where it becomes one', () => {
    const base = remove('retention', true, { isBase: true });
    expect(answer(succeeded, base)).toEqual({ kind: 'refused', why: 'base' });
    untouched(succeeded, base);
    expect(after(succeeded, remove('person', true, { isBase: true })).deletion.state).toBe('Requested');
    const wanted = after(succeeded, byRetention);
    expect(answer(wanted, claim('w2', { isBase: true }), at(60))).toEqual({ kind: 'lost' });
    expect(after(wanted, claim('w2', { isBase: true }), at(60))).toMatchObject({
      deletion: { state: 'None' },
      leftovers: [],
    });
    expect(answer(after(succeeded, remove('person')), claim('w2', { isBase: true }), at(60)).kind).toBe('removeGrant');
  });
  it('is left to a person only if that person knows which points are lost', () => {
    const spans = [{ from: 1n, to: 2n, generation: 1, growing: false }];
    const unacknowledged = { spans, lastGood: false };
    const wish = remove('person', true, { unacknowledged });
    const refused = { kind: 'refused', why: 'losesPoints', loss: unacknowledged };
    // That of retention would be taken back as long as no worker has it; that of a person is not.
    for (const backup of [succeeded, after(succeeded, byRetention)]) {
      expect(answer(backup, wish)).toEqual(refused);
      untouched(backup, wish);
    }
    const given = { kind: 'forget', by: { kind: 'person', name: 'a' }, reason: '', requestId: 'r' } as const;
    expect(answer(succeeded, { ...given, gone: true, unacknowledged })).toEqual(refused);
    expect(after(succeeded, { ...given, gone: true }).deletion.state).toBe('Forgotten');
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
