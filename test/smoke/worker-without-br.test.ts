import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '@tidemark/local-stack/ports';
import { deleteNamespace } from '@tidemark/messaging/topology';
import { expect, inject, it, vi } from 'vitest';

const MAIN = join(import.meta.dirname, '..', '..', 'services/executor-worker/src/main.ts');

/** A folder and a namespace of one worker, which is killed at the end. */
function makeSurroundings() {
  const folder = mkdtempSync(join(tmpdir(), 'tidemark-no-br-'));
  const namespace = `test-${randomUUID().slice(0, 8)}`;
  const workers: ChildProcess[] = [];
  return {
    folder,
    namespace,
    workers,
    async [Symbol.asyncDispose]() {
      for (const worker of workers) {
        worker.kill('SIGKILL');
        await once(worker, 'close');
      }
      rmSync(folder, { recursive: true });
      await deleteNamespace(inject('amqpUrl'), namespace, ['default']);
    },
  };
}

// Side by side: most of it is waiting for the next look of a worker.
it.concurrent.each([
  ['is missing', undefined, 'is not there'],
  ['is not executable', 0o644, 'may not execute'],
  ['is no br', 0o755, 'is not a br', 'hello'],
])(
  'a worker whose br %s says so at its start and in /readyz, takes no work, and uses it once it is put right',
  async (_, mode, why, says = 'Release Version: v8.5.0') => {
    await using surroundings = makeSurroundings();
    const { folder, namespace, workers } = surroundings;
    const br = join(folder, 'br');
    const write = (to: number, line: string) => {
      writeFileSync(br, `#!/bin/sh\necho '${line}'\n`);
      chmodSync(br, to);
    };
    if (mode !== undefined) write(mode, says);
    const port = await freePort();
    const worker = spawn(process.execPath, [MAIN], {
      env: {
        PATH: process.env.PATH,
        NODE_COMPILE_CACHE: process.env.NODE_COMPILE_CACHE,
        TIDEMARK_OPERATIONS_PORT: String(port),
        TIDEMARK_AMQP_URL: inject('amqpUrl'),
        TIDEMARK_AMQP_NAMESPACE: namespace,
        TIDEMARK_BACKUP_SERVICE: `127.0.0.1:${await freePort()}`,
        TIDEMARK_STATE_DIR: join(folder, 'state'),
        TIDEMARK_BR: br,
        TIDEMARK_PARENT_PID: String(process.pid),
      },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    workers.push(worker);
    let logged = '';
    worker.stdout?.on('data', (chunk) => {
      logged += chunk;
    });
    const checks = async () => {
      const answer = (await (await fetch(`http://127.0.0.1:${port}/readyz`)).json()) as {
        checks: Record<string, string>;
      };
      return answer.checks;
    };
    await vi.waitFor(async () => expect((await checks()).br).toContain(why), { timeout: 20_000 });
    expect((await checks()).consumer).not.toBe('ok');
    expect(logged).toContain(`TIDEMARK_BR names ${br}`);
    write(0o755, 'Release Version: v8.5.0');
    await vi.waitFor(async () => expect(await checks()).toMatchObject({ br: 'ok', consumer: 'ok' }), {
      timeout: 30_000,
    });
  },
);
