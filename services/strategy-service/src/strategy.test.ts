import type { Weekday } from '@tidemark/schedule/weekdays';
import { WEEKDAYS } from '@tidemark/schedule/weekdays';
import { describe, expect, it } from 'vitest';
import {
  NO_SETTINGS,
  plan,
  replan,
  type StrategyDocument,
  takenWindow,
  toStrategyMessage,
  upgrade,
} from './strategy.ts';

const AT = new Date('2026-01-01T00:00:00Z');
const strategy = (fields: Partial<StrategyDocument>): StrategyDocument => ({
  ...NO_SETTINGS,
  timeZone: 'UTC',
  _id: 'c:default',
  clusterId: 'c',
  rule: 'default',
  nextWindow: null,
  lastTaken: null,
  fleetStrategy: '',
  fleetPaused: false,
  createdIn: '',
  resumedAt: null,
  revision: 1,
  createTime: AT,
  updateTime: AT,
  updatedBy: 'test',
  ...fields,
});
const daily = [...WEEKDAYS];
const opens = (document: StrategyDocument, at: string, includeOpen = true) =>
  plan(document, new Date(at), includeOpen, 0)?.opensAt.toISOString();
const taken = (from: string, to: string, period: string, timeZone = 'UTC') =>
  takenWindow({ opensAt: new Date(from), closesAt: new Date(to) }, { days: daily, period, timeZone });

describe('an edit after the window of the day was taken up', () => {
  // Tuesday, 2026-01-06, 1:00-2:00 UTC.
  const lastTaken = taken('2026-01-06T01:00:00Z', '2026-01-06T02:00:00Z', '1:00-2:00');

  it('to a later hour of the day goes to the next day', () => {
    const edited = strategy({ days: daily, period: '20:00-21:00', lastTaken });
    expect(opens(edited, '2026-01-06T12:00:00Z')).toBe('2026-01-07T20:00:00.000Z');
  });
  it('to an hour that is open now does not start now', () => {
    const edited = strategy({ days: daily, period: '0:00-24:00', lastTaken });
    expect(opens(edited, '2026-01-06T12:00:00Z')).toBe('2026-01-07T00:00:00.000Z');
  });
  it('to this weekday alone waits for next week', () => {
    const edited = strategy({ days: ['Tuesday'], period: '20:00-21:00', lastTaken });
    expect(opens(edited, '2026-01-06T12:00:00Z')).toBe('2026-01-13T20:00:00.000Z');
  });
  it('that adds another weekday does not lose it', () => {
    const edited = strategy({ days: ['Tuesday', 'Wednesday'], period: '0:30-1:00', lastTaken });
    expect(opens(edited, '2026-01-06T12:00:00Z')).toBe('2026-01-07T00:30:00.000Z');
  });
  it.each([
    ['America/Los_Angeles', '2026-01-07T17:00:00.000Z'],
    ['Pacific/Honolulu', '2026-01-07T19:00:00.000Z'],
    ['Pacific/Kiritimati', '2026-01-06T19:00:00.000Z'],
  ])('to the zone %s serves no local date twice', (timeZone, expected) => {
    const edited = strategy({ days: daily, period: '9:00-10:00', timeZone, lastTaken });
    expect(opens(edited, '2026-01-06T03:00:00Z')).toBe(expected);
  });
  it('to hours after midnight, in the same night, starts no second backup of this night', () => {
    const evening = taken('2026-01-06T23:00:00Z', '2026-01-07T06:00:00Z', '23:00-6:00');
    const edited = strategy({ days: daily, period: '1:00-5:00', lastTaken: evening });
    expect(opens(edited, '2026-01-07T02:00:00Z')).toBe('2026-01-08T01:00:00.000Z');
  });
  it('does not lose a weekday whose hours lie ahead, though the last window is still open', () => {
    const long = taken('2026-01-06T22:00:00Z', '2026-01-07T22:00:00Z', '22:00-22:00');
    const edited = strategy({ days: ['Wednesday'], period: '20:00-23:00', lastTaken: long });
    expect(opens(edited, '2026-01-06T23:00:00Z')).toBe('2026-01-07T20:00:00.000Z');
  });
});

it('a window that the clocks move into the next day does not take the place of that day’s own', () => {
  // Nuuk has no 23:20 on Saturday, 2026-03-28: its window opens on Sunday at 0:20, and Sunday's at 23:20.
  const nuuk = { days: daily, period: '23:20-23:40', timeZone: 'America/Nuuk' };
  const lastTaken = taken('2026-03-29T01:20:00Z', '2026-03-29T01:40:00Z', nuuk.period, nuuk.timeZone);
  expect(lastTaken.date).toBe('2026-03-28');
  expect(opens(strategy({ ...nuuk, lastTaken }), '2026-03-29T01:20:00Z', false)).toBe('2026-03-30T00:20:00.000Z');
});

describe('planning after a save', () => {
  const nextWindow = {
    opensAt: new Date('2026-01-06T01:00:00Z'),
    closesAt: new Date('2026-01-06T02:00:00Z'),
    startAt: new Date('2026-01-06T01:09:00Z'),
  };
  const before = strategy({ days: daily, period: '1:00-2:00', nextWindow });
  const at = new Date('2026-01-06T01:05:00Z');

  it('keeps the planned start while days, hours and zone stay, also one that is overdue', () => {
    expect(replan(before, { ...before, storageId: 'other' }, at, true, 0)).toEqual(nextWindow);
    const late = new Date('2026-01-08T00:00:00Z');
    expect(replan(before, { ...before, days: daily.toReversed() as Weekday[] }, late, true, 0)).toEqual(nextWindow);
  });
  it('starts an open window now, neither at its offset nor at an offset that has passed', () => {
    const fresh = strategy({ days: daily, period: '1:00-2:00' });
    for (const spreadMs of [0, 1_800_000])
      expect(replan(undefined, fresh, at, true, spreadMs)).toMatchObject({
        opensAt: new Date('2026-01-06T01:00:00Z'),
        startAt: at,
      });
  });
  it('starts nothing on being resumed, whoever paused it', () => {
    for (const paused of [{ paused: true }, { fleetPaused: true }]) {
      const held = { ...before, ...paused, nextWindow: null };
      expect(replan(held, before, at, true, 0)?.opensAt).toEqual(new Date('2026-01-07T01:00:00Z'));
    }
  });
  it('plans nothing while paused, whoever paused it', () => {
    expect(replan(before, { ...before, paused: true }, at, true, 0)).toBeNull();
    expect(replan(before, { ...before, fleetPaused: true }, at, true, 0)).toBeNull();
  });
});

it('reads a document of an older version, which lacks fields, as one that never set them', () => {
  const { retention, windowEnd, storageId, brOptions, lastTaken, fleetStrategy, fleetPaused, createdIn, ...old } =
    strategy({ days: ['Monday'], paused: true });
  const read = upgrade(old as StrategyDocument);
  expect(read).toEqual(strategy({ days: ['Monday'], paused: true }));
  expect(toStrategyMessage(read, 0)).toMatchObject({
    windowEnd: 1,
    storageId: '',
    fleetStrategy: '',
    fleetPaused: false,
  });
  expect(toStrategyMessage(read, 0).retention).toBeUndefined();
});
