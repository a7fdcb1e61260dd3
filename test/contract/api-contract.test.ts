import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { missingProofs, readProofTable } from '../proof-table.ts';

const LINES = { E: 20, T: 13, S: 15, X: 9, G: 9, B: 10 };
const ROOT = join(import.meta.dirname, '..', '..');
const rows = readProofTable('docs/api-contract-tests.md');

it('names each line of the contract once, in order', () => {
  const all = Object.entries(LINES).flatMap(([part, count]) =>
    Array.from({ length: count }, (_, index) => `${part}${index + 1}`),
  );
  expect(rows.map(({ id }) => id)).toEqual(all);
});

describe.each(rows)('$id', ({ proofs }) => {
  it('is proven by tests that are there', () => {
    expect(proofs).not.toEqual([]);
    expect(missingProofs(proofs)).toEqual([]);
  });
});

it('the page of limits has every setting of a limit, with its default, and no other', () => {
  const page = readFileSync(join(ROOT, 'docs', 'limits.md'), 'utf8');
  const source = ['limits.ts', 'config.ts']
    .map((file) => readFileSync(join(ROOT, 'gateway', 'src', file), 'utf8'))
    .join('\n');
  const told = [...page.matchAll(/^\| [^|]+ \| `(TIDEMARK_\w+)` \| (\d+) \|/gm)].map(([, name = '', value = '']) => [
    name,
    Number(value),
  ]);
  const KIB = 1024;
  const known = [...source.matchAll(/'(TIDEMARK_\w+)', \{\s*default: ([\d_]+)( \* KIB)?/g)]
    .filter(([, name]) => !/_PORT$/.test(name ?? ''))
    .map(([, name, value = '', kib]) => [name, Number(value.replaceAll('_', '')) * (kib ? KIB : 1)]);
  expect(Object.fromEntries(told)).toEqual(Object.fromEntries(known));
});
