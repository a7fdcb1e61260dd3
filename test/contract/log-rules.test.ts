import { describe, expect, it } from 'vitest';
import { missingProofs, readProofTable } from '../proof-table.ts';

const RULES = { L: 12, P: 10, T: 4, R: 5, B: 7 };
const rows = readProofTable('docs/proof.md', '## Rules of log backups');

it('names each rule of log backups and of restores to a point once, in order', () => {
  const all = Object.entries(RULES).flatMap(([kind, count]) =>
    Array.from({ length: count }, (_, index) => `${kind}${index + 1}`),
  );
  expect(rows.map(({ id }) => id)).toEqual(all);
});

describe.each(rows)('$id', ({ proofs }) => {
  it('is held by what is there', () => {
    expect(proofs).not.toEqual([]);
    expect(missingProofs(proofs)).toEqual([]);
  });
});
