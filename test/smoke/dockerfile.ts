/** What the Dockerfile says, read so that its steps can be done without Docker. */
import { cpSync, readFileSync } from 'node:fs';
import { delimiter, dirname, join, matchesGlob, relative } from 'node:path';

export const ROOT = join(import.meta.dirname, '..', '..');

interface Instruction {
  readonly word: string;
  readonly rest: string;
}

/** The instructions of the Dockerfile, a word and the rest each. */
export const all: readonly Instruction[] = readFileSync(join(ROOT, 'Dockerfile'), 'utf8')
  .replaceAll('\\\n', ' ')
  .split('\n')
  .filter((line) => /^[A-Z]/.test(line))
  .map((line) => ({ word: line.slice(0, line.indexOf(' ')), rest: line.slice(line.indexOf(' ') + 1) }));
/** The last stage is the image; the one before builds the console for it. */
export const begin = all.findLastIndex(({ word }) => word === 'FROM');
const instructions = all.slice(begin);
export const copiesOf = (stage: readonly Instruction[]) =>
  stage
    .filter(({ word, rest }) => word === 'COPY' && !rest.startsWith('--from='))
    .map(({ rest }) => ({ from: rest.split(' ').slice(0, -1), to: rest.split(' ').at(-1) ?? '' }));
export const stepsOf = (stage: readonly Instruction[]) =>
  stage.filter(({ word, rest }) => word === 'ENV' || (word === 'RUN' && /^(pnpm|node) /.test(rest)));
export const copies = copiesOf(instructions);
export const steps = stepsOf(instructions);

/** Copies into a folder what a stage copies. */
export function copyInto(folder: string, of: ReturnType<typeof copiesOf>): void {
  for (const { from, to } of of)
    for (const source of from) {
      const target = to.endsWith('/') ? join(folder, to, source) : join(folder, to);
      const filter = (path: string) => !isIgnored(relative(ROOT, path));
      cpSync(join(ROOT, source), target, { recursive: true, filter });
    }
}

/** What commands of a stage run with, in a folder that is an image. */
export function environmentIn(service: string): NodeJS.ProcessEnv {
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
export function settingsIn(rest: string, folder: string): Record<string, string> {
  const pairs = [...rest.matchAll(/(\w+)=(?:"([^"]*)"|(\S+))/g)];
  const settings = pairs.map(([, name = '', quoted, plain = '']) => [name, quoted ?? plain] as const);
  return Object.fromEntries(settings.map(([name, value]) => [name, value.replace('/tidemark', folder)]));
}

/** What runs below tini. */
export const entrypoint: string[] = JSON.parse(instructions.find(({ word }) => word === 'ENTRYPOINT')?.rest ?? '[]');

const ignorePatterns = readFileSync(join(ROOT, '.dockerignore'), 'utf8').trim().split('\n');

/** As Docker decides it: a pattern means a path and all below it, and the last one that matches wins. */
export function isIgnored(path: string): boolean {
  const parts = path.split('/');
  const parents = parts.map((_, index) => parts.slice(0, index + 1).join('/'));
  const matches = (pattern: string) => parents.some((parent) => matchesGlob(parent, pattern));
  const last = ignorePatterns.findLast((pattern) => matches(pattern.replace(/^!/, '')));
  return last !== undefined && !last.startsWith('!');
}

/** A build is much work for a machine that is busy. */
export const BUILD_MS = 180_000;
