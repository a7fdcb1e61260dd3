import { plus } from '@tidemark/task/time';
import { describe, expect, it } from 'vitest';
import type { Backup, Deletion } from '../backup.ts';
import { NEVER } from './bin.ts';
import type { Command, Decision, Limits } from './command.ts';
import { decide } from './decide.ts';
import { start } from './start.ts';

const SECOND = 1_000;
const DAY = 86_400 * SECOND;
const LIMITS: Limits = {
  handBackMs: 5 * SECOND,
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
const days = (count: number) => plus(NOW, count * DAY);

const after = (backup: Backup, command: Command, now = NOW): Backup => {
  const { next } = decide(backup, command, now, LIMITS);
  if (!next) throw new Error(`${command.kind} changed nothing`);
  return next;
};
const answer = (backup: Backup, command: Command, now = NOW): Decision['answer'] =>
  decide(backup, command, now, LIMITS).answer;
const untouched = (backup: Backup, command: Command, now = NOW) =>
  expect(decide(backup, command, now, LIMITS).next).toBeUndefined();

const claim = (token: string, newerGood = true): Command => ({
  kind: 'claim',
  claim: token,
  worker: token,
  pool: 'default',
  slotKey: 'backup:b1',
  newerGood,
});
const remove = (kind: 'person' | 'retention' = 'person', trashMs = 3 * DAY): Command => ({
  kind: 'delete',
  by: { kind, name: kind },
  reason: '',
  requestId: 'd',
  newerGood: true,
  trashMs,
});
const expire = (newerGood = true): Command => ({ kind: 'expire', newerGood });
const UNDELETE: Command = { kind: 'undelete', requestId: 'u' };
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
  deadlineMs: DAY,
});
const starting = { argv: ['br'], brVersion: 'v8.5.0', hasLock: true };
const started = after(after(queued, claim('w1')), { kind: 'renew', claim: 'w1', fence: 1, starting });
const succeeded = after(started, {
  kind: 'complete',
  claim: 'w1',
  fence: 1,
  outcome: { kind: 'succeeded', result, exitSeen: true },
});
const trashed = after(succeeded, remove());

describe('a good backup that is deleted where its storage has a bin', () => {
  it('goes into the bin with all its files, and is listed no more', () => {
    expect(trashed).toMatchObject({
      state: 'Succeeded',
      deletion: { state: 'Trashed', by: { kind: 'person' }, at: NOW, trashUntil: days(3) },
      deleteTime: NOW,
    });
    expect(decide(succeeded, remove(), NOW, LIMITS).ring).toBeUndefined();
  });

  it('stays there, however often it is deleted, and is the person’s whom retention came before', () => {
    untouched(trashed, remove(), days(1));
    untouched(trashed, remove('retention'), days(1));
    const byRetention = after(succeeded, remove('retention'));
    const { by, trashUntil } = after(byRetention, remove(), days(1)).deletion;
    expect({ by, trashUntil }).toEqual({ by: { kind: 'person', name: 'person' }, trashUntil: days(3) });
  });

  it('is removed at once where there is none, and one that failed never goes there', () => {
    expect(after(succeeded, remove('person', 0)).deletion.state).toBe('Requested');
    const reason = { code: 'X', message: 'x' };
    const failed = after(started, { kind: 'complete', claim: 'w1', fence: 1, outcome: { kind: 'failed', reason } });
    expect(after(failed, remove()).deletion.state).toBe('Requested');
  });

  it('goes past the bin, and out of it, for a person who wants it gone for good, unless it is held (Z3)', () => {
    const forGood = { ...remove(), permanently: true } as Command;
    expect(after(succeeded, forGood).deletion.state).toBe('Requested');
    const { next, ring } = decide(trashed, forGood, days(1), LIMITS);
    expect({ next, ring }).toMatchObject({
      next: { deletion: { state: 'Requested', at: days(1) }, deleteTime: null, leftovers: [{ untouched: true }] },
      ring: true,
    });
    expect(next?.deletion.trashUntil).toBeUndefined();
    if (!next) throw new Error('nothing was decided');
    untouched(next, forGood, days(2));
    expect(answer(next, claim('w2'), days(1))).toMatchObject({ kind: 'removeGrant', paths: [trashed.path] });
    const pinned = after(trashed, { kind: 'pin', id: 'pin:1' });
    expect(answer(pinned, forGood)).toEqual({ kind: 'refused', why: 'held' });
  });

  it('waits for nothing that a copy of an earlier version would grant, for it knows other states alone (Z2)', () => {
    const states: readonly Deletion['state'][] = ['Requested', 'Deleting', 'DeleteFailed'];
    for (const state of states) {
      const seenByIt: Backup = { ...trashed, deletion: { ...trashed.deletion, state } };
      for (const kind of ['ring', 'reap', 'retry'] as const) untouched(seenByIt, { kind }, days(30));
      expect(answer(seenByIt, claim('w2'), days(30))).toEqual({ kind: 'lost' });
      const stray = after(seenByIt, { kind: 'stray', claim: 'w1', fence: 1, path: trashed.path }, days(1));
      expect(stray.leftovers.map((leftover) => leftover.after)).toEqual([NEVER]);
      expect(answer(stray, claim('w2'), days(30))).toEqual({ kind: 'lost' });
    }
  });

  it('keeps its files while what its other attempts left is removed', () => {
    const other = { path: 'root/c1/p-r1', after: NOW };
    const both = after({ ...succeeded, leftovers: [other] }, remove());
    const granted = decide(both, claim('w2'), NOW, LIMITS);
    expect(granted.answer).toMatchObject({ paths: [other.path] });
    if (!granted.next) throw new Error('it was not granted');
    expect(granted.next.deletion.state).toBe('Trashed');
    const outcome = { kind: 'removed', paths: [other.path], bytes: 1 } as const;
    const done = after(granted.next, { kind: 'complete', claim: 'w2', fence: 2, outcome });
    expect(done).toMatchObject({ deletion: { state: 'Trashed' }, leftovers: [{ path: trashed.path, after: NEVER }] });
    expect(after(done, UNDELETE)).toMatchObject({ leftovers: [], task: null });
    // Had back in the middle of it, the worker goes on with the others.
    expect(after(granted.next, UNDELETE)).toMatchObject({ leftovers: [other], task: { claim: 'w2' } });
  });
});

