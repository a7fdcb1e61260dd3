import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { readStat } from '@tidemark/processes/stat';
import { BackupMeta, MetaFile } from '@tidemark/protocol/br/backup';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { localStorage } from './storage-local.ts';
import { fieldsOf, readLines, type TestRun, type TestStorage, testStorage } from './test-run.ts';

/** Slow enough to be stopped in the middle. */
const SLOW = { seconds: 20, regions: 200, ledger: 'ledger.jsonl' };
/** Goes on where a slow run was stopped. */
const FAST = { seconds: 0.1, regions: 200, flushSeconds: 10 };

let storage: TestStorage;
beforeEach(() => {
  storage = testStorage(SLOW);
});
afterEach(() => storage[Symbol.asyncDispose]());

const names = () => localStorage(storage.path('x')).list();
const fileOf = (name: string) => join(storage.path('x'), name);
const LOCK = 'checkpoints/backup/checkpoint.lock';
const META = 'checkpoints/backup/checkpoint.meta';

/** Waits until the run has flushed some work. */
async function underWay(run: TestRun): Promise<void> {
  await vi.waitFor(
    async () => {
      expect(run.child.exitCode).toBeNull();
      expect((await names()).filter((name) => name.endsWith('.cpt')).length).toBeGreaterThanOrEqual(2);
    },
    { timeout: 20_000, interval: 20 },
  );
}

const tsOfCheckpoint = () => /"backup-ts":(\d+)/.exec(readFileSync(fileOf(META), 'utf8'))?.[1];

test.each([
  ['SIGTERM', 'terminated'],
  ['SIGINT', 'interrupt'],
  ['SIGHUP', 'hangup'],
  ['SIGQUIT', 'quit'],
] as const)('%s ends a run quickly with exit 1, and its checkpoint stays without the lock', async (signal, goName) => {
  const run = storage.backup('x');
  await underWay(run);
  expect(existsSync(fileOf(LOCK))).toBe(true);
  const sentAt = performance.now();
  run.child.kill(signal);
  const { code, stdout, stderr } = await run.ended;
  expect(code).toBe(1);
  // Normally under 50 ms; the machine may be busy.
  expect(performance.now() - sentAt).toBeLessThan(2_000);
  expect(stdout).toContain(
    `\n\n========[ Got signal ${goName} to exit. ]========\n========[ Required Goroutine Dump = false ]========\n`,
  );
  expect(stderr).toContain('\ngracefully shutting down, press ^C again to force exit\nError: context canceled\n');
  expect(fieldsOf(stdout, 'Full Backup failed summary')['total-ranges']).toBe('0');
  const left = await names();
  expect(left).toContain(META);
  expect(left).toContain('backup.lock');
  expect(left).not.toContain(LOCK);
  expect(left).not.toContain('backupmeta');
});

test('after TERM the same command goes on where the first stopped, with its BackupTS', async () => {
  const first = storage.backup('x');
  await underWay(first);
  first.child.kill('SIGTERM');
  await first.ended;
  const backupTs = tsOfCheckpoint();
  const flushed = (await names()).filter((name) => name.endsWith('.cpt')).length;

  storage.script({ ...FAST, progressIntervalSeconds: 0.01 });
  const { code, stdout } = await storage.backup('x', ['--backupts', '1']).ended;
  expect(code).toBe(0);
  expect(fieldsOf(stdout, 'reuse checkpoint BackupTS')['backup-ts']).toBe(backupTs);
  expect(fieldsOf(stdout, 'Full Backup success summary').BackupTS).toBe(backupTs);
  const [firstCount] = readLines(stdout).flatMap(({ message, fields }) =>
    message === 'progress' && fields.progress !== '0.00%' ? [fields.count] : [],
  );
  expect(Number(firstCount?.split(' / ')[0])).toBeGreaterThanOrEqual(flushed);

  const meta = BackupMeta.decode(readFileSync(fileOf('backupmeta')));
  expect(String(meta.endVersion)).toBe(backupTs);
  const { dataFiles } = MetaFile.decode(readFileSync(fileOf('backupmeta.datafile.000000001')));
  expect(new Set(dataFiles.map(({ name }) => name.split('/')[1]?.split('_')[0])).size).toBe(FAST.regions);
  const left = await names();
  for (const { name } of dataFiles) expect(left).toContain(name);
  expect(left.filter((name) => name.startsWith('checkpoints/'))).toEqual([]);
  expect(existsSync(fileOf('checkpoints/backup/data'))).toBe(true);
});

test('work that was not flushed before a signal is done again, and its files stay as orphans', async () => {
  storage.script({ ...SLOW, flushSeconds: 1_000 });
  const first = storage.backup('x');
  const ssts = async () => (await names()).filter((name) => name.endsWith('.sst'));
  await vi.waitFor(async () => expect((await ssts()).length).toBeGreaterThan(2), { timeout: 20_000, interval: 20 });
  first.child.kill('SIGTERM');
  await first.ended;
  storage.script(FAST);
  expect((await storage.backup('x').ended).code).toBe(0);
  const { dataFiles } = MetaFile.decode(readFileSync(fileOf('backupmeta.datafile.000000001')));
  expect((await ssts()).length).toBeGreaterThan(dataFiles.length);
});

