/** What the Dockerfile copies and sets. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { V8_OPTIONS } from '@tidemark/local-stack/stack-process';
import { describe, expect, it } from 'vitest';
import { all, copiesOf, isIgnored, ROOT, settingsIn, steps } from './dockerfile.ts';

describe('the image', () => {
  it('is made of files that .dockerignore lets through', () => {
    const sources = copiesOf(all).flatMap(({ from }) => from);
    expect(sources).toContain('pnpm-lock.yaml');
    for (const source of sources) {
      expect(existsSync(join(ROOT, source)), source).toBe(true);
      expect(isIgnored(source), source).toBe(false);
    }
  });

  it('takes neither secrets nor installed packages nor data along', () => {
    for (const path of [
      'secrets/service-token',
      'packages/mongo/node_modules/mongodb/lib/index.js',
      '.tidemark/x',
      '.git',
    ])
      expect(isIgnored(path), path).toBe(true);
  });

  it('runs with the options of V8 that a stack of npm start has', () => {
    const set = steps.filter(({ word }) => word === 'ENV').map(({ rest }) => settingsIn(rest, ROOT).V8_OPTIONS);
    expect(set).toContain(V8_OPTIONS.join(' '));
  });
});
