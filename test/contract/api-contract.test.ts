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

it('the page of limits has every setting of a limit of the gateway, with its default, and no other', () => {
  const page = (name: string) => readFileSync(join(ROOT, 'docs', name), 'utf8');
  const told = page('limits.md').matchAll(/^\| [^|]+ \| `(TIDEMARK_\w+)` \| ([\d.]+) \|/gm);
  const known = page('settings.md').matchAll(
    /^\| `(TIDEMARK_\w+(?<!_PORT))` \| [^|]+ \| a (?:whole )?number [^|]+ \| `([\d.]+)` \| gateway \|$/gm,
  );
  const pairs = (rows: Iterable<RegExpMatchArray>) =>
    Object.fromEntries([...rows].map(([, name, value]) => [name, value]));
  expect(pairs(told)).toEqual(pairs(known));
});
