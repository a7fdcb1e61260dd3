import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type LocalServerOptions, localServer, type ServerProcess } from '../local-server.ts';
import { freePort } from '../ports.ts';

/** A real object store on loopback, for tests; what it holds is gone when it ends. */
export interface ObjectStore extends AsyncDisposable {
  /** Scheme and host, and for Azure the account's path. */
  readonly endpoint: string;
}

/** What is particular about a store. */
export interface ObjectStoreProgram {
  /** Names its log, its run record and its folder. */
  readonly name: string;
  readonly title: string;
  readonly program: string;
  args(port: number, folder: string): string[];
  readonly env?: NodeJS.ProcessEnv;
  /** Made in its folder before it starts. */
  readonly folders?: readonly string[];
}

/**
 * Starts an object store on a free port.
 *
 * @throws a sentence with the end of its log when it does not start
 */
export async function startObjectStore(
  { name, title, program, args, env, folders = [] }: ObjectStoreProgram,
  options: LocalServerOptions,
): Promise<ObjectStore> {
  const port = await freePort();
  const folder = join(options.dataDir, name);
  const endpoint = `http://127.0.0.1:${port}`;
  const store: ServerProcess = {
    name,
    title,
    program,
    args: args(port, folder),
    env: { PATH: '/usr/bin:/bin', LANG: 'C.UTF-8', HOME: folder, ...env },
    port,
    startTimeoutMs: 60_000,
    stopGraceMs: 2_000,
  };
  const erase = () => rm(folder, { recursive: true, force: true });
  const server = localServer(
    {
      url: endpoint,
      choice: `${title}, ${folder}`,
      processes: [store],
      async prepare() {
        for (const inner of ['', ...folders]) await mkdir(join(folder, inner), { recursive: true, mode: 0o700 });
      },
      afterStop: erase,
      erase,
    },
    options,
  );
  await server.start();
  return { endpoint, [Symbol.asyncDispose]: () => server[Symbol.asyncDispose]() };
}
