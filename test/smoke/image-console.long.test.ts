/** The stage of the Dockerfile that builds the console, without Docker. */
import { execFile } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { all, BUILD_MS, begin, copiesOf, copyInto, environmentIn, stepsOf } from './dockerfile.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tidemark-image-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

it('the image has the console, built in a stage of its own', { timeout: BUILD_MS }, async () => {
  const stage = all.slice(0, begin);
  const [, from = '', to] = / (\S+) (\S+)$/.exec(all.find(({ rest }) => rest.startsWith('--from='))?.rest ?? '') ?? [];
  copyInto(folder, copiesOf(stage));
  for (const { rest } of stepsOf(stage))
    await promisify(execFile)('sh', ['-c', rest], { cwd: folder, env: environmentIn('gateway') });
  expect(to).toBe('gateway/console/dist');
  const built = readdirSync(from.replace('/tidemark', folder));
  expect(built).toContain('index.html');
  expect(built.filter((name) => name.endsWith('.js.br')).length).toBeGreaterThan(0);
});
