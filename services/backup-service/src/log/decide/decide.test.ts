import { plus } from '@tidemark/task/time';
import { expect, test } from 'vitest';
import { generationsOf } from '../../recovery/recovery-state.ts';
import { segments } from '../../recovery/segments.ts';
import { alarmsOf, isHealthy } from '../alarms.ts';
import {
  type LogActKind,
  type LogActResult,
  type LogBackup,
  lastGeneration,
  newLogBackup,
  resumableUntil,
  servedFrom,
} from '../log-backup.ts';
import type { LogCommand, LogRange, LogSeen, LogTaskSeen } from './command.ts';
import { decideLog } from './decide.ts';

const START = new Date('2026-01-05T12:00:00Z');
const LIMITS = { ringMs: 60_000, leaseMs: 90_000, reapMarginMs: 5_000 };
const SETTINGS = { storageId: 's', retentionDays: 7, lagWarnSeconds: 600, lagCriticalSeconds: 1_800 };
const PLACE = { taskName: 't1', path: 'p1', storage: { id: 's', maxConcurrent: 0 }, pool: 'default' };
const MINUTE_MS = 60_000;
const REASON = { code: 'REFUSED', message: 'Switch log-backup.enable on in TiKV.' };
const NONE: LogSeen = { kind: 'tasks', tasks: [] };

const tso = (at: Date) => String(BigInt(at.getTime()) << 18n);

/** A log backup with a clock and a worker of its own. */
function liveLog() {
  let log: LogBackup = newLogBackup('one', START);
  let now = START;
  let claims = 0;
  const ask = (command: LogCommand) => {
    const decision = decideLog(log, command, now, LIMITS);
    log = decision.next ?? log;
    return decision;
  };
  const want = (wanted: 'off' | 'on' | 'paused') => {
    claims += 1;
    return ask({ kind: 'want', wanted, settings: SETTINGS, by: 'p', requestId: 'q', callId: `call ${claims}` });
  };
  /** What a look that saw this asks the worker to do. */
  const look = (seen: LogSeen, range?: LogRange): LogActKind | undefined => {
    claims += 1;
    expect(ask({ kind: 'claim', claim: `c${claims}`, worker: 'w' }).answer.kind).toBe('held');
    const { answer } = ask({
      kind: 'report',
      claim: `c${claims}`,
      fence: log.fence,
      seen,
      place: PLACE,
      ...(range && { range }),
    });
    return answer.kind === 'held' ? answer.act?.kind : undefined;
  };
  const complete = (result: LogActResult) =>
    ask({
      kind: 'complete',
      claim: `c${claims}`,
      fence: log.fence,
      result,
      ...(result !== 'ok' && { reason: REASON }),
    });
  return {
    ...{ ask, want, look, complete },
    pass: (ms: number) => {
      now = plus(now, ms);
    },
    task: (change: Partial<LogTaskSeen> = {}): LogSeen => ({
      kind: 'tasks',
      tasks: [
        {
          ...{ name: 't1', storage: 'local:///p1', samePlace: true, startTs: tso(START), state: 'normal' },
          ...{ checkpoint: tso(now), errors: [], pausedByHand: false, ...change },
        },
      ],
    }),
    log: () => log,
    now: () => now,
    alarms: () => alarmsOf(log, now).map(({ name, critical }) => (critical ? `${name}!` : name)),
  };
}

/** One that runs, as is wanted. */
function runningLog() {
  const live = liveLog();
  live.want('on');
  expect(live.look(NONE)).toBe('start');
  live.complete('ok');
  expect(live.look(live.task())).toBeUndefined();
  live.ask({ kind: 'based', n: 1, baseId: 'b' });
  return live;
}

test('a log that is wanted is started under a name and a path of its own, and is healthy once its checkpoint moves', () => {
  const live = runningLog();
  expect(lastGeneration(live.log())).toMatchObject({
    n: 1,
    taskName: 't1',
    path: 'p1',
    open: true,
    startTs: tso(START),
  });
  expect(live.log()).toMatchObject({ reached: true, observed: { state: 'Running' } });
  expect(isHealthy(live.log(), live.now())).toBe(true);
});

