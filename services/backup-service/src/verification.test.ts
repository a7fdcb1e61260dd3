import { plus } from '@tidemark/task/time';
import { describe, expect, it } from 'vitest';
import type { Backup } from './backup.ts';
import {
  counting,
  isEnded,
  toRecord,
  type Verdict,
  type Verification,
  type VerificationStanding,
} from './verification.ts';
import {
  decideVerification,
  newVerification,
  type ReportedOutcome,
  type VerificationCommand,
} from './verification-transitions.ts';

const SECOND = 1_000;
const HOUR = 3_600;
const LIMITS = { leaseMs: 30 * SECOND, reapMarginMs: 5 * SECOND, ringMs: 60 * SECOND, handBackMs: 5 * SECOND };
const NOW = new Date('2026-01-01T00:00:00Z');
const at = (seconds: number) => plus(NOW, seconds * SECOND);

const backup = { _id: 'b1', clusterId: 'c1', storage: { id: 's1' }, target: { pool: 'default' } } as Backup;
const wish = {
  backup,
  storageDigest: 'd1',
  level: 'bytes',
  sample: 1,
  rateLimit: 0,
  createdBy: 'alice',
  requestId: 'r1',
} as const;
const standing = (next: number): VerificationStanding => ({
  next,
  files: next,
  bytes: next,
  problems: [],
  problemCount: 0,
});
const problem = { kind: 'content', name: 'a.sst', why: 'a.sst is damaged' };

const claim = (token: string, { pool = 'default', slotKey = 'storage:s1:1' } = {}) =>
  ({ kind: 'claim', claim: token, worker: `of ${token}`, pool, ...(slotKey && { slotKey }) }) as const;
const renew = (token: string, fence: number, next?: number): VerificationCommand => ({
  kind: 'renew',
  claim: token,
  fence,
  ...(next !== undefined && { standing: standing(next) }),
});
const complete = (
  token: string,
  fence: number,
  outcome: Extract<VerificationCommand, { kind: 'complete' }>['outcome'],
): VerificationCommand => ({ kind: 'complete', claim: token, fence, outcome });
const found = (state: 'Good' | 'Damaged' | 'Unknown') =>
  ({ kind: 'verified', state, sentence: `It is ${state}.`, problems: [problem], problemCount: 7 }) as const;
const failed = (next?: number) =>
  ({ kind: 'failed', why: 'The storage is away.', ...(next !== undefined && { standing: standing(next) }) }) as const;

const decide = (one: Verification, command: VerificationCommand, now: Date) =>
  decideVerification(one, command, now, LIMITS);
const after = (one: Verification, command: VerificationCommand, now: Date): Verification => {
  const { next } = decide(one, command, now);
  if (!next) throw new Error(`${command.kind} changed nothing`);
  return next;
};

const asked = newVerification(wish, NOW);
const queued = after(asked, { kind: 'held', run: 1 }, at(0));
const running = after(queued, claim('t1'), at(1)); // its lease ends at 31 s
const canceling = after(running, { kind: 'cancel' }, at(2));
const good = after(running, complete('t1', 1, found('Good')), at(5));
const over = after(good, { kind: 'recorded', run: 1 }, at(6));

