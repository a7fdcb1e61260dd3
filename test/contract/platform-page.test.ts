import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';

const ROOT = join(import.meta.dirname, '..', '..');

it('docs/platform.md names only tests and files that there are', () => {
  const page = readFileSync(join(ROOT, 'docs', 'platform.md'), 'utf8');
  const named = [...page.matchAll(/`((?:test|services|packages|gateway|cli|tools|deploy|docs)\/[^`*]+)`/g)];
  expect(named.length).toBeGreaterThan(30);
  expect(named.map(([, path = '']) => path).filter((path) => !existsSync(join(ROOT, path)))).toEqual([]);
});
