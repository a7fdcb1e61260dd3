import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { expect, it } from 'vitest';

const ROOT = join(import.meta.dirname, '..', '..');
const { PATH, NODE_COMPILE_CACHE } = process.env;
const MAINS = [
  'services/strategy-service/src/main.ts',
  'services/backup-service/src/main.ts',
  'services/scheduler-service/src/main.ts',
  'services/executor-worker/src/main.ts',
  'gateway/src/main.ts',
];

// vitest accepts syntax that node refuses, so each entry point is loaded by node itself, whole module graph and all.
it.each(MAINS)('%s runs under plain node, and names every wrong setting with exit code 2', async (main) => {
  const child = spawn(process.execPath, [join(ROOT, main)], {
    env: { PATH, NODE_COMPILE_CACHE, TIDEMARK_OPERATIONS_PORT: 'nowhere', TIDEMARK_HOST: '0.0.0.0' },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let text = '';
  child.stderr.on('data', (chunk) => {
    text += chunk;
  });
  const [code] = await once(child, 'close');
  expect(code, text).toBe(2);
  expect(text).toContain('TIDEMARK_OPERATIONS_PORT must be a whole number');
  expect(text).toContain('TIDEMARK_HOST is 0.0.0.0, which others can reach');
});