describe('a verification of a backup', () => {
  it.each<[string, Verification, VerificationCommand, number, string, Partial<Verification> | undefined]>([
    ['is given to no worker before its backup is held (Y2)', asked, claim('t1'), 1, 'lost', undefined],
    ['has the workers told once it is', queued, { kind: 'ring' }, 0, 'ok', { state: 'Queued' }],
    ['is held for its own run alone (Y3)', asked, { kind: 'held', run: 2 }, 0, 'ok', undefined],
    [
      'is Unknown where its backup goes',
      asked,
      { kind: 'notHeld', run: 1 },
      0,
      'ok',
      { state: 'Unknown', held: false },
    ],
    ['is not given up for a slow copy that cannot hold it', queued, { kind: 'notHeld', run: 1 }, 0, 'ok', undefined],
    [
      'is granted to who asks first',
      queued,
      claim('t1'),
      1,
      'held',
      { state: 'Running', fence: 1, worker: 'of t1', slotKey: 'storage:s1:1' },
    ],
    ['is granted again to the same token', running, claim('t1'), 5, 'held', { fence: 1 }],
    ['is not granted to a second token', running, claim('t2'), 5, 'lost', undefined],
    ['is not granted to another pool', queued, claim('t1', { pool: 'far' }), 1, 'lost', undefined],
    ['waits for a free slot', queued, claim('t1', { slotKey: '' }), 1, 'lost', undefined],
    ['is not granted when it is over', good, claim('t2'), 9, 'lost', undefined],
    ['takes down how far its worker got', running, renew('t1', 1, 5), 5, 'held', { standing: standing(5) }],
    ['takes nothing from a stranger', running, renew('t2', 1, 5), 5, 'lost', undefined],
    ['takes nothing under an old fence', { ...running, fence: 2 }, renew('t1', 1, 5), 5, 'lost', undefined],
    [
      'ends with what was found',
      running,
      complete('t1', 1, found('Damaged')),
      5,
      'held',
      { state: 'Damaged', problems: [problem], problemCount: 7, slotKey: 'backup:b1' },
    ],
    ['answers a repeated end as the first time', good, complete('t1', 1, found('Good')), 9, 'held', undefined],
    ['is not ended by a stranger', running, complete('t2', 1, found('Good')), 5, 'lost', undefined],
    [
      'waits where its storage is away, and says so',
      running,
      complete('t1', 1, failed()),
      5,
      'held',
      { state: 'Queued', failures: 1, waitsFor: 'The storage is away.', counts: null },
    ],
    [
      'waits for another worker where its own gives it back, which is no loss',
      running,
      { kind: 'release', claim: 't1', fence: 1, standing: standing(4) },
      5,
      'held',
      { state: 'Queued', losses: 0, standing: standing(4), slotKey: 'backup:b1' },
    ],
    [
      'is given back by who never heard of its grant',
      running,
      { kind: 'release', claim: 't1' },
      5,
      'held',
      { state: 'Queued' },
    ],
    ['is left to a worker whose lease has just ended', running, { kind: 'reap' }, 36, 'ok', undefined],
    ['goes back when its worker is dead', running, { kind: 'reap' }, 37, 'ok', { state: 'Queued', losses: 1 }],
    ['waits a day for a worker', queued, { kind: 'reap' }, 24 * HOUR, 'ok', undefined],
    [
      'is Unknown when no worker took it for a day',
      queued,
      { kind: 'reap' },
      24 * HOUR + 1,
      'ok',
      { state: 'Unknown' },
    ],
    ['is canceled at once while it waits', queued, { kind: 'cancel' }, 3, 'ok', { state: 'Canceled' }],
    [
      'is canceled where its worker stops',
      canceling,
      complete('t1', 1, { kind: 'stopped' }),
      5,
      'held',
      { state: 'Canceled' },
    ],
    ['is canceled where its worker is dead', canceling, { kind: 'reap' }, 37, 'ok', { state: 'Canceled', losses: 0 }],
    ['is canceled where its storage is away', canceling, complete('t1', 1, failed()), 5, 'held', { state: 'Canceled' }],
    [
      'keeps what was found before the cancel was heard of (Y8)',
      canceling,
      complete('t1', 1, found('Damaged')),
      5,
      'held',
      { state: 'Damaged' },
    ],
    ['can be canceled twice', canceling, { kind: 'cancel' }, 3, 'ok', undefined],
    ['cannot be canceled when it is over', good, { kind: 'cancel' }, 9, 'over', undefined],
    ['is the answer to who asks while it is under way', running, { kind: 'ask', wish }, 9, 'ok', undefined],
    ['is the answer until its outcome is taken down', good, { kind: 'ask', wish }, 9, 'ok', undefined],
    [
      'makes way for the next one then, which is held anew',
      over,
      { kind: 'ask', wish },
      9,
      'ok',
      { run: 2, state: 'Queued', held: false, fence: 1, createTime: at(9), endTime: null },
    ],
  ])('%s', (_sentence, verification, command, seconds, answer, changes) => {
    const decision = decide(verification, command, at(seconds));
    expect(decision.answer).toBe(answer);
    if (changes) expect(decision.next).toMatchObject(changes);
    else expect(decision.next).toBeUndefined();
  });

  it('announces itself once each time that it waits', () => {
    const rung = decide(queued, { kind: 'ring' }, at(0));
    expect(rung.announce).toBe(true);
    expect(decide(rung.next ?? queued, { kind: 'ring' }, at(60)).announce).toBeUndefined();
    const again = after(running, { kind: 'release', claim: 't1', fence: 1 }, at(5));
    expect(decide(again, { kind: 'ring' }, at(5)).announce).toBe(true);
    expect(decide(asked, { kind: 'ring' }, at(0)).announce).toBeUndefined();
    // Looked at before it was held, as always.
    const looked = after(after(asked, { kind: 'ring' }, at(0)), { kind: 'held', run: 1 }, at(1));
    expect(decide(looked, { kind: 'ring' }, at(1)).announce).toBe(true);
  });

  it('has a task until its outcome is on the record (Y1)', () => {
    for (const one of [asked, queued, running, canceling, good]) expect(one.task).not.toBeNull();
    expect(over).toMatchObject({ task: null, state: 'Good' });
    expect(decide(over, { kind: 'recorded', run: 1 }, at(9)).next).toBeUndefined();
    expect(decide(running, { kind: 'recorded', run: 1 }, at(9)).next).toBeUndefined();
    expect(decide(good, { kind: 'recorded', run: 2 }, at(9)).next).toBeUndefined();
  });

  it('is numbered above every run that the record knows (Y3)', () => {
    const known = { ...backup, verification: { run: 8, active: false } };
    expect(newVerification({ ...wish, backup: known }, NOW).run).toBe(9);
    expect(after(over, { kind: 'ask', wish: { ...wish, backup: known } }, at(9)).run).toBe(9);
  });

  it('goes on from the furthest standing, whoever had it (Y4)', () => {
    const far = after(running, renew('t1', 1, 9), at(5));
    expect(after(far, renew('t1', 1, 3), at(6)).standing).toEqual(standing(9));
    const lost = after(far, { kind: 'reap' }, at(60));
    expect(after(lost, claim('t2'), at(61))).toMatchObject({ state: 'Running', fence: 2, standing: standing(9) });
  });

  it('is given up after losses in a row, unless it got further between them (Y5)', () => {
    const lose = (one: Verification, run: number) =>
      after(after(one, claim(`t${run}`), at(run * 100)), { kind: 'reap' }, at(run * 100 + 40));
    const thrice = [1, 2, 3].reduce(lose, queued);
    expect(thrice).toMatchObject({ state: 'Queued', losses: 3 });
    expect(lose(thrice, 4)).toMatchObject({
      state: 'Unknown',
      losses: 4,
      sentence: expect.stringMatching(/lost 4 times, the last time of t4/),
    });
    const further = after(after(thrice, claim('t4'), at(400)), renew('t4', 4, 1), at(405));
    expect(after(further, { kind: 'reap' }, at(450))).toMatchObject({ state: 'Queued', losses: 1 });
  });

  it('is Unknown and never Damaged where its storage stays away (Y5, Y6)', () => {
    let one = queued;
    let seconds = 0;
    for (let tries = 1; one.state === 'Queued'; tries += 1) {
      seconds += 1_300;
      expect(tries).toBeLessThan(100);
      one = after(after(one, claim(`t${tries}`), at(seconds)), complete(`t${tries}`, tries, failed()), at(seconds));
    }
    expect(one).toMatchObject({
      state: 'Unknown',
      counts: null,
      sentence: 'The backup could not be verified: The storage is away.',
    });
    expect(seconds).toBeGreaterThan(HOUR);
  });

  it('pauses longer after each failure, and begins anew once it got further', () => {
    const first = after(running, complete('t1', 1, failed(2)), at(5));
    expect(first.task?.notBefore).toEqual(at(10));
    expect(decide(first, claim('t2'), at(9)).answer).toBe('lost');
    const second = after(after(first, claim('t2'), at(10)), complete('t2', 2, failed(2)), at(10));
    expect(second).toMatchObject({ failures: 2, task: { notBefore: at(20) } });
    const third = after(after(second, claim('t3'), at(20)), complete('t3', 3, failed(3)), at(20));
    expect(third).toMatchObject({ failures: 1, task: { notBefore: at(25) } });
  });

  it('shows what its worker had found where it is canceled', () => {
    const partly = after(
      running,
      {
        kind: 'renew',
        claim: 't1',
        fence: 1,
        standing: { ...standing(3), problems: [{ ...problem, found: 'ab' }], problemCount: 1 },
      },
      at(3),
    );
    const stopped = after(after(partly, { kind: 'cancel' }, at(4)), complete('t1', 1, { kind: 'stopped' }), at(5));
    expect(stopped).toMatchObject({ state: 'Canceled', problems: [problem], problemCount: 1, standing: null });
    expect(isEnded(stopped)).toBe(true);
  });

  it('brings its outcome and the verdict that counts to the record, without the list of problems', () => {
    const harmed = after(running, complete('t1', 1, found('Damaged')), at(5));
    const outcome = {
      state: 'Damaged',
      level: 'bytes',
      sample: 1,
      sentence: 'It is Damaged.',
      problemCount: 7,
      at: at(5),
    };
    expect(toRecord(harmed)).toEqual({ run: 1, last: outcome, counts: outcome });
    expect(toRecord(after(queued, { kind: 'cancel' }, at(3)))).not.toHaveProperty('counts');
  });
});

