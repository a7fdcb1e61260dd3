/** What a comment cites is there: a section of a page in docs/, a promise of the architecture, a file. */
import { existsSync, globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

const ROOT = join(import.meta.dirname, '..', '..');
const read = (file: string) => readFileSync(join(ROOT, file), 'utf8');
const SOURCES = globSync('{docs/decisions,gateway,packages,proto,scripts,services,test,tools}/**/*.{ts,mjs,proto,md}', {
  cwd: ROOT,
  exclude: (name) => name === 'node_modules' || name === 'gen' || name.startsWith('.'),
}).filter((file) => !file.endsWith('test/lint/citations.test.ts'));

/** Pages whose sections have numbers, by the word that cites them. */
const PAGES = ['architecture', 'br-contract', 'restores', 'stack-findings'] as const;

/** `2` and `14.22`: an item of a numbered list of section 14 is cited like a section. */
function sectionsOf(page: string): Set<string> {
  const sections = new Set<string>();
  let section = '';
  for (const line of read(`docs/${page}.md`).split('\n')) {
    const heading = /^#+ (\d+(?:\.\d+)?)\.? /.exec(line)?.[1];
    if (heading) section = heading;
    if (heading) sections.add(heading);
    const item = /^(?:- \*\*|\*\*)?(\d+)\. /.exec(line)?.[1];
    if (item && section) sections.add(`${section}.${item}`);
  }
  return sections;
}

describe.each(PAGES)('%s', (page) => {
  const sections = sectionsOf(page);
  const citation = new RegExp(`\\b${page}(?:,? sections?)? ((?:\\d+(?:\\.\\d+)?(?:, | and | to )?)+)`, 'g');

  it('is cited by sections that it has', () => {
    const missing = SOURCES.flatMap((file) =>
      [...read(file).matchAll(citation)].flatMap(([, cited = '']) =>
        cited
          .split(/, | and | to /)
          .filter((one) => one !== '' && !sections.has(one))
          .map((one) => `${file}: ${page} ${one}`),
      ),
    );
    expect(missing).toEqual([]);
  });
});

it.each([
  ['architecture', 'T', 14, 100],
  ['restores', 'R', 16, 20],
])('every promise that is cited is one of %s', (page, letter, count, least) => {
  const promised = new RegExp(`^- \\*\\*(${letter}\\d+)\\*\\*`, 'gm');
  const promises = new Set([...read(`docs/${page}.md`).matchAll(promised)].map(([, name]) => name));
  expect(promises.size).toBe(count);
  const citation = new RegExp(`(?:\\(|, | and | to |\\* )(${letter}\\d{1,2})(?=[,).: ])`, 'g');
  const cited = SOURCES.flatMap((file) => [...read(file).matchAll(citation)].map(([, name]) => ({ file, name })));
  expect(cited.length).toBeGreaterThan(least);
  expect(cited.filter(({ name }) => !promises.has(name))).toEqual([]);
});

it('every page of docs/ that is named is there', () => {
  const named = SOURCES.flatMap((file) =>
    [...read(file).matchAll(/\bdocs\/[\w-]+\.(?:md|json)\b/g)].map(([page]) => ({ file, page })),
  );
  expect(named.length).toBeGreaterThan(10);
  expect(named.filter(({ page }) => !existsSync(join(ROOT, page)))).toEqual([]);
});

it('no page is cited that is not in the repository', () => {
  const outside =
    /\b(?:design,? section|field-faults|house\.md|layout\.md|style-anchors|restore-life|restore-contract)\b/;
  expect(SOURCES.filter((file) => outside.test(read(file)))).toEqual([]);
});
