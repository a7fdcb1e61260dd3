/** The steps of the Dockerfile, without Docker: what is copied, installed and warmed makes a process that starts. */
import { execFile } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join, matchesGlob, relative } from 'node:path';
import { promisify } from 'node:util';
import { V8_OPTIONS } from '@tidemark/local-stack/stack-process';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

const ROOT = join(import.meta.dirname, '..', '..');
/** One with the broker and the database, one with neither, one with children of its own: the others hold no more. */
const SERVICES = ['services/backup-service', 'gateway', 'services/executor-worker'];

interface Instruction {
  readonly word: string;
  readonly rest: string;
}

/** The instructions of the Dockerfile, a word and the rest each. */
const all: readonly Instruction[] = readFileSync(join(ROOT, 'Dockerfile'), 'utf8')
  .replaceAll('\\\n', ' ')
  .split('\n')
  .filter((line) => /^[A-Z]/.test(line))
  .map((line) => ({ word: line.slice(0, line.indexOf(' ')), rest: line.slice(line.indexOf(' ') + 1) }));
/** The last stage is the image; the one before builds the console for it. */
const begin = all.findLastIndex(({ word }) => word === 'FROM');
const instructions = all.slice(begin);
const copiesOf = (stage: readonly Instruction[]) =>
  stage
    .filter(({ word, rest }) => word === 'COPY' && !rest.startsWith('--from='))
    .map(({ rest }) => ({ from: rest.split(' ').slice(0, -1), to: rest.split(' ').at(-1) ?? '' }));
const stepsOf = (stage: readonly Instruction[]) =>
  stage.filter(({ word, rest }) => word === 'ENV' || (word === 'RUN' && /^(pnpm|node) /.test(rest)));
const copies = copiesOf(instructions);
const steps = stepsOf(instructions);

/** Copies into a folder what a stage copies. */
function copyInto(folder: string, of: ReturnType<typeof copiesOf>): void {
  for (const { from, to } of of)
    for (const source of from) {
      const target = to.endsWith('/') ? join(folder, to, source) : join(folder, to);
      const filter = (path: string) => !isIgnored(relative(ROOT, path));
      cpSync(join(ROOT, source), target, { recursive: true, filter });
    }
}

/** What commands of a stage run with, in a folder that is an image. */
function environmentIn(service: string): NodeJS.ProcessEnv {
  const { storeDir } = JSON.parse(readFileSync(join(ROOT, 'node_modules', '.modules.yaml'), 'utf8')) as {
    storeDir: string;
  };
  return {
    SERVICE: service,
    HOME: process.env.HOME,
    PATH: [dirname(process.execPath), join(ROOT, 'node_modules', '.bin'), process.env.PATH].join(delimiter),
    CI: 'true',
    npm_config_store_dir: storeDir,
    npm_config_prefer_offline: 'true',
  };
}

/** What an ENV sets in an image that lies in this folder. */
function settingsIn(rest: string, folder: string): Record<string, string> {
  const pairs = [...rest.matchAll(/(\w+)=(?:"([^"]*)"|(\S+))/g)];
  const settings = pairs.map(([, name = '', quoted, plain = '']) => [name, quoted ?? plain] as const);
  return Object.fromEntries(settings.map(([name, value]) => [name, value.replace('/tidemark', folder)]));
}

/** What runs below tini. */
const entrypoint: string[] = JSON.parse(instructions.find(({ word }) => word === 'ENTRYPOINT')?.rest ?? '[]');

const ignorePatterns = readFileSync(join(ROOT, '.dockerignore'), 'utf8').trim().split('\n');

/** As Docker decides it: a pattern means a path and all below it, and the last one that matches wins. */
function isIgnored(path: string): boolean {
  const parts = path.split('/');
  const parents = parts.map((_, index) => parts.slice(0, index + 1).join('/'));
  const matches = (pattern: string) => parents.some((parent) => matchesGlob(parent, pattern));
  const last = ignorePatterns.findLast((pattern) => matches(pattern.replace(/^!/, '')));
  return last !== undefined && !last.startsWith('!');
}

/** A build is much work for a machine that is busy. */
const BUILD_MS = 180_000;

describe('the image', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'tidemark-image-'));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  it('is made of files that .dockerignore lets through', () => {
    const sources = copiesOf(all).flatMap(({ from }) => from);
    expect(sources).toContain('pnpm-lock.yaml');
    for (const source of sources) {
      expect(existsSync(join(ROOT, source)), source).toBe(true);
      expect(isIgnored(source), source).toBe(false);
    }
  });

  it('takes neither secrets nor installed packages nor data along', () => {
    for (const path of [
      'secrets/service-token',
      'packages/mongo/node_modules/mongodb/lib/index.js',
      '.tidemark/x',
      '.git',
    ])
      expect(isIgnored(path), path).toBe(true);
  });

  it('runs with the options of V8 that a stack of npm start has', () => {
    const set = steps.filter(({ word }) => word === 'ENV').map(({ rest }) => settingsIn(rest, folder).V8_OPTIONS);
    expect(set).toContain(V8_OPTIONS.join(' '));
  });

  it('has the console, built in a stage of its own', { timeout: BUILD_MS }, async () => {
    const stage = all.slice(0, begin);
    const [, from = '', to] =
      / (\S+) (\S+)$/.exec(all.find(({ rest }) => rest.startsWith('--from='))?.rest ?? '') ?? [];
    copyInto(folder, copiesOf(stage));
    for (const { rest } of stepsOf(stage))
      await promisify(execFile)('sh', ['-c', rest], { cwd: folder, env: environmentIn('gateway') });
    expect(to).toBe('gateway/console/dist');
    const built = readdirSync(from.replace('/tidemark', folder));
    expect(built).toContain('index.html');
    expect(built.filter((name) => name.endsWith('.js.br')).length).toBeGreaterThan(0);
  });

  it.each(SERVICES)('of %s holds everything that it needs to start', { timeout: BUILD_MS }, async (service) => {
    copyInto(folder, copies);
    const env = environmentIn(service);
    const options = { cwd: folder, env };
    for (const { word, rest } of steps) {
      if (word === 'ENV') Object.assign(env, settingsIn(rest, folder), { SERVICE: service });
      else await promisify(execFile)('sh', ['-c', rest], options);
    }
    const warmed = readdirSync(join(folder, '.cache'), { recursive: true, encoding: 'utf8' });
    expect(warmed.length).toBeGreaterThan(100);

    // Without settings it says which ones it wants: everything that it imports is there.
    const [program = '', ...args] = entrypoint.slice(entrypoint.indexOf('--') + 1);
    await expect(promisify(execFile)(program, args, options)).rejects.toMatchObject({
      code: 2,
      stderr: expect.stringContaining('TIDEMARK_'),
    });
    // Node keeps a cache for each set of V8's options: another folder would mean that the warm one is not used.
    expect(readdirSync(join(folder, '.cache'))).toHaveLength(1);
  });
});
