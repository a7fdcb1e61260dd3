import { plus } from '@tidemark/task/time';
import { expect, it } from 'vitest';
import { generationsOf } from '../../recovery/recovery-state.ts';
import type { Snapshot } from '../../recovery/state.ts';
import { snapshotAt } from '../../recovery/testing/sample-state.ts';
import { acknowledgementOf } from '../../recovery/would-lose.ts';
import { tsoAt } from '../../snapshot-time.ts';
import { alarmsOf } from '../alarms.ts';
import { type LogBackup, type LogGeneration, newLogBackup } from '../log-backup.ts';
import { toLogBackupMessage } from '../log-message.ts';
import { nextAct } from './act.ts';
import { decideLog } from './decide.ts';
import { decideTruncation, type TruncationCommand } from './truncation.ts';
import { closed } from './vocabulary.ts';

const START = new Date('2026-01-01T00:00:00Z');
const LIMITS = { ringMs: 60_000, leaseMs: 30_000, reapMarginMs: 5_000 };
const MINUTE_MS = 60_000;
const day = (count: number) => plus(START, count * 86_400_000);
const tso = (count: number) => tsoAt(day(count));
const text = (count: number) => String(tso(count));

/** A log from one day to another. */
function generation(n: number, from: number, to: number, some: Partial<LogGeneration> = {}): LogGeneration {
  return {
    ...{ n, taskName: `t${n}`, path: `nfs/c1/log-${n}`, createTime: day(from), storage: { id: 's', maxConcurrent: 0 } },
    ...{ startTs: text(from), min: text(from), max: text(to), open: false, begun: null, started: true },
    ...{ stopping: false, dead: false, baseId: null, vanished: null, endedWhy: 'stopped', endedAt: day(to), pool: 'p' },
    ...some,
  };
}

/** The logs of a cluster with a horizon of two days, on a day, with snapshots of days. */
function liveLogs(generations: readonly LogGeneration[], today: number, days: readonly number[]) {
  let log: LogBackup = {
    ...newLogBackup('c1', START),
    settings: { storageId: 's', retentionDays: 2, lagWarnSeconds: 600, lagCriticalSeconds: 1_800 },
    generations,
  };
  let now = day(today);
  let snapshots: readonly Snapshot[] = days.map((one) => snapshotAt(tso(one), { id: `b${one}` }));
  const ask = (command: TruncationCommand) => {
    const decision = decideTruncation(log, command, snapshots, now, LIMITS);
    log = decision.next ?? log;
    return decision;
  };
  return {
    ask,
    claim: (claim: string) => ask({ kind: 'claim', claim, worker: 'w' }).answer,
    one: (n = 1) => log.generations.find((one) => one.n === n),
    log: () => log,
    alarms: () => alarmsOf(log, now).map(({ name }) => name),
    pass: (ms: number) => {
      now = plus(now, ms);
    },
    damaged: (id: string) => {
      snapshots = snapshots.map((one) => (one.id === id ? { ...one, damagedAt: now } : one));
    },
    closed: () => {
      log = closed(log, 'stopped', now);
    },
    hold: (n: number, ...holds: string[]) => {
      log = { ...log, generations: log.generations.map((one) => (one.n === n ? { ...one, holds } : one)) };
    },
  };
}

const OPEN = { open: true, endedWhy: null, endedAt: null };
const REASON = { code: 'FILES_LEFT', message: '2 files stay.' };

it('promises less in the write that asks for a truncation, up to the base of the horizon', () => {
  const logs = liveLogs([generation(1, 0, 10, OPEN)], 10, [1, 4, 7, 9]);
  logs.ask({ kind: 'retain' });
  expect(logs.one()).toMatchObject({ min: text(7), truncating: { until: text(7), by: 'retention', fence: 0 } });
  expect(logs.ask({ kind: 'ring' }).ring).toEqual([1]);
  expect(logs.claim('a')).toEqual({ kind: 'held', n: 1, fence: 1 });
  expect(logs.ask({ kind: 'done', claim: 'a', fence: 1 }).answer.kind).toBe('held');
  expect(logs.one()).toMatchObject({ min: text(7), truncating: null });
  expect(logs.log().truncationDue).toBeNull();
});

