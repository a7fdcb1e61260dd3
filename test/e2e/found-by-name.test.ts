import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { REPOSITORY } from '@tidemark/local-stack/repository';
import { startGrpcServer } from '@tidemark/service-kit/grpc/server';
import { createLogger } from '@tidemark/service-kit/logging';
import { expect, it, vi } from 'vitest';
import { startNameServer } from './name-server.ts';

const NAME = 'backup-service';
/** Below the 30 s between two look-ups that gRPC has by itself. */
const FOUND_MS = 15_000;

/** Calls again and again, and prints how it went: a service that is not served there was reached. */
const CALLER = `
  import { setTimeout as sleep } from 'node:timers/promises';
  import { BackupServiceService } from '@tidemark/protocol/grpc/tidemark/backup/v1/backup_service';
  import { createServiceClient } from '@tidemark/service-kit/grpc/client';
  const client = createServiceClient(BackupServiceService, { address: process.env.ADDRESS, token: undefined });
  for (;;) {
    const { code } = await client.getBackup({ id: 'b1' }, { timeoutMs: 1_000 }).catch((error) => error);
    console.log(['unavailable', 'deadline_exceeded'].includes(code) ? 'away' : 'reached');
    await sleep(100);
  }
`;

const serverAt = (host: string, port: number) =>
  startGrpcServer({ host, port, token: undefined, log: createLogger('test'), services: [] });

it.runIf(process.platform === 'linux')(
  'finds a copy within seconds that took the place of the only one',
  async () => {
    const [first, second] = ['127.201.0.1', '127.201.0.2'];
    const old = await serverAt(first, 0);
    await using _old = old;
    let addresses = [first];
    await using names = await startNameServer((name) => (name === NAME ? addresses : undefined), 0);
    const caller = spawn(process.execPath, ['--input-type=module-typescript', '-e', CALLER], {
      cwd: `${REPOSITORY}/test`,
      env: {
        GRPC_NODE_USE_ALTERNATIVE_RESOLVER: 'true',
        ADDRESS: `dns://${names.address}/${NAME}:${old.port}`,
      },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await using _caller = {
      async [Symbol.asyncDispose]() {
        const ended = once(caller, 'exit');
        caller.kill('SIGKILL');
        await ended;
      },
    };
    const seen: string[] = [];
    createInterface(caller.stdout).on('line', (line) => seen.push(line));
    await vi.waitFor(() => expect(seen.at(-1)).toBe('reached'), { timeout: 30_000, interval: 50 });

    await using _new = await serverAt(second, old.port);
    addresses = [second];
    await old[Symbol.asyncDispose]();
    const before = seen.length;
    await vi.waitFor(() => expect(seen.slice(before)).toContain('reached'), { timeout: FOUND_MS, interval: 50 });
  },
  90_000,
);
