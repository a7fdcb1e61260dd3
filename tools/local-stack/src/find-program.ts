import { execFile } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';

const execute = promisify(execFile);

/** The first file of that name on PATH that can be executed. */
export function findOnPath(name: string, path = process.env.PATH ?? ''): string | undefined {
  return path
    .split(delimiter)
    .filter((folder) => folder !== '')
    .map((folder) => join(folder, name))
    .find(isExecutable);
}

/** Whether a file is there and can be executed by this user. */
export function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/**
 * Runs a program that answers soon and returns what it printed.
 *
 * @returns `undefined` when it failed, is not there, or took longer than `timeoutMs`
 */
export async function ask(
  program: string,
  args: readonly string[],
  timeoutMs: number,
  signal?: AbortSignal,
): Promise<string | undefined> {
  try {
    const { stdout } = await execute(program, args, { timeout: timeoutMs, signal, encoding: 'utf8' });
    return stdout;
  } catch {
    signal?.throwIfAborted();
    return undefined;
  }
}

/**
 * Runs one step of an installation or a preparation.
 *
 * @param failure how the sentence about a failure begins
 * @throws `failure` with the end of what the program said; the reason of an aborted signal
 */
export async function runStep(
  program: string,
  args: readonly string[],
  failure: string,
  { signal, limitMs, input }: { readonly signal: AbortSignal; readonly limitMs: number; readonly input?: string },
): Promise<void> {
  try {
    const running = execute(program, args, { signal, timeout: limitMs });
    running.child.stdin?.on('error', () => undefined); // it ended before it had read; its own words say more
    running.child.stdin?.end(input);
    await running;
  } catch (error) {
    signal.throwIfAborted();
    const { stderr, message } = error as Error & { stderr?: string };
    const reason = (stderr || message).trim().split('\n').slice(-3).join('\n');
    throw new Error(`${failure}: ${reason}`, { cause: error });
  }
}
