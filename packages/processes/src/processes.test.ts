import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { isGroupAlive, signalGroup, signalProcess, untilGroupGone } from './group.ts';
import { identify, identifySelf, isAlive, parseIdentity, processStart } from './identity.ts';
import { livingProcesses, readStat } from './stat.ts';

const onLinux = process.platform === 'linux';

/** A child that leads a group of its own, with its pid; it goes with the test. */
function start(program: string, ...args: string[]): Promise<ChildProcess & { pid: number }> {
  return startAs({}, program, ...args);
}

async function startAs(
  user: { readonly uid?: number },
  program: string,
  ...args: string[]
): Promise<ChildProcess & { pid: number }> {
  const child = spawn(program, args, { ...user, detached: true, stdio: ['ignore', 'pipe', 'ignore'] });
  await once(child, 'spawn');
  const { pid = 0 } = child;
  onTestFinished(() => signalGroup(pid, 'SIGKILL'));
  return Object.assign(child, { pid });
}

/** A process that has ended and whose parent, which lives on, does not collect it. */
async function startZombie(): Promise<number> {
  const parent = await start('/bin/sh', '-c', 'setsid /bin/sleep 60 & echo $!; exec sleep 60');
  const [line] = await once(parent.stdout ?? parent, 'data');
  const pid = Number(String(line));
  // A shell would collect it, and until it leads a group there is none to ask for.
  const programs = () => [parent.pid, pid].map((each) => readFileSync(`/proc/${each}/comm`, 'utf8').trim());
  await vi.waitFor(() => expect(programs()).toEqual(['sleep', 'sleep']));
  process.kill(pid, 'SIGKILL');
  await vi.waitFor(() => expect(readStat(pid)?.state).toBe('Z'));
  return pid;
}

/** Does something as a user who may signal the processes of nobody else. */
function asDaemon<T>(act: () => T): T {
  process.seteuid?.('daemon');
  try {
    return act();
  } finally {
    process.seteuid?.(0);
  }
}

describe('a process', () => {
  it('is told from every other one by its pid and its start', async () => {
    const child = await start('/bin/sleep', '60');
    const identity = identify(child.pid);
    expect(identity).toEqual({ pid: child.pid, startedAt: expect.stringContaining(processStart(child.pid) ?? 'none') });
    expect(identity && isAlive(identity)).toBe(true);
    expect(isAlive({ pid: child.pid, startedAt: identifySelf().startedAt })).toBe(false);
    const exited = once(child, 'exit');
    child.kill('SIGKILL');
    await exited;
    expect(identity && isAlive(identity)).toBe(false);
    expect(identify(child.pid)).toBeUndefined();
  });

  it('is written down and read again, and nothing else is read as one', () => {
    const self = identifySelf();
    expect(parseIdentity(JSON.stringify(self))).toEqual(self);
    for (const text of ['', '{', 'null', '{"pid":1}', '{"pid":"1","startedAt":"x"}', '{"pid":1.5,"startedAt":"x"}'])
      expect(parseIdentity(text)).toBeUndefined();
  });

  it.runIf(onLinux)('is read of the kernel whatever its program is called', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'tidemark-processes-'));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    const program = join(folder, 'a) Z 9 (b');
    copyFileSync('/bin/sleep', program);
    const { pid } = await start(program, '60');
    await vi.waitFor(() => expect(readStat(pid)).toMatchObject({ state: 'S', parent: process.pid, group: pid }));
    expect(livingProcesses()).toContainEqual(readStat(pid));
  });

  it.runIf(onLinux)('that has ended and was not collected lives no more, and neither does its group', async () => {
    const pid = await startZombie();
    expect(identify(pid)).toBeUndefined();
    expect(livingProcesses().map((one) => one.pid)).not.toContain(pid);
    expect(isGroupAlive(pid)).toBe(false);
    expect(await untilGroupGone(pid, { killAfterMs: 0 })).toBe(true);
  });

  it('that has gone is signaled without harm', async () => {
    const child = await start('/bin/sleep', '60');
    const exited = once(child, 'exit');
    child.kill('SIGKILL');
    await exited;
    signalProcess(child.pid, 'SIGTERM');
    signalGroup(child.pid, 'SIGTERM');
  });
});

describe('a group', () => {
  it('is neither our own nor everybody, which a pid that is not known would name', async () => {
    let heard = false;
    const hear = () => {
      heard = true;
    };
    process.on('SIGCONT', hear);
    onTestFinished(() => void process.off('SIGCONT', hear));
    signalGroup(0, 'SIGCONT');
    expect(isGroupAlive(0)).toBe(false);
    expect(isGroupAlive(1)).toBe(false);
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(heard).toBe(false);
  });

  it('lives as long as one of it does, also without its leader', async () => {
    const leader = await start('/bin/sh', '-c', 'sleep 60 & exit 0');
    if (leader.exitCode === null) await once(leader, 'exit');
    expect(isGroupAlive(leader.pid)).toBe(true);
    signalGroup(leader.pid, 'SIGTERM');
    expect(await untilGroupGone(leader.pid, { killAfterMs: 60_000, pollMs: 5 })).toBe(true);
    expect(isGroupAlive(leader.pid)).toBe(false);
  });

  it('is killed when it lingers', async () => {
    const leader = await start('/bin/sh', '-c', 'trap "" TERM; echo up; while :; do sleep 0.05; done');
    await once(leader.stdout ?? leader, 'data');
    const exited = once(leader, 'exit');
    signalGroup(leader.pid, 'SIGTERM');
    expect(await untilGroupGone(leader.pid, { killAfterMs: 50, pollMs: 5 })).toBe(true);
    expect(await exited).toEqual([null, 'SIGKILL']);
  });

  it('lives although we may not signal it, and is given up', async ({ skip }) => {
    if (!onLinux || process.geteuid?.() !== 0) skip('only the superuser of Linux can become somebody else');
    const { pid } = await startAs({ uid: 65_534 }, '/bin/sleep', '60');
    expect(asDaemon(() => isGroupAlive(pid))).toBe(true);
    asDaemon(() => signalGroup(pid, 'SIGKILL'));
    expect(await untilGroupGone(pid, { killAfterMs: 60_000, giveUpAfterMs: 100, pollMs: 5 })).toBe(false);
  });
});
