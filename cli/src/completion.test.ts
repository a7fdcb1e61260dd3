import { afterEach, beforeEach, expect, it } from 'vitest';
import { type CommandLine, startCommandLine } from './testing/run.ts';

let line: CommandLine;
beforeEach(async () => {
  line = await startCommandLine();
});
afterEach(() => line[Symbol.asyncDispose]());
const complete = async (...words: string[]) =>
  (await line.run(['complete', '--', ...words])).stdout.split('\n').filter(Boolean);

it.each([
  [['back'], ['backup']],
  [
    ['backup', 'un'],
    ['undelete', 'unpin'],
  ],
  [['backup', 'start', 'orders', '--wa'], ['--wait']],
  [
    ['backup', 'list', '--state', 'Can'],
    ['Canceling', 'Canceled'],
  ],
  [
    ['status', '-o', 'j'],
    ['json', 'jsonl'],
  ],
  [['backup', 'get', '--toke'], ['--token-file']],
  [
    ['completion', ''],
    ['bash', 'zsh', 'fish'],
  ],
  [['nosuch', 'x'], []],
])('offers for %j what may come', async (words, wanted) => {
  expect(await complete(...words)).toEqual(wanted);
});

it('offers every command and nothing hidden, and asks no server', async () => {
  const all = await complete('');
  expect(all).toContain('status');
  expect(all).not.toContain('complete');
  expect(line.asked).toEqual([]);
});

it('prints a script for each shell', async () => {
  for (const shell of ['bash', 'zsh', 'fish']) {
    const { code, stdout } = await line.run(['completion', shell]);
    expect([code, stdout]).toEqual([0, expect.stringContaining('tidemark complete --')]);
  }
  expect((await line.run(['completion', 'tcsh'])).code).toBe(2);
});
