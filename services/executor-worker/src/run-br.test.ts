import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { openGuards } from './br/process.ts';
import type { Lease } from './lease-keeper.ts';
import { type RunOptions, runBr } from './run-br.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tidemark-run-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** A `br` as it is while it loads the schema and no TiKV answers: the first TERM is not obeyed. */
const SILENT = `n=0; trap 'n=$((n+1)); [ $n -ge 2 ] && exit 1' TERM; echo up; while :; do sleep 0.05; done`;

it('ends a br that ignores the first TERM within 10 s of a cancel, whatever the grace of other stops is', async () => {
  const canceling = new AbortController();
  const never = new AbortController().signal;
  let printed = '';
  const lease: Lease = {
    lost: never,
    canceling: canceling.signal,
    report() {},
    waitsFor() {},
    estimates() {},
    renewNow() {},
    announce: async () => undefined,
    announceRemoval: async () => undefined,
    guardWith() {},
    async [Symbol.asyncDispose]() {},
  };
  writeFileSync(join(folder, 'br'), `#!/bin/sh\n${SILENT}\n`, { mode: 0o755 });
  using guards = openGuards(folder);
  using guard = guards.take();
  const options: RunOptions = {
    guard,
    startBy: performance.now() + 60_000,
    facts: { requestId: 'r', backupId: 'b', clusterId: 'c' },
    lease,
    drain: never,
    timing: { guardMs: 60_000, killMs: 1_000, graceMs: 30_000, stallMs: 60_000 },
    remainingMs: 60_000,
    argv: [join(folder, 'br')],
    env: { PATH: process.env.PATH ?? '' },
    folder,
    tls: undefined,
    secrets: [],
    recorder: {
      push(chunk) {
        printed += chunk;
      },
      finish: async () => undefined,
    },
    files: { async *list() {} },
    lastSizeBytes: 0n,
  };
  const run = runBr(options);
  await vi.waitFor(() => expect(printed).toContain('up'), { timeout: 20_000 });
  const canceledAt = performance.now();
  canceling.abort();
  const { exit, stoppedFor } = await run;
  expect(stoppedFor).toBe('canceled');
  expect(exit.code).toBe(1);
  expect(performance.now() - canceledAt).toBeLessThan(10_000);
});
