import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { waitForLock } from './file-lock.ts';
import { ask, findOnPath, isExecutable } from './find-program.ts';
import type { LocalServerOptions } from './local-server.ts';
import { SHARED_CACHE } from './repository.ts';

const execute = promisify(execFile);

/** A pre-release, so the pin is needed (stack-findings 11.1). */
export const SECANTUSDB_VERSION = '0.7.0b3';

/** The versions of CPython there are wheels for. */
const PYTHONS = ['python3.13', 'python3.12', 'python3.11', 'python3.10', 'python3'];
const INSTALL_TIMEOUT_MS = 300_000;

/** Where this checkout keeps its SecantusDB. */
const FOLDER = join(SHARED_CACHE, `secantusdb-${SECANTUSDB_VERSION}`);
const PYTHON = join(FOLDER, 'bin', 'python3');
const COMPLETE = join(FOLDER, 'complete');

/** Whether SecantusDB is already installed for this checkout. */
export function isSecantusdbInstalled(): boolean {
  return existsSync(COMPLETE) && isExecutable(PYTHON);
}

/**
 * Installs SecantusDB into a virtual environment that all stacks of this checkout share.
 *
 * @returns its Python, which runs it as `-c "from secantus.cli import main; main()"`
 * @throws a sentence that says what is missing
 */
export async function installSecantusdb({ say, signal }: LocalServerOptions): Promise<string> {
  if (isSecantusdbInstalled()) return PYTHON;
  await mkdir(SHARED_CACHE, { recursive: true });
  using _ = await waitForLock(`${FOLDER}.lock`, signal, () =>
    say('Waiting for another start that installs SecantusDB'),
  );
  if (isSecantusdbInstalled()) return PYTHON;
  const python = await findPython(signal);
  if (python === undefined) {
    throw new Error('SecantusDB needs Python 3.10 to 3.13 on PATH.');
  }
  say(`Installing SecantusDB ${SECANTUSDB_VERSION} (145 MB, once per checkout)`);
  await rm(FOLDER, { recursive: true, force: true });
  await run(
    python,
    ['-m', 'venv', FOLDER],
    signal,
    'Python could not make a virtual environment (Debian: python3-venv)',
  );
  const pip = ['-m', 'pip', '--disable-pip-version-check', '--retries', '1', '--timeout', '10', 'install', '--quiet'];
  await run(PYTHON, [...pip, `secantusdb==${SECANTUSDB_VERSION}`], signal, 'pip could not install SecantusDB');
  await writeFile(COMPLETE, '');
  return PYTHON;
}

async function findPython(signal: AbortSignal): Promise<string | undefined> {
  const supported = 'import sys; sys.exit(0 if (3,10) <= sys.version_info[:2] <= (3,13) else 1)';
  for (const program of PYTHONS.flatMap((name) => findOnPath(name) ?? [])) {
    if ((await ask(program, ['-c', supported], 5_000, signal)) !== undefined) return program;
  }
  return undefined;
}

async function run(program: string, args: readonly string[], signal: AbortSignal, failure: string): Promise<void> {
  try {
    await execute(program, args, { signal, timeout: INSTALL_TIMEOUT_MS });
  } catch (error) {
    signal.throwIfAborted();
    const { stderr, message } = error as Error & { stderr?: string };
    const reason = (stderr || message).trim().split('\n').slice(-3).join('\n');
    throw new Error(`${failure}: ${reason}`, { cause: error });
  }
}
