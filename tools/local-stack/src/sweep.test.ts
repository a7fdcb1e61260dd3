import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { identify, identifySelf, isAlive } from '@tidemark/processes/identity';
import { afterEach, expect, onTestFinished, test, vi } from 'vitest';
import { claimDataFolder } from './data-folder.ts';
import { readRunRecords, runFolder, writeRunRecord } from './run-record.ts';
import { sweep } from './sweep.ts';
import { sweepTemporaryData, TEMPORARY_DATA, temporaryDataFolder } from './temporary-data.ts';

const folders: string[] = [];
const pids: number[] = [];

afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
  for (const pid of pids.splice(0)) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // It has ended, as it should.
    }
  }
});

function newFolder(): string {
  const folder = temporaryDataFolder();
  folders.push(folder);
  return folder;
}

function sleeper(script = 'setInterval(() => {}, 1000)'): number {
  const { pid = 0 } = spawn(process.execPath, ['-e', script], { detached: true, stdio: 'ignore' });
  pids.push(pid);
  return pid;
}

/** A process that starts a recorded child below `folder`, as a stack does. */
function stackProcess(folder: string): ReturnType<typeof spawn> {
  const script = `
    import { claimDataFolder } from '${import.meta.dirname}/data-folder.ts';
    import { startChild } from '${import.meta.dirname}/child.ts';
    const dataDir = ${JSON.stringify(folder)};
    globalThis.folder = await claimDataFolder(dataDir);
    await startChild({ name: 'child', program: process.execPath, args: ['-e', 'setInterval(() => {}, 1000)'], env: {}, dataDir });
    console.log('started');
    setInterval(() => {}, 1000);
  `;
  const child = spawn(process.execPath, ['--input-type=module-typescript', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  pids.push(child.pid ?? 0);
  return child;
}

test('what a killed stack left is ended by the next one on the same data folder', async () => {
  const folder = newFolder();
  const killed = stackProcess(folder);
  await once(killed.stdout ?? killed, 'data');
  const [record] = readRunRecords(folder);
  killed.kill('SIGKILL');
  await once(killed, 'exit');
  expect(record && isAlive(record)).toBe(true);

  using claimed = await claimDataFolder(folder);
  expect(claimed.swept).toEqual(['child']);
  expect(record && isAlive(record)).toBe(false);
  expect(readRunRecords(folder)).toEqual([]);
});

test('a temporary folder of a killed run is removed, one of a living run is not', async () => {
  vi.stubEnv(TEMPORARY_DATA, tmpdir());
  onTestFinished(() => void vi.unstubAllEnvs());
  const [abandoned, living] = [newFolder(), newFolder()];
  const killed = stackProcess(abandoned);
  await once(killed.stdout ?? killed, 'data');
  killed.kill('SIGKILL');
  await once(killed, 'exit');
  using _ = await claimDataFolder(living);

  await sweepTemporaryData();
  expect(statSync(abandoned, { throwIfNoEntry: false })).toBeUndefined();
  expect(statSync(living, { throwIfNoEntry: false })).toBeDefined();
});

test('a process that was given the pid of a recorded one is not touched', async () => {
  const folder = newFolder();
  const pid = sleeper();
  mkdirSync(runFolder(folder), { recursive: true });
  writeFileSync(join(runFolder(folder), 'other.json'), JSON.stringify({ name: 'other', pid, startedAt: 'long ago' }));
  expect(await sweep(folder)).toEqual([]);
  expect(identify(pid)).toBeDefined();
  expect(readRunRecords(folder)).toEqual([]);
});

test('a process that ignores TERM is killed', { timeout: 30_000 }, async () => {
  const folder = newFolder();
  const pid = sleeper(`process.on('SIGTERM', () => {}); setInterval(() => {}, 1000)`);
  writeRunRecord(folder, 'stubborn', pid);
  expect(await sweep(folder)).toEqual(['stubborn']);
  await vi.waitFor(() => expect(identify(pid)).toBeUndefined());
});

test('a second stack on the same data folder is refused in one sentence', async () => {
  const folder = newFolder();
  using _ = await claimDataFolder(folder);
  const sentence = `A stack (process ${process.pid}) already runs with the data folder ${folder}: stop it, or name another folder with --data.`;
  await expect(claimDataFolder(folder)).rejects.toThrow(sentence);
});

test('a lock that a dead process left is taken over', async () => {
  const folder = newFolder();
  mkdirSync(runFolder(folder), { recursive: true });
  writeFileSync(join(folder, '.tidemark-data'), '');
  writeFileSync(join(runFolder(folder), 'stack.lock'), JSON.stringify({ ...identifySelf(), startedAt: 'long ago' }));
  using claimed = await claimDataFolder(folder);
  expect(claimed.path).toBe(folder);
  expect(statSync(folder).mode & 0o777).toBe(0o700);
});

test('a folder with files of somebody else is refused, also with --fresh', async () => {
  const folder = newFolder();
  writeFileSync(join(folder, 'thesis.txt'), 'precious');
  await expect(claimDataFolder(folder, true)).rejects.toThrow('is not empty and no data folder of Tidemark');
  expect(statSync(join(folder, 'thesis.txt')).size).toBe(8);
});

test('a fresh start deletes the data of the last one', async () => {
  const folder = newFolder();
  (await claimDataFolder(folder))[Symbol.dispose]();
  mkdirSync(join(folder, 'storage'));
  using _ = await claimDataFolder(folder, true);
  expect(statSync(join(folder, 'storage'), { throwIfNoEntry: false })).toBeUndefined();
});