test('of which cluster of TiDB a log is stays on record once it was read', () => {
  const live = runningLog();
  const range = { min: tso(START), max: tso(START) };
  for (const read of [{ ...range, upstreamClusterId: '7000000000000000001' }, range]) {
    live.pass(LIMITS.ringMs);
    live.look(live.task(), read);
  }
  expect(generationsOf(live.log())).toMatchObject([{ n: 1, upstreamClusterId: '7000000000000000001' }]);
});

test('a log that is cut is served by backups from behind that, and has an hour for the next one', () => {
  const live = runningLog();
  live.ask({ kind: 'baseLost', n: 1, lostBases: 0 });
  live.pass(3 * 60 * MINUTE_MS);
  expect(live.alarms()).toContain('logNoBase');
  const [from, to] = [plus(live.now(), -2 * MINUTE_MS), plus(live.now(), -MINUTE_MS)].map(tso);
  live.look(live.task(), { min: tso(START), max: tso(live.now()), cuts: [{ from: from ?? '', to: to ?? '' }] });
  const log = lastGeneration(live.log());
  expect(log && servedFrom(log)).toBe(BigInt(to ?? 0));
  expect(live.alarms()).not.toContain('logNoBase');
  live.pass(60 * MINUTE_MS);
  expect(live.alarms()).toContain('logNoBase');
});

test('what cuts a log stays on record until it is read otherwise, and no point is shown across it', () => {
  const live = runningLog();
  const range = { min: tso(START), max: tso(plus(START, 10 * MINUTE_MS)) };
  const cut = { from: tso(plus(START, 2 * MINUTE_MS)), to: tso(plus(START, 4 * MINUTE_MS)) };
  for (const read of [{ ...range, cuts: [cut] }, range]) {
    live.pass(LIMITS.ringMs);
    live.look(live.task(), read);
  }
  const [generation] = generationsOf(live.log());
  expect(generation?.cuts).toMatchObject([{ from: BigInt(cut.from), to: BigInt(cut.to), crossable: false }]);
  expect(generation && segments(generation)).toEqual([
    { from: BigInt(range.min), to: BigInt(cut.from) },
    { from: BigInt(cut.to), to: BigInt(range.max) },
  ]);
  live.pass(LIMITS.ringMs);
  live.look(live.task(), { ...range, cuts: [] });
  expect(generationsOf(live.log())).toMatchObject([{ cuts: [] }]);
});

test('a base that is lost is noted once, whoever finds it lost, and the alarm stands until there is another', () => {
  const live = runningLog();
  const base = () => {
    const { baseId, lostBases = 0 } = lastGeneration(live.log()) ?? {};
    return [baseId, lostBases];
  };
  live.ask({ kind: 'baseLost', n: 1, lostBases: 0 });
  live.ask({ kind: 'baseLost', n: 1, lostBases: 0 });
  live.ask({ kind: 'baseLost', n: 2, lostBases: 1 });
  expect(base()).toEqual([null, 1]);
  live.pass(61 * MINUTE_MS);
  expect(live.alarms()).toContain('logNoBase');
  live.ask({ kind: 'based', n: 1, baseId: 'c' });
  expect(base()).toEqual(['c', 1]);
  expect(live.alarms()).not.toContain('logNoBase');
  live.pass(3 * 24 * 60 * MINUTE_MS);
  live.ask({ kind: 'baseLost', n: 1, lostBases: 1 });
  live.pass(59 * MINUTE_MS);
  live.ask({ kind: 'baseLost', n: 1, lostBases: 2 });
  expect(live.alarms().filter((name) => name.startsWith('logNoBase'))).toEqual([]);
  live.pass(2 * MINUTE_MS);
  expect(live.alarms()).toContain('logNoBase');
});

