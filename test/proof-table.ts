/** Pages whose tables name, for each line, the tests that prove it. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const ROOT = join(import.meta.dirname, '..');

export interface Proof {
  readonly file: string;
  /** A piece of the test's name. */
  readonly name: string;
}

export interface ProvenLine {
  readonly id: string;
  readonly text: string;
  readonly proofs: readonly Proof[];
}

/**
 * The rows `| A1. lesson | `file`: test name; `file`: test name |` of a page, or of what stands there below a heading. Rules that an
 * exploration switches off are proofs like tests.
 */
export function readProofTable(page: string, heading = ''): ProvenLine[] {
  const text = readFileSync(join(ROOT, page), 'utf8');
  const [part = ''] = text.slice(text.indexOf(heading)).split(/\n(?=## )/);
  return (heading === '' ? text : part).split('\n').flatMap((line) => {
    const [, id, text] = /^\| ([A-Z]\d+)\. .+? \| ([^|]+) \|$/.exec(line) ?? [];
    if (id === undefined || text === undefined) return [];
    const proofs = [...text.matchAll(/`([^`]+(?:\.test|\/mutations)\.ts)`: ([^;]+)/g)];
    return [{ id, text, proofs: proofs.map(([, file = '', name = '']) => ({ file, name: name.trim() })) }];
  });
}

/** The proofs that are not there. */
export function missingProofs(proofs: readonly Proof[]): Proof[] {
  return proofs.filter(({ file, name }) => {
    const path = join(ROOT, file);
    return !existsSync(path) || !readFileSync(path, 'utf8').includes(name);
  });
}
