/** docs/security.md against the code: its recipe is run, and its settings are read. */
import { execFileSync, spawnSync } from 'node:child_process';
import { globSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { configReader } from '@tidemark/service-kit/env';
import { createServiceClient } from '@tidemark/service-kit/grpc/client';
import { startGrpcServer } from '@tidemark/service-kit/grpc/server';
import { openTransportSecurity, readTransportSecurity } from '@tidemark/service-kit/grpc/transport-security';
import { createLogger } from '@tidemark/service-kit/logging';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

const ROOT = join(import.meta.dirname, '..', '..');
const page = readFileSync(join(ROOT, 'docs', 'security.md'), 'utf8');
const recipe = /^```sh\n([\s\S]+?)^```$/m.exec(page)?.[1] ?? '';
const withoutOpenssl = spawnSync('openssl', ['version']).error !== undefined;
const log = createLogger('test');

describe('docs/security.md', () => {
  let stack: AsyncDisposableStack;
  let folder: string;
  beforeEach(() => {
    stack = new AsyncDisposableStack();
    folder = mkdtempSync(join(tmpdir(), 'tidemark-recipe-'));
    stack.defer(() => rmSync(folder, { recursive: true }));
  });
  afterEach(() => stack.disposeAsync());

  it('names only settings that some process reads', () => {
    const sources = globSync(
      ['services/*/src/config.ts', 'gateway/src/config.ts', 'packages/service-kit/src/{.,grpc}/*.ts'],
      {
        cwd: ROOT,
      },
    ).map((file) => readFileSync(join(ROOT, file), 'utf8'));
    const read = new Set(sources.flatMap((source) => source.match(/TIDEMARK_[A-Z_]+[A-Z]/g) ?? []));
    for (const [name] of page.matchAll(/TIDEMARK_[A-Z_]+[A-Z]/g))
      expect(read.has(name) || read.has(name.replace(/_FILE$/, '')), name).toBe(true);
  });

  it.skipIf(withoutOpenssl)(
    'has a recipe that makes certificates which every process takes, each for its own name (skipped without openssl)',
    async () => {
      execFileSync('sh', ['-ec', recipe], { cwd: folder, stdio: 'pipe' });
      const security = (name: string, env: Record<string, string> = {}) => {
        const reader = configReader({
          TIDEMARK_TLS_CERT_FILE: join(folder, name, 'tls.crt'),
          TIDEMARK_TLS_KEY_FILE: join(folder, name, 'tls.key'),
          TIDEMARK_TLS_CA_FILE: join(folder, name, 'ca.crt'),
          ...env,
        });
        const found = readTransportSecurity(reader, { listensOn: '0.0.0.0' });
        reader.finish();
        expect(found.securityWarnings).toEqual([]);
        return stack.use(openTransportSecurity(found, { log }));
      };
      const server = stack.use(
        await startGrpcServer({
          host: '127.0.0.1',
          port: 0,
          token: undefined,
          certificate: security('backup-service'),
          log,
          services: [],
        }),
      );
      const reach = (name: string, expected: string) =>
        stack
          .use(
            createServiceClient(
              {},
              {
                address: `127.0.0.1:${server.port}`,
                token: undefined,
                certificate: security(name, { TIDEMARK_TLS_SERVER_NAME: expected }),
              },
            ),
          )
          .waitForReady(2_000);
      for (const name of ['gateway', 'scheduler-service', 'executor-worker']) await reach(name, 'backup-service');
      await expect(reach('gateway', 'strategy-service')).rejects.toMatchObject({ code: 'unavailable' });
    },
  );
});