test.each([
  ['vanished', ['horizonNotMet']],
  ['stopped', []],
] as const)('a log that begins anew within its horizon, after the one before was %s: %o', (endedWhy, alarms) => {
  const live = runningLog();
  live.pass(3 * 24 * 60 * MINUTE_MS);
  live.look(live.task());
  const [first] = live.log().generations;
  if (!first) throw new Error('there is no log');
  const ended = { ...first, open: false, endedWhy };
  const young = tso(live.now());
  const again = { ...first, n: 2, taskName: 't2', path: 'p2', startTs: young, min: young };
  const settings = { storageId: 's', retentionDays: 2, lagWarnSeconds: 600, lagCriticalSeconds: 1_800 };
  const log = { ...live.log(), settings, generations: [ended, again] };
  const names = () => alarmsOf(log, live.now()).map(({ name }) => name);
  expect(names()).toEqual(alarms);
  expect(isHealthy(log, live.now())).toBe(true);
  expect(alarmsOf({ ...log, settings: { ...settings, retentionDays: 4 } }, live.now())).toEqual([]);
});

test('a refused start is tried again after one, five and fifteen minutes, under the same name, and the reason is told', () => {
  const live = liveLog();
  live.want('on');
  for (const minutes of [1, 5, 15, 15]) {
    expect(live.look(NONE)).toBe('start');
    live.complete('refused');
    live.pass(minutes * MINUTE_MS - 1);
    expect(live.look(NONE)).toBeUndefined();
    expect(live.alarms()).toEqual(['logStartRefused']);
    live.pass(MINUTE_MS);
  }
  expect(live.log().generations).toHaveLength(1);
});

test('a task in error is resumed after 5, 15 and 60 minutes, and not again before the checkpoint moved', () => {
  const live = runningLog();
  const stuck = tso(live.now());
  const error = () => live.task({ state: 'error', checkpoint: stuck });
  for (const minutes of [5, 15, 60]) {
    live.pass(MINUTE_MS);
    expect(live.look(error())).toBeUndefined();
    live.pass(minutes * MINUTE_MS);
    expect(live.look(error())).toBe('resume');
    live.complete('ok');
  }
  live.pass(120 * MINUTE_MS);
  expect(live.look(error())).toBeUndefined();
  expect(live.alarms()).toEqual(['logLagging!', 'logError!']);
  live.pass(MINUTE_MS);
  live.look(live.task());
  expect(live.log().resumeTries).toBe(0);
});

test('a task in error is resumed at once where a person asks for it, however often, and then after 15 and 60 minutes', () => {
  const live = runningLog();
  const stuck = tso(live.now());
  const error = () => live.task({ state: 'error', checkpoint: stuck });
  live.pass(MINUTE_MS);
  expect(live.look(error())).toBeUndefined();
  for (const [wish, result] of [
    ['first', 'refused'],
    ['again', 'ok'],
  ] as const) {
    live.want('on');
    expect(live.alarms(), wish).toContain('logError');
    expect(live.look(error()), wish).toBe('resume');
    live.complete(result);
    expect(live.look(error()), wish).toBeUndefined();
  }
  live.want('paused');
  expect(live.look(error())).toBeUndefined();
  expect(live.alarms()).toContain('logError');
  live.want('on');
  expect(live.look(error())).toBe('resume');
  live.complete('ok');
  expect(live.look(error())).toBeUndefined();
  for (const minutes of [15, 60]) {
    live.pass((minutes - 1) * MINUTE_MS);
    expect(live.look(error())).toBeUndefined();
    live.pass(MINUTE_MS);
    expect(live.look(error())).toBe('resume');
    live.complete('ok');
    expect(live.look(error())).toBeUndefined();
  }
  live.pass(120 * MINUTE_MS);
  expect(live.look(error())).toBeUndefined();
});

