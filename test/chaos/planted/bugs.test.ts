import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { PLANTED } from './bugs.ts';

const ROOT = join(import.meta.dirname, '..', '..', '..');

it.each(PLANTED)('still has where to plant the bug that $name', ({ file, find }) => {
  expect(readFileSync(join(ROOT, file), 'utf8').split(find)).toHaveLength(2);
});
