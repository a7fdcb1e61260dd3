import { execFile } from 'node:child_process';
import { globSync, readFileSync } from 'node:fs';
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
const promtool = findOnPath('promtool');

interface RuleFile {
  readonly groups: readonly { readonly rules: readonly { readonly alert: string; readonly expr: string }[] }[];
}

describe('the alert rules', () => {
  const { groups } = parse(readFileSync(RULES, 'utf8')) as RuleFile;
  const rules = groups.flatMap((group) => group.rules);

  it('name only metrics that there are', () => {
    const source = globSync(['services/*/src/**/*.ts', 'gateway/src/**/*.ts', 'packages/*/src/**/*.ts'], {
      cwd: REPOSITORY,
    })
      .map((file) => readFileSync(join(REPOSITORY, file), 'utf8'))
      .join('\n');
    const named = rules.flatMap(({ expr }) => expr.match(/tidemark_[a-z_]+/g) ?? []);
    expect(named.length).toBeGreaterThan(0);
    for (const metric of named) expect(source, metric).toContain(`'${metric}'`);
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
