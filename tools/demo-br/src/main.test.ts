import { createHash } from 'node:crypto';
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { BackupMeta, type File, MetaFile } from '@tidemark/protocol/br/backup';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { localStorage } from './storage-local.ts';
import { fieldsOf, readLines, type TestStorage, testStorage } from './test-run.ts';

let storage: TestStorage;
beforeEach(() => {
  storage = testStorage();
});
afterEach(() => storage[Symbol.asyncDispose]());

const filesIn = (name: string) => localStorage(storage.path(name)).list();
const bodyOf = (name: string, file: string) => readFileSync(join(storage.path(name), file));

function expectTrue(name: string, file: File): void {
  const body = bodyOf(name, file.name);
  expect(BigInt(body.length)).toBe(file.size);
  expect(createHash('sha256').update(body).digest('hex')).toBe(file.sha256.toString('hex'));
}

test('its first words say that it is not BR, where no parser looks', async () => {
  const { stdout, stderr } = await storage.start(['--version']).ended;
  expect(stderr).toBe('demo-br: not PingCAP BR; a stand-in that writes sample files\n');
  expect(stdout).not.toContain('not PingCAP BR');
});

test.each(['-V', '--version'])('%s prints six lines and exits 0', async (flag) => {
  const { code, stdout } = await storage.start([flag], { DEMO_BR_VERSION: 'v7.1.0' }).ended;
  expect(code).toBe(0);
  expect(
    stdout
      .trimEnd()
      .split('\n')
      .map((line) => line.split(': ')[0]),
  ).toEqual(['Release Version', 'Git Commit Hash', 'Git Branch', 'Go Version', 'UTC Build Time', 'Race Enabled']);
  expect(stdout.startsWith('Release Version: v7.1.0\n')).toBe(true);
});

test.each([
  [['bakup', 'full', '--pd', 'x']],
  [['backup', 'ful']],
  [['restore']],
  [['restore', 'ful']],
  [['version']],
  [[]],
  [['backup', 'full', '--help']],
])('br %j prints help on stdout and exits 0', async (argv) => {
  const { code, stdout, stderr } = await storage.start(argv).ended;
  expect(code).toBe(0);
  expect(stdout).toContain('Usage:');
  expect(stderr).not.toContain('Error: ');
});

test.each([
  [['backup', 'full', '--no-such-flag'], 'unknown flag: --no-such-flag'],
  [['backup', 'full', '--checksum', 'false'], 'unknown command "false" for "br backup full"'],
])('br %j fails before there is a log', async (argv, message) => {
  const { code, stdout, stderr } = await storage.start(argv).ended;
  expect(code).toBe(1);
  expect(stderr.split('\n').at(-2)).toBe(`Error: ${message}`);
  expect(stdout.trimEnd().split('\n')).toHaveLength(1);
  expect(fieldsOf(stdout, 'br failed').error).toBe(message);
});

test('another storage than a folder fails with a summary of zeros', async () => {
  const { code, stdout, stderr } = await storage.start(['backup', 'full', '-s', 'ftp://x/y'], { BR_LOG_TO_TERM: '' })
    .ended;
  const message =
    'storage ftp not support yet: [BR:ExternalStorage:ErrStorageInvalidConfig]invalid external storage config';
  expect(code).toBe(1);
  expect(stderr).toContain(`\nError: ${message}\n`);
  expect(fieldsOf(stdout, 'Full Backup failed summary')).toMatchObject({ 'total-ranges': '0', 'ranges-succeed': '0' });
  expect(
    readLines(stdout)
      .map(({ level, message: text }) => `${level} ${text}`)
      .slice(-4),
  ).toEqual(['INFO units canceled', 'INFO Full Backup failed summary', 'ERROR failed to backup', 'ERROR br failed']);
});

test.each([[['--pd', 'https://a:1']], [['--compression=gzip']], [['--crypter.method=aes128-ctr']]])(
  'a wrong value in %j fails after the log is open, without a summary',
  async (more) => {
    const { code, stdout, stderr } = await storage.backup('x', more).ended;
    expect(code).toBe(1);
    expect(stderr).toContain('[BR:Common:ErrInvalidArgument]invalid argument\n');
    expect(readLines(stdout).map(({ message }) => message)).toEqual([
      'Welcome to Backup & Restore (BR)',
      'arguments',
      'br failed',
    ]);
    expect(await filesIn('x')).toEqual([]);
  },
);

