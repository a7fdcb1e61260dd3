import { expect, it } from 'vitest';
import type { Backup, VerificationOutcome } from '../backup.ts';
import type { ClusterDocument } from '../registry-store.ts';
import { garbageCollection, planRestore } from './plan.ts';
import type { RestoreOptions } from './restore.ts';

const cluster = { _id: 'c2', pd: ['10.0.0.2:2379'], version: '8.5.0', pool: 'default' } as unknown as ClusterDocument;
const backup = {
  _id: 'b1',
  clusterId: 'c1',
  path: 'root/c1/p',
  storage: { id: 's1' },
  target: { pd: ['10.0.0.1:2379'] },
} as unknown as Backup;
const options: RestoreOptions = {
  rateLimit: 0,
  withSystemTables: false,
  withoutStats: false,
  placementPolicies: '',
  waitTiflashReady: false,
  extra: {},
};
const now = new Date('2026-12-01T12:00:00Z');
const counts = (state: VerificationOutcome['state']): VerificationOutcome => ({
  state,
  level: 'bytes',
  sample: 1,
  sentence: `It is ${state}.`,
  problemCount: 0,
  at: new Date('2026-12-01T10:00:00Z'),
});
const sound = (found?: VerificationOutcome) => {
  const verification = found && { run: 1, active: false, last: found, counts: found };
  const { checks } = planRestore({ ...backup, ...(verification && { verification }) }, cluster, options, now);
  return checks.find(({ name }) => name === 'sourceSound');
};

it('says of a backup that was found good so, and warns of one that nobody verified', () => {
  expect(sound(counts('Good'))).toEqual({
    name: 'sourceSound',
    result: 'ok',
    message: 'It is Good. So it was found at 2026-12-01T10:00:00.000Z.',
  });
  expect(sound()?.result).toBe('warn');
});

it('blocks a backup that was found damaged, until a person passes that over by its name', () => {
  expect(sound(counts('Damaged'))).toMatchObject({
    result: 'blocked',
    message: expect.stringMatching(/^It is Damaged\. .* acknowledge "sourceSound"\.$/),
  });
});

it('says what the versions of both clusters mean for a restore', () => {
  const resultsOf = (backupVersion: string, targetVersion: string, more: Partial<RestoreOptions> = {}) => {
    const result = { tso: '470814418453921793', sizeBytes: 5, tidbClusterId: '7', clusterVersion: backupVersion };
    const of = { ...backup, result } as unknown as Backup;
    const { checks } = planRestore(of, { ...cluster, version: targetVersion }, { ...options, ...more }, now);
    return Object.fromEntries(checks.map(({ name, result: found }) => [name, found]));
  };
  expect(resultsOf('8.5.0', '8.5.0')).toEqual({
    sourceKind: 'ok',
    sameCluster: 'ok',
    version: 'ok',
    collation: 'unknown',
    targetEmpty: 'unknown',
    space: 'unknown',
    checkpoint: 'ok',
    checksums: 'ok',
    sourceSound: 'warn',
  });
  expect(resultsOf('6.5.0', '8.5.0')).toMatchObject({ version: 'blocked' });
  expect(resultsOf('7.5.0', '7.5.0')).toMatchObject({ version: 'ok', checkpoint: 'warn', checksums: 'warn' });
  expect(resultsOf('8.5.0', '8.1.0', { withSystemTables: true })).toMatchObject({
    version: 'warn',
    systemTables: 'blocked',
  });
  expect(resultsOf('8.5.0', '8.5.0', { filter: ['shop.*'] })).toMatchObject({
    existingTables: 'blocked',
    targetInUse: 'warn',
  });
  expect(resultsOf('8.5.5', '8.5.5', { filter: ['shop.*'] })).toMatchObject({ existingTables: 'unknown' });
  expect(resultsOf('7.5.0', '7.5.0', { withoutStats: true })).toMatchObject({ 'options.loadStats': 'blocked' });
});

it('warns of garbage collection that an earlier restore saw off, and else says when it is asked', () => {
  const seen = { at: now, off: ['10.0.0.2:20180'] };
  expect(garbageCollection(seen)).toMatchObject({
    result: 'warn',
    message: expect.stringMatching(
      /10\.0\.0\.2:20180 at 2026-12-01T12:00:00\.000Z, when an earlier restore saw it last/,
    ),
  });
  expect(garbageCollection({ ...seen, off: [] }).result).toBe('unknown');
  expect(garbageCollection(undefined).result).toBe('unknown');
});
