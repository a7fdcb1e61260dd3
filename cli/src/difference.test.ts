import { expect, it } from 'vitest';
import { changesOf } from './difference.ts';

const cluster = { kind: 'Cluster', id: 'orders' } as const;
const strategy = { kind: 'Strategy', id: 'orders' } as const;
const IS = {
  name: 'orders',
  pd: ['h:1'],
  storageId: 'nfs',
  pool: 'default',
  purpose: 'production',
  restore: { strictLoss: false },
};

it('takes what the API makes of a field that is left out for no change', () => {
  expect(changesOf(cluster, IS, { pd: ['h:1'], storageId: 'nfs' })).toEqual([]);
  expect(changesOf(cluster, IS, { pd: ['h:1'], storageId: 'nfs', name: null, labels: {}, timeZone: '' })).toEqual([]);
  const storage = { type: 'local', path: '/b', root: 'nfs/em/backup', maxConcurrent: 0, sendCredentialsToTikv: true };
  expect(changesOf({ kind: 'Storage', id: 'nfs' }, storage, { type: 'local', path: '/b' })).toEqual([]);
});

it('empties what a registration leaves out, and keeps what a strategy leaves out', () => {
  expect(changesOf(cluster, { ...IS, labels: { env: 'prod' } }, { pd: ['h:2'], storageId: 'nfs' })).toEqual([
    { field: 'pd', from: ['h:1'], to: ['h:2'] },
    { field: 'labels', from: { env: 'prod' } },
  ]);
  expect(changesOf(strategy, { backupDate: 'Monday', period: '1:00-2:00' }, { period: '1:00-3:00' })).toEqual([
    { field: 'period', from: '1:00-2:00', to: '1:00-3:00' },
  ]);
});

it('forgives how weekdays are written, and options in another order', () => {
  expect(changesOf(strategy, { backupDate: 'Monday,Friday' }, { backupDate: ' monday, FRIDAY,monday' })).toEqual([]);
  expect(
    changesOf(strategy, { retention: { keepLast: 3, weekly: 2 } }, { retention: { weekly: 2, keepLast: 3, daily: 0 } }),
  ).toEqual([]);
  expect(changesOf(strategy, { retention: { keepLast: 3 } }, { retention: null })).toEqual([
    { field: 'retention', from: { keepLast: 3 } },
  ]);
});

it('shows of what is not there all that is wanted', () => {
  expect(changesOf(strategy, undefined, { period: '1:00-2:00', timeZone: '' })).toEqual([
    { field: 'period', to: '1:00-2:00' },
  ]);
});
