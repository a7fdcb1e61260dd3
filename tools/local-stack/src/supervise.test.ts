import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { identify } from '@tidemark/processes/identity';
import { afterEach, expect, test, vi } from 'vitest';
import { readRunRecords } from './run-record.ts';
import { type Supervised, supervise } from './supervise.ts';
import { temporaryDataFolder } from './temporary-data.ts';

const open: { process: Supervised; dataDir: string }[] = [];

afterEach(async () => {
  for (const { process, dataDir } of open.splice(0)) {
    await process.stop(0);
    rmSync(dataDir, { recursive: true, force: true });
  }
});

function run(script: string, { restart = true } = {}) {
  const dataDir = temporaryDataFolder();
  const said: string[] = [];
  const ready = join(dataDir, 'ready');
  const spec = {
    name: 'child',
    program: process.execPath,
    args: ['-e', `require('fs').writeFileSync(${JSON.stringify(ready)}, ''); ${script}`],
    env: {},
    dataDir,
    whyNotReady: async () => (existsSync(ready) ? undefined : 'not yet'),
  };
  const supervised = supervise(spec, { restart, say: (line) => said.push(line) });
  open.push({ process: supervised, dataDir });
  return { supervised, dataDir, said };
}

const FOREVER = 'setInterval(() => {}, 1000)';

test('a process that was killed is started again, and not after it was stopped', async () => {
  const { supervised, dataDir, said } = run(FOREVER);
  await supervised.start();
  await supervised.untilReady(AbortSignal.timeout(20_000));
  const first = supervised.pid;
  supervised.kill('SIGKILL');
  await vi.waitFor(() => expect(supervised.running && supervised.pid !== first).toBe(true), { timeout: 10_000 });
  expect(said).toEqual(['child ended unasked (SIGKILL): starting it again']);
  expect(readRunRecords(dataDir)).toMatchObject([{ name: 'child', pid: supervised.pid }]);

  await supervised.stop(5_000);
  expect(supervised.running).toBe(false);
  expect(identify(supervised.pid)).toBeUndefined();
  expect(readRunRecords(dataDir)).toEqual([]);
});

test('a process that cannot be started for a while, as on a full disk, is started once it can', async () => {
  const { supervised, dataDir, said } = run(FOREVER);
  await supervised.start();
  await supervised.untilReady(AbortSignal.timeout(20_000));
  const first = supervised.pid;
  // Nothing can be written there any more, for the superuser neither.
  const logs = join(dataDir, 'logs');
  rmSync(logs, { recursive: true });
  writeFileSync(logs, '');
  supervised.kill('SIGKILL');
  await vi.waitFor(() => expect(said.filter((line) => line.includes('could not be started again'))).toHaveLength(2), {
    timeout: 10_000,
  });
  rmSync(logs);
  await vi.waitFor(() => expect(supervised.running && supervised.pid !== first).toBe(true), { timeout: 20_000 });
  expect(said[1]).toMatch(/^child could not be started again, the next try is in 0.25 s: .*EEXIST|ENOTDIR/);
});

test('a process that was killed stays away where restarting is off, until it is started', async () => {
  const { supervised, said } = run(FOREVER, { restart: false });
  await supervised.start();
  await supervised.untilReady(AbortSignal.timeout(20_000));
  supervised.kill('SIGKILL');
  expect(await supervised.exited()).toMatchObject({ signal: 'SIGKILL' });
  expect(supervised.running).toBe(false);
  await supervised.start();
  expect(supervised.running).toBe(true);
  expect(said).toEqual(['child ended unasked (SIGKILL)']);
});

test('a process with wrong settings is not tried again, and its last words are told', async () => {
  const { supervised } = run(`console.error('TIDEMARK_PORT must be set'); process.exit(2)`);
  await supervised.start();
  await supervised.exited();
  await expect(supervised.untilReady(AbortSignal.timeout(20_000))).rejects.toThrow(
    /child ended while starting.*\n.*TIDEMARK_PORT must be set/,
  );
});

test('a process that cannot be executed says so', async () => {
  const dataDir = temporaryDataFolder();
  const spec = { name: 'child', program: '/nowhere', args: [], env: {}, dataDir, whyNotReady: async () => undefined };
  const supervised = supervise(spec, { restart: true, say: () => undefined });
  open.push({ process: supervised, dataDir });
  await expect(supervised.start()).rejects.toThrow('ENOENT');
});

test('a process that ignores TERM is killed after the grace', async () => {
  const { supervised } = run(`process.on('SIGTERM', () => {}); ${FOREVER}`);
  await supervised.start();
  await supervised.untilReady(AbortSignal.timeout(20_000));
  await supervised.stop(100);
  expect(await supervised.exited()).toMatchObject({ signal: 'SIGKILL' });
});

test('a frozen process is woken to be stopped', async () => {
  const { supervised } = run(`process.on('SIGTERM', () => process.exit(0)); ${FOREVER}`);
  await supervised.start();
  await supervised.untilReady(AbortSignal.timeout(20_000));
  supervised.kill('SIGSTOP');
  await supervised.stop(30_000);
  expect(await supervised.exited()).toEqual({ code: 0, signal: null });
});