test('a backup writes files that its metadata describes truly, and a summary to match', async () => {
  storage.script({ clusterId: '7140000000000000001', progressIntervalSeconds: 0.02 });
  const before = Date.now();
  const { code, stdout, stderr } = await storage.backup('a/b').ended;
  expect(code).toBe(0);
  expect(stderr).not.toContain('Error: ');

  const meta = BackupMeta.decode(bodyOf('a/b', 'backupmeta'));
  expect(meta).toMatchObject({
    clusterId: 7140000000000000001n,
    clusterVersion: '8.5.0',
    version: 1,
    startVersion: 0n,
  });
  expect(meta.brVersion).toMatch(/^BR\nRelease Version: v8\.5\.0\n/);
  expect(Number(meta.endVersion >> 18n)).toBeGreaterThanOrEqual(before);
  expect(Number(meta.endVersion >> 18n)).toBeLessThanOrEqual(Date.now());

  const [dataIndex] = meta.fileIndex?.metaFiles ?? [];
  const [schemaIndex] = meta.schemaIndex?.metaFiles ?? [];
  if (dataIndex === undefined || schemaIndex === undefined) throw new Error('backupmeta has no index');
  const { dataFiles } = MetaFile.decode(bodyOf('a/b', dataIndex.name));
  for (const file of [dataIndex, schemaIndex, ...dataFiles]) expectTrue('a/b', file);
  for (const { name } of dataFiles) expect(name).toMatch(/^\d+\/\d+_\d+_[0-9a-f]{64}_\d{13}_(default|write)\.sst$/);
  expect((await filesIn('a/b')).toSorted()).toEqual(
    ['backup.lock', 'backupmeta', dataIndex.name, schemaIndex.name, ...dataFiles.map(({ name }) => name)].toSorted(),
  );
  expect([dataIndex.name, schemaIndex.name]).toEqual(['backupmeta.datafile.000000001', 'backupmeta.schema.000000002']);
  expect(bodyOf('a/b', 'backup.lock').toString()).toMatch(/^DO NOT DELETE/);

  const sstBytes = dataFiles.reduce((sum, file) => sum + file.size, 0n);
  expect(sstBytes).toBeGreaterThan(0n);
  const beside = dataIndex.size + schemaIndex.size;
  const own = BigInt(BackupMeta.encode({ ...meta, backupSize: 0n }).finish().length);
  expect(meta.backupSize).toBe(sstBytes + beside + own);

  const { schemas } = MetaFile.decode(bodyOf('a/b', schemaIndex.name));
  const sum = (values: readonly bigint[]) => values.reduce((total, value) => total + value, 0n);
  expect(sum(schemas.map(({ totalKvs }) => totalKvs))).toBe(sum(dataFiles.map(({ totalKvs }) => totalKvs)));

  expect(fieldsOf(stdout, 'Full Backup success summary')).toMatchObject({
    'total-ranges': '6',
    'ranges-succeed': '6',
    'ranges-failed': '0',
    BackupTS: String(meta.endVersion),
    Size: String(sstBytes),
    'total-take': expect.stringMatching(/^[\d.]+m?s$/),
  });
  const progress = readLines(stdout).filter(({ message }) => message === 'progress');
  expect(progress.length).toBeGreaterThan(3);
  expect(progress.at(-2)?.fields).toMatchObject({ step: 'Full Backup', progress: '100.00%', count: '6 / 6' });
  expect(progress.at(-1)?.fields).toMatchObject({ step: 'Checksum', progress: '100.00%', count: '1 / 1' });
});

test('a filter that matches nothing is a success without Size', async () => {
  const { code, stdout } = await storage.backup('x', ['-f', 'nosuch.*']).ended;
  expect(code).toBe(0);
  expect(Object.keys(fieldsOf(stdout, 'Full Backup success summary'))).toEqual([
    'total-ranges',
    'ranges-succeed',
    'ranges-failed',
    'total-take',
    'BackupTS',
  ]);
  expect(await filesIn('x')).toEqual(['backup.lock', 'backupmeta']);
});

