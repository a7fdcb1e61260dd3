/** A release is made of a clone of this checkout, and what it packs is used. */
import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { REPOSITORY } from '@tidemark/local-stack/repository';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { startTidemark, type Tidemark } from './e2e/tidemark.ts';

const execute = promisify(execFile);
const VERSION = '99.0.0-rc.1';

let folder: string;
let clone: string;
let tidemark: Tidemark;
beforeAll(async () => {
  tidemark = await startTidemark();
  folder = mkdtempSync(join(tmpdir(), 'tidemark-release-'));
  clone = join(folder, 'clone');
  await execute('git', ['clone', '--quiet', REPOSITORY, clone]);
  for (const [name, value] of [
    ['user.name', 'Tidemark'],
    ['user.email', 'tidemark@example.com'],
  ] as const)
    await git('config', name, value);
}, 120_000);
afterAll(async () => {
  if (folder) rmSync(folder, { recursive: true, force: true });
  await tidemark?.[Symbol.asyncDispose]();
});

const git = async (...args: string[]) => (await execute('git', args, { cwd: clone })).stdout.trim();

async function release(...args: string[]) {
  try {
    const { stdout } = await execute('npm', ['run', '--silent', 'release', '--', ...args], {
      cwd: clone,
      maxBuffer: 64 * 1024 * 1024,
    });
    return { code: 0, text: stdout };
  } catch (error) {
    const { code, stdout, stderr } = error as { code: number; stdout: string; stderr: string };
    return { code, text: `${stdout}${stderr}` };
  }
}

it.each([
  [['1.x'], 'it must be like 0.2.0'],
  [['0.0.1'], 'is not later than'],
  [[], 'npm run release -- VERSION'],
])(
  'is not made of %j, and nothing is written',
  async (args, told) => {
    const { code, text } = await release(...args);
    expect([code, text]).toEqual([2, expect.stringContaining(told)]);
    expect(await git('status', '--porcelain')).toBe('');
  },
  300_000,
);

it('is not made of what is not committed', async () => {
  writeFileSync(join(clone, 'README.md'), 'changed');
  expect(await release(VERSION)).toMatchObject({ code: 2, text: expect.stringContaining('not committed') });
  await git('checkout', '--', '.');
}, 60_000);

it('is committed and tagged, with a version in every package, and its client package speaks to a gateway', async () => {
  const { code, text } = await release(VERSION);
  expect([code, text]).toEqual([0, expect.stringContaining(`git push origin HEAD v${VERSION}`)]);
  expect(await git('status', '--porcelain')).toBe('');
  expect(await git('log', '-1', '--format=%s')).toBe(`Release ${VERSION}`);
  expect(await git('tag', '--points-at', 'HEAD')).toBe(`v${VERSION}`);
  const changelog = readFileSync(join(clone, 'CHANGELOG.md'), 'utf8');
  expect(changelog).toMatch(new RegExp(`^## Unreleased\\n\\n## ${VERSION} \\(\\d{4}-\\d\\d-\\d\\d\\)\\n\\n- `, 'm'));
  const manifests = (await git('ls-files', 'package.json', '*/package.json')).split('\n');
  const versions = manifests.map((file) => JSON.parse(readFileSync(join(clone, file), 'utf8')).version);
  expect(new Set(versions.filter((version) => version !== '0.0.0'))).toEqual(new Set([VERSION]));
  expect(await release(VERSION)).toMatchObject({ code: 2 });

  const built = join(clone, 'dist', VERSION);
  await execute('sha256sum', ['--check', '--quiet', 'SHA256SUMS'], { cwd: built });
  const chart = await execute('tar', ['-xzOf', `tidemark-chart-${VERSION}.tgz`, 'tidemark/Chart.yaml'], { cwd: built });
  expect(chart.stdout).toContain(`appVersion: "${VERSION}"`);
  const client = await execute('tar', ['-tzf', `tidemark-client-${VERSION}.tgz`], { cwd: built });
  const services = new Set(
    readFileSync(join(REPOSITORY, 'docs', 'grpc.md'), 'utf8').match(/(?<=^\| `)\w+(?=Service\/)/gm),
  );
  expect(services.size).toBeGreaterThan(5);
  for (const service of services) expect(client.stdout).toContain(`/${service.toLowerCase()}_service_pb.js\n`);
  const { stdout } = await execute(process.execPath, [join(built, 'tidemark.mjs'), '--version']);
  expect(stdout.trim()).toBe(VERSION);

  const cluster = await tidemark.cluster('released');
  expect(await listed(built)).toContain(cluster);
}, 300_000);

/** The clusters that a program with the client package finds. */
async function listed(built: string): Promise<string> {
  const program = join(folder, 'program');
  const scope = join(program, 'node_modules', '@tidemark');
  mkdirSync(scope, { recursive: true });
  await execute('tar', ['-xzf', join(built, `tidemark-client-${VERSION}.tgz`), '-C', scope]);
  await execute('mv', [join(scope, 'package'), join(scope, 'client')]);
  for (const name of ['@connectrpc', '@bufbuild'])
    symlinkSync(join(REPOSITORY, 'gateway', 'node_modules', name), join(program, 'node_modules', name));
  writeFileSync(
    join(program, 'main.mjs'),
    `import { createClient } from '@connectrpc/connect';
import { createConnectTransport } from '@connectrpc/connect-node';
import { RegistryService } from '@tidemark/client/tidemark/backup/v1/registry_service';
const [baseUrl, token] = process.argv.slice(2);
const registry = createClient(RegistryService, createConnectTransport({ baseUrl, httpVersion: '1.1' }));
const { clusters } = await registry.listClusters({}, { headers: { Authorization: \`Bearer \${token}\` } });
console.log(clusters.map(({ id }) => id).join(' '));
`,
  );
  const { url, token } = tidemark.stack;
  return (await execute(process.execPath, [join(program, 'main.mjs'), url, token])).stdout;
}
