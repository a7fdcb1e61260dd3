/** Clients generated from the OpenAPI document compile, and make the six documented calls against a real Tidemark. */
import { execFile, execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { findOnPath, isExecutable } from '@tidemark/local-stack/find-program';
import { SHARED_CACHE } from '@tidemark/local-stack/repository';
import openapiTS, { astToString } from 'openapi-typescript';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { startTidemark, type Tidemark } from '../e2e/tidemark.ts';

const execute = promisify(execFile);
const HERE = import.meta.dirname;
const ROOT = join(HERE, '..', '..');
const DOCUMENT = join(ROOT, 'docs', 'openapi.json');
/** It takes OpenAPI 3.1 as it is, since 2.8. */
const OAPI_CODEGEN = 'github.com/oapi-codegen/oapi-codegen/v2/cmd/oapi-codegen@v2.8.2';
/** What its library needs. */
const OLDEST_GO_MINOR = 26;
const OK = { stdout: 'six calls are fine\n', stderr: '' };

let tidemark: Tidemark;
beforeAll(async () => {
  tidemark = await startTidemark({ copies: { 'executor-worker': 2 } });
  // Long enough to be canceled.
  tidemark.demo({ seconds: 30, progressIntervalSeconds: 0.1 });
});
afterAll(() => tidemark?.[Symbol.asyncDispose]());

/** A folder with the program of a client, which goes when the test ends. */
function program(name: string): { readonly folder: string } & Disposable {
  const folder = mkdtempSync(join(tmpdir(), `tidemark-${name}-`));
  cpSync(join(HERE, 'testdata', name), folder, { recursive: true });
  return { folder, [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }) };
}

async function clientArguments(cluster: string): Promise<string[]> {
  return [`${tidemark.stack.url}/api/v1`, tidemark.stack.token, await tidemark.cluster(cluster)];
}

/** Runs a program to its end. @throws with all that it printed */
async function run(command: string, args: readonly string[], cwd: string, env: Record<string, string> = {}) {
  try {
    return await execute(command, args, { cwd, env: { ...process.env, ...env }, maxBuffer: 64 * 1024 * 1024 });
  } catch (error) {
    const { stdout, stderr } = error as { stdout?: string; stderr?: string };
    throw new Error(`${command} ${args[0]} failed: ${stdout}${stderr}`, { cause: error });
  }
}

it('a TypeScript client made by openapi-typescript', async () => {
  using client = program('typescript-client');
  const { folder } = client;
  symlinkSync(join(ROOT, 'test', 'node_modules'), join(folder, 'node_modules'));
  writeFileSync(join(folder, 'package.json'), '{"type":"module"}');
  writeFileSync(join(folder, 'api.ts'), astToString(await openapiTS(pathToFileURL(DOCUMENT))));
  const { compilerOptions } = JSON.parse(readFileSync(join(ROOT, 'tsconfig.json'), 'utf8'));
  const options = { ...compilerOptions, typeRoots: [join(ROOT, 'node_modules', '@types')] };
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions: options, include: ['*.ts'] }));
  await run(join(ROOT, 'node_modules', '.bin', 'tsc'), ['-p', folder], folder);
  const args = ['six-calls.ts', ...(await clientArguments('typescript'))];
  expect(await run(process.execPath, args, folder)).toEqual(OK);
});

/** What is missing for the Go client, if anything is. */
function missingForGo(): string | undefined {
  const go = findOnPath('go');
  if (go === undefined) return 'Go is not on PATH';
  const version = execFileSync(go, ['env', 'GOVERSION'], { cwd: tmpdir(), encoding: 'utf8' }).trim();
  const [, minor = '0'] = /^go1\.(\d+)/.exec(version) ?? [];
  return Number(minor) < OLDEST_GO_MINOR ? `Go 1.${OLDEST_GO_MINOR} is needed, and this is ${version}` : undefined;
}

/** The documented example of a list, with a backup of 5 TB. */
function listOf5TB(): string {
  const { paths } = JSON.parse(readFileSync(DOCUMENT, 'utf8'));
  const { example } = paths['/backups'].get.responses[200].content['application/json'];
  const [record] = example.data.backupRecords;
  const sizes = { sizeBytes: 5_000_000_000_000, size: 5_000_000_000_000 / 1024 / 1024 };
  return JSON.stringify({ ...example, data: { backupRecords: [{ ...record, ...sizes }] } });
}

const missing = missingForGo();
// The first run of a machine compiles the generator, which takes minutes where others work too.
it.skipIf(missing)(
  `a Go client made by oapi-codegen, which reads a record of 5 TB too${missing ? `: ${missing}` : ''}`,
  { timeout: 600_000 },
  async () => {
    using client = program('go-client');
    const { folder } = client;
    const tools = join(SHARED_CACHE, OAPI_CODEGEN.replaceAll(/[^a-z0-9.-]+/g, '-'));
    const local = { GOTOOLCHAIN: 'local', GOFLAGS: '-buildvcs=false', GOWORK: 'off' };
    const generator = join(tools, 'oapi-codegen');
    if (!isExecutable(generator)) await run('go', ['install', OAPI_CODEGEN], folder, { ...local, GOBIN: tools });
    mkdirSync(join(folder, 'api'));
    await run(
      generator,
      ['-generate', 'types,client', '-package', 'api', '-o', join('api', 'api.go'), DOCUMENT],
      folder,
    );
    await run('go', ['build', '-o', 'six-calls', '.'], folder, local);
    expect(await run(join(folder, 'six-calls'), await clientArguments('go'), folder)).toEqual(OK);
    writeFileSync(join(folder, 'list.json'), listOf5TB());
    expect(await run(join(folder, 'six-calls'), ['list.json'], folder)).toEqual({
      stdout: '5000000000000 4768371.582\n',
      stderr: '',
    });
  },
);
