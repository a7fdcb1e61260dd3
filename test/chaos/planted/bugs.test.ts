import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { PLANTED } from './bugs.ts';

const ROOT = join(import.meta.dirname, '..', '..', '..');

it.each(PLANTED)('still has where to plant the bug that $name', ({ file, find }) => {
  expect(readFileSync(join(ROOT, file), 'utf8').split(find)).toHaveLength(2);
});

it.each(PLANTED)('tells in docs/proof.md what finds the bug that $name', ({ name }) => {
  expect(readFileSync(join(ROOT, 'docs', 'proof.md'), 'utf8')).toContain(`| ${name} | `);
});
