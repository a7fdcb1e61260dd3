import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import { BackupState } from '@tidemark/protocol/connect/tidemark/backup/v1/backup';
import { expect, it } from 'vitest';
import { hoursOn, nightAxis, runsOn, spanOf } from './night.ts';

const NOW = Date.UTC(2026, 10, 30, 12);
const axis = nightAxis(NOW);
const HOUR = 3_600_000;

it('the axis shows the last day and the next six hours', () => {
  expect(spanOf(axis, NOW - 24 * HOUR, NOW + 6 * HOUR)).toEqual({ from: 0, to: 1 });
  expect(spanOf(axis, NOW, NOW)).toEqual({ from: 0.8, to: 0.8 });
});

it('what reaches beyond an end is cut there, and what lies beside the axis is left out', () => {
  expect(spanOf(axis, NOW - 30 * HOUR, NOW - 18 * HOUR)).toEqual({ from: 0, to: 0.2 });
  expect(spanOf(axis, NOW - 30 * HOUR, NOW - 25 * HOUR)).toBeUndefined();
  expect(spanOf(axis, NOW + 7 * HOUR, NOW + 8 * HOUR)).toBeUndefined();
});

it('hours are full ones of the zone of the reader, and lie on the axis', () => {
  const hours = hoursOn(axis, 6);
  expect(hours.map(({ ms }) => new Date(ms).getHours() % 6)).toEqual(hours.map(() => 0));
  expect(hours.length).toBeGreaterThanOrEqual(5);
  for (const { at } of hours) expect(at >= 0 && at <= 1).toBe(true);
});

it('a run lies where a worker had it: what waits is no run, and waiting is no part of one', () => {
  const at = (hours: number) => timestampFromMs(NOW + hours * HOUR);
  const waiting = { id: 'waits', state: BackupState.QUEUED, startTime: at(-12), attempts: [] };
  const running = { ...waiting, id: 'runs', state: BackupState.RUNNING, attempts: [{ startTime: at(-3) }] };
  expect(runsOn(axis, [waiting, running] as never, NOW)).toMatchObject([{ id: 'runs', from: 0.7, to: 0.8 }]);
});
