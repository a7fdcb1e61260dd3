import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isGroupAlive } from '@tidemark/processes/group';
import { processStart } from '@tidemark/processes/identity';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { bootNow } from './boot-clock.mjs';
import { type BrOptions, type Guards, openGuards } from './process.ts';

const PATH = process.env.PATH ?? '';

describe('a br behind its guard', () => {
  let folder: string;
  let guards: Guards;
  let printed: string;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'tidemark-guard-'));
    guards = openGuards(folder);
    printed = '';
  });
  afterEach(() => {
    guards[Symbol.dispose]();
    rmSync(folder, { recursive: true });
  });

  const options = (script: string): BrOptions => ({
    argv: ['/bin/sh', '-c', script],
    env: { PATH },
    cwd: folder,
    startBy: performance.now() + 60_000,
    guardMs: 10_000,
    killMs: 300,
    graceMs: 300,
    onStdout: (chunk) => {
      printed += chunk;
    },
    onStderr: (chunk) => {
      printed += chunk;
    },
  });
  const start = (script: string, more: Partial<BrOptions> = {}) => {
    const guard = guards.take();
    const br = guard.startBr({ ...options(script), ...more });
    return { ...br, group: guard.group?.pid ?? 0 };
  };
  /** The guards of workers with this folder. */
  const guardsHere = () =>
    execFileSync('ps', ['-eo', 'pid=,args='], { encoding: 'utf8' })
      .split('\n')
      .filter((line) => line.includes('guard.mjs') && line.includes(folder))
      .map((line) => Number.parseInt(line, 10));

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
    const br = start('', { argv: [join(folder, 'none')] });
    const exit = await br.exited;
    // With setpriv in between it is setpriv that says so, by exit code 127.
    expect(exit.error === 'ENOENT' || exit.code === 127).toBe(true);
  });

  it('that could not be started is stopped without a signal to anybody else', async () => {
    let heard = false;
    const hear = () => {
      heard = true;
    };
    process.on('SIGTERM', hear);
    try {
      using nowhere = openGuards(join(folder, 'none'));
      const br = nowhere.take().startBr(options('exit 0'));
      expect(await br.stop()).toMatchObject({ code: undefined, silenced: false });
    } finally {
      process.off('SIGTERM', hear);
    }
    expect(heard).toBe(false);
  });

  it('asks br alone to stop first, and gives it time', async () => {
    const br = start('trap "echo asked; exit 1" TERM; echo up; while :; do sleep 0.05; done', { graceMs: 5_000 });
    await vi.waitFor(() => expect(printed).toContain('up'));
    expect(await br.stop()).toMatchObject({ code: 1 });
    expect(printed.match(/asked/g)).toHaveLength(1);
  });

  it('is gone soon after a cancel although it ignored the first TERM and a more patient stop was under way', async () => {
    const script = `n=0; trap 'n=$((n+1)); [ $n -ge 2 ] && exit 1' TERM; echo up; while :; do sleep 0.05; done`;
    const br = start(script, { graceMs: 60_000 });
    await vi.waitFor(() => expect(printed).toContain('up'));
    const patient = br.stop();
    const startedAt = performance.now();
    expect(await br.stop(1_000)).toMatchObject({ code: 1 });
    expect(performance.now() - startedAt).toBeLessThan(10_000);
    await patient;
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

  it.each(['sleep 60', undefined])('goes with its worker when that is killed: %s', async (script) => {
    const worker = await startWorkerProcess(script, 30_000);
    expect(isGroupAlive(worker.group)).toBe(true);
    process.kill(worker.pid, 'SIGKILL');
    await vi.waitFor(() => expect(isGroupAlive(worker.group)).toBe(false), { timeout: 10_000 });
  });

  it('starts nothing later than it may, as after a time in which its guard was frozen (T9)', async () => {
    using guard = guards.take();
    const pid = guard.group?.pid ?? 0;
    process.kill(pid, 'SIGSTOP');
    const startBy = performance.now() + 50;
    const br = guard.startBr({ ...options('touch started'), startBy });
    await vi.waitFor(() => expect(performance.now()).toBeGreaterThan(startBy));
    process.kill(pid, 'SIGCONT');
    expect(await br.exited).toMatchObject({ code: undefined, silenced: true });
    expect(existsSync(join(folder, 'started'))).toBe(false);
  });

  it('can be stopped although its guard is frozen, and starts nothing then', async () => {
    using guard = guards.take();
    process.kill(guard.group?.pid ?? 0, 'SIGSTOP');
    const br = guard.startBr(options('touch started'));
    expect(await br.stop()).toMatchObject({ code: undefined });
    expect(existsSync(join(folder, 'started'))).toBe(false);
  });

  it('has one ready before there is a br for it, and another where that has died', async () => {
    const [pid = 0] = await vi.waitFor(() => {
      expect(guardsHere()).toHaveLength(1);
      return guardsHere();
    });
    process.kill(pid, 'SIGKILL');
    await vi.waitFor(() => expect(() => process.kill(pid, 0)).toThrow('ESRCH'));
    expect(await start('exit 3').exited).toMatchObject({ code: 3 });
  });

  it('has the next one ready when a br has ended, and none when it is closed', async () => {
    const guard = guards.take();
    await guard.startBr(options('exit 0')).exited;
    expect(guardsHere()).toEqual([]);
    guard[Symbol.dispose]();
    await vi.waitFor(() => expect(guardsHere()).toHaveLength(1));
    guards[Symbol.dispose]();
    await vi.waitFor(() => expect(guardsHere()).toEqual([]));
  });

  describe('that keeps its output and its end in a folder', () => {
    const kept = (name: string) => readFileSync(join(folder, name), 'utf8');
    const end = () => JSON.parse(kept('exit.json')) as Record<string, unknown>;

    it('prints into files, and its end is written down', async () => {
      const br = start('echo out; echo err >&2; exit 3', { keepIn: folder });
      expect(await br.exited).toEqual({ code: 3, signal: undefined, silenced: false, error: undefined });
      expect([kept('stdout'), kept('stderr'), printed]).toEqual(['out\n', 'err\n', '']);
      expect(end()).toEqual({ exit: 3, signal: null, endedAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/) });
      expect(existsSync(join(folder, 'exit.json.tmp'))).toBe(false);
    });

    it('appends to what is there, so that what was read can be cut away', async () => {
      writeFileSync(join(folder, 'stdout'), 'before\n');
      const script = 'echo one; until [ -e cut ]; do sleep 0.02; done; echo two';
      const br = start(script, { keepIn: folder });
      await vi.waitFor(() => expect(kept('stdout')).toBe('before\none\n'));
      truncateSync(join(folder, 'stdout'));
      writeFileSync(join(folder, 'cut'), '');
      await br.exited;
      expect(kept('stdout')).toBe('two\n');
    });

    it('has the end written down also where it had to be killed', async () => {
      const br = start('trap "" TERM; echo up; while :; do sleep 0.05; done', { keepIn: folder });
      await vi.waitFor(() => expect(kept('stdout')).toBe('up\n'));
      expect(await br.stop()).toMatchObject({ code: undefined, signal: 'SIGKILL' });
      expect(end()).toMatchObject({ exit: null, signal: 'SIGKILL' });
      expect(isGroupAlive(br.group)).toBe(false);
    });

    it('was not started, which is written down too, where it is too late or there is no program', async () => {
      await start('', { keepIn: folder, startBy: performance.now() - 1 }).exited;
      expect(end()).toMatchObject({ notStarted: 'too late' });
      const { code, error } = await start('', { keepIn: folder, argv: [join(folder, 'none')] }).exited;
      if (code === 127) expect(end()).toMatchObject({ exit: 127 });
      else expect(end()).toMatchObject({ notStarted: error });
    });

    it('ends as it likes when its worker is killed, and its success is known', async () => {
      const script = 'trap "echo flushed; exit 0" TERM; echo up; while :; do sleep 0.02; done';
      const worker = await startWorkerProcess(script, 30_000, { keepIn: folder, killMs: 20_000 });
      await vi.waitFor(() => expect(kept('stdout')).toBe('up\n'));
      process.kill(worker.pid, 'SIGKILL');
      await vi.waitFor(() => expect(isGroupAlive(worker.group)).toBe(false), { timeout: 10_000 });
      expect(kept('stdout')).toBe('up\nflushed\n');
      expect(end()).toMatchObject({ exit: 0, ending: 'worker gone' });
    });

    it('is killed when its worker is gone and it does not end, and that is known', async () => {
      const script = 'trap "" TERM; echo up; while :; do sleep 0.02; done';
      const worker = await startWorkerProcess(script, 30_000, { keepIn: folder });
      await vi.waitFor(() => expect(kept('stdout')).toBe('up\n'));
      process.kill(worker.pid, 'SIGKILL');
      await vi.waitFor(() => expect(isGroupAlive(worker.group)).toBe(false), { timeout: 10_000 });
      expect(end()).toMatchObject({ exit: null, signal: 'SIGKILL', ending: 'worker gone' });
    });
  });

  it('has a clock that goes like every other one as long as the machine does not sleep', async () => {
    const outerFrom = performance.now();
    const from = bootNow();
    const innerFrom = performance.now();
    await vi.waitFor(() => expect(performance.now() - innerFrom).toBeGreaterThan(200));
    const innerMs = performance.now() - innerFrom;
    const ms = bootNow() - from;
    const outerMs = performance.now() - outerFrom;
    // It counts hundredths of a second.
    expect(ms).toBeGreaterThan(innerMs - 20);
    expect(ms).toBeLessThan(outerMs + 20);
  });

  it('knows a process by its pid and start', () => {
    expect(processStart(process.pid)).toBe(processStart(process.pid));
    expect(processStart(process.pid)).not.toBe(processStart(process.ppid));
    expect(processStart(2 ** 30)).toBeUndefined();
  });

  /** A worker of its own that starts this script behind a guard, or has a guard that waits. */
  async function startWorkerProcess(
    script: string | undefined,
    guardMs: number,
    more: Partial<BrOptions> = {},
  ): Promise<{ pid: number; group: number }> {
    const program = join(folder, 'worker.ts');
    const startBr =
      script &&
      `guard.startBr({ ...${JSON.stringify({ ...options(script), startBy: 60_000, guardMs, ...more })},
                                               onStdout() {}, onStderr() {} });`;
    writeFileSync(
      program,
      `import { writeFileSync } from 'node:fs';
       import { openGuards } from ${JSON.stringify(join(import.meta.dirname, 'process.ts'))};
       const guard = openGuards('.').take();
       ${startBr ?? 'setInterval(() => undefined, 60_000);'}
       writeFileSync('group', String(guard.group.pid));`,
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
