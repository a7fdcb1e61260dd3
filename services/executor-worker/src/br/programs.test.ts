import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Target } from '@tidemark/protocol/grpc/tidemark/backup/v1/executor_service';
import { BrOptions } from '@tidemark/protocol/grpc/tidemark/backup/v1/registry_service';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { chooseProgram, hasCheckpointLock, openPrograms } from './programs.ts';

describe('the programs of a worker', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'tidemark-programs-'));
  });
  afterEach(() => rmSync(folder, { recursive: true }));
  const program = (name: string, script: string, mode = 0o755) => {
    const path = join(folder, name);
    writeFileSync(path, `#!/bin/sh\n${script}\n`, { mode });
    return path;
  };
  const br = (version: string) => program(`br-${version}`, `echo 'Release Version: ${version}'`);
  const open = (paths: readonly string[]) => openPrograms(paths, { PATH: process.env.PATH ?? '' }, 20);

  it('are asked for their versions once', async () => {
    const counted = program('br', `echo asked >> ${folder}/count; echo 'Release Version: v8.5.0'`);
    const paths = [counted, br('v7.5.1')];
    await using programs = await open(paths);
    expect(programs.usable()).toEqual([
      { path: paths[0], version: 'v8.5.0' },
      { path: paths[1], version: 'v7.5.1' },
    ]);
    expect(() => programs.check()).not.toThrow();
    await programs.oneUsable;
  });

  it.each([
    ['that is missing', () => join(folder, 'none'), 'which is not there'],
    ['that is not executable', () => program('plain', 'exit 0', 0o644), 'may not execute'],
    ['that is no br', () => program('other', 'echo hello'), 'which is not a br'],
    ['that fails', () => program('failing', 'exit 3'), 'which is not a br'],
  ])('one %s is named with what is wrong, and the others are used', async (_, make, why) => {
    const bad = make();
    await using programs = await open([bad, br('v8.5.0')]);
    expect(programs.usable().map(({ version }) => version)).toEqual(['v8.5.0']);
    expect(() => programs.check()).toThrow(`TIDEMARK_BR names ${bad}`);
    expect(() => programs.check()).toThrow(why);
  });

  it('one that is put right later is used from then on', async () => {
    const late = program('late', "echo 'Release Version: v8.1.0'", 0o644);
    await using programs = await open([late]);
    expect(programs.usable()).toEqual([]);
    chmodSync(late, 0o755);
    await programs.oneUsable;
    await vi.waitFor(() => expect(() => programs.check()).not.toThrow());
    expect(programs.usable()).toEqual([{ path: late, version: 'v8.1.0' }]);
  });
});

describe('choosing a program', () => {
  const programs = ['v7.5.3', 'v8.1.0', 'v8.5.0', 'v8.5.4'].map((version) => ({ path: `/br-${version}`, version }));

  it.each<[string, string | undefined, string]>([
    ['8.5.0', 'v8.5.0', 'the same release'],
    ['v8.5.2', 'v8.5.4', 'the newest of the same minor'],
    ['8.1.9', 'v8.1.0', 'the same minor'],
    ['8.3.0', 'v8.5.4', 'the newest of the same major'],
    ['7.1.0', 'v7.5.3', 'the same major'],
    ['8.1.9-hotfix', 'v8.1.0', 'the same minor'],
    ['', 'v8.5.4', 'the newest where the cluster’s version is not known'],
    ['6.5.0', undefined, 'none of another major'],
  ])('for %s takes %s: %s', (cluster: string, chosen: string | undefined) => {
    expect(chooseProgram(programs, cluster)?.version).toBe(chosen);
  });

  it.each([
    ['8.1.0', ['v8.5.0'], undefined],
    ['8.0.3', ['v8.5.0', 'v8.1.0'], 'v8.1.0'],
    ['8.1.2', ['v8.2.0', 'v8.0.0'], 'v8.0.0'],
    ['8.2.0', ['v8.5.0'], 'v8.5.0'],
  ])(
    'for a cluster %s never takes a br from 8.2 on if TiKV is older, which that refuses',
    (cluster, versions, chosen) => {
      const there = versions.map((version) => ({ path: `/br-${version}`, version }));
      expect(chooseProgram(there, cluster)?.version).toBe(chosen);
    },
  );

  it.each([
    ['v5.4.0', {}, '', false],
    ['v6.5.0', {}, '', false],
    ['v6.5.1', {}, '', true],
    ['v8.5.0', {}, '8.5.0', true],
    ['v8.5.0', { 'use-checkpoint': 'false' }, '', false],
    ['v6.5.3', { 'use-backupmeta-v2': 'true' }, '', false],
    ['v7.5.0', { 'use-backupmeta-v2': 'true' }, '', true],
    ['v6.5.3', {}, '6.1.0', false],
  ])('knows whether br %s with %j against a cluster "%s" has a lock of its own: %s', (br, extra, version, lock) => {
    expect(hasCheckpointLock(br, Target.create({ version, brOptions: BrOptions.create({ extra }) }))).toBe(lock);
  });
});
