/** Which of several `br` programs backs up which cluster. */
import { ConfigError } from '@tidemark/service-kit/env';
import { readBrVersion } from './process.ts';

export interface BrProgram {
  readonly path: string;
  /** As `br -V` says it, such as v8.5.0. */
  readonly version: string;
}

type Version = readonly [major: number, minor: number, patch: number];

function readVersion(text: string): Version | undefined {
  const [, major, minor, patch] = /(\d+)\.(\d+)\.(\d+)/.exec(text) ?? [];
  return major === undefined ? undefined : [Number(major), Number(minor), Number(patch)];
}

const compare = (one: Version, other: Version) => one[0] - other[0] || one[1] - other[1] || one[2] - other[2];

/**
 * Asks each program once which version it is.
 *
 * @throws ConfigError naming every program that cannot be run
 */
export async function readPrograms(
  paths: readonly string[],
  env: Readonly<Record<string, string>>,
): Promise<BrProgram[]> {
  const problems: string[] = [];
  const programs = await Promise.all(
    paths.map(async (path): Promise<BrProgram | undefined> => {
      try {
        return { path, version: await readBrVersion(path, env) };
      } catch (error) {
        const { code, message } = error as NodeJS.ErrnoException;
        problems.push(`TIDEMARK_BR names ${path}, which is no br that can be run (${code ?? message})`);
        return undefined;
      }
    }),
  );
  if (problems.length > 0) throw new ConfigError(problems);
  return programs.filter((program) => program !== undefined);
}

/**
 * The program for a cluster: the same release, else the same minor, else the newest of the same major. BR itself
 * refuses more than that (br-contract 1.5). Where the cluster's version is unknown, the newest program is taken.
 */
export function chooseProgram(programs: readonly BrProgram[], clusterVersion: string): BrProgram | undefined {
  const wanted = readVersion(clusterVersion);
  const known = programs
    .flatMap((program) => {
      const version = readVersion(program.version);
      return version ? [{ program, version }] : [];
    })
    .sort((one, other) => compare(other.version, one.version));
  if (!wanted) return known[0]?.program ?? programs[0];
  const fits = (depth: number) =>
    known.find(({ version }) => wanted.slice(0, depth).every((part, at) => part === version[at]));
  return (fits(3) ?? fits(2) ?? fits(1))?.program;
}

/** Whether this version guards its path with a checkpoint.lock: from 6.5.1 on (br-contract 5.4). */
export function hasCheckpointLock(version: string): boolean {
  const known = readVersion(version);
  return known === undefined || compare(known, [6, 5, 1]) >= 0;
}
