/**
 * `npm run chaos -- --planted`: plants each bug into a copy of this checkout, and sees that its check finds it.
 *
 * 1. The copy is made of hard links and thrown away; a planted file is written anew, so this checkout stays as it is.
 */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Check, PlantedBug } from './bugs.ts';

const ROOT = join(import.meta.dirname, '..', '..', '..');
const LAST_WORDS = 2_000;
const VIOLATION = /^ {2}([a-z, ]+): /gm;
const FAILED_TEST = /^.*FAIL.*?\S+\.test\.ts.*?> (.*)$/gm;

export interface Found {
  readonly bug: PlantedBug;
  readonly caught: boolean;
  /** The rules broken or the tests failed; empty where none was. */
  readonly by: readonly string[];
  readonly seconds: number;
}

/** Plants one after the other. */
export async function plantAll(
  bugs: readonly PlantedBug[],
  say: (line: string) => void,
  signal: AbortSignal,
): Promise<Found[]> {
  const found: Found[] = [];
  for (const bug of bugs) {
    say(`Tidemark ${bug.name}`);
    const result = await plant(bug, signal);
    say(result.caught ? `  found after ${result.seconds} s: ${result.by.join('; ')}` : '  NOT FOUND');
    found.push(result);
  }
  return found;
}

async function plant(bug: PlantedBug, signal: AbortSignal): Promise<Found> {
  const home = mkdtempSync(join(tmpdir(), 'tidemark-planted-'));
  const copy = join(home, 'copy');
  try {
    execFileSync('cp', ['-al', ROOT, copy]);
    const path = join(copy, bug.file);
    const planted = readFileSync(path, 'utf8').replace(bug.find, () => bug.replace);
    rmSync(path);
    writeFileSync(path, planted);
    const startedAt = performance.now();
    const { code, output } = await run(copy, home, commandOf(bug.check), signal);
    const by = [
      ...new Set(
        [...output.matchAll(bug.check.kind === 'chaos' ? VIOLATION : FAILED_TEST)].map(([, one = '']) => one.trim()),
      ),
    ];
    if (code !== 0 && by.length === 0) throw new Error(`The check could not be run:\n${output.slice(-LAST_WORDS)}`);
    return {
      bug,
      caught: code !== 0,
      by,
      seconds: Math.round((performance.now() - startedAt) / 1000),
    };
  } finally {
    rmSync(home, { recursive: true, force: true });
  }
}

function commandOf(check: Check): string[] {
  return check.kind === 'test'
    ? ['node_modules/vitest/vitest.mjs', 'run', '--no-color', check.files]
    : ['test/chaos/main.ts', ...check.args];
}

/** Whatever it leaves, such as the logs of violations, goes with `home`. */
async function run(
  folder: string,
  home: string,
  args: readonly string[],
  signal: AbortSignal,
): Promise<{ code: number | null; output: string }> {
  const child = spawn(process.execPath, args, {
    cwd: folder,
    env: { ...process.env, INIT_CWD: folder, NO_COLOR: '1', TMPDIR: home },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const stop = () => child.kill('SIGTERM');
  signal.addEventListener('abort', stop, { once: true });
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk: Buffer) => {
      output += chunk.toString();
    });
  const [code] = (await once(child, 'close')) as [number | null];
  signal.removeEventListener('abort', stop);
  signal.throwIfAborted();
  return { code, output };
}
