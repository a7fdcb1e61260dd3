import { writeFileSync } from 'node:fs';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { performTask } from './demo-cluster-task.ts';
import { SOURCE_PD, TARGET_PD, type TestStorage, testStorage } from './test-run.ts';
import { tsoMillis } from './tso.ts';

// The log backup of a cluster, seen from outside.

let storage: TestStorage;
beforeEach(async () => {
  storage = testStorage();
  await storage.cluster(SOURCE_PD).touch();
});
afterEach(() => storage[Symbol.asyncDispose]());

const SIGNAL = new AbortController().signal;
const ORDERS = { db: 'shop', table: 'orders' };

async function br(words: string, more: readonly string[] = [], env: NodeJS.ProcessEnv = {}) {
  const result = await storage.start(['log', ...words.split(' '), ...more], env).ended;
  return { ...result, error: /^Error: (.*)$/m.exec(result.stderr)?.[1] };
}

const pd = ['--pd', SOURCE_PD];
const task = ['--task-name', 'pitr', ...pd];
const at = (name: string) => ['--storage', `local://${storage.root}/${name}`];
const start = (name = 'log') => br('start', [...task, ...at(name)]);
const insert = (handle: number, value: string) =>
  performTask(storage.cluster(SOURCE_PD), { verb: 'insert', name: ORDERS, handle, value }, SIGNAL);

async function status() {
  const { stdout } = await br('status --json', pd);
  return JSON.parse(stdout.replace(/"(start_ts|end_ts|checkpoint)":(\d+)/g, '"$1":"$2"'));
}

async function range(name = 'log') {
  const { stdout } = await br('metadata', at(name), { BR_LOG_TO_TERM: '1' });
  const [, min = '0', max = '0'] = /\[log-min-ts=(\d+)\].*\[log-max-ts=(\d+)\]/.exec(stdout) ?? [];
  return { min: BigInt(min), max: BigInt(max) };
}

test('a task is started, shown, paused, resumed and stopped, in the words of br', async () => {
  expect(await status()).toEqual([]);
  expect((await br('status', pd)).stdout).toBe('○ No Task Yet.\n');
  const started = await br('start', [...task, ...at('log')], { BR_LOG_TO_TERM: '1' });
  expect(started.code).toBe(0);
  expect(started.stdout).toContain('["log start success summary"]');
  expect(await status()).toMatchObject([{ name: 'pitr', storage: `local://${storage.root}/log`, last_errors: [] }]);
  expect((await br('status', task)).stdout).toContain('            status: ● NORMAL\n');
  expect((await br('pause', task)).code).toBe(0);
  expect((await br('status', task)).stdout).toContain('● PAUSE');
  expect((await br('pause', task)).error).toBe(
    'The task pitr is paused already.: [BR:KV:ErrKVUnknown]unknown error occur on tikv',
  );
  expect((await br('resume', task)).code).toBe(0);
  expect((await br('resume', task)).error).toContain('The task pitr is active already.');
  expect((await br('stop', task)).code).toBe(0);
  expect(await status()).toEqual([]);
  expect((await br('stop', task)).error).toBe('no such task pitr: [BR:PiTR:ErrTaskNotFound]task not found');
});

test('a cluster has one task', async () => {
  await start();
  const second = await br('start', ['--task-name', 'other', ...pd, ...at('other')]);
  expect(second.code).toBe(1);
  expect(second.error).toContain('[BR:Stream:ErrStreamLogTaskExist]');
  expect((await br('start', [...pd, ...at('other')])).error).toContain('Miss parameters task-name');
});

test('what was changed lies in the storage once the checkpoint has passed it', async () => {
  await start();
  await insert(7, 'one');
  await insert(7, 'two');
  const before = Date.now();
  const [{ checkpoint }] = await status();
  expect(tsoMillis(BigInt(checkpoint))).toBeGreaterThanOrEqual(before - 1);
  const { min, max } = await range();
  expect(max).toBe(BigInt(checkpoint));
  expect(min).toBeLessThan(max);
  expect((await storage.cluster(SOURCE_PD).readState()).logChanges).toEqual([]);
});