describe('undelete', () => {
  it('makes it as good as before, and a repeat is fine', () => {
    const back = after(trashed, UNDELETE, days(2));
    expect(back).toMatchObject({ deletion: { state: 'None' }, deleteTime: null, leftovers: [], task: null, holds: [] });
    expect(answer(back, UNDELETE)).toEqual({ kind: 'ok' });
    untouched(back, UNDELETE);
  });

  it('pins what retention had deleted, which would delete it again', () => {
    expect(after(after(succeeded, remove('retention')), UNDELETE).holds).toEqual(['pin:u']);
    const pinned = after(after(succeeded, remove('retention')), { kind: 'pin', id: 'pin:1' });
    expect(after(pinned, UNDELETE).holds).toEqual(['pin:1']);
  });

  it('is refused once the removal was asked for', () => {
    const requested = after(trashed, expire(), days(3));
    expect(answer(requested, UNDELETE)).toEqual({ kind: 'refused', why: 'notTrashed' });
  });
});

describe('the time in the bin', () => {
  it('ends with a deletion like any other, which is rung for at once', () => {
    untouched(trashed, expire(), plus(days(3), -1));
    const { next, ring } = decide(trashed, expire(), days(3), LIMITS);
    expect(ring).toBe(true);
    expect(next).toMatchObject({
      deletion: { state: 'Requested', by: { kind: 'person' }, at: NOW },
      deleteTime: null,
      leftovers: [{ path: trashed.path, untouched: true }],
    });
    expect(next?.deletion.trashUntil).toBeUndefined();
    if (!next) throw new Error('nothing was decided');
    untouched(next, expire(), days(4));
    expect(answer(next, claim('w2'), days(3))).toMatchObject({ kind: 'removeGrant', paths: [trashed.path] });
  });

  it('is longer for what is held, whatever its storage says', () => {
    const pinned = after(trashed, { kind: 'pin', id: 'pin:1' });
    untouched(pinned, expire(), days(30));
    const unpinned = after(pinned, { kind: 'unpin' }, days(30));
    expect(after(unpinned, expire(), days(30)).deletion.state).toBe('Requested');
  });

  it('ends with a good backup where retention counted on a newer one that is gone', () => {
    const byRetention = after(succeeded, remove('retention'));
    expect(after(byRetention, expire(false), days(3))).toMatchObject({ deletion: { state: 'None' }, deleteTime: null });
    expect(after(trashed, expire(false), days(3)).deletion.state).toBe('Requested');
  });
});

describe('what lies in the bin', () => {
  it('is pinned and verified like any other, and not held for a restore', () => {
    expect(after(trashed, { kind: 'verify', run: 1 })).toMatchObject({ holds: ['verify:1'] });
    expect(after(trashed, { kind: 'pin', id: 'pin:1' }).holds).toEqual(['pin:1']);
    expect(answer(trashed, { kind: 'hold', id: 'restore:1' })).toEqual({ kind: 'refused', why: 'notGood' });
  });

  it('is forgotten where its storage is gone, and whole where a rebuild finds it', () => {
    const forget = { kind: 'forget', by: { kind: 'person', name: 'root' }, reason: '', requestId: 'f' } as const;
    expect(answer(trashed, { ...forget, gone: false })).toEqual({ kind: 'refused', why: 'notFailed' });
    const forgotten = after(trashed, { ...forget, gone: true });
    expect(forgotten).toMatchObject({ deletion: { state: 'Forgotten' }, leftovers: [], task: null });
    const found = after(forgotten, { kind: 'remember', storage: trashed.storage });
    expect(found).toMatchObject({ deletion: { state: 'None' }, deleteTime: null });
  });

  it('is not touched by what a worker tells late of a run in its path', () => {
    untouched(trashed, { kind: 'stray', claim: 'w1', fence: 1, path: trashed.path });
  });
});
