import { LogState, LogWish } from '@tidemark/protocol/grpc/tidemark/backup/v1/log_backup';
import { describe, expect, it } from 'vitest';
import { because, type Occurrence } from '../../catch-up.ts';
import type { ClusterLog } from '../../cluster-log.ts';
import { factOfPromise, factsOfBackup, factsOfLog, factsOfWindow, type SeenBackup } from './facts.ts';

const HOUR_MS = 3_600_000;
const NOW = new Date('2026-12-02T03:00:00Z');
const ago = (hours: number) => new Date(NOW.getTime() - hours * HOUR_MS);
const CLUSTER = { id: 'orders', labels: [['env', 'prod']] as const };

const backup = (fields: Partial<SeenBackup>): SeenBackup => ({
  id: 'b1',
  storageId: 's3',
  rule: 'nightly',
  state: 'succeeded',
  code: '',
  reason: '',
  endedAt: ago(1),
  changedAt: ago(0.5),
  removalFails: false,
  damaged: false,
  ...fields,
});
const levelsOf = (fields: Partial<SeenBackup>) =>
  Object.fromEntries(factsOfBackup(backup(fields), CLUSTER).map(({ condition, level }) => [condition, level]));

describe('a backup', () => {
  it('that succeeded speaks for its cluster, and waits for no storage', () => {
    expect(levelsOf({})).toEqual({ backup: 'good', removal: 'good', damage: 'good', storage: 'good' });
  });

  it('that failed speaks against the cluster, and says why', () => {
    const [fact] = factsOfBackup(backup({ state: 'failed', reason: 'No space is left.' }), CLUSTER);
    expect(fact).toMatchObject({ condition: 'backup', level: 'warning', at: ago(1) });
    expect(fact?.text).toBe('A backup of orders failed: No space is left.');
  });

  it('that was canceled, or has not ended, says nothing of whether backups succeed', () => {
    expect(levelsOf({ state: 'canceled' })).not.toHaveProperty('backup');
    expect(levelsOf({ state: 'active', endedAt: undefined })).not.toHaveProperty('backup');
  });

  it('that waits for its storage speaks against the storage', () => {
    const waits = { endedAt: undefined, code: 'STORAGE_AWAY' };
    expect(levelsOf({ ...waits, state: 'waiting' })).toMatchObject({ storage: 'critical' });
    expect(levelsOf({ ...waits, state: 'active' })).toMatchObject({ storage: 'good' });
    expect(levelsOf({ ...waits, state: 'waiting', code: 'NO_WORKER' })).toMatchObject({ storage: 'good' });
  });

  it('that is damaged, or cannot be removed, is told', () => {
    expect(levelsOf({ damaged: true })).toMatchObject({ damage: 'critical' });
    expect(levelsOf({ removalFails: true })).toMatchObject({ removal: 'warning' });
  });
});

describe('a window', () => {
  const window = (fields: Partial<Occurrence>): Occurrence => ({
    _id: 'o',
    clusterId: 'orders',
    rule: 'nightly',
    opensAt: ago(2),
    closesAt: ago(1),
    startAt: ago(2),
    late: false,
    lastGoodAt: ago(24),
    state: 'Started',
    backupId: 'b1',
    stopAt: null,
    windowEnd: 'letRun',
    nextTryAt: ago(1),
    decidedAt: ago(1),
    createTime: ago(2),
    ...because('CLUSTER_BUSY'),
    ...fields,
  });
  const levelOf = (fields: Partial<Occurrence>) => factsOfWindow(window(fields), CLUSTER).map(({ level }) => level);

  it('that started a backup is good, and one that did not is missed', () => {
    expect(levelOf({})).toEqual(['good']);
    expect(levelOf({ state: 'Skipped' })).toEqual(['warning']);
    expect(levelOf({ state: 'Missed', ...because('NO_SCHEDULER') })).toEqual(['warning']);
  });

  it('that people closed on purpose is not', () => {
    expect(levelOf({ state: 'Skipped', ...because('STRATEGY_PAUSED') })).toEqual([]);
    expect(levelOf({ state: 'Skipped', ...because('CATCH_UP') })).toEqual([]);
  });

  it('that is not decided yet says nothing', () => {
    expect(levelOf({ state: 'Pending', decidedAt: null })).toEqual([]);
  });
});

describe('the promise of a cluster', () => {
  const of = (verdict: 'never' | 'veryLate' | 'late' | 'noPlan' | 'inTime', registeredHoursAgo = 1_000) =>
    factOfPromise(
      CLUSTER,
      { verdict, asOf: NOW, intervalMs: 24 * HOUR_MS, registeredAt: ago(registeredHoursAgo), goodAt: undefined },
      NOW,
    ).level;

  it('is told as of when it was known, so that a copy that knows less undoes nothing (C4)', () => {
    const known = {
      verdict: 'late',
      asOf: ago(1),
      intervalMs: 24 * HOUR_MS,
      registeredAt: ago(100),
      goodAt: ago(50),
    } as const;
    expect(factOfPromise(CLUSTER, known, NOW).at).toEqual(ago(1));
  });

  it('is broken by lateness, the worse the later', () => {
    expect([of('inTime'), of('noPlan'), of('late'), of('veryLate'), of('never')]).toEqual([
      'good',
      'good',
      'warning',
      'critical',
      'critical',
    ]);
  });

  it('is not broken by a cluster whose first backup is not due yet', () => {
    expect(of('never', 33)).toBe('good');
    expect(of('never', 35)).toBe('critical');
  });
});

describe('the log backup of a cluster', () => {
  const alarm = (name: string, critical = false) => ({ name, critical, message: `It is ${name}.` });
  const log = (fields: Partial<ClusterLog> = {}): ClusterLog => ({
    ...{ wanted: LogWish.LOG_WISH_ON, state: LogState.LOG_STATE_PAUSED, healthy: false, alarms: [], asides: [] },
    ...{ spans: [], changedAt: NOW },
    ...fields,
  });
  const facts = (fields: Partial<ClusterLog>, told: string[] = []) =>
    factsOfLog(CLUSTER, log(fields), told, NOW).map(({ subject, level, grade, text }) => [subject, level, grade, text]);

  it('is as bad as its worst alarm, which is told with the others', () =>
    expect(facts({ alarms: [alarm('logLagging'), alarm('logPausedByHand')] })).toEqual([
      ['orders', 'warning', 'logPausedByHand', 'The log backup of orders: It is logPausedByHand. It is logLagging.'],
    ]));

  it('has each alarm that says nothing of the log that is written by itself, until that is over', () => {
    const good = ['orders', 'good', '', 'The log backup of orders has no alarm any more.'];
    expect(facts({ asides: [alarm('truncateStuck')] })).toEqual([
      good,
      ['orders:truncateStuck', 'warning', 'truncateStuck', 'The log backup of orders: It is truncateStuck.'],
    ]);
    const over = 'The alarm truncateStuck of the log backup of orders is over.';
    expect(facts({}, ['truncateStuck'])).toEqual([good, ['orders:truncateStuck', 'good', '', over]]);
  });

  it('is good once none is wanted', () =>
    expect(factsOfLog(CLUSTER, undefined, [], NOW)).toMatchObject([
      { level: 'good', text: 'No log backup of orders is wanted any more.' },
    ]));
});