it('takes nothing where the horizon has no base, where nothing is older than it, nor where no horizon was ever set', () => {
  for (const days of [[], [9], [0]]) {
    const logs = liveLogs([generation(1, 0, 10, OPEN)], 10, days);
    logs.ask({ kind: 'retain' });
    expect(logs.one()?.min).toBe(days[0] === 9 ? text(9) : text(0));
  }
});

it('takes nothing while a restore reads it, nor a second time meanwhile', () => {
  const logs = liveLogs([generation(1, 0, 10, OPEN)], 10, [4, 7]);
  logs.hold(1, 'restore-1');
  expect(logs.ask({ kind: 'retain' }).next).toBeUndefined();
  expect(logs.ask({ kind: 'truncate', until: text(1), requestId: 'q' }).answer).toMatchObject({
    refusal: { why: 'held', restoreId: 'restore-1' },
  });
  logs.hold(1);
  logs.ask({ kind: 'retain' });
  expect(logs.ask({ kind: 'retain' }).next).toBeUndefined();
  expect(logs.ask({ kind: 'truncate', until: text(8), requestId: 'q' }).answer).toMatchObject({
    refusal: { why: 'truncating', n: 1 },
  });
});

it('is taken back at the first claim where its base was found damaged, and promises again what is still there', () => {
  const logs = liveLogs([generation(1, 0, 10, OPEN)], 10, [4, 7]);
  logs.ask({ kind: 'retain' });
  logs.damaged('b7');
  expect(logs.claim('a').kind).toBe('lost');
  expect(logs.one()).toMatchObject({ min: text(0), truncating: null });
  // The next one goes up to the base that serves now.
  logs.ask({ kind: 'retain' });
  expect(logs.one()?.min).toBe(text(4));
});

it('goes on once a worker had it, whatever is found then', () => {
  const logs = liveLogs([generation(1, 0, 10, OPEN)], 10, [4, 7]);
  logs.ask({ kind: 'retain' });
  logs.claim('a');
  logs.damaged('b7');
  logs.pass(LIMITS.leaseMs + LIMITS.reapMarginMs + 1);
  logs.ask({ kind: 'reap' });
  expect(logs.claim('b')).toEqual({ kind: 'held', n: 1, fence: 2 });
  expect(logs.one()?.min).toBe(text(7));
  // The first one comes back late.
  expect(logs.ask({ kind: 'done', claim: 'a', fence: 1 }).answer.kind).toBe('lost');
  expect(logs.claim('b')).toEqual({ kind: 'held', n: 1, fence: 2 });
  expect(logs.ask({ kind: 'release', claim: 'b', fence: 2 }).answer.kind).toBe('held');
  expect(logs.claim('c')).toMatchObject({ fence: 3 });
});

it('is tried again after a minute, then twice as long each time, up to an hour, and is told after a day', () => {
  const logs = liveLogs([generation(1, 0, 10, OPEN)], 10, [4, 7]);
  logs.ask({ kind: 'retain' });
  for (const [tries, minutes] of [1, 2, 4, 8, 16, 32, 60, 60].entries()) {
    const claim = `c${tries}`;
    expect(logs.claim(claim).kind).toBe('held');
    logs.ask({ kind: 'failed', claim, fence: tries + 1, reason: REASON });
    logs.pass(minutes * MINUTE_MS - 1);
    expect(logs.claim('early').kind).toBe('lost');
    logs.pass(1);
  }
  expect(logs.alarms()).not.toContain('truncateStuck');
  logs.pass(24 * 60 * MINUTE_MS);
  expect(logs.alarms()).toContain('truncateStuck');
});

it('tells of the lock of another at once', () => {
  const logs = liveLogs([generation(1, 0, 10, OPEN)], 10, [4, 7]);
  logs.ask({ kind: 'retain' });
  logs.claim('a');
  const reason = { code: 'TRUNCATE_LOCKED', message: 'pid 7 on host h has it.' };
  logs.ask({ kind: 'failed', claim: 'a', fence: 1, reason });
  expect(logs.alarms()).toContain('truncateStuck');
});

