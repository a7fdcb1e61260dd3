/** The dashboards of Grafana, which nothing here can show: what they ask Prometheus is held against the metrics and promtool. */
import { execFile } from 'node:child_process';
import { globSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { dashboards } from '@tidemark/dashboards/dashboards';
import { findOnPath } from '@tidemark/local-stack/find-program';
import { REPOSITORY } from '@tidemark/local-stack/repository';
import { renderMetrics } from '@tidemark/service-kit/metrics';
import { describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { queriesOf } from './dashboard-queries.ts';

const execute = promisify(execFile);
const promtool = findOnPath('promtool');
const all = Object.entries(dashboards());

/** What a source says of a metric: its name, its help, and its labels. */
const DEFINITION = /\b(?:counter|gauge|histogram)\(\s*'(tidemark_\w+)',\s*'(?:[^'\\]|\\.)*',?\s*(?:\[([^\]]*)\])?/g;

/** The labels of each metric of Tidemark, by its name. */
function definedMetrics(): ReadonlyMap<string, readonly string[]> {
  const files = globSync(['services/*/src/**/*.ts', 'gateway/src/**/*.ts', 'packages/*/src/**/*.ts'], {
    cwd: REPOSITORY,
    exclude: ['**/*.test.ts'],
  });
  const source = files.map((file) => readFileSync(join(REPOSITORY, file), 'utf8')).join('\n');
  const metrics = new Map<string, readonly string[]>();
  for (const [, name = '', labels = ''] of source.matchAll(DEFINITION))
    metrics.set(
      name,
      [...labels.matchAll(/'(\w+)'/g)].map(([, label = '']) => label),
    );
  // Those of clusters are made by one function.
  for (const [, name = ''] of source.matchAll(/\bclusterGauge\(\s*'(tidemark_\w+)'/g)) metrics.set(name, ['cluster']);
  return metrics;
}

/** What Prometheus adds to every series, and a histogram to its buckets. */
const ADDED = ['job', 'instance', 'le'];

describe('the dashboards', () => {
  it('have names and addresses of their own, and no two panels of one title', () => {
    expect(new Set(all.map(([, { uid }]) => uid)).size).toBe(all.length);
    for (const [file, { panels = [] }] of all) {
      const titles = panels.map(({ title }) => title);
      expect(titles, file).toEqual([...new Set(titles)]);
      for (const panel of panels) if (panel.type !== 'row') expect(panel, file).toHaveProperty('description');
    }
  });

  it('lay no panel over another, nor beyond the edge', () => {
    for (const [file, { panels = [] }] of all) {
      const taken = new Set<string>();
      for (const { gridPos, title } of panels) {
        if (gridPos === undefined) throw new Error(`${file}: ${title} lies nowhere`);
        expect(gridPos.x + gridPos.w, `${file}: ${title}`).toBeLessThanOrEqual(24);
        for (let y = gridPos.y; y < gridPos.y + gridPos.h; y += 1)
          for (let x = gridPos.x; x < gridPos.x + gridPos.w; x += 1) {
            expect(taken.has(`${x} ${y}`), `${file}: ${title}`).toBe(false);
            taken.add(`${x} ${y}`);
          }
      }
    }
  });

  it('ask for metrics that there are, by labels that these have', async () => {
    const metrics = definedMetrics();
    expect(metrics.size).toBeGreaterThan(50);
    const ofNode = (await renderMetrics()).body;
    for (const { expr, where } of queriesOf(dashboards())) {
      const named = [...expr.matchAll(/\b(tidemark|process|nodejs)_\w+/g)].map(([name]) => name);
      expect(named.length, where).toBeGreaterThan(0);
      const labels = named.flatMap((name) => {
        const metric = name.replace(/_(bucket|count)$/, '');
        if (!name.startsWith('tidemark_')) expect(ofNode, where).toContain(`# TYPE ${name} `);
        else expect([...metrics.keys()], where).toContain(metric);
        return metrics.get(metric) ?? [];
      });
      const used = [
        ...[...expr.matchAll(/\b(?:by|on) \(([^)]+)\)/g)].flatMap(([, list = '']) => list.split(', ')),
        ...[...expr.matchAll(/[{,](\w+)(?:=~|!=|=)"/g)].map(([, label = '']) => label),
      ];
      expect([...labels, ...ADDED], where).toEqual(expect.arrayContaining(used));
    }
  });

  it('show what counters grew by, and never what they have come to', () => {
    const counted = queriesOf(dashboards()).flatMap(({ expr, where }) =>
      [...expr.matchAll(/(\w+\()?\w+_(?:total|bucket|sum|count)\b/g)].map(([, call]) => ({ call, where })),
    );
    expect(counted.length).toBeGreaterThan(10);
    for (const { call, where } of counted) expect(['increase(', 'rate('], where).toContain(call);
  });

  it('call a series by labels that its expression leaves', () => {
    for (const { expr, legend, where } of queriesOf(dashboards())) {
      const kept = [...expr.matchAll(/\bby \(([^)]+)\)/g)].flatMap(([, list = '']) => list.split(', '));
      for (const [, label] of legend.matchAll(/\{\{(\w+)\}\}/g)) expect(kept, where).toContain(label);
    }
  });

  // Needs Prometheus' promtool (apt-get install prometheus, brew install prometheus); CI installs it.
  it.skipIf(promtool === undefined)('ask what Prometheus can read', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'tidemark-dashboards-'));
    const rules = queriesOf(dashboards()).map(({ expr }, index) => ({ record: `asked:${index}`, expr }));
    const file = join(folder, 'rules.yml');
    writeFileSync(file, stringify({ groups: [{ name: 'dashboards', rules }] }));
    try {
      const { stdout } = await execute(promtool ?? '', ['check', 'rules', file]);
      expect(stdout).toContain(`${rules.length} rules found`);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
