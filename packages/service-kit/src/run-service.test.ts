/** The end of a process, as signals bring it about. */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from 'vitest';

const SERVICE = join(import.meta.dirname, 'testing', 'stoppable-service.ts');

interface Started extends Disposable {
  readonly child: ChildProcess;
  /** Resolves when the log has a line with these words. */
  says(words: string): Promise<void>;
  /** The exit code, and how long it took from now on. */
  ends(): Promise<{ readonly code: number; readonly ms: number }>;
}

async function started(env: Readonly<Record<string, string>>): Promise<Started> {
  const child = spawn(process.execPath, [SERVICE], {
    env: { ...process.env, TIDEMARK_LOG_LEVEL: 'info', ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const exited = once(child, 'exit');
  const lines: string[] = [];
  const reader = createInterface({ input: child.stdout }).on('line', (line) => lines.push(line));
  const one: Started = {
    child,
    async says(words) {
      while (!lines.some((line) => line.includes(words))) await once(reader, 'line');
    },
    async ends() {
      const from = performance.now();
      const [code] = await exited;
      return { code, ms: performance.now() - from };
    },
    [Symbol.dispose]: () => void child.kill('SIGKILL'),
  };
  await one.says('stoppable started');
  return one;
}

it('ends by itself what does not stop in its time, which begins after its drain', async () => {
  using quick = await started({ STOP_MS: '300', TAKES_MS: '60000' });
  quick.child.kill('SIGTERM');
  expect(await quick.ends()).toMatchObject({ code: 1 });
  using drains = await started({ STOP_MS: '300', DRAIN_MS: '1500', TAKES_MS: '1200' });
  drains.child.kill('SIGTERM');
  expect(await drains.ends()).toMatchObject({ code: 0 });
});

it('ends a drain at a second signal, and the process at the next', async () => {
  using service = await started({ DRAIN_MS: '60000', TAKES_MS: '60000' });
  service.child.kill('SIGTERM');
  await service.says('stoppable stops');
  // The same Ctrl-C again.
  service.child.kill('SIGINT');
  await sleep(1_200);
  expect(service.child.exitCode).toBeNull();
  service.child.kill('SIGTERM');
  await service.says('told to stop a second time');
  expect(await service.ends()).toMatchObject({ code: 0 });
});

it('without a drain ends at once at a second signal', async () => {
  using service = await started({ TAKES_MS: '60000' });
  service.child.kill('SIGTERM');
  await sleep(1_200);
  service.child.kill('SIGTERM');
  expect(await service.ends()).toMatchObject({ code: 1 });
});

it('drains nothing when its parent is gone, also where a signal came just before', async () => {
  const parent = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1e6)'], { stdio: 'ignore' });
  using service = await started({ DRAIN_MS: '60000', TAKES_MS: '60000', TIDEMARK_PARENT_PID: String(parent.pid) });
  service.child.kill('SIGTERM');
  parent.kill('SIGKILL');
  expect(await service.ends()).toMatchObject({ code: 0 });
});

it('prints its settings for --help and -h, and refuses any other argument in a sentence', async () => {
  const run = (...args: string[]) =>
    new Promise<{ code: number; stdout: string; stderr: string }>((resolve) =>
      execFile(process.execPath, [SERVICE, ...args], (error, stdout, stderr) =>
        resolve({ code: error ? Number(error.code) : 0, stdout, stderr }),
      ),
    );
  const [long, short, json, unknown, tooMany] = await Promise.all([
    run('--help'),
    run('-h'),
    run('-h', 'json'),
    run('--port=1'),
    run('--help', 'xml'),
  ]);
  expect(long).toMatchObject({ code: 0, stdout: expect.stringContaining('TIDEMARK_LOG_LEVEL') });
  expect(short).toEqual(long);
  expect(JSON.parse(json.stdout)).toContainEqual(expect.objectContaining({ name: 'TIDEMARK_LOG_LEVEL' }));
  const refusal = (argument: string) =>
    `stoppable: there is no argument "${argument}"; its settings come from the environment, and --help lists them.\n`;
  expect(unknown).toEqual({ code: 2, stdout: '', stderr: refusal('--port=1') });
  expect(tooMany).toEqual({ code: 2, stdout: '', stderr: refusal('xml') });
});
