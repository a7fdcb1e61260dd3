import { describe, expect, it } from 'vitest';
import { missingProofs, readProofTable } from '../proof-table.ts';

const LINES = { A: 12, B: 17, C: 15, D: 12 };
const rows = readProofTable('docs/must-not.md');

it('names each lesson once, in order', () => {
  const all = Object.entries(LINES).flatMap(([part, count]) =>
    Array.from({ length: count }, (_, index) => `${part}${index + 1}`),
  );
  expect(rows.map(({ id }) => id)).toEqual(all);
});

describe.each(rows)('$id', ({ proofs, text }) => {
  it('is proven by tests that are there, or says why it does not apply', () => {
    expect(missingProofs(proofs)).toEqual([]);
    if (proofs.length === 0) expect(text).toMatch(/^does not apply: /);
  });
});

it('leaves out only what Tidemark does not do', () => {
  expect(rows.filter(({ proofs }) => proofs.length === 0).map(({ id }) => id)).toEqual(['B17']);
});
