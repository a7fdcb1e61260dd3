import { existsSync } from 'node:fs';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { waitForLock } from '@tidemark/processes/file-lock';
import { ask, findOnPath, isExecutable, runStep } from './find-program.ts';
import type { LocalServerOptions } from './local-server.ts';
import { SHARED_CACHE } from './repository.ts';

/** The versions of CPython there are wheels for. */
const PYTHONS = ['python3.13', 'python3.12', 'python3.11', 'python3.10', 'python3'];
const INSTALL_TIMEOUT_MS = 300_000;

/** A server that installs with pip. */
export interface PythonPackage {
  /** How sentences call it. */
  readonly title: string;
  /** Its folder in the shared cache; changes with the version. */
  readonly folder: string;
  /** As pip wants them, with their versions. */
  readonly requirements: readonly string[];
  /** For people, such as `145 MB`. */
  readonly size: string;
}

/** Whether a package is already installed for this checkout. */
export function isPythonPackageInstalled(wanted: PythonPackage): boolean {
  return existsSync(join(SHARED_CACHE, wanted.folder, 'complete')) && isExecutable(pythonOf(wanted));
}

/**
 * Installs a package into a virtual environment that all stacks of this checkout share.
 *
 * @returns the Python of the environment
 * @throws a sentence that says what is missing
 */
export async function installPythonPackage(
  wanted: PythonPackage,
  { say, signal }: Pick<LocalServerOptions, 'say' | 'signal'>,
): Promise<string> {
  const { title, requirements, size } = wanted;
  const folder = join(SHARED_CACHE, wanted.folder);
  const venvPython = pythonOf(wanted);
  if (isPythonPackageInstalled(wanted)) return venvPython;
  await mkdir(SHARED_CACHE, { recursive: true });
  using _ = await waitForLock(`${folder}.lock`, signal, () => say(`Waiting for another start that installs ${title}`));
  if (isPythonPackageInstalled(wanted)) return venvPython;
  const python = await findPython(signal);
  if (python === undefined) {
    throw new Error(`${title} needs Python 3.10 to 3.13 on PATH.`);
  }
  say(`Installing ${title} (${size}, once per checkout)`);
  await rm(folder, { recursive: true, force: true });
  const limits = { signal, limitMs: INSTALL_TIMEOUT_MS };
  const noEnvironment = 'Python could not make a virtual environment (Debian: python3-venv)';
  await runStep(python, ['-m', 'venv', folder], noEnvironment, limits);
  const pip = ['-m', 'pip', '--disable-pip-version-check', '--retries', '1', '--timeout', '10', 'install', '--quiet'];
  await runStep(venvPython, [...pip, ...requirements], `pip could not install ${title}`, limits);
  await writeFile(join(folder, 'complete'), '');
  return venvPython;
}

/** The Python of a package's environment, whether it is installed or not. */
export function pythonOf({ folder }: PythonPackage): string {
  return join(SHARED_CACHE, folder, 'bin', 'python3');
}

async function findPython(signal: AbortSignal): Promise<string | undefined> {
  const supported = 'import sys; sys.exit(0 if (3,10) <= sys.version_info[:2] <= (3,13) else 1)';
  for (const program of PYTHONS.flatMap((name) => findOnPath(name) ?? [])) {
    if ((await ask(program, ['-c', supported], 5_000, signal)) !== undefined) return program;
  }
  return undefined;
}
