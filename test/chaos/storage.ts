/**
 * A storage that can be full, read-only, or not answer.
 *
 * 1. It is a file system in a file of its own, so nothing else on the machine is touched. That needs root and Linux;
 *    elsewhere it is a plain folder without these faults.
 * 2. What freezes it also thaws it, in a process of its own: a run that is killed leaves no frozen file system.
 */
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';

const execute = promisify(execFile);

export interface ChaosStorage extends AsyncDisposable {
  readonly folder: string;
  /** Whether the faults below can be had. */
  readonly breakable: boolean;
  freeBytes(): number;
  fill(): Promise<void>;
  empty(): Promise<void>;
  /** @returns whether it could be done: files that are open for writing forbid it */
  makeReadOnly(): Promise<boolean>;
  makeWritable(): Promise<void>;
  /** Nothing that is written comes back before so long; resolves when it does again. */
  freezeFor(ms: number): Promise<void>;
  /**
   * A process that was run by `OWN_MOUNTS`, and its children, see the empty folder below from now on.
   *
   * @returns whether it could be done
   */
  unmountFor(pid: number): Promise<boolean>;
  /** Undoes that, where the process still runs. */
  mountFor(pid: number): Promise<void>;
}

/** Runs a process that can lose a storage which others keep. */
export const OWN_MOUNTS = ['unshare', '--mount', '--propagation', 'private'];

const PREFIX = 'tidemark-chaos-';
/** An hour of records and of the journal of a database fit in, several times over. It takes only what is written. */
const MEGABYTES = 1_024;
const FILLER = '.full';
const BLOCK = 4_096;
const READ_ONLY_TRIES = 40;
const UNMOUNT_TRIES = 50;

export async function openChaosStorage(): Promise<ChaosStorage> {
  await sweepStorages();
  const home = mkdtempSync(join(tmpdir(), `${PREFIX}${process.pid}-`));
  const folder = join(home, 'storage');
  mkdirSync(folder);
  const breakable = await mountIn(home, folder);
  const filler = join(folder, FILLER);
  const freeBytes = () => {
    const { bavail, bsize } = statfsSync(folder);
    return bavail * bsize;
  };
  return {
    folder,
    breakable,
    freeBytes,
    async fill() {
      await succeeds('fallocate', ['--length', String(freeBytes()), filler]);
      // What it left: blocks of its own, or all where there is no such program.
      for (let round = 0; round < 3; round += 1) {
        try {
          writeFileSync(filler, Buffer.alloc(Math.max(BLOCK, freeBytes())), { flag: 'a' });
        } catch (error) {
          if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
        }
      }
    },
    async empty() {
      rmSync(filler, { force: true });
    },
    async makeReadOnly() {
      for (let tries = 0; tries < READ_ONLY_TRIES; tries += 1) {
        if (await succeeds('mount', ['-o', 'remount,ro', folder])) return true;
        await sleep(50);
      }
      return false;
    },
    async makeWritable() {
      await execute('mount', ['-o', 'remount,rw', folder]);
    },
    async freezeFor(ms) {
      const script = 'fsfreeze -f "$1" && sleep "$2"; fsfreeze -u "$1"';
      const child = spawn('/bin/sh', ['-c', script, 'sh', folder, String(ms / 1000)], {
        detached: true,
        stdio: 'ignore',
      });
      await once(child, 'exit');
    },
    unmountFor: (pid) => succeeds('nsenter', ['--mount', '--target', String(pid), 'umount', '--lazy', folder]),
    async mountFor(pid) {
      // The same file system once more; a process that was started anew has never lost it.
      await succeeds('nsenter', ['--mount', '--target', String(pid), 'mount', deviceOf(folder), folder]);
    },
    async [Symbol.asyncDispose]() {
      await remove(home);
    },
  };
}

async function mountIn(home: string, folder: string): Promise<boolean> {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return false;
  const image = join(home, 'image');
  return (
    (await succeeds('truncate', ['-s', `${MEGABYTES}M`, image])) &&
    (await succeeds('mkfs.ext4', ['-q', '-m', '0', '-O', '^has_journal', image])) &&
    (await succeeds('mount', ['-o', 'loop', image, folder])) &&
    (await succeeds('rm', ['-rf', join(folder, 'lost+found')]))
  );
}

/** Those of runs that were killed. */
async function sweepStorages(): Promise<void> {
  for (const name of readdirSync(tmpdir())) {
    const pid = Number(new RegExp(`^${PREFIX}(\\d+)-`).exec(name)?.[1]);
    if (pid > 0 && !isAlive(pid)) await remove(join(tmpdir(), name));
  }
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

async function remove(home: string): Promise<void> {
  const folder = join(home, 'storage');
  // Who had a file open there may be on his way out.
  for (let tries = 0; tries < UNMOUNT_TRIES && isMounted(folder); tries += 1)
    if (!(await succeeds('umount', [folder]))) await sleep(100);
  if (isMounted(folder)) await succeeds('umount', ['--lazy', folder]);
  rmSync(home, { recursive: true, force: true });
}

function isMounted(folder: string): boolean {
  return process.platform === 'linux' && deviceOf(folder) !== '';
}

/** What is mounted at a folder; empty where nothing is. */
function deviceOf(folder: string): string {
  const mounts = readFileSync('/proc/mounts', 'utf8').split('\n');
  return mounts.map((line) => line.split(' ')).find(([, at]) => at === folder)?.[0] ?? '';
}

async function succeeds(program: string, args: readonly string[]): Promise<boolean> {
  try {
    await execute(program, args);
    return true;
  } catch {
    return false;
  }
}
