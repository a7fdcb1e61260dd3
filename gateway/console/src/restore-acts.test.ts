import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import { RestoreState, TargetState } from '@tidemark/protocol/connect/tidemark/backup/v1/restore';
import { describe, expect, it } from 'vitest';
import { phasesOf, type RestoreForm, samePlan, sameStart, wishOf } from './restore-acts.ts';
import { tidemarkLine } from './shell.ts';

const form: RestoreForm = {
  of: 'backup',
  backupId: 'b1',
  sourceClusterId: 'orders',
  at: '2026-01-31T10:15:00+01:00',
  targetClusterId: 'scratch',
  filter: 'shop.*\n\n!shop.tmp',
  rateLimit: '8',
  withSystemTables: true,
  withoutStats: false,
  waitTiflashReady: true,
};
const point: RestoreForm = { ...form, of: 'point' };

describe('a restore that is asked for', () => {
  it('of a backup says which tables of it come back', () => {
    expect(wishOf(form)).toEqual({
      backupId: 'b1',
      targetClusterId: 'scratch',
      options: {
        filter: ['shop.*', '!shop.tmp'],
        rateLimit: 8,
        withSystemTables: true,
        withoutStats: false,
        waitTiflashReady: true,
      },
    });
    expect(tidemarkLine(samePlan(form))).toBe(
      "tidemark restore plan b1 --into scratch --filter 'shop.*' --filter '!shop.tmp' --rate-limit 8 --with-system-tables --wait-tiflash",
    );
  });

  it('to a point names the cluster and the moment, and nothing that br refuses of one', () => {
    expect(wishOf(point)).toMatchObject({
      point: { clusterId: 'orders', time: timestampFromMs(Date.UTC(2026, 0, 31, 9, 15)) },
      options: { filter: [], withSystemTables: false },
    });
    expect(wishOf(point)).not.toHaveProperty('backupId');
    expect(sameStart(point, 'hash', ['version'])).toEqual({
      method: 'POST',
      path: '/restores',
      body: {
        source: { clusterId: 'orders', pointInTime: '2026-01-31T09:15:00Z' },
        targetClusterId: 'scratch',
        rateLimit: 8,
        waitTiFlashReady: true,
        planHash: 'hash',
        confirm: 'scratch',
        acknowledge: ['version'],
      },
      tidemark: [
        ...['restore', 'start', '--of', 'orders', '--at', '2026-01-31T09:15:00Z', '--into', 'scratch'],
        ...['--plan', 'hash', '--rate-limit', '8', '--wait-tiflash', '--acknowledge', 'version'],
      ],
    });
  });

  it('shows in its commands what was typed, also while that is no moment', () => {
    expect(samePlan({ ...point, at: 'noon' }).body).toMatchObject({ source: { pointInTime: 'noon' } });
    expect(wishOf({ ...point, at: 'noon' })).toMatchObject({ point: { clusterId: 'orders' } });
  });
});

describe('the phases of a restore', () => {
  const { RUNNING, QUEUED, FAILED, SUCCEEDED } = RestoreState;
  const { PARTIAL, UNTOUCHED, RESTORED } = TargetState;
  const phases = (state: RestoreState, targetState: TargetState, step = '', more: object = {}) =>
    phasesOf({ state, targetState, attempts: [{}], progress: { step, percent: 1 }, ...more } as never).map(
      ({ name, state }) => `${state}: ${name}`,
    );
  const toPoint = { source: { point: {} } };

  it('of a backup are four', () => {
    expect(phases(QUEUED, UNTOUCHED, '', { attempts: [] })[0]).toBe('now: Accepted');
    expect(phases(RUNNING, UNTOUCHED)[1]).toBe('now: Taken by a worker, and looked at');
    expect(phases(RUNNING, PARTIAL, 'Full Restore')).toEqual([
      'done: Accepted',
      'done: Taken by a worker, and looked at',
      'now: Full Restore',
      'ahead: Over',
    ]);
    expect(phases(FAILED, UNTOUCHED)).toEqual([
      'done: Accepted',
      'done: Taken by a worker, and looked at',
      'ahead: Written into the target',
      'failed: Over',
    ]);
  });

  it('to a point are two of br: the backup, and then its log', () => {
    expect(phases(RUNNING, PARTIAL, 'Full Restore', toPoint).slice(2)).toEqual([
      'now: Full Restore',
      'ahead: Brought to its moment by the log',
      'ahead: Over',
    ]);
    expect(phases(RUNNING, PARTIAL, 'Restore KV Files', toPoint).slice(2)).toEqual([
      'done: Written into the target',
      'now: Restore KV Files',
      'ahead: Over',
    ]);
    expect(phases(FAILED, PARTIAL, 'Full Restore', toPoint).slice(2)).toEqual([
      'done: Written into the target',
      'ahead: Brought to its moment by the log',
      'failed: Over',
    ]);
    expect(new Set(phases(SUCCEEDED, RESTORED, '', toPoint).map((phase) => phase.split(':')[0]))).toEqual(
      new Set(['done']),
    );
  });
});
