import { expect, it } from 'vitest';
import { readManifest } from './manifest.ts';

const PATH = 'nfs/em/backup/c1/2026-01-31-12-00-00-full';
const whole = {
  schemaVersion: 1,
  backupId: 'h6IhUQh-Q32MDOfcVieYgA',
  clusterId: 'c1',
  mode: 'auto',
  type: 'full',
  method: 'physical',
  origin: 'schedule',
  rule: 'nightly',
  createdBy: 'scheduler',
  requestKey: 'c1:default:2026-01-31T12:00:00Z',
  requestHash: 'a'.repeat(64),
  storageId: 'local',
  path: `${PATH}-r2`,
  basePath: PATH,
  target: {
    pd: ['127.0.0.1:2379'],
    version: '8.5.0',
    pool: 'east',
    tls: { ca: '/ca', cert: '/cert', key: '/key' },
    brOptions: { rateLimit: 8, concurrency: 2, compression: 'zstd', filters: ['a.*'], checksum: false, extra: {} },
  },
  startTime: '2026-01-31T12:00:00.250Z',
  endTime: '2026-01-31T13:00:00.000Z',
  tso: '463838582067200001',
  sizeBytes: 7,
  files: 3,
  tidbClusterId: '7452345234523452345',
  clusterVersion: '8.5.0',
  brVersion: 'v8.5.0',
};
const old = {
  schemaVersion: 1,
  backupId: whole.backupId,
  clusterId: 'c1',
  path: PATH,
  storageId: 'local',
  target: { pd: ['127.0.0.1:2379'], version: '8.5.0' },
  tso: String(BigInt(Date.parse('2026-01-31T12:00:01Z')) << 18n),
  sizeBytes: 7,
  files: 3,
  tidbClusterId: '7',
  clusterVersion: '8.5.0',
  brVersion: 'v8.5.0',
};
const bytes = (value: unknown) => Buffer.from(typeof value === 'string' ? value : JSON.stringify(value));

it('reads all that a record is rebuilt from', () => {
  expect(readManifest(bytes(whole), whole.path)).toEqual({
    backupId: whole.backupId,
    clusterId: 'c1',
    mode: 'auto',
    origin: 'schedule',
    rule: 'nightly',
    createdBy: 'scheduler',
    request: { key: whole.requestKey, hash: whole.requestHash },
    path: whole.path,
    basePath: PATH,
    startTime: new Date(whole.startTime),
    endTime: new Date(whole.endTime),
    target: {
      pd: ['127.0.0.1:2379'],
      version: '8.5.0',
      pool: 'east',
      tls: { ca: '/ca', cert: '/cert', key: '/key' },
      brOptions: { rateLimit: 8, concurrency: 2, compression: 'zstd', filters: ['a.*'], checksum: false },
    },
    result: { tso: whole.tso, sizeBytes: 7, files: 3, tidbClusterId: whole.tidbClusterId, clusterVersion: '8.5.0' },
  });
});

it('reads one of an earlier version: by hand, for retention not to count, at the time of its TSO', () => {
  expect(readManifest(bytes(old), PATH)).toMatchObject({
    mode: 'manual',
    origin: 'request',
    createdBy: 'unknown',
    basePath: PATH,
    startTime: new Date('2026-01-31T12:00:01Z'),
    endTime: new Date('2026-01-31T12:00:01Z'),
    target: { pool: 'default' },
  });
});

it('tells what a log backup started from what people did', () => {
  expect(readManifest(bytes({ ...whole, origin: 'log' }), whole.path)).toMatchObject({ origin: 'log' });
});

it.each([
  ['no JSON', '{"schemaVersion":1,', /is not JSON/],
  ['no object', '[]', /not a JSON object/],
  ['a later version', { ...whole, schemaVersion: 2 }, /schemaVersion is 2/],
  ['another path', { ...whole, path: `${PATH}-r3` }, /does not lie there/],
  ['a path that leads elsewhere', { ...whole, path: '../../etc' }, /path must be a clean relative path/],
  ['another cluster', { ...whole, clusterId: 'c2' }, /names the cluster c2/],
  ['a bad id', { ...whole, backupId: '../x' }, /backupId must be/],
  ['a foreign base path', { ...whole, basePath: 'nfs/em/backup/c1/another' }, /basePath must be/],
  ['no TSO', { ...whole, tso: '0' }, /tso must be/],
  ['a size that is none', { ...whole, sizeBytes: -1 }, /sizeBytes must be/],
  ['a time that is none', { ...whole, startTime: 'yesterday' }, /startTime must be/],
  ['a rule that is none', { ...whole, rule: '../x' }, /rule must be/],
  ['an origin that is none', { ...whole, origin: 'moon' }, /origin must be/],
  ['a target that is none', { ...whole, target: 'moon' }, /target is not an object/],
  ['a PD that is none', { ...whole, target: { pd: [1] } }, /target.pd must be/],
  ['far too much', 'x'.repeat(70_000), /no manifest is that large/],
])('refuses %s and says why', (_what, value, sentence) => {
  expect(() => readManifest(bytes(value), whole.path)).toThrow(sentence);
});