test('a checkpoint that stands still is Lagging, whatever the status says, and the alarm grows with its age', () => {
  const live = runningLog();
  const checkpoint = tso(live.now());
  live.pass(11 * MINUTE_MS);
  live.look(live.task({ checkpoint }));
  expect(live.log().observed.state).toBe('Lagging');
  expect(live.alarms()).toEqual(['logLagging']);
  live.pass(20 * MINUTE_MS);
  live.look(live.task({ checkpoint }));
  expect(live.alarms()).toEqual(['logLagging!']);
});

test('a cluster that does not answer keeps what was known of it, and is told of after five minutes', () => {
  const live = runningLog();
  const { checkpoint } = live.log().observed;
  live.pass(6 * MINUTE_MS);
  expect(live.look({ kind: 'unreachable', reason: { code: 'PD', message: 'PD does not answer.' } })).toBeUndefined();
  expect(live.log().observed).toMatchObject({ state: 'Unknown', checkpoint });
  expect(live.alarms()).toEqual(['logStatusUnknown']);
});

test('what somebody paused stays paused until it is wanted on again, and the end of its history is told in time', () => {
  const live = runningLog();
  live.pass(MINUTE_MS);
  const paused = () => live.task({ state: 'paused' });
  expect(live.look(paused())).toBeUndefined();
  expect(live.alarms()).toEqual(['logPausedByHand']);
  expect(resumableUntil(live.log())).toEqual(plus(START, 86_400_000));
  live.pass(13 * 60 * MINUTE_MS);
  live.look(paused());
  expect(live.alarms()).toEqual(['logPausedByHand!']);
  live.want('on');
  live.pass(MINUTE_MS);
  expect(live.look(paused())).toBe('resume');
});

test('a history that is gone ends the log: its task is stopped, and another begins under another name', () => {
  const live = runningLog();
  live.want('paused');
  expect(live.look(live.task())).toBe('pause');
  live.complete('ok');
  live.want('on');
  live.pass(MINUTE_MS);
  expect(live.look(live.task({ state: 'paused' }))).toBe('resume');
  live.complete('newLog');
  expect(live.look(live.task({ state: 'paused' }))).toBe('stop');
  live.complete('ok');
  expect(lastGeneration(live.log())).toMatchObject({ open: false, endedWhy: 'historyLost' });
  expect(live.look(NONE)).toBe('start');
  expect(lastGeneration(live.log())).toMatchObject({ n: 2, open: true });
  expect(live.log().cleanup).toMatchObject([{ taskName: 't1' }]);
});

test('a log that somebody truncated by hand promises no more than is left of it', () => {
  const live = runningLog();
  const at = (minutes: number) => tso(plus(START, minutes * MINUTE_MS));
  live.pass(60 * MINUTE_MS);
  live.look(live.task(), { min: at(0), max: at(58) });
  expect(lastGeneration(live.log())).toMatchObject({ min: at(0), max: at(58) });
  live.pass(MINUTE_MS);
  live.look(live.task(), { min: at(30), max: at(59) });
  expect(lastGeneration(live.log())).toMatchObject({ min: at(30), max: at(59) });
});

test('a repeat of a call that wished is no other wish', () => {
  const live = liveLog();
  const wish: LogCommand = { kind: 'want', wanted: 'on', settings: SETTINGS, by: 'p', requestId: 'q', callId: 'c' };
  live.ask(wish);
  live.ask(wish);
  expect(live.log().wish).toBe(1);
});

test('a report that is sent twice is answered with the same act, and one of a lost look with nothing', () => {
  const live = liveLog();
  live.want('on');
  live.ask({ kind: 'claim', claim: 'mine', worker: 'w' });
  const report: LogCommand = { kind: 'report', claim: 'mine', fence: 1, seen: NONE, place: PLACE };
  const first = live.ask(report).answer;
  expect(live.ask({ ...report, place: { ...PLACE, taskName: 't2', path: 'p2' } }).answer).toEqual(first);
  expect(live.log().generations).toHaveLength(1);
  live.pass(LIMITS.leaseMs + LIMITS.reapMarginMs + 1);
  live.ask({ kind: 'reap' });
  expect(live.ask(report).answer).toEqual({ kind: 'lost' });
});

