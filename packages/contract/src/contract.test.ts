import { METHODS } from '@tidemark/protocol/contract';
import { expect, it } from 'vitest';
import { CALLS, callOfMethod } from './calls.ts';
import { auditedOf, internalViolations, rolesFor, ruleViolations } from './rules.ts';

const START = 'tidemark.backup.v1.BackupService/StartBackup';
const CANCEL = 'tidemark.backup.v1.BackupService/CancelBackup';
const LIST = 'tidemark.backup.v1.BackupService/ListBackups';
const ADVANCE = 'tidemark.strategy.v1.PlanService/AdvanceStrategy';
const ID = 'must be 1 to 64 letters, digits, underscores or dashes';

it('every method is either a call of people or says why it is not', () => {
  for (const [method, about] of Object.entries(METHODS))
    expect('internal' in about, method).toBe(callOfMethod(method) === undefined);
});

it('a call knows its method, role and subject', () => {
  expect(CALLS.startBackup).toEqual({
    method: START,
    request: 'tidemark.backup.v1.StartBackupRequest',
    role: 'operator',
    subject: 'cluster',
    field: 'clusterId',
    audit: 'start backup',
  });
  expect(CALLS.checkStorage.answerMs).toBe(31_000);
  expect(CALLS.putCluster.field).toBe('cluster.id');
});

it.each([
  ['a good start', START, { clusterId: 'c', key: 'k', rule: '', storageId: '' }, []],
  ['no cluster', START, { clusterId: '' }, [['clusterId', 'must be set']]],
  [
    'a cluster and a key that are none',
    START,
    { key: 'a b', clusterId: '../x' },
    [
      ['clusterId', ID],
      ['key', 'must be 1 to 255 printable characters without blanks, or be left out'],
    ],
  ],
  [
    'an endless key',
    START,
    { clusterId: 'c', key: 'k'.repeat(256) },
    [['key', 'must be 1 to 255 printable characters without blanks, or be left out']],
  ],
  [
    'an endless reason, after the ids',
    CANCEL,
    { reason: 'r'.repeat(1_001), id: '$', clusterId: 'a b' },
    [
      ['id', ID],
      ['clusterId', ID],
      ['reason', 'must be at most 1000 characters'],
    ],
  ],
  [
    'a list with bad ids',
    LIST,
    { clusterIds: ['c', '', 'x y'] },
    [
      ['clusterIds[1]', 'must be set'],
      ['clusterIds[2]', ID],
    ],
  ],
  ['a list of all', LIST, { clusterIds: [] }, []],
  ['an id that a call of the scheduler needs', ADVANCE, { rule: 'nightly' }, [['clusterId', 'must be set']]],
  [
    'a number within a message within a message',
    'tidemark.scheduler.v1.OccurrenceService/PreviewStrategy',
    { clusterId: 'c', count: 101, proposal: { retention: { keepLast: 100_001, keepDays: 100_000 } } },
    [
      ['proposal.retention.keepLast', 'must be a whole number from 0 to 100000, such as 7'],
      ['count', 'must be a whole number from 1 to 100'],
    ],
  ],
  [
    'a number below the least',
    'tidemark.strategy.v1.StrategyService/SaveFleetStrategy',
    { name: 'n', priority: -1_000_001 },
    [['priority', 'must be a whole number from -1000000 to 1000000, such as 10; the highest wins']],
  ],
] as const)('%s', (_, method, request, violations) => {
  expect(ruleViolations(method, request).map(({ field, description }) => [field, description])).toEqual(violations);
});

it('what only Tidemark sets is found wherever it stands, unless it was left out', () => {
  const preview = CALLS.previewStrategy.request;
  expect(internalViolations(preview, { clusterId: 'c', proposal: { defaultTimeZone: '' } })).toEqual([]);
  expect(internalViolations(preview, { clusterId: 'c', proposal: { defaultTimeZone: 'UTC' } })).toMatchObject([
    { field: 'proposal.defaultTimeZone' },
  ]);
});

it('a field may take more of a role than its call, once it is set', () => {
  expect(rolesFor(CALLS.deleteBackup.request, { id: 'b', forget: false })).toEqual([]);
  expect(rolesFor(CALLS.deleteBackup.request, { id: 'b', forget: true })).toEqual(['admin']);
});

it('what an audit line names is found wherever it stands', () => {
  expect(auditedOf(CALLS.putStorage.request, { storage: { id: 'nfs' } })).toEqual({ storageId: 'nfs' });
  expect(auditedOf(CALLS.deleteFleetStrategy.request, { name: 'prod' })).toEqual({ fleetStrategy: 'prod' });
});
