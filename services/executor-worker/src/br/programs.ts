/** Which `br` programs this worker has, and which of them backs up which cluster. */
import { fittingVersion } from '@tidemark/br-options/fitting-version';
import { isBefore, type Version } from '@tidemark/br-options/version';
import type { Target } from '@tidemark/protocol/grpc/tidemark/backup/v1/executor_service';
import { startLoop } from '@tidemark/service-kit/loop';
import { log } from '../logger.ts';
import { readBrVersion } from './version.ts';

export interface BrProgram {
  readonly path: string;
  /** As `br -V` says it, such as v8.5.0. */
  readonly version: string;
}

/** The programs of a worker. One that cannot be used is asked again from time to time: it may be mounted late. */
export interface Programs extends AsyncDisposable {
  /** Those that answered, in the order of the settings. */
  usable(): readonly BrProgram[];
  /** Resolves once there is one to use. */
  readonly oneUsable: Promise<void>;
  /** @throws Error that says of each program what is wrong with it */
  check(): void;
}

const ASK_AGAIN_MS = 10_000;

/** Asks each program which version it is; resolves when each was asked once. */
export async function openPrograms(
  paths: readonly string[],
  env: Readonly<Record<string, string>>,
  askAgainMs = ASK_AGAIN_MS,
): Promise<Programs> {
  const versions = new Map<string, string>();
  const problems = new Map<string, string>();
  const oneUsable = Promise.withResolvers<void>();

  const ask = async (path: string): Promise<void> => {
    try {
      const version = await readBrVersion(path, env);
      versions.set(path, version);
      problems.delete(path);
      log.info({ path, version }, 'br found');
      oneUsable.resolve();
    } catch (error) {
      const problem = problemWith(path, error);
      if (problems.get(path) !== problem) log.error({ path }, problem);
      problems.set(path, problem);
    }
  };
  const askTheRest = () => Promise.all(paths.filter((path) => !versions.has(path)).map(ask));

  await askTheRest();
  const loop = startLoop({
    name: 'look for br',
    everyMs: askAgainMs,
    log,
    async run() {
      await askTheRest();
      return false;
    },
  });
  return {
    usable: () => paths.flatMap((path) => (versions.has(path) ? [{ path, version: versions.get(path) ?? '' }] : [])),
    oneUsable: oneUsable.promise,
    check() {
      if (problems.size > 0) throw new Error([...problems.values()].join(' '));
    },
    [Symbol.asyncDispose]: () => loop[Symbol.asyncDispose](),
  };
}

function problemWith(path: string, error: unknown): string {
  const { code, message, killed } = error as NodeJS.ErrnoException & { killed?: boolean };
  const named = `TIDEMARK_BR names ${path}, `;
  if (code === 'ENOENT') return `${named}which is not there.`;
  if (code === 'EACCES') return `${named}which this worker may not execute: chmod +x would allow it.`;
  if (killed) return `${named}which does not answer to -V.`;
  return `${named}which is not a br: ${message.split('\n')[0]}.`;
}

/** The program for a cluster; the first in the settings of those that have the version (`fittingVersion`). */
export function chooseProgram(programs: readonly BrProgram[], clusterVersion: string): BrProgram | undefined {
  const fitting = fittingVersion(
    programs.map(({ version }) => version),
    clusterVersion,
  );
  return programs.find(({ version }) => version === fitting);
}

const FIRST_WITH_CHECKPOINT: Version = [6, 5, 0];
const FIRST_WITH_LOCK: Version = [6, 5, 1];
const CHECKPOINT_WITH_ANY_META: Version = [7, 1, 0];

const isTrue = (text: string | undefined) => text !== undefined && ['true', '1', 't'].includes(text.toLowerCase());

/**
 * Whether this `br` will guard its path with a checkpoint.lock: from 6.5.1 on (br-contract 5.4), where the checkpoint is on
 * (1.3, 1.4). Where it will not, only a new path keeps two runs apart (T13).
 */
export function hasCheckpointLock(
  brVersion: string,
  { version, brOptions }: Pick<Target, 'version' | 'brOptions'>,
): boolean {
  const { 'use-checkpoint': useCheckpoint, 'use-backupmeta-v2': useMetaV2 } = brOptions?.extra ?? {};
  if (useCheckpoint !== undefined && !isTrue(useCheckpoint)) return false;
  if (isTrue(useMetaV2) && isBefore(brVersion, CHECKPOINT_WITH_ANY_META)) return false;
  return !isBefore(brVersion, FIRST_WITH_LOCK) && !isBefore(version, FIRST_WITH_CHECKPOINT);
}
