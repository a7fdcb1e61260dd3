import { expect, it } from 'vitest';
import { concludeWithout, nextStep, type Occurrence, occurrenceId } from './catch-up.ts';

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
  state: 'Pending',
  backupId: null,
  reason: '',
  nextTryAt: OPENS,
  decidedAt: null,
  createTime: OPENS,
};
const strategy = { days: ['Monday'], period: '23:00-1:00', timeZone: 'UTC', paused: false };
const step = (changed: object | undefined, now: Date) =>
  nextStep(occurrence, changed && { ...strategy, ...changed }, now, 30_000);

it('starts while the window is open, also late and across midnight (A3)', () => {
  expect(step({}, at('00:59:59'))).toEqual({ kind: 'start' });
});
it('waits where the strategy is gone, paused, or no longer has this window', () => {
  expect(step(undefined, at('00:10:00'))).toMatchObject({ kind: 'wait', reason: 'the strategy was removed' });
  expect(step({ days: [] }, at('00:10:00'))).toMatchObject({ kind: 'wait', reason: 'the strategy was removed' });
  expect(step({ paused: true }, at('00:10:00'))).toMatchObject({ kind: 'wait', reason: 'the strategy is paused' });
  for (const changed of [{ days: ['Tuesday'] }, { period: '22:00-1:00' }, { timeZone: 'Asia/Tokyo' }])
    expect(step(changed, at('00:10:00'))).toMatchObject({ kind: 'wait', reason: 'the strategy was changed' });
});
it('starts nothing after the close, and decides only when a start on its way has had its time', () => {
  expect(step({}, at('01:00:10')).kind).toBe('wait');
  expect(step({}, at('01:00:31'))).toEqual({ kind: 'conclude' });
});
it('tells a window that was skipped for a reason from one that nobody attended to', () => {
  expect(concludeWithout(occurrence).state).toBe('Missed');
  expect(concludeWithout({ ...occurrence, reason: 'Cluster c1 is busy.' })).toEqual({
    state: 'Skipped',
    reason: 'Cluster c1 is busy.',
  });
});
it('names an occurrence by its window alone, so that clocks that differ cannot double it', () => {
  expect(occurrence._id).toBe('c1:default:2026-11-23T23:00:00.000Z');
});