test('the checkpoint of a paused task stands still, and a history that is gone cannot be gone on with', async () => {
  await start();
  await br('pause', [...task, '--gc-ttl', '0']);
  const { max } = await range();
  await insert(8, 'later');
  await status();
  expect((await range()).max).toBe(max);
  expect((await br('resume', task)).error).toContain('has been gc. : [BR:KV:ErrKVUnknown]');
});

test('a path of a snapshot, and of the log of another cluster, is refused; that of its own is gone on with', async () => {
  await storage.backup('full').ended;
  expect((await start('full')).error).toContain('the storage has been used for full backup');
  await start();
  await br('stop', task);
  const { max } = await range();
  expect((await start()).code).toBe(0);
  expect(BigInt((await status())[0].start_ts)).toBe(max);
  const foreign = ['--task-name', 'pitr', '--pd', TARGET_PD, ...at('log')];
  expect((await br('start', foreign)).error).toContain('the stream log files from cluster ID');
  expect((await storage.backup('log').ended).stderr).toContain('backup meta file exists');
});

test('a storage that cannot be written to ends in ERROR, and is gone on with after a resume', async () => {
  await start();
  await insert(9, 'one');
  const cluster = storage.cluster(SOURCE_PD);
  const away = (folder: string) =>
    cluster.changeState(({ logTask }) => ({ logTask: logTask && { ...logTask, storage: `local://${folder}` } }));
  writeFileSync(storage.path('file'), '');
  await away(storage.path('file/log'));
  await status();
  expect((await br('status', task)).stdout).toContain('● ERROR');
  expect((await status())[0].last_errors).toMatchObject([
    { store_id: 1, last_error: { error_code: 'KV:LogBackup:Io' } },
  ]);
  await away(`${storage.root}/log`);
  await br('resume', task);
  expect((await br('status', task)).stdout).toContain('● NORMAL');
  expect((await cluster.readState()).logChanges).toEqual([]);
});

test('later versions say in the JSON how a task is, and who paused it', async () => {
  await start();
  await br('pause', task);
  storage.script({ version: 'v8.5.5' });
  const { stdout } = await br('status --json', pd, { DEMO_BR_VERSION: 'v8.5.5' });
  expect(stdout).toContain('"status":"PAUSE","extra_pause_information":{"severity":"MANUAL"}');
});

test('a truncation obeys any date, moves the beginning first, and a lock that was left is not passed', async () => {
  await start();
  await insert(1, 'one');
  await status();
  const { max } = await range();
  await insert(2, 'two');
  await status();
  const until = String(max + 1n);
  expect((await br('truncate --dry-run', ['--until', until, ...at('log')])).stdout).toContain('to truncate 1 files');
  expect((await br('truncate -y', ['--until', until, ...at('log')])).code).toBe(0);
  expect((await range()).min).toBe(max + 1n);
  const lock = { locked_at: '2026-11-30', locker_host: 'elsewhere', locker_pid: 7 };
  writeFileSync(storage.path('log/truncating.lock'), JSON.stringify(lock));
  const locked = await br('truncate -y', ['--until', until, ...at('log')]);
  expect(locked.code).toBe(1);
  expect(locked.error).toContain('locked, meta = Locked(at: 2026-11-30, host: elsewhere, pid: 7, hint: ');
});

test('a restore is refused while a task is there, and a task while a restore is registered', async () => {
  await storage.backup('full').ended;
  await performTask(storage.cluster(TARGET_PD), { verb: 'empty' }, SIGNAL);
  const ofTarget = ['--task-name', 'pitr', '--pd', TARGET_PD];
  await br('start', [...ofTarget, ...at('target-log')]);
  const refused = await storage.restore('full').ended;
  expect(refused.code).toBe(1);
  expect(refused.stderr).toContain(
    'failed to check task exists: log backup task is running: pitr, please stop the task',
  );
  await br('stop', ofTarget);
  await storage.cluster(TARGET_PD).changeState(() => ({ restoresUntil: { 'restore-1': Date.now() + 60_000 } }));
  const meanwhile = await br('start', [...ofTarget, ...at('target-log-2')]);
  expect(meanwhile.error).toContain(
    'There are some lightning/restore tasks running: [ key: /tidb/brie/import/restore/restore-1',
  );
});
