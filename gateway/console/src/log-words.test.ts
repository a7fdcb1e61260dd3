import { create } from '@bufbuild/protobuf';
import { LogBackupSchema, LogState, LogWish } from '@tidemark/protocol/connect/tidemark/backup/v1/log_backup';
import { describe, expect, it } from 'vitest';
import { actsOn, adviceOn, endOf, formOf, sameAct, sameSave, saveOf, troubleOf } from './log-words.ts';
import { curlLine, tidemarkLine } from './shell.ts';

const log = (wanted: LogWish, state: LogState, more: object = {}) =>
  create(LogBackupSchema, { wanted, state, ...more });
const kept = { generations: [{ number: 1, minTs: 7n }] };

describe('what can be done with a log backup', () => {
  it('that nobody wants: an admin may start it, and what is kept may go', () => {
    const off = log(LogWish.OFF, LogState.OFF);
    expect(actsOn(off, true)).toEqual(['start']);
    expect(actsOn(off, false)).toEqual([]);
    expect(actsOn(log(LogWish.OFF, LogState.OFF, kept), false)).toEqual(['truncate']);
  });

  it('that runs: it is paused, and by an admin changed or stopped', () => {
    expect(actsOn(log(LogWish.ON, LogState.RUNNING, kept), true)).toEqual(['pause', 'settings', 'truncate', 'stop']);
    expect(actsOn(log(LogWish.ON, LogState.RUNNING), false)).toEqual(['pause']);
  });

  it.each([LogState.PAUSED, LogState.ERROR, LogState.MISSING])(
    'that stands still in state %i: it is resumed first of all, also where it is wanted on',
    (state) => {
      expect(actsOn(log(LogWish.ON, state), false)).toEqual(['resume', 'pause']);
      expect(actsOn(log(LogWish.PAUSED, state), false)).toEqual(['resume']);
    },
  );
});

it('settings begin as they are, or as by default, and are saved as the API and the command line take them', () => {
  expect(formOf(create(LogBackupSchema, {}))).toEqual({
    storageId: '',
    retentionDays: 7,
    lagWarnMinutes: 10,
    lagCriticalMinutes: 30,
  });
  const form = { storageId: 's3', retentionDays: 14, lagWarnMinutes: 5, lagCriticalMinutes: 60 };
  expect(saveOf(form, true)).toEqual({
    storageId: 's3',
    paused: true,
    retentionDays: 14,
    lagWarnSeconds: 300,
    lagCriticalSeconds: 3_600,
  });
  expect(tidemarkLine(sameSave('orders', form, false))).toBe(
    'tidemark log-backup start orders --storage s3 --retention-days 14 --lag-warn 300s --lag-critical 3600s',
  );
});

it('an act is told in a shell with all that it is told here', () => {
  const truncation = sameAct('truncate', 'orders', { until: '2026-01-31T09:15:00Z', acknowledge: 'abc' });
  expect(tidemarkLine(truncation)).toBe(
    'tidemark log-backup truncate orders --before 2026-01-31T09:15:00Z --acknowledge abc',
  );
  expect(curlLine('http://x', truncation)).toContain(`-d '{"until":"2026-01-31T09:15:00Z","acknowledge":"abc"}'`);
  expect(sameAct('stop', 'orders', {})).toMatchObject({ method: 'DELETE', path: '/clusters/orders/log-backup' });
  const removal = sameAct('stop', 'orders', { removeFiles: true, acknowledge: 'abc' });
  expect(removal).toMatchObject({ path: '/clusters/orders/log-backup?files=remove&acknowledge=abc' });
  expect(tidemarkLine(removal)).toBe('tidemark log-backup stop orders --remove-files --acknowledge abc');
  expect(sameAct('pause', 'orders', { reason: 'new disks' })).toMatchObject({
    path: '/clusters/orders/log-backup/pause',
    body: { reason: 'new disks' },
  });
});

it('a moment up to which a log is truncated may be left out, and else is one', () => {
  expect(troubleOf(' ')).toBeUndefined();
  expect(troubleOf('2026-01-31T09:15:00Z')).toBeUndefined();
  expect(troubleOf('yesterday')).toContain('A moment is written as');
});

it('says how a log ended, in words where they are known', () => {
  expect(endOf({ open: true, endedWhy: '' })).toBe('it is written');
  expect(endOf({ open: false, endedWhy: 'vanished' })).toBe('somebody stopped its task by hand');
  expect(endOf({ open: false, endedWhy: 'somethingNew' })).toBe('somethingNew');
});

it('has advice on alarms that have none in their own sentence', () => {
  expect(adviceOn('logPauseEnds')).toContain('Resume it.');
  expect(adviceOn('logMissing')).toBeUndefined();
});