test('a restore waits for ten minutes for a start that a lost worker may still make', () => {
  const live = liveLog();
  live.want('on');
  expect(live.look(NONE)).toBe('start');
  live.pass(LIMITS.leaseMs + LIMITS.reapMarginMs + 1);
  live.ask({ kind: 'reap' });
  live.want('off');
  live.look(NONE);
  const block = () => live.ask({ kind: 'block', restoreId: 'r' }).answer;
  expect(block()).toEqual({ kind: 'refused', why: 'logRuns' });
  live.pass(10 * MINUTE_MS);
  expect(block()).toEqual({ kind: 'ok' });
});

test('a restore that gave the cluster back does not get it again, and a log that is wanted by then begins at once (L12)', () => {
  const live = liveLog();
  const block = (restoreId: string) => live.ask({ kind: 'block', restoreId }).answer;
  expect(block('r')).toEqual({ kind: 'ok' });
  live.ask({ kind: 'giveBack', restoreId: 'r' });
  expect(block('r')).toEqual({ kind: 'refused', why: 'givenBack' });
  live.look(NONE);
  expect(block('other')).toEqual({ kind: 'ok' });
  live.want('on');
  expect(live.look(NONE)).toBeUndefined();
  live.ask({ kind: 'giveBack', restoreId: 'other' });
  expect(live.look(NONE)).toBe('start');
});

test('a restore holds the log that it reads, once anything is promised from it, and not again once it gave it back (L12)', () => {
  const live = liveLog();
  const hold = (n: number, restoreId = 'r', from = tso(START)) => live.ask({ kind: 'hold', n, from, restoreId }).answer;
  expect(hold(1)).toEqual({ kind: 'refused', why: 'logGone' });
  live.want('on');
  live.look(NONE);
  live.complete('ok');
  expect(hold(1)).toEqual({ kind: 'refused', why: 'logGone' });
  live.look(live.task());
  expect(hold(1, 'r', '1')).toEqual({ kind: 'refused', why: 'logGone' });
  expect(hold(1)).toEqual({ kind: 'ok' });
  expect(hold(1)).toEqual({ kind: 'ok' });
  expect(live.log().generations[0]?.holds).toEqual(['r']);
  live.ask({ kind: 'giveBack', restoreId: 'r' });
  expect(live.log().generations[0]?.holds).toEqual([]);
  expect(hold(1)).toEqual({ kind: 'refused', why: 'givenBack' });
  expect(hold(1, 'other')).toEqual({ kind: 'ok' });
});

test('the task of somebody else is left alone, whatever is wanted (L1)', () => {
  for (const wanted of ['off', 'on', 'paused'] as const) {
    const live = liveLog();
    live.want(wanted);
    expect(live.look(live.task({ name: 'of others', samePlace: false }))).toBeUndefined();
    expect(live.log().observed).toMatchObject({ state: 'Foreign', foreign: { name: 'of others' } });
    expect(live.log().generations).toEqual([]);
  }
});

test('what lies in a storage is promised only by looks after the first that shows its task, by the same start (L2, L4)', () => {
  const live = liveLog();
  const end = (minutes: number) => tso(plus(START, minutes * MINUTE_MS));
  live.want('on');
  live.look(NONE);
  live.complete('ok');
  live.look(live.task(), { min: end(0), max: end(5) });
  expect(lastGeneration(live.log())).toMatchObject({ min: end(0), max: end(0) });
  live.pass(MINUTE_MS);
  live.look(live.task(), { min: end(0), max: end(6) });
  expect(lastGeneration(live.log())).toMatchObject({ n: 1, max: end(6) });
  live.pass(MINUTE_MS);
  live.look(live.task({ startTs: end(8) }), { min: end(0), max: end(9) });
  expect(live.log().generations).toMatchObject([
    { n: 1, max: end(6), endedWhy: 'replacedByHand' },
    { n: 2, min: end(8), max: end(8) },
  ]);
});
