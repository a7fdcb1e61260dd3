import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';

const ROOT = join(import.meta.dirname, '..', '..');
const SOURCES = ['services/executor-worker/src/restore/*.ts', 'services/backup-service/src/restore/decide/*.ts'];
/** Told while `br` runs, and never as the end of anything. */
const STALLS = ['FILE_NOT_LOADED'];

it('the page of errors has every reason of a restore, once, and none that there is not', () => {
  const files = globSync(SOURCES, { cwd: ROOT }).filter((file) => !file.endsWith('.test.ts'));
  const given = files.flatMap((file) => {
    const text = readFileSync(join(ROOT, file), 'utf8');
    return [...text.matchAll(/(?:code: '([A-Z]+)'|'([A-Z]+(?:_[A-Z]+)+)')/g)].map(([, one, more]) => one ?? more ?? '');
  });
  const reach = readFileSync(join(ROOT, 'services/executor-worker/src/reach.ts'), 'utf8');
  const ofStorages = [...reach.matchAll(/code: '([A-Z_]+)'/g)].map(([, code = '']) => code);
  const page = readFileSync(join(ROOT, 'docs', 'errors.md'), 'utf8').split('## Reasons of restores')[1] ?? '';
  const told = [...page.matchAll(/^\| ([^|]+) \|/gm)].flatMap(([, cell = '']) =>
    [...cell.matchAll(/`([A-Z_]+)`/g)].map(([, code = '']) => code),
  );
  expect(given.length).toBeGreaterThan(50);
  const wanted = new Set([...given, ...ofStorages].filter((code) => !STALLS.includes(code)));
  expect(told.toSorted()).toEqual([...wanted].toSorted());
});
