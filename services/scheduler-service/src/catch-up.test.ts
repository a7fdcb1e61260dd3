import { describe, expect, it } from 'vitest';
import {
  because,
  concludeWithout,
  mayCatchUp,
  nextStep,
  nextTryAt,
  type Occurrence,
  occurrenceId,
  type Sibling,
} from './catch-up.ts';

const OPENS = new Date('2026-11-23T23:00:00Z');
const CLOSES = new Date('2026-11-24T01:00:00Z');
const at = (time: string) => new Date(`2026-11-24T${time}Z`);
const occurrence: Occurrence = {
  _id: occurrenceId('c1', 'default', OPENS),
  clusterId: 'c1',
  rule: 'default',
  opensAt: OPENS,
  closesAt: CLOSES,
  startAt: OPENS,
  late: false,
  lastGoodAt: new Date(0),
  state: 'Pending',
  backupId: null,
  code: '',
  reason: '',
  windowEnd: 'letRun',
  stopAt: null,
  nextTryAt: OPENS,
  decidedAt: null,
  createTime: OPENS,
};
const strategy = { days: ['Monday'], period: '23:00-1:00', timeZone: 'UTC', paused: false, fleetPaused: false };
const step = (changed: object | undefined, now: Date) =>
  nextStep(occurrence, changed && { ...strategy, ...changed }, now, 30_000);

it('starts while the window is open, also late and across midnight (A3)', () => {
  expect(step({}, at('00:59:59'))).toEqual({ kind: 'start' });
});
it('waits where the strategy is gone, paused, or no longer has this window', () => {
  expect(step(undefined, at('00:10:00'))).toMatchObject({ kind: 'wait', code: 'STRATEGY_REMOVED' });
  expect(step({ days: [] }, at('00:10:00'))).toMatchObject({ kind: 'wait', code: 'STRATEGY_REMOVED' });
  for (const paused of [{ paused: true }, { fleetPaused: true }])
    expect(step(paused, at('00:10:00'))).toMatchObject({ kind: 'wait', code: 'STRATEGY_PAUSED' });
  for (const changed of [{ days: ['Tuesday'] }, { period: '22:00-1:00' }, { timeZone: 'Asia/Tokyo' }])
    expect(step(changed, at('00:10:00'))).toMatchObject({ kind: 'wait', code: 'STRATEGY_CHANGED' });
});
it('starts nothing after the close, and decides only when a start on its way has had its time', () => {
  expect(step({}, at('01:00:10')).kind).toBe('wait');
  expect(step({}, at('01:00:31'))).toEqual({ kind: 'conclude' });
});
it('tries again before the window closes, so that one lost answer costs no short window its backup', () => {
  const next = (now: string) => nextTryAt(occurrence, at(now), 600_000, 5_000);
  expect(next('00:10:00')).toEqual(at('00:20:00'));
  expect(next('00:52:46')).toEqual(at('00:56:23'));
  expect(next('00:59:52')).toEqual(at('00:59:57'));
  expect(next('01:00:00')).toEqual(at('01:10:00'));
  expect(nextTryAt(occurrence, at('00:59:58'), 500, 5_000)).toEqual(at('00:59:58.500'));
});
it('starts nothing because a strategy is resumed: a window that opened before stays without a backup', () => {
  expect(step({ resumedAt: at('00:05:00') }, at('00:10:00'))).toMatchObject({ kind: 'wait', code: 'STRATEGY_PAUSED' });
  expect(step({ resumedAt: new Date(OPENS.getTime() - 1) }, at('00:10:00'))).toEqual({ kind: 'start' });
});
it('tells a window that was skipped for a reason from one that nobody attended to, or could', () => {
  expect(concludeWithout(occurrence)).toMatchObject({ state: 'Missed', code: 'NO_SCHEDULER' });
  expect(concludeWithout(because('BACKEND_AWAY')).state).toBe('Missed');
  expect(concludeWithout({ code: 'CLUSTER_BUSY', reason: 'Cluster c1 is busy.' })).toEqual({
    state: 'Skipped',
    code: 'CLUSTER_BUSY',
    reason: 'Cluster c1 is busy.',
  });
});

describe('after an outage a cluster', () => {
  const late: Occurrence = { ...occurrence, late: true };
  const other = (changed: Partial<Sibling>): Sibling => ({
    ...late,
    _id: occurrenceId('c1', 'weekly', OPENS),
    hasBackup: false,
    ...changed,
  });
  const earlier = new Date(OPENS.getTime() - 3_600_000);

  it('is backed up for the window that opened last', () => {
    expect(mayCatchUp(late, [other({ opensAt: earlier })])).toBe(true);
    expect(mayCatchUp({ ...late, opensAt: earlier, startAt: earlier }, [other({})])).toBe(false);
  });
  it('of two that opened together takes the same in every copy', () => {
    const weekly: Occurrence = { ...late, _id: occurrenceId('c1', 'weekly', OPENS) };
    const asSibling: Sibling = { ...late, hasBackup: false };
    expect([mayCatchUp(late, [other({})]), mayCatchUp(weekly, [asSibling])]).toEqual([true, false]);
  });
  it('has had its one start when another rule started since, also when nobody has written so yet', () => {
    expect(mayCatchUp(late, [other({ state: 'Started', decidedAt: CLOSES })])).toBe(false);
    expect(mayCatchUp(late, [other({ opensAt: earlier, hasBackup: true })])).toBe(false);
    expect(mayCatchUp(late, [other({ state: 'Started', decidedAt: earlier })])).toBe(true);
  });
  it('does not wait for a rule that cannot start', () => {
    const lower: Occurrence = { ...late, opensAt: earlier, startAt: earlier };
    expect(mayCatchUp(lower, [other({ code: 'STORAGE_UNUSABLE' })])).toBe(true);
    expect(mayCatchUp(lower, [other({ code: 'CLUSTER_BUSY' })])).toBe(false);
  });
  it('that was attended to in time starts each of its rules', () => {
    expect(mayCatchUp(occurrence, [other({})])).toBe(true);
  });
});
it('names an occurrence by its window alone, so that clocks that differ cannot double it', () => {
  expect(occurrence._id).toBe('c1:default:2026-11-23T23:00:00.000Z');
});