test('after KILL the lock keeps others out for its time, and the message says how long', async () => {
  storage.script({ ...SLOW, lockTtlSeconds: 300 });
  const first = storage.backup('x');
  await underWay(first);
  first.child.kill('SIGKILL');
  await first.ended;

  const refused = await storage.backup('x').ended;
  expect(refused.code).toBe(1);
  const [, seconds] =
    /^Error: The existing lock will expire in (\d+) seconds\. There may be another BR\(\d+\) running\. If not, you can wait for the lock to expire, or delete the file `file:\/\/.*checkpoints\/backup\/checkpoint\.lock` manually\.$/m.exec(
      refused.stderr,
    ) ?? [];
  expect(Number(seconds)).toBeGreaterThan(240);
  expect(Number(seconds)).toBeLessThan(300);
  expect(await names()).toContain(LOCK);

  const lock = readFileSync(fileOf(LOCK), 'utf8');
  expect(lock).toMatch(/^\{"lock-id":\d{18},"expire-at":\d{13}\}$/);
});

test('a lock is renewed while its run lives, and one that has expired is taken over', async () => {
  storage.script({ ...SLOW, lockTtlSeconds: 1 });
  const first = storage.backup('x');
  await underWay(first);
  const renewedFrom = readFileSync(fileOf(LOCK), 'utf8');
  await vi.waitFor(() => expect(readFileSync(fileOf(LOCK), 'utf8')).not.toBe(renewedFrom), { timeout: 10_000 });
  first.child.kill('SIGKILL');
  await first.ended;
  const backupTs = tsOfCheckpoint();
  storage.script({ ...FAST, lockTtlSeconds: 1 });
  await vi.waitFor(
    async () =>
      expect(fieldsOf((await storage.backup('x').ended).stdout, 'Full Backup success summary').BackupTS).toBe(backupTs),
    { timeout: 20_000 },
  );
});

test('two that start together in one path do not both run', async () => {
  storage.script({ ...FAST, seconds: 1.5, lockSettleSeconds: 0.5 });
  const ends = await Promise.all([storage.backup('x').ended, storage.backup('x').ended]);
  expect(ends.map(({ code }) => code).toSorted()).toEqual([0, 1]);
  expect(ends.map(({ stderr }) => stderr).join()).toMatch(/another BR\(\d+\) running/);
});

test('a resume with another filter is refused', async () => {
  const first = storage.backup('x');
  await underWay(first);
  first.child.kill('SIGTERM');
  await first.ended;
  const { code, stderr } = await storage.backup('x', ['-f', 'shop.*']).ended;
  expect(code).toBe(1);
  expect(stderr).toContain(
    `Error: failed to backup to file://${storage.path('x')}, because the checkpoint mode is used, but the hashs of the ` +
      'configs are not the same. Please check the config: [BR:Common:ErrInvalidArgument]invalid argument\n',
  );
});

test('as before 6.5.1 there may be no lock, and then nobody is kept out after KILL', async () => {
  storage.script({ ...SLOW, hasLock: false });
  const first = storage.backup('x');
  await underWay(first);
  expect(await names()).not.toContain(LOCK);
  first.child.kill('SIGKILL');
  await first.ended;
  storage.script({ ...FAST, hasLock: false });
  expect((await storage.backup('x').ended).code).toBe(0);
});

test('without a checkpoint there is neither checkpoint nor lock', async () => {
  const run = storage.backup('x', ['--use-checkpoint=false']);
  await vi.waitFor(
    async () => expect((await names()).filter((name) => name.endsWith('.sst')).length).toBeGreaterThan(1),
    {
      timeout: 20_000,
      interval: 20,
    },
  );
  expect((await names()).filter((name) => name.startsWith('checkpoints'))).toEqual([]);
  run.child.kill('SIGTERM');
  await run.ended;
});

test('a second signal ends it at once, without an error line', async () => {
  storage.script({ ...SLOW, outcome: { kind: 'hang', at: 0 } });
  const run = storage.backup('x');
  await vi.waitFor(() => expect(run.output.stdout).toContain('Backup Ranges Started'), { timeout: 20_000 });
  // Frozen, it gets both signals before it can do anything about the first; freezing takes a moment itself.
  run.child.kill('SIGSTOP');
  await vi.waitFor(() => expect(stateOf(run.child.pid)).toMatch(/^T/), { timeout: 20_000 });
  run.child.kill('SIGTERM');
  run.child.kill('SIGINT');
  run.child.kill('SIGCONT');
  const { code, stderr, stdout } = await run.ended;
  expect(code).toBe(1);
  expect(stderr).not.toContain('Error: ');
  expect(stdout).not.toContain('failed summary');
  expect(await names()).toContain(LOCK);
  const ends = readFileSync(join(storage.root, 'ledger.jsonl'), 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
  expect(ends.map(({ event, exit }) => [event, exit])).toEqual([
    ['start', undefined],
    ['end', 1],
  ]);
});

test('when its reader is gone it dies of SIGPIPE at its next line, as a Go program does', async () => {
  storage.script({ ...SLOW, progressIntervalSeconds: 0.1 });
  const run = storage.backup('x');
  await underWay(run);
  run.child.stdout?.destroy();
  const { code, signal } = await run.ended;
  expect([code, signal]).toEqual([null, 'SIGPIPE']);
  expect(await names()).toContain(LOCK);
});

/** The state of a process as the system writes it; T is stopped. */
function stateOf(pid: number | undefined): string {
  if (process.platform !== 'linux')
    return execFileSync('ps', ['-o', 'state=', '-p', String(pid)], { encoding: 'utf8' });
  return readStat(pid ?? 0)?.state ?? '';
}