it('removes a log that ended before the horizon, and its number when the files are gone', () => {
  const logs = liveLogs([generation(1, 0, 3), generation(2, 4, 10, OPEN)], 10, [1, 4, 8]);
  logs.ask({ kind: 'retain' });
  expect(logs.one(1)).toMatchObject({ truncating: { until: null } });
  const answer = logs.claim('a');
  expect(answer).toMatchObject({ kind: 'held', n: 1 });
  logs.ask({ kind: 'done', claim: 'a', fence: 1 });
  expect(logs.log().generations.map(({ n }) => n)).toEqual([2]);
});

it('leaves a log that ended within the horizon, and one that a restore reads', () => {
  const logs = liveLogs([generation(1, 0, 9), generation(2, 9, 10, OPEN)], 10, [0]);
  logs.ask({ kind: 'retain' });
  expect(logs.one(1)?.truncating).toBeUndefined();
  logs.pass(3 * 86_400_000);
  logs.hold(1, 'restore-1');
  logs.ask({ kind: 'retain' });
  expect(logs.one(1)?.truncating).toBeUndefined();
});

it('takes no file of a log with the one in whose place somebody began it', () => {
  const path = 'nfs/c1/log-1';
  const logs = liveLogs([generation(1, 0, 9), generation(2, 9, 10, { ...OPEN, path })], 10, [1, 5, 9]);
  logs.ask({ kind: 'retain' });
  // The older one still serves the horizon: what is taken before the base of the later one would be taken from it.
  expect([logs.one(1)?.min, logs.one(2)?.min]).toEqual([text(5), text(9)]);
  logs.claim('a');
  logs.ask({ kind: 'done', claim: 'a', fence: 1 });
  logs.pass(3 * 86_400_000);
  logs.ask({ kind: 'retain' });
  expect(logs.log().generations.map(({ n, truncating }) => [n, truncating ?? null])).toEqual([[2, null]]);
  expect(logs.log().truncationDue).toBeNull();
});

it('takes for a person what the person knows of, and refuses the rest', () => {
  const logs = liveLogs([generation(1, 0, 3), generation(2, 4, 10, OPEN)], 10, [1, 4, 8]);
  const truncate = (until: number, acknowledge?: string) =>
    logs.ask({ kind: 'truncate', until: text(until), requestId: 'q', ...(acknowledge && { acknowledge }) });
  expect(truncate(11).answer).toMatchObject({ refusal: { why: 'beyondEnd', n: 2 } });
  const { answer } = truncate(6);
  if (answer.kind !== 'refused' || answer.refusal.why !== 'pointsLost') throw new Error(`it was ${answer.kind}`);
  const { loss } = answer.refusal;
  expect(loss.spans.map(({ from, to }) => [from, to])).toEqual([
    [tso(1), tso(3)],
    [tso(4), tso(8) - 1n],
  ]);
  expect(truncate(6, 'something else').answer.kind).toBe('refused');
  expect(truncate(6, acknowledgementOf(loss)).answer.kind).toBe('ok');
  expect(logs.one(1)).toMatchObject({ truncating: { until: null, by: 'person' } });
  expect(logs.one(2)).toMatchObject({ min: text(6), truncating: { until: text(6), by: 'person' } });
  // A repeat is the same.
  expect(truncate(6, acknowledgementOf(loss))).toEqual({ answer: { kind: 'ok' } });
  logs.damaged('b8');
  expect([logs.claim('a').kind, logs.claim('b').kind]).toEqual(['held', 'held']);
});

/** Asks for the removal of all logs as a person who was told what that loses. */
function removedBy(ask: ReturnType<typeof liveLogs>['ask'], callId = 'c') {
  const wish = { kind: 'remove', by: 'alice', requestId: 'q', callId } as const;
  const { answer } = ask(wish);
  if (answer.kind !== 'refused' || answer.refusal.why !== 'pointsLost') return answer;
  return ask({ ...wish, acknowledge: acknowledgementOf(answer.refusal.loss) }).answer;
}

