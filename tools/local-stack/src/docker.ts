import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { promisify } from 'node:util';
import { ask, findOnPath } from './find-program.ts';
import type { ServerProcess } from './local-server.ts';

const execute = promisify(execFile);

/** The Docker client on PATH whose engine answers within 3 seconds. */
export async function findDocker(signal: AbortSignal): Promise<string | undefined> {
  const docker = findOnPath('docker');
  if (docker === undefined) return undefined;
  const version = await ask(docker, ['version', '--format', '{{.Server.Version}}'], 3_000, signal);
  return version?.trim() ? docker : undefined;
}

/** An image run as a server of one stack. */
export interface Container {
  readonly docker: string;
  readonly image: string;
  /** The container and its volume: one per data folder and kind of server. */
  readonly name: string;
  /** The server's port inside. */
  readonly innerPort: number;
  /** Where the server keeps its data inside. */
  readonly innerData: string;
  /** A file of variables for the server: passwords do not go onto the command line. */
  readonly envFile?: string;
}

/** A name that belongs to one data folder. */
export function containerName(dataDir: string, kind: string): string {
  return `tidemark-${createHash('sha256').update(dataDir).digest('hex').slice(0, 12)}-${kind}`;
}

/** The attached client as the process of a server: it passes signals on to the container and ends with it. */
export function containerProcess(
  container: Container,
  process: Pick<ServerProcess, 'name' | 'title' | 'port' | 'probe'>,
): ServerProcess {
  const { docker, image, name, innerPort, innerData, envFile } = container;
  return {
    ...process,
    program: docker,
    args: [
      ...['run', '--rm', '--name', name, '--hostname', 'tidemark'],
      ...['--publish', `127.0.0.1:${process.port}:${innerPort}`, '--volume', `${name}:${innerData}`],
      ...(envFile === undefined ? [] : ['--env-file', envFile]),
      image,
    ],
    env: globalThis.process.env,
    // The first start pulls the image.
    startTimeoutMs: 300_000,
    stopGraceMs: 20_000,
  };
}

/** Removes a container that is still there; its volume stays. */
export async function removeContainer({ docker, name }: Container): Promise<void> {
  await ask(docker, ['rm', '--force', name], 20_000);
}

/** Removes the volume of a container that is gone. */
export async function removeVolume({ docker, name }: Container): Promise<void> {
  await execute(docker, ['volume', 'rm', '--force', name], { timeout: 20_000 });
}
