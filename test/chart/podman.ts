/**
 * Containers of a pod by podman, with what the kubelet would give them: user and groups, capabilities, privileges, seccomp, root file
 * system, mounts and the limit of memory. Only the network is that of the machine.
 */
import { execFileSync, type SpawnSyncReturns, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { findOnPath } from '@tidemark/local-stack/find-program';
import { REPOSITORY } from '@tidemark/local-stack/repository';
import { SERVICE_KINDS } from '@tidemark/local-stack/service-kinds';
import manifest from '../../package.json' with { type: 'json' };

/** What `deploy/build-image` is told to build. */
export const IMAGES = 'localhost/tidemark';
/** All that the Dockerfile copies. */
const SOURCES = ['Dockerfile', 'package.json', 'pnpm-*.yaml', 'tsconfig.json', 'cli', 'gateway', 'packages', 'scripts'];
const ASK_MS = 20_000;
/** A container that a killed test has left ends by itself. */
const MOST_SECONDS = 900;
/** crun does not know both kinds of control groups beside each other. */
const BOTH_KINDS = '/sys/fs/cgroup/unified';
const WITHOUT_SECOND = ['--mount', '--propagation', 'private', 'sh', '-c', `umount ${BOTH_KINDS}; exec "$@"`, '-'];

export interface Podman {
  readonly program: string;
  /** What comes before the arguments of podman. */
  readonly prefix: readonly string[];
}

/** Podman, where it and the images of this checkout are there; or a sentence that says what is missing. */
export function findPodman(): Podman | { readonly missing: string } {
  const podman = findOnPath('podman');
  const unshare = findOnPath('unshare');
  if (podman === undefined || unshare === undefined || process.getuid?.() !== 0)
    return { missing: 'Images are run by podman on Linux, as root: apt-get install podman crun' };
  const found = existsSync(BOTH_KINDS)
    ? { program: unshare, prefix: [...WITHOUT_SECOND, podman] }
    : { program: podman, prefix: [] };
  const revisionOf = ['image', 'inspect', '--format', '{{index .Labels "org.opencontainers.image.revision"}}'];
  for (const process of Object.keys(SERVICE_KINDS)) {
    const revision = ask(podman, ...revisionOf, `${IMAGES}/${process}:${manifest.version}`).stdout.trim();
    const sources = [...SOURCES, 'services', ':(exclude)**/*.test.ts'];
    if (revision === '' || ask('git', '-C', REPOSITORY, 'diff', '--quiet', revision, '--', ...sources).status !== 0)
      return { missing: `The image of ${process} is not there, or not of this checkout: deploy/build-image ${IMAGES}` };
  }
  return found;
}

const ask = (program: string, ...args: string[]): SpawnSyncReturns<string> =>
  spawnSync(program, args, { encoding: 'utf8', timeout: ASK_MS });

/** What a container sees at a path of its own. */
export interface Mount {
  readonly from: string;
  readonly to: string;
  readonly readOnly: boolean;
}

/** A container to be run, as a rendered pod names it. */
export interface Placement {
  readonly name: string;
  readonly container: {
    readonly image: string;
    readonly securityContext: {
      readonly allowPrivilegeEscalation: boolean;
      readonly readOnlyRootFilesystem: boolean;
      readonly capabilities: { readonly drop: readonly string[] };
    };
    readonly resources?: { readonly limits?: { readonly memory?: string } };
  };
  readonly pod: {
    readonly securityContext: { readonly runAsUser: number; readonly runAsGroup: number; readonly fsGroup: number };
  };
  readonly mounts: readonly Mount[];
  /** Names of variables that podman has and that it gets: their values are in no list of processes. */
  readonly variables?: readonly string[];
  /** In the place of the image's own. */
  readonly entrypoint?: string;
}

/** The arguments by which podman runs it. */
export function runArguments({ name, container, pod, mounts, variables = [], entrypoint }: Placement): string[] {
  const { allowPrivilegeEscalation, readOnlyRootFilesystem, capabilities } = container.securityContext;
  const { runAsUser, runAsGroup, fsGroup } = pod.securityContext;
  // 384Mi are 384m to podman.
  const memory = container.resources?.limits?.memory?.replace(/i$/, '').toLowerCase();
  return [
    ...['run', '--rm', '--name', name, '--network', 'host', '--no-healthcheck', '--timeout', String(MOST_SECONDS)],
    // Podman would raise both, which not everybody may.
    ...['--ulimit', 'nofile=10000:10000', '--ulimit', 'nproc=10000:10000'],
    ...['--user', `${runAsUser}:${runAsGroup}`, '--group-add', String(fsGroup)],
    ...capabilities.drop.flatMap((one) => ['--cap-drop', one]),
    ...(allowPrivilegeEscalation ? [] : ['--security-opt', 'no-new-privileges']),
    // Otherwise it would bring a /tmp of its own, where the kubelet brings none.
    ...(readOnlyRootFilesystem ? ['--read-only', '--read-only-tmpfs=false'] : []),
    ...(memory === undefined ? [] : ['--memory', memory, '--memory-swap', memory]),
    ...mounts.flatMap(({ from, to, readOnly }) => ['--volume', `${from}:${to}${readOnly ? ':ro' : ''}`]),
    ...variables.flatMap((variable) => ['--env', variable]),
    ...(entrypoint === undefined ? [] : ['--entrypoint', entrypoint]),
    container.image,
  ];
}

/** Calls podman for something that ends soon, such as a command in a container; answers what that printed. */
export function callPodman({ program, prefix }: Podman, args: readonly string[]): string {
  return execFileSync(program, [...prefix, ...args], {
    timeout: ASK_MS,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}
