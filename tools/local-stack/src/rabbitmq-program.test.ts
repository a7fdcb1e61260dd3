import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test, vi } from 'vitest';
import { findInstaller } from './install-package.ts';
import { findEpmd, findRabbitmqServer } from './rabbitmq-program.ts';

/** A PATH with nothing but these programs. */
function onlyOnPath(programs: Record<string, string>): string {
  const folder = mkdtempSync(join(tmpdir(), 'tidemark-path-'));
  for (const [name, script] of Object.entries(programs)) {
    writeFileSync(join(folder, name), `#!/bin/sh\n${script}\n`);
    chmodSync(join(folder, name), 0o755);
  }
  vi.stubEnv('PATH', folder);
  onTestFinished(() => {
    vi.unstubAllEnvs();
    rmSync(folder, { recursive: true, force: true });
  });
  return folder;
}

test("Debian's wrapper, which starts nothing as root and says it did, is passed over", () => {
  onlyOnPath({ 'rabbitmq-server': 'su rabbitmq -s /bin/sh -c "/usr/lib/rabbitmq/bin/$SCRIPT"' });
  expect(findRabbitmqServer('/nowhere')).toBeUndefined();
});

test('a server on PATH is found, and the epmd beside its erl', () => {
  const folder = onlyOnPath({ 'rabbitmq-server': 'exec erl', erl: '', epmd: '' });
  expect(findRabbitmqServer('/nowhere')).toBe(join(folder, 'rabbitmq-server'));
  expect(findEpmd()).toBe(join(folder, 'epmd'));
});

test('without a package manager there is no installer', async () => {
  onlyOnPath({});
  expect(
    await findInstaller({ apt: 'rabbitmq-server', brew: 'rabbitmq' }, AbortSignal.timeout(10_000)),
  ).toBeUndefined();
});

test('a package manager that fails is one sentence with what it said', async () => {
  onlyOnPath({ brew: 'echo "Error: no network" >&2; exit 1' });
  const signal = AbortSignal.timeout(30_000);
  const installer = await findInstaller({ apt: 'rabbitmq-server', brew: 'rabbitmq' }, signal);
  expect(installer?.command).toBe('brew install rabbitmq');
  const options = { dataDir: '/nowhere', say: () => undefined, signal };
  await expect(installer?.install(options)).rejects.toThrow('"brew install rabbitmq" failed: Error: no network');
});
