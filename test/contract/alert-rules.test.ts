import { execFile } from 'node:child_process';
import { existsSync, globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { findOnPath } from '@tidemark/local-stack/find-program';
import { REPOSITORY } from '@tidemark/local-stack/repository';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';

const execute = promisify(execFile);
const FOLDER = join(REPOSITORY, 'docs', 'alerts');
const RULES = join(FOLDER, 'tidemark.rules.yml');
const TESTS = ['tidemark.rules.test.yml', 'tidemark.rules-of-days.test.yml'].map((name) => join(FOLDER, name));
const MANUAL = join(REPOSITORY, 'docs', 'operations.md');
const METRIC = /tidemark_[a-z_]+/g;
const promtool = findOnPath('promtool');

interface Rule {
  readonly alert: string;
  readonly expr: string;
  readonly annotations: Readonly<Record<string, string>>;
}

interface RuleFile {
  readonly groups: readonly { readonly rules: readonly Rule[] }[];
}

/** As GitHub makes them of headings. */
function anchorsOf(page: string): readonly string[] {
  return [...page.matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\w\s-]/g, '')
      .replaceAll(' ', '-'),
  );
}

describe('the alert rules', () => {
  const source = globSync(['services/*/src/**/*.ts', 'gateway/src/**/*.ts', 'packages/*/src/**/*.ts'], {
    cwd: REPOSITORY,
  })
    .map((file) => readFileSync(join(REPOSITORY, file), 'utf8'))
    .join('\n');
  const { groups } = parse(readFileSync(RULES, 'utf8')) as RuleFile;
  const rules = groups.flatMap((group) => group.rules);

  it('name only metrics that there are', () => {
    const named = rules.flatMap(({ expr }) => expr.match(METRIC) ?? []);
    expect(named.length).toBeGreaterThan(0);
    for (const metric of named) expect(source, metric).toContain(`'${metric}'`);
  });

  it('lead each to a runbook of its own', () => {
    const manual = readFileSync(MANUAL, 'utf8');
    const runbooks = [...manual.matchAll(/^### (Tidemark\w+)\n\n(?!#)/gm)].map(([, alert]) => alert);
    expect(runbooks.length).toBeGreaterThan(10);
    expect(runbooks.sort()).toEqual(rules.map(({ alert }) => alert).sort());
    for (const { alert, annotations } of rules)
      expect(annotations.runbook_url).toBe(`docs/operations.md#${alert.toLowerCase()}`);
  });

  it('have runbooks that name metrics, settings and sections that there are', () => {
    const manual = readFileSync(MANUAL, 'utf8');
    for (const metric of manual.match(METRIC) ?? []) expect(source, metric).toContain(`'${metric}'`);
    const settings = readFileSync(join(REPOSITORY, 'docs', 'settings.md'), 'utf8');
    for (const [setting] of manual.matchAll(/TIDEMARK_[A-Z_]+/g)) expect(settings, setting).toContain(`\`${setting}\``);
    for (const [, page = '', section] of manual.matchAll(/\]\(([\w./-]*)(?:#([\w-]+))?\)/g)) {
      const file = page === '' ? MANUAL : join(REPOSITORY, 'docs', page);
      expect(existsSync(file), page).toBe(true);
      if (section !== undefined) expect(anchorsOf(readFileSync(file, 'utf8')), `${page}#${section}`).toContain(section);
    }
  });

  it('are each tried', () => {
    const tried = TESTS.map((file) => readFileSync(file, 'utf8')).join();
    for (const { alert } of rules) expect(tried, alert).toContain(`alertname: ${alert}`);
  });

  // Needs Prometheus' promtool (apt-get install prometheus, brew install prometheus); CI installs it.
  it.skipIf(promtool === undefined)('fire when they should and only then, as promtool finds', async () => {
    await execute(promtool ?? '', ['check', 'rules', RULES]);
    await execute(promtool ?? '', ['test', 'rules', ...TESTS]);
  });
});
