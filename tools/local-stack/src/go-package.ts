import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { waitForLock } from '@tidemark/processes/file-lock';
import { findOnPath, isExecutable, runStep } from './find-program.ts';
import type { LocalServerOptions } from './local-server.ts';
import { SHARED_CACHE } from './repository.ts';

const BUILD_LIMIT_MS = 600_000;

/** A program that `go install` builds. */
export interface GoProgram {
  /** How sentences call it; also its file. */
  readonly name: string;
  /** Its package, without the version. */
  readonly path: string;
  readonly version: string;
}

/**
 * Builds a program into a folder that all stacks of this checkout share.
 *
 * @returns the program
 * @throws a sentence that says what is missing
 */
export async function installGoProgram(
  { name, path, version }: GoProgram,
  { say, signal }: LocalServerOptions,
): Promise<string> {
  const folder = join(SHARED_CACHE, `${name}-${version}`);
  const program = join(folder, name);
  if (isExecutable(program)) return program;
  const go = findOnPath('go');
  const env = findOnPath('env');
  if (go === undefined || env === undefined) throw new Error(`${name} needs Go on PATH.`);
  await mkdir(SHARED_CACHE, { recursive: true });
  using _ = await waitForLock(`${folder}.lock`, signal, () => say(`Waiting for another start that builds ${name}`));
  if (isExecutable(program)) return program;
  say(`Building ${name} ${version} (once per checkout)`);
  const settings = [`GOBIN=${folder}`, 'GOTOOLCHAIN=local', 'GOFLAGS=-buildvcs=false', 'GOWORK=off'];
  await runStep(env, [...settings, go, 'install', `${path}@${version}`], `Go could not build ${name}`, {
    signal,
    limitMs: BUILD_LIMIT_MS,
  });
  return program;
}
