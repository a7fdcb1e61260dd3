import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type BrOptions, isGroupAlive, processStart, startBr } from './process.ts';

const PATH = process.env.PATH ?? '';

describe('a br behind its guard', () => {
  let folder: string;
  let printed: string;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'tidemark-guard-'));
    printed = '';
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  const start = (script: string, options: Partial<BrOptions> = {}) =>
    startBr({
      program: '/bin/sh',
      args: ['-c', script],
      env: { PATH },
      cwd: folder,
      guardMs: 10_000,
      killMs: 300,
      graceMs: 300,
      onStdout: (chunk) => {
        printed += chunk;
      },
      onStderr: (chunk) => {
        printed += chunk;
      },
      ...options,
    });

  it('tells how it ended and passes on everything that it printed', async () => {
    const br = start('echo out; echo err >&2; exit 3');
    expect(await br.exited).toEqual({ code: 3, signal: undefined, silenced: false, error: undefined });
    expect(printed).toContain('out\n');
    expect(printed).toContain('err\n');
  });

  it('passes on more than a pipe holds, to the last byte', async () => {
    const br = start(
      'i=0; while [ $i -lt 3000 ]; do echo "$i 0123456789012345678901234567890123456789"; i=$((i+1)); done',
    );
    await br.exited;
    expect(printed.trim().split('\n')).toHaveLength(3_000);
  });

  it('says that a program is not there', async () => {
    const br = start('', { program: join(folder, 'none') });
    const exit = await br.exited;
    // With setpriv in between it is setpriv that says so, by exit code 127.
    expect(exit.error === 'ENOENT' || exit.code === 127).toBe(true);
  });

  it('asks br alone to stop first, and gives it time', async () => {
    const br = start('trap "echo asked; exit 1" TERM; echo up; while :; do sleep 0.05; done', { graceMs: 5_000 });
    await vi.waitFor(() => expect(printed).toContain('up'));
    expect(await br.stop()).toMatchObject({ code: 1 });
    expect(printed.match(/asked/g)).toHaveLength(1);
  });

  it('kills a br that ignores being asked, and everything that it started', async () => {
    const br = start('trap "" TERM; (trap "" TERM; sleep 60) & echo up; sleep 60; sleep 60');
    await vi.waitFor(() => expect(printed).toContain('up'));
    const exit = await br.stop();
    expect(exit.code).toBeUndefined();
    expect(isGroupAlive(br.group)).toBe(false);
  });

  it('is over only when nobody is left in the group', async () => {
    const br = start('sleep 60 & echo up; exit 0');
    expect(await br.exited).toMatchObject({ code: 0 });
    expect(isGroupAlive(br.group)).toBe(false);
  });

  it('lives as long as renewals are answered, and ends when they stop', async () => {
    const br = start('echo up; trap "exit 1" TERM; while :; do sleep 0.02; done', { guardMs: 400 });
    const startedAt = performance.now();
    const alive = setInterval(() => br.keepAlive(), 50);
    await vi.waitFor(() => expect(performance.now() - startedAt).toBeGreaterThan(1_000), { timeout: 5_000 });
    expect(isGroupAlive(br.group)).toBe(true);
    clearInterval(alive);
    expect(await br.exited).toMatchObject({ silenced: true });
  });

  it('keeps its clock although nobody reads what br prints', async () => {
    // A worker of its own that starts a chatty br and is then frozen.
    const worker = await startWorkerProcess('yes', 500);
    process.kill(worker.pid, 'SIGSTOP');
    await vi.waitFor(() => expect(isGroupAlive(worker.group)).toBe(false), { timeout: 10_000 });
    process.kill(worker.pid, 'SIGKILL');
  });

  it('goes with its worker when that is killed', async () => {
    const worker = await startWorkerProcess('sleep 60', 30_000);
    expect(isGroupAlive(worker.group)).toBe(true);
    process.kill(worker.pid, 'SIGKILL');
    await vi.waitFor(() => expect(isGroupAlive(worker.group)).toBe(false), { timeout: 10_000 });
  });

  it('knows a process by its pid and start', () => {
    expect(processStart(process.pid)).toBe(processStart(process.pid));
    expect(processStart(process.pid)).not.toBe(processStart(process.ppid));
    expect(processStart(2 ** 30)).toBeUndefined();
  });

  async function startWorkerProcess(script: string, guardMs: number): Promise<{ pid: number; group: number }> {
    const program = join(folder, 'worker.ts');
    const options = JSON.stringify({
      program: '/bin/sh',
      args: ['-c', script],
      env: { PATH },
      cwd: folder,
      guardMs,
      killMs: 300,
      graceMs: 300,
    });
    writeFileSync(
      program,
      `import { writeFileSync } from 'node:fs';
       import { startBr } from ${JSON.stringify(join(import.meta.dirname, 'process.ts'))};
       const br = startBr({ ...${options}, onStdout() {}, onStderr() {} });
       writeFileSync('group', String(br.group));`,
    );
    const worker = spawn(process.execPath, [program], { cwd: folder, stdio: 'ignore' });
    await once(worker, 'spawn');
    const group = await vi.waitFor(
      () => {
        const pid = Number(readFileSync(join(folder, 'group'), 'utf8'));
        expect(pid).toBeGreaterThan(0);
        expect(isGroupAlive(pid)).toBe(true);
        return pid;
      },
      { timeout: 10_000 },
    );
    return { pid: worker.pid ?? 0, group };
  }
});
