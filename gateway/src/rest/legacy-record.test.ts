import { timestampFromDate } from '@bufbuild/protobuf/wkt';
import { BackupMode, BackupState, DeletionState } from '@tidemark/protocol/connect/tidemark/backup/v1/backup';
import { expect, it } from 'vitest';
import { BACKUP, CLUSTER, sampleBackup } from '../testing/programmable-backends.ts';
import { statesOf, toLegacyRecord } from './legacy-record.ts';
import { NEVER, STATES } from './legacy-states.ts';

const DOCUMENTED = {
  id: BACKUP,
  clusterId: CLUSTER,
  backupType: 'full',
  backupMethod: 'physical',
  backupMode: 'manual',
  filePath: `nfs/em/backup/${CLUSTER}/2022-04-28-08-00-41-full`,
  size: 1.5,
  backupTso: '432834567783317505',
  status: 'Finished',
  startTime: '2022-04-28T08:00:41.697Z',
  endTime: '2022-04-28T08:00:42.263Z',
  createTime: '2022-04-28T08:00:41.698Z',
  updateTime: '2022-04-28T08:00:42.267Z',
  deleteTime: '0001-01-01T00:00:00Z',
};

it('shows a finished backup with every documented field, in the documented order', () => {
  const record = toLegacyRecord(sampleBackup());
  expect(record).toMatchObject(DOCUMENTED);
  expect(Object.keys(record).slice(0, 14)).toEqual(Object.keys(DOCUMENTED));
});

it('shows what a backup that has just been accepted does not know yet as zero values', () => {
  const never = { result: undefined, endTime: undefined, deleteTime: undefined };
  expect(toLegacyRecord(sampleBackup({ state: BackupState.QUEUED, ...never }))).toMatchObject({
    size: 0,
    sizeBytes: 0,
    backupTso: '0',
    endTime: NEVER,
    deleteTime: NEVER,
    status: 'Initializing',
    attempts: [],
    progress: { step: '', percent: 0 },
    deletion: { state: 'None' },
  });
});

it.each([
  [BackupState.QUEUED, 'Queued', 'Initializing'],
  [BackupState.RUNNING, 'Running', 'Processing'],
  [BackupState.CANCELING, 'Canceling', 'Processing'],
  [BackupState.SUCCEEDED, 'Succeeded', 'Finished'],
  [BackupState.FAILED, 'Failed', 'Failed'],
  [BackupState.CANCELED, 'Canceled', 'Failed'],
  [99 as BackupState, 'Unknown', 'Processing'],
])('shows state %s as %s, for existing clients %s', (state, name, status) => {
  expect(toLegacyRecord(sampleBackup({ state }))).toMatchObject({ state: name, status });
});

it('filters by a documented status or by a state', () => {
  expect(statesOf('Processing')).toEqual([BackupState.RUNNING, BackupState.CANCELING]);
  expect(statesOf('Failed')).toEqual([BackupState.FAILED, BackupState.CANCELED]);
  expect(statesOf('Canceled')).toEqual([BackupState.CANCELED]);
  expect(STATES).toHaveLength(6);
});

it('tells of rule, pin and place in line beyond the document', () => {
  expect(toLegacyRecord(sampleBackup({ rule: 'nightly', holds: ['restore-1', 'pin:r-1'] }))).toMatchObject({
    rule: 'nightly',
    pinned: true,
  });
  expect(toLegacyRecord(sampleBackup({ holds: ['restore-1'] }))).toMatchObject({ pinned: false });
  expect(toLegacyRecord(sampleBackup({ state: BackupState.QUEUED, queuePosition: 3 }))).toMatchObject({
    queuePosition: 3,
  });
  expect(toLegacyRecord(sampleBackup())).not.toHaveProperty('queuePosition');
});

it('keeps a TSO of 64 bits to its last digit, and a size to its last byte', () => {
  const result = { tso: 2n ** 64n - 1n, sizeBytes: 5_000_000_000_001n };
  expect(toLegacyRecord(sampleBackup({ result }))).toMatchObject({
    backupTso: '18446744073709551615',
    sizeBytes: 5_000_000_000_001,
  });
});

it('tells of attempts, cancel, deletion and reason beyond the document', () => {
  const at = timestampFromDate(new Date('2026-02-03T04:05:06Z'));
  const record = toLegacyRecord(
    sampleBackup({
      mode: BackupMode.AUTO,
      reason: { code: 'DEADLINE', message: 'It took too long.' },
      attempts: [{ number: 1, worker: 'w1', path: 'p', startTime: at, outcome: 'retry', argv: ['br', 'backup'] }],
      cancellation: { at, by: 'alice', reason: 'wrong cluster' },
      deletion: { state: DeletionState.DELETE_FAILED, at, by: 'bob', error: 'no permission' },
      progress: { step: 'Full Backup', percent: 12.5, remainingSeconds: 60, speed: '14 p/s' },
    }),
  );
  expect(record).toMatchObject({
    backupMode: 'auto',
    reason: { code: 'DEADLINE', message: 'It took too long.' },
    attempts: [{ number: 1, worker: 'w1', filePath: 'p', endTime: NEVER, outcome: 'retry', argv: ['br', 'backup'] }],
    cancel: { at: '2026-02-03T04:05:06.000Z', by: 'alice', reason: 'wrong cluster' },
    deletion: { state: 'DeleteFailed', by: 'bob', error: 'no permission' },
    progress: { step: 'Full Backup', percent: 12.5, remainingSeconds: 60, speed: '14 p/s' },
  });
});

it('marks what is only estimated as an estimate, beside the progress', () => {
  const estimate = { $typeName: 'tidemark.backup.v1.Estimate' as const, writtenBytes: 5_000_000_000_000n };
  expect(toLegacyRecord(sampleBackup({ estimate: { ...estimate, percent: 40 } }))).toMatchObject({
    estimate: { writtenBytes: 5_000_000_000_000, percent: 40 },
    progress: toLegacyRecord(sampleBackup()).progress,
  });
  expect(toLegacyRecord(sampleBackup({ estimate })).estimate).toEqual({ writtenBytes: 5_000_000_000_000 });
  expect(toLegacyRecord(sampleBackup())).not.toHaveProperty('estimate');
});

it('says what a backup waits for: its next try, or a TiKV that is away, and neither where it waits for nothing', () => {
  const since = timestampFromDate(new Date('2026-01-01T00:00:00Z'));
  const waiting = { $typeName: 'tidemark.backup.v1.Waiting' as const, code: 'STORE_AWAY', message: 'It waits.', since };
  expect(toLegacyRecord(sampleBackup({ waiting: { ...waiting, store: '4' } })).waiting).toEqual({
    code: 'STORE_AWAY',
    message: 'It waits.',
    store: '4',
    since: '2026-01-01T00:00:00.000Z',
  });
  expect(toLegacyRecord(sampleBackup({ waiting: { ...waiting, store: '' } })).waiting).not.toHaveProperty('store');
  expect(toLegacyRecord(sampleBackup({ nextTryTime: since })).nextTryTime).toBe('2026-01-01T00:00:00.000Z');
  for (const field of ['waiting', 'nextTryTime']) expect(toLegacyRecord(sampleBackup())).not.toHaveProperty(field);
});