test('without BR_LOG_TO_TERM lines go to the log file and only the summary to stdout', async () => {
  const log = join(storage.root, 'logs/one.log');
  const argv = ['backup', 'full', '--storage', storage.path('x'), '--log-file', log, '--log-format', 'json'];
  const { code, stdout, stderr } = await storage.start(argv).ended;
  expect(code).toBe(0);
  expect(stderr).toContain(`\nDetail BR log in ${log} \n`);
  expect(readLines(stdout).map(({ message }) => message)).toEqual(['Full Backup success summary']);
  const backupTs = fieldsOf(stdout, 'Full Backup success summary').BackupTS;
  const lines = readFileSync(log, 'utf8').trimEnd().split('\n');
  expect(lines.map((line) => JSON.parse(line).message)).toContain('progress');
  expect(lines.at(-1)).toContain(`"BackupTS":${backupTs}`);
});

test('a folder as log file is refused', async () => {
  const { code, stderr } = await storage.start(['backup', 'full', '-s', storage.path('x'), '--log-file', storage.root])
    .ended;
  expect([code, stderr.split('\n').at(-2)]).toEqual([1, "Error: can't use directory as log file name"]);
});

test('a level above info hides the summary, as in the real program', async () => {
  const { code, stdout } = await storage.backup('x', ['--log-level', 'warn']).ended;
  expect(code).toBe(0);
  expect(stdout).toBe('');
  expect(existsSync(join(storage.path('x'), 'backupmeta'))).toBe(true);
});

test('a path with a finished backup is refused and left as it is', async () => {
  await storage.backup('x').ended;
  const before = statSync(join(storage.path('x'), 'backupmeta')).mtimeMs;
  const { code, stderr } = await storage.backup('x').ended;
  expect(code).toBe(1);
  expect(stderr).toContain(
    `Error: backup meta file exists in file://${storage.path('x')}/backupmeta, there may be some backup files in the ` +
      'path already, please specify a correct backup directory!: [BR:Common:ErrInvalidArgument]invalid argument\n',
  );
  expect(statSync(join(storage.path('x'), 'backupmeta')).mtimeMs).toBe(before);
});

test('files of a run without checkpoint make the path unusable, its lock file alone does not', async () => {
  storage.script({ outcome: { kind: 'fail', at: 0 } });
  await storage.backup('x', ['--use-checkpoint=false']).ended;
  expect(await filesIn('x')).toEqual(['backup.lock']);
  storage.script({ outcome: { kind: 'fail' } });
  expect((await storage.backup('x', ['--use-checkpoint=false']).ended).stderr).toContain('told to fail');
  const { code, stderr } = await storage.backup('x', ['--use-checkpoint=false']).ended;
  expect(code).toBe(1);
  expect(stderr).toContain(
    `Error: backup lock file and sst file exist in file://${storage.path('x')}/backup.lock, there are some backup files ` +
      "in the path already, but hasn't checkpoint metadata, please specify a correct backup directory!: " +
      '[BR:Common:ErrInvalidArgument]invalid argument\n',
  );
});

test('every run leaves its start and its end in the ledger', async () => {
  storage.script({ ledger: 'ledger.jsonl' });
  const run = storage.backup('x');
  await run.ended;
  await storage.backup('x').ended;
  const lines = readFileSync(join(storage.root, 'ledger.jsonl'), 'utf8').trimEnd().split('\n');
  const [start, end, ...second] = lines.map((line) => JSON.parse(line));
  const same = { path: storage.path('x'), pd: '10.0.0.1:2379', pid: run.child.pid, outcome: 'success' };
  expect(start).toMatchObject({ event: 'start', ...same });
  expect(end).toMatchObject({ event: 'end', exit: 0, ...same });
  expect(end.time).toBeGreaterThan(start.time);
  expect(second.map(({ event, exit }) => [event, exit])).toEqual([
    ['start', undefined],
    ['end', 1],
  ]);
});

test('a mistake in the script is a failure that names it', async () => {
  writeFileSync(join(storage.root, 'demo-br.json'), '{"secnds": 1}');
  const { code, stderr } = await storage.backup('x').ended;
  expect(code).toBe(1);
  expect(stderr).toContain('has no use for a field secnds');
});
