import { describe, expect, it } from 'vitest';
import { missingProofs, readProofTable } from '../proof-table.ts';

const LINES = { A: 12, B: 12, C: 13, D: 20, E: 12 };
const rows = readProofTable('docs/platform.md');

it('names each expectation of the platform once, in order', () => {
  const all = Object.entries(LINES).flatMap(([part, count]) =>
    Array.from({ length: count }, (_, index) => `${part}${index + 1}`),
  );
  expect(rows.map(({ id }) => id)).toEqual(all);
});

describe.each(rows)('$id', ({ proofs, text }) => {
  it('is held by tests that are there, or says why it is not met', () => {
    expect(missingProofs(proofs)).toEqual([]);
    if (proofs.length === 0) expect(text).toMatch(/^not met: ./);
  });
});

it('says of this one that it is not met, and of no other', () => {
  expect(rows.filter(({ proofs }) => proofs.length === 0).map(({ id }) => id)).toEqual(['B11']);
});
