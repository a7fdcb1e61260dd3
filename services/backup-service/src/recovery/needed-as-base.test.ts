/** Which backups retention must leave, as points of the horizon need them. */
import { expect, it } from 'vitest';
import { isBase } from './needed-as-base.ts';
import { logOf, snapshotAt } from './testing/sample-state.ts';

const NOW = new Date('2026-12-02T12:00:00Z');
const HORIZON_DAYS = 3;
const daysAgo = (days: number) => new Date(NOW.getTime() - days * 86_400_000);
const tsoAt = (days: number) => BigInt(daysAgo(days).getTime()) << 18n;
const backupOf = (days: number) => ({
  _id: `b${tsoAt(days)}`,
  startTime: daysAgo(days),
  result: { tso: String(tsoAt(days)), sizeBytes: 7, files: 1, tidbClusterId: '7', clusterVersion: '8.5.0' },
});
const generations = [logOf(1, tsoAt(9), tsoAt(0), { upstreamClusterId: null })];
const stateWith = (...days: number[]) => ({ snapshots: days.map((one) => snapshotAt(tsoAt(one))), generations });

it('needs the newest backup before the horizon, and neither those before nor those after it', () => {
  const state = stateWith(8, 5, 4, 2, 1);
  const isNeeded = (days: number) => isBase(backupOf(days), state, HORIZON_DAYS, NOW);
  expect([8, 5, 4, 2, 1].map(isNeeded)).toEqual([false, false, true, false, false]);
});

it('needs one that is asked to go as soon as the one that served is not there any more', () => {
  expect(isBase(backupOf(2), stateWith(4, 1), HORIZON_DAYS, NOW)).toBe(false);
  expect(isBase(backupOf(2), stateWith(1), HORIZON_DAYS, NOW)).toBe(true);
});

it('needs none that is damaged, that lies before the log, or where there is no log', () => {
  const counts = { state: 'Damaged', level: 'bytes', at: NOW, sample: 100, sentence: '', problemCount: 1 } as const;
  const verification = { run: 1, active: false, counts };
  expect(isBase({ ...backupOf(4), verification }, stateWith(1), HORIZON_DAYS, NOW)).toBe(false);
  expect(isBase(backupOf(10), stateWith(1), HORIZON_DAYS, NOW)).toBe(false);
  expect(isBase(backupOf(4), { snapshots: [], generations: [] }, HORIZON_DAYS, NOW)).toBe(false);
});