it('removes all logs for a person who knows what that loses: each once it is stopped, and nobody reads it', () => {
  const logs = liveLogs([generation(1, 0, 3), generation(2, 4, 7), generation(3, 7, 10, OPEN)], 10, [1, 4, 8]);
  logs.hold(2, 'restore-1');
  const asked = { kind: 'remove', by: 'alice', requestId: 'q', callId: 'c' } as const;
  const { answer, next } = logs.ask(asked);
  expect([answer.kind, next]).toEqual(['refused', undefined]);
  expect(removedBy(logs.ask)).toEqual({ kind: 'ok' });
  expect(logs.log()).toMatchObject({ wanted: 'off', wishedBy: 'alice', wish: 1, truncationDue: day(10) });
  expect(logs.one(1)).toMatchObject({ truncating: { until: null, by: 'person' } });
  for (const n of [2, 3]) expect(logs.one(n)?.truncating ?? null).toBeNull();
  // Nobody begins to read what is to go.
  expect(generationsOf(logs.log())).toEqual([]);
  const hold = { kind: 'hold', n: 2, from: text(5), restoreId: 'restore-2' } as const;
  expect(decideLog(logs.log(), hold, day(10), LIMITS).answer).toEqual({ kind: 'refused', why: 'logGone' });
  logs.ask({ kind: 'ring' });
  logs.closed();
  logs.hold(2);
  expect(logs.ask({ kind: 'ring' }).next).toBeUndefined();
  logs.pass(LIMITS.ringMs);
  expect(logs.ask({ kind: 'ring' }).ring).toEqual(expect.arrayContaining([2, 3]));
  for (const claim of ['a', 'b', 'c']) {
    expect(logs.claim(claim).kind).toBe('held');
    logs.ask({ kind: 'done', claim, fence: 1 });
  }
  expect(logs.log()).toMatchObject({ generations: [], truncationDue: null });
});

it('stops the task of a log that is to go, also where another is wanted meanwhile, and starts that anew', () => {
  const logs = liveLogs([generation(1, 0, 10, OPEN)], 10, [1]);
  removedBy(logs.ask);
  const settings = { storageId: 's', retentionDays: 2, lagWarnSeconds: 600, lagCriticalSeconds: 1_800 };
  const by = { by: 'bob', requestId: 'q2', callId: 'c2' };
  const on = decideLog(logs.log(), { kind: 'want', wanted: 'on', settings, ...by }, day(10), LIMITS).next;
  const seen = on && { ...on, observed: { ...on.observed, state: 'Running' as const } };
  expect(seen && nextAct(seen, day(10))).toBe('stop');
  expect(on?.generations).toMatchObject([{ removal: { requestId: 'q' }, dead: true }]);
});

it('is asked for once, however often the call is repeated, and again where it was wanted on since', () => {
  const logs = liveLogs([generation(1, 0, 3)], 10, []);
  removedBy(logs.ask);
  removedBy(logs.ask);
  expect(logs.log()).toMatchObject({ wish: 1, generations: [{ truncating: { until: null } }] });
  removedBy(logs.ask, 'another');
  expect(logs.log().wish).toBe(2);
});

it('says why a log that is to go is still there, and tells it after a day', () => {
  const logs = liveLogs([generation(1, 0, 3), generation(2, 4, 10, OPEN)], 10, []);
  logs.hold(1, 'restore-1');
  removedBy(logs.ask);
  expect(toLogBackupMessage(logs.log(), day(10)).generations.map(({ truncating }) => truncating?.activity)).toEqual([
    'It goes once task t2 is seen to be stopped.',
    'Restore restore-1 reads it: it goes after the end of that.',
  ]);
  expect(logs.alarms()).not.toContain('truncateStuck');
  logs.pass(24 * 60 * MINUTE_MS + 1);
  expect(logs.alarms()).toContain('truncateStuck');
});