describe('the verdict that counts (Y7)', () => {
  const verdict = (state: Verdict['state'], level: Verdict['level'], sample = 1): Verdict => ({
    state,
    level,
    sample,
    sentence: '',
    problems: [],
    problemCount: 0,
    at: NOW,
  });
  it.each<[string, Verdict | null, Verdict, 'found' | 'before']>([
    ['is the first', null, verdict('Good', 'meta'), 'found'],
    ['is the newer of two good ones', verdict('Good', 'bytes'), verdict('Good', 'meta'), 'found'],
    ['is damage, found by however small a look', verdict('Good', 'bytes'), verdict('Damaged', 'meta'), 'found'],
    ['stays damage where less was looked at', verdict('Damaged', 'bytes'), verdict('Good', 'meta'), 'before'],
    [
      'stays damage where a smaller part was read',
      verdict('Damaged', 'bytes', 0.5),
      verdict('Good', 'bytes', 0.1),
      'before',
    ],
    ['is good again where as much was read', verdict('Damaged', 'bytes', 0.5), verdict('Good', 'bytes', 0.5), 'found'],
    ['is good again where more was looked at', verdict('Damaged', 'meta'), verdict('Good', 'bytes', 0.1), 'found'],
  ])('%s', (_sentence, before, found, which) => {
    expect(counting(before, found)).toBe(which === 'found' ? found : before);
  });

  it('outlives a verification that says nothing', () => {
    const harmed = after(running, complete('t1', 1, found('Damaged')), at(5));
    const again = after(after(harmed, { kind: 'recorded', run: 1 }, at(6)), { kind: 'ask', wish }, at(7));
    const gone = after(again, { kind: 'notHeld', run: 2 }, at(8));
    expect(toRecord(gone)).toMatchObject({ run: 2, last: { state: 'Unknown' }, counts: { state: 'Damaged' } });
  });

  const signed = { state: 'good', keyId: 'a'.repeat(64) } as const;
  const unproven = (kind: string, state: 'none' | 'unknownKey') =>
    ({
      ...found('Unknown'),
      problems: [{ kind, name: 'tidemark.json', why: 'it is not signed' }],
      signature: { state },
    }) as const;
  /** Verified once more, after that was asked for. */
  const again = (one: Verification, outcome: ReportedOutcome, of: Backup = backup) => {
    const run = one.run + 1;
    const taken = after(one, { kind: 'recorded', run: one.run }, at(6));
    const next = after(taken, { kind: 'ask', wish: { ...wish, backup: of } }, at(7));
    const granted = after(after(next, { kind: 'held', run }, at(7)), claim(`t${run}`), at(8));
    return after(granted, complete(`t${run}`, granted.fence, outcome), at(9));
  };
  const once = (outcome: ReportedOutcome) => after(running, complete('t1', 1, outcome), at(5));

  it.each([
    ['unsigned', 'none'],
    ['unknownKey', 'unknownKey'],
  ] as const)('is no good one any more of a backup that was signed, and is %s now', (kind, state) => {
    const was = once({ ...found('Good'), signature: signed });
    const is = again(was, unproven(kind, state));
    expect(is).toMatchObject({
      state: 'Unknown',
      counts: {
        state: 'Unknown',
        at: at(9),
        sentence: 'The backup was signed, and is not now. It is Unknown.',
      },
    });
    // Nor is it told again from a backup that was never signed.
    expect(again(is, unproven(kind, state)).counts).toMatchObject({ state: 'Unknown' });
    expect(again(is, { ...found('Good'), signature: signed }).counts).toMatchObject({ state: 'Good' });
    expect(again(is, found('Damaged')).counts).toMatchObject({ state: 'Damaged' });
  });

  it('stays a good one where nobody knows that the backup was ever signed, or files alone could not be read', () => {
    const was = once(found('Good'));
    expect(again(was, unproven('unsigned', 'none')).counts).toMatchObject({ state: 'Good' });
    const known = { ...backup, verification: { run: 1, active: false, signed: true as const } };
    expect(again(was, unproven('unsigned', 'none'), known).counts).toMatchObject({ state: 'Unknown' });
    const made = { ...backup, result: { manifestKeyId: 'a'.repeat(64) } } as Backup;
    expect(again(was, unproven('unsigned', 'none'), made).counts).toMatchObject({ state: 'Unknown' });
    const proven = once({ ...found('Good'), signature: signed });
    const unread = { ...found('Unknown'), problems: [{ ...problem, kind: 'unreadable' }], signature: signed };
    expect(again(proven, unread).counts).toMatchObject({ state: 'Good' });
  });

  it('stays damage where a signature is missed later', () => {
    const harmed = once({ ...found('Damaged'), signature: signed });
    expect(again(harmed, unproven('unsigned', 'none')).counts).toMatchObject({ state: 'Damaged' });
  });
});
