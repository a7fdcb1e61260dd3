/** What runs the containers of a pod on this machine: the checkout as processes, or podman with their images. */
import { type ChildProcessByStdio, execFileSync, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chmodSync } from 'node:fs';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { REPOSITORY } from '@tidemark/local-stack/repository';
import { SERVICE_KINDS, type ServiceKind } from '@tidemark/local-stack/service-kinds';
import { V8_OPTIONS } from '@tidemark/local-stack/stack-process';
import { callPodman, type Podman, runArguments } from './podman.ts';

/** Where PingCAP's image has its program. */
const BR = '/br';

type Running = ChildProcessByStdio<null, Readable, Readable>;

/** Runs one pod. */
export interface PodRuntime {
  /** Runs an init container to its end. */
  // biome-ignore lint/suspicious/noExplicitAny: a container that the schemas of Kubernetes know
  initialize(container: any): void;
  /** Starts the main container; a signal that its process gets, what runs in the container gets, and it ends with its code. */
  start(): Running;
  /** Runs a command beside it; answers what that printed. */
  execute(command: readonly string[]): string;
  /** Kills it, once its grace period is over. */
  kill(): void;
}

interface PodParts {
  /** Variables of the main container. */
  readonly env: Readonly<Record<string, string>>;
  /** A program that stands in the place of `/br`. */
  readonly br: string;
}

export function asProcesses(pod: PodParts & { readonly component: ServiceKind; readonly root: string }): PodRuntime {
  const { component, root, env, br } = pod;
  let child: Running | undefined;
  return {
    initialize({ command: [program, ...args] }: { readonly command: [string, ...string[]] }) {
      execFileSync(
        program,
        args.map((path) => (path === BR ? br : join(root, path))),
      );
    },
    start() {
      child = spawn(process.execPath, [...V8_OPTIONS, join(REPOSITORY, SERVICE_KINDS[component].main)], {
        env: {
          ...env,
          // Of the image, and that nothing is left where a test is killed.
          PATH: process.env.PATH,
          HOME: root,
          NODE_ENV: 'production',
          NODE_COMPILE_CACHE: process.env.NODE_COMPILE_CACHE,
          TIDEMARK_PARENT_PID: String(process.pid),
        },
        cwd: root,
        stdio: ['ignore', 'pipe', 'pipe'],
      });
      return child;
    },
    execute: ([program = '', ...args]) => execFileSync(program, args, { encoding: 'utf8' }),
    kill: () => void child?.kill('SIGKILL'),
  };
}

export function asContainers(
  podman: Podman,
  // biome-ignore lint/suspicious/noExplicitAny: a pod that the schemas of Kubernetes know
  pod: PodParts & { readonly spec: any; readonly volumes: ReadonlyMap<string, string> },
): PodRuntime {
  const { spec, volumes, env, br } = pod;
  const [main] = spec.containers;
  const name = `tidemark-${randomBytes(6).toString('hex')}`;
  own(spec, volumes);
  const mountsOf = (container: typeof main) =>
    container.volumeMounts.map((one: { name: string; mountPath: string; readOnly?: boolean }) => ({
      from: volumes.get(one.name),
      to: one.mountPath,
      readOnly: one.readOnly === true,
    }));
  return {
    initialize(container) {
      // PingCAP's image is not to be had here: the worker's is in its place, with the stand-in where that has br.
      const placed = { ...container, image: main.image };
      const mounts = [...mountsOf(container), { from: br, to: BR, readOnly: true }];
      const [entrypoint, ...args] = container.command;
      callPodman(podman, [...runArguments({ name, container: placed, pod: spec, mounts, entrypoint }), ...args]);
    },
    start() {
      const args = runArguments({
        name,
        container: main,
        pod: spec,
        mounts: mountsOf(main),
        variables: Object.keys(env),
      });
      return spawn(podman.program, [...podman.prefix, ...args], {
        env: { ...env, PATH: process.env.PATH },
        stdio: ['ignore', 'pipe', 'pipe'],
      });
    },
    execute: (command) => callPodman(podman, ['exec', name, ...command]),
    kill: () => void callPodman(podman, ['kill', name]),
  };
}

/** Hands the volumes over to the pod's group, as the kubelet does for `fsGroup`; folders of the machine stay as they are. */
// biome-ignore lint/suspicious/noExplicitAny: as above
function own(spec: any, volumes: ReadonlyMap<string, string>): void {
  for (const volume of spec.volumes) {
    if (volume.hostPath) continue;
    const folder = volumes.get(volume.name) ?? '';
    execFileSync('chgrp', ['-R', String(spec.securityContext.fsGroup), folder]);
    if (volume.emptyDir) chmodSync(folder, 0o2775);
  }
}
