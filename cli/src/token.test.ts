/** `tidemark token file` as people call it, in processes of its own where several change one file. */
import { execFile } from 'node:child_process';
import { chmod, mkdtemp, readdir, readFile, realpath, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { parseTokensFile } from '@tidemark/tokens/tokens-file';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

const MAIN = join(import.meta.dirname, 'main.ts');

let folder: string;
let file: string;
beforeEach(async () => {
  folder = await realpath(await mkdtemp(join(tmpdir(), 'tidemark-cli-')));
  file = join(folder, 'tokens.json');
});
afterEach(() => rm(folder, { recursive: true }));

interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}
const run = async (...args: string[]): Promise<Outcome> => {
  const { PATH, NODE_COMPILE_CACHE } = process.env;
  const env = { PATH, NODE_COMPILE_CACHE, INIT_CWD: folder, TIDEMARK_TOKENS_FILE: 'tokens.json' };
  try {
    const { stdout, stderr } = await promisify(execFile)(process.execPath, [MAIN, 'token', 'file', ...args], { env });
    return { code: 0, stdout, stderr };
  } catch (error) {
    return error as Outcome;
  }
};
const create = (name: string, ...more: string[]) =>
  run('create', '--name', name, '--role', 'viewer', ...(more.length > 0 ? more : ['--clusters', '*']));
const tokens = async () => parseTokensFile(await readFile(file, 'utf8')).tokens;

it('makes a token of 256 bits, prints it once and alone, and keeps its hash in a private file', async () => {
  const { code, stdout, stderr } = await create('ci', '--label', 'env=prod', '--clusters', 'a', '--expires', '90d');
  expect([code, stderr]).toEqual([0, expect.stringMatching(/Made the token ci .*viewer of a and env=prod, until /)]);
  const word = stdout.trim();
  expect(word).toMatch(/^tdm_[\w-]{43}$/);
  expect(Buffer.from(word.slice(4), 'base64url')).toHaveLength(32);
  expect((await stat(file)).mode & 0o777).toBe(0o600);
  expect(await readFile(file, 'utf8')).not.toContain(word);
  const hash = Buffer.from(await crypto.subtle.digest('SHA-256', new TextEncoder().encode(word))).toString('hex');
  expect(await tokens()).toEqual([
    {
      id: expect.stringMatching(/^[0-9a-f]{12}$/),
      name: 'ci',
      sha256: hash,
      role: 'viewer',
      clusters: ['a'],
      labels: { env: 'prod' },
      expiresAt: expect.stringMatching(/Z$/),
    },
  ]);
  const listed = await run('list');
  expect(listed.stdout).toMatch(/ci +viewer +a and env=prod +until /);
  expect(listed.stdout).not.toContain(hash.slice(0, 12));
});

it('loses none of many tokens that are made at the same time, and leaves no lock and no half file', async () => {
  const names = Array.from({ length: 6 }, (_, index) => `t${index}`);
  const made = await Promise.all(names.map((name) => create(name)));
  expect(made.map(({ code }) => code)).toEqual(names.map(() => 0));
  expect((await tokens()).map(({ name }) => name).sort()).toEqual(names);
  expect(await readdir(folder)).toEqual(['tokens.json']);
});

it('takes over the lock of a process that died with it', async () => {
  await writeFile(`${file}.lock`, '{"pid":999999,"startedAt":"1"}\n');
  expect((await create('ci')).code).toBe(0);
  expect(await readdir(folder)).toEqual(['tokens.json']);
});

describe('with tokens there', () => {
  const entry = (id: string, name: string, changes: object = {}) => ({
    id,
    name,
    sha256: '0'.repeat(64),
    role: 'admin',
    clusters: ['*'],
    note: 'kept',
    ...changes,
  });
  beforeEach(() =>
    writeFile(
      file,
      JSON.stringify({
        tokens: [
          entry('a1', 'ann'),
          entry('b1', 'twin'),
          entry('b2', 'twin'),
          entry('c1', 'old', { expiresAt: '2020-01-01T00:00:00Z' }),
        ],
      }),
    ),
  );

  it('lists them without a secret, and marks what expired', async () => {
    const { stdout } = await run('list');
    expect(stdout.split('\n').map((line) => line.replaceAll(/ +/g, ' '))).toEqual([
      'ID NAME ROLE CLUSTERS EXPIRES',
      'a1 ann admin * never expires',
      'b1 twin admin * never expires',
      'b2 twin admin * never expires',
      'c1 old admin * expired 2020-01-01T00:00:00Z',
      '',
    ]);
  });

  it('revokes by name or id, keeps the others as they were, and asks back where a name is shared', async () => {
    expect(await run('revoke', 'ann')).toMatchObject({ code: 0, stderr: expect.stringContaining('ann (a1)') });
    expect(await run('revoke', 'twin')).toMatchObject({ code: 1, stderr: expect.stringContaining('b1, b2') });
    expect((await run('revoke', 'b2')).code).toBe(0);
    expect(await run('revoke', 'b2')).toMatchObject({ code: 1, stderr: expect.stringContaining('no token "b2"') });
    expect(await tokens()).toMatchObject([
      { id: 'b1', note: 'kept' },
      { id: 'c1', note: 'kept' },
    ]);
  });

  it('makes no second token of one name', async () => {
    expect(await create('ann')).toMatchObject({ code: 1, stdout: '', stderr: expect.stringContaining('ann (a1)') });
    expect(await tokens()).toHaveLength(4);
  });

  it('changes the file that a link points to, and makes it private', async () => {
    await chmod(file, 0o644);
    await symlink(file, join(folder, 'link'));
    expect((await create('ci', '--clusters', '*', '--file', 'link')).code).toBe(0);
    expect(await tokens()).toHaveLength(5);
    expect((await stat(file)).mode & 0o777).toBe(0o600);
  });
});

it('changes nothing in a file that cannot be used, and says where it is bad', async () => {
  const text = '{"tokens":[{"id":"a1","sha256":"a secret in the clear"}]}';
  await writeFile(file, text);
  for (const args of [['list'], ['revoke', 'a1'], ['create', '--name', 'x', '--role', 'viewer', '--clusters', '*']]) {
    const { code, stderr } = await run(...args);
    expect([code, stderr]).toEqual([1, expect.stringContaining('tokens.0.sha256 must be 64')]);
    expect(stderr).not.toContain('secret in the clear');
  }
  expect(await readFile(file, 'utf8')).toBe(text);
});

it('says that a file or its folder is not there, and what is wrong with the words', async () => {
  expect(await run('list')).toMatchObject({ code: 1, stderr: expect.stringContaining('it is not there') });
  expect(await create('x', '--clusters', '*', '--file', 'absent/tokens.json')).toMatchObject({ code: 1, stdout: '' });
  expect(await run('create')).toMatchObject({ code: 2, stderr: expect.stringContaining('token file create --help') });
  expect(await run('revoke', '--help')).toMatchObject({ code: 0, stdout: expect.stringContaining('file revoke ci') });
});
