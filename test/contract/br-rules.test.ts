import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';

const ROOT = join(import.meta.dirname, '..', '..');
const RULES = 16;

const rows = readFileSync(join(ROOT, 'docs', 'br.md'), 'utf8')
  .split('\n')
  .flatMap((line) => {
    const [, number, proof] = /^\| (\d+)\. [^|]+ \| (.+) \|$/.exec(line) ?? [];
    return number === undefined ? [] : [{ number: Number(number), proof: proof ?? '' }];
  });
const proofs = rows.flatMap(({ number, proof }) =>
  [...proof.matchAll(/`([^`]+\.test\.ts)`: ([^;]+)/g)].map(([, file = '', name = '']) => ({ number, file, name })),
);

it('names each rule once', () => {
  expect(rows.map(({ number }) => number)).toEqual(Array.from({ length: RULES }, (_, index) => index + 1));
});

it.each(proofs)('rule $number is proven by a test that is there: $file, "$name"', ({ file, name }) => {
  const path = join(ROOT, file);
  expect(existsSync(path), file).toBe(true);
  expect(readFileSync(path, 'utf8')).toContain(name.trim());
});

it('leaves no rule without a proof', () => {
  const proven = new Set(proofs.map(({ number }) => number));
  expect(rows.filter(({ number }) => !proven.has(number))).toEqual([]);
});
