import { execFile } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { waitForLock } from '@tidemark/processes/file-lock';
import { ask, findOnPath } from './find-program.ts';
import type { LocalServerOptions } from './local-server.ts';
import { SHARED_CACHE } from './repository.ts';

const execute = promisify(execFile);
const INSTALL_TIMEOUT_MS = 600_000;

/** A mirror that does not answer is given up soon, and another package manager is waited for. */
export const APT_OPTIONS = [
  ...['-o', 'DPkg::Lock::Timeout=60', '-o', 'Acquire::Retries=1'],
  ...['-o', 'Acquire::http::Timeout=10', '-o', 'Acquire::https::Timeout=10'],
];

/** What a package is called. */
export interface PackageNames {
  readonly apt: string;
  readonly brew?: string;
}

/** How this user can install packages of the operating system. */
export interface PackageInstaller {
  /** The command a person would type. */
  readonly command: string;
  /** @throws the end of what the package manager said */
  install(options: LocalServerOptions): Promise<void>;
}

/** Finds a package manager that this user may use without being asked for a password: apt-get or Homebrew. */
export async function findInstaller(names: PackageNames, signal: AbortSignal): Promise<PackageInstaller | undefined> {
  const apt = findOnPath('apt-get');
  if (apt !== undefined) {
    const prefix = await rootPrefix(signal);
    if (prefix !== undefined) return aptInstaller([...prefix, apt], names.apt);
  }
  const brew = findOnPath('brew');
  if (brew === undefined || names.brew === undefined) return undefined;
  return installer(`brew install ${names.brew}`, [[brew, 'install', names.brew]]);
}

function aptInstaller(apt: readonly string[], pkg: string): PackageInstaller {
  return installer(`apt-get install ${pkg}`, [
    [...apt, ...APT_OPTIONS, 'update'],
    [...apt, ...APT_OPTIONS, 'install', '-y', '--no-install-recommends', pkg],
  ]);
}

/** What must stand before a command to run it as root, or `undefined` where that needs a password. */
async function rootPrefix(signal: AbortSignal): Promise<string[] | undefined> {
  const environment = ['env', 'DEBIAN_FRONTEND=noninteractive'];
  if (process.getuid?.() === 0) return environment;
  const sudo = findOnPath('sudo');
  if (sudo === undefined || (await ask(sudo, ['-n', 'true'], 3_000, signal)) === undefined) return undefined;
  return [sudo, '-n', ...environment];
}

function installer(command: string, steps: readonly (readonly string[])[]): PackageInstaller {
  return {
    command,
    async install({ say, signal }) {
      await mkdir(SHARED_CACHE, { recursive: true });
      using _ = await waitForLock(join(SHARED_CACHE, 'packages.lock'), signal, () =>
        say('Waiting for another start that installs packages'),
      );
      say(`Installing with "${command}"`);
      for (const [program = '', ...args] of steps) await runStep(command, program, args, signal);
    },
  };
}

async function runStep(command: string, program: string, args: string[], signal: AbortSignal): Promise<void> {
  try {
    await execute(program, args, { signal, timeout: INSTALL_TIMEOUT_MS, maxBuffer: 64 * 1024 * 1024 });
  } catch (error) {
    signal.throwIfAborted();
    const { stderr, message } = error as Error & { stderr?: string };
    const reason = (stderr || message).trim().split('\n').slice(-2).join(' ');
    throw new Error(`"${command}" failed: ${reason}`, { cause: error });
  }
}
