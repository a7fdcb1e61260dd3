import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Progress } from '@tidemark/protocol/grpc/tidemark/backup/v1/backup';
import type { Stall } from '@tidemark/protocol/grpc/tidemark/backup/v1/executor_service';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type Guards, openGuards } from '../br/process.ts';
import { endOfRestore } from './end.ts';
import { openRunFolders, type RunFolder, type RunFolders, readGuardEnd } from './run-folders.ts';
import { type FinishedRestore, type RestoreRunOptions, runRestore } from './run-restore.ts';

const DATA = join(import.meta.dirname, 'testdata');
const facts = { brVersion: 'v8.5.0', tso: '470814418453921793', wasPartial: false, failures: 0, waits: 0 };

let stateDir: string;
let guards: Guards;
let folders: RunFolders;
let printed: string;
let reported: Progress[];
let waitsFor: Stall | undefined;
let lost: AbortController;
let canceling: AbortController;
let drain: AbortController;

beforeEach(async () => {
  stateDir = mkdtempSync(join(tmpdir(), 'tidemark-restore-'));
  guards = openGuards(stateDir);
  folders = await openRunFolders(stateDir, { killMs: 300 });
  printed = '';
  reported = [];
  waitsFor = undefined;
  [lost, canceling, drain] = [new AbortController(), new AbortController(), new AbortController()];
});
afterEach(() => {
  guards[Symbol.dispose]();
  rmSync(stateDir, { recursive: true });
});

/** Starts a shell script as `br`; its folder is there at once. */
async function start(
  script: string,
  more: Partial<RestoreRunOptions> = {},
): Promise<{ folder: RunFolder; finished: Promise<FinishedRestore> }> {
  const program = join(stateDir, 'br');
  writeFileSync(program, `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  const guard = guards.take();
  const { folder } = await folders.create({ restoreId: 'r1', claim: 'token', fence: 1, group: guard.group, facts });
  const finished = runRestore({
    guard,
    startBy: performance.now() + 60_000,
    facts: { requestId: 'q', restoreId: 'r1', clusterId: 'c1' },
    lease: {
      lost: lost.signal,
      canceling: canceling.signal,
      report: (progress) => reported.push(progress),
      waitsFor(stall) {
        waitsFor = stall?.();
      },
      guardWith: (keepAlive) => keepAlive(),
    },
    drain: drain.signal,
    timing: { guardMs: 60_000, killMs: 300, graceMs: 30_000 },
    graceMs: 300,
    remainingMs: 60_000,
    argv: [program],
    env: { PATH: process.env.PATH ?? '', DATA },
    folder,
    keepsCheckpoint: true,
    tls: undefined,
    secrets: ['hunter22'],
    recorder: {
      push(chunk) {
        printed += chunk;
      },
    },
    ...more,
  }).finally(() => guard[Symbol.dispose]());
  return { folder, finished };
}
const kindOf = ({ exit, output, started, stoppedFor }: FinishedRestore) =>
  endOfRestore(exit, output, { ...facts, started, stoppedFor }).kind;

describe('a run of br restore', () => {
  it('prints into files, which are read to their ends and sent on', async () => {
    const { folder, finished } = await start('cat "$DATA/success-with-progress.stdout"; echo last >&2');
    const end = await finished;
    expect(kindOf(end)).toBe('succeeded');
    expect(end).toMatchObject({ exit: { code: 0 }, started: true, stoppedFor: undefined });
    expect(printed).toContain('Full Restore success summary');
    expect(printed).toContain('last\n');
    expect(readFileSync(join(folder.path, 'stdout'), 'utf8')).toContain('Full Restore success summary');
    expect(await readGuardEnd(folder.path)).toMatchObject({ started: true, exit: { code: 0 } });
    expect(reported.map(({ step, percent }) => [step, percent])).toEqual([
      ['Full Restore', 3.03],
      ['Full Restore', 100],
    ]);
  });

  it('is followed while it runs, and says what it waits for until it goes on', async () => {
    const script = `grep 'download file failed' "$DATA/sst-missing.stdout" | head -1
      until [ -e "$TMPDIR/on" ]; do sleep 0.02; done
      grep '\\[progress\\]' "$DATA/success-with-progress.stdout"`;
    const { folder, finished } = await start(script, {
      env: { PATH: process.env.PATH ?? '', DATA, TMPDIR: stateDir },
    });
    await vi.waitFor(() => expect(waitsFor).toMatchObject({ code: 'FILE_NOT_LOADED' }));
    expect(waitsFor?.message).toContain('local:///backup/nosst/1/8_1_');
    expect(existsSync(join(folder.path, 'exit.json'))).toBe(false);
    writeFileSync(join(stateDir, 'on'), '');
    await finished;
    expect(waitsFor).toBeUndefined();
  });

  it('passes no secret on', async () => {
    await (await start('echo "key hunter22"; echo "and hunter22" >&2')).finished;
    expect(printed).toContain('key [redacted]\n');
    expect(printed).not.toContain('hunter22');
  });

  const FLUSHES = 'trap "echo flushed; exit 1" TERM; echo up; while :; do sleep 0.02; done';
  it.each([
    ['lost', () => lost],
    ['canceled', () => canceling],
    ['drained', () => drain],
  ] as const)('gets time for its checkpoint where it is %s', async (stoppedFor, asker) => {
    const { finished } = await start(FLUSHES, { graceMs: 30_000 });
    await vi.waitFor(() => expect(printed).toContain('up'));
    asker().abort();
    const end = await finished;
    expect(end.stoppedFor).toBe(stoppedFor);
    expect(printed).toContain('flushed');
    expect(kindOf(end)).toBe('stopped');
  });

  it('has no more time in a drain than its worker has', async () => {
    const { finished } = await start('trap "" TERM; echo up; while :; do sleep 0.02; done', {
      graceMs: 60_000,
      timing: { guardMs: 60_000, killMs: 300, graceMs: 100 },
    });
    await vi.waitFor(() => expect(printed).toContain('up'));
    drain.abort();
    const askedAt = performance.now();
    expect(kindOf(await finished)).toBe('stopped');
    expect(performance.now() - askedAt).toBeLessThan(30_000);
  });

  it('is stopped at its deadline, and without progress', async () => {
    expect((await (await start(FLUSHES, { remainingMs: 50 })).finished).stoppedFor).toBe('overdue');
    await folders.remove('token');
    expect((await (await start(FLUSHES, { stallMs: 50 })).finished).stoppedFor).toBe('stalled');
  });

  it('goes on through a drain and without progress where it keeps no checkpoint', async () => {
    drain.abort();
    const script = 'echo up; until [ -e "$TMPDIR/on" ]; do sleep 0.02; done';
    const { finished } = await start(script, {
      env: { PATH: process.env.PATH ?? '', TMPDIR: stateDir },
      keepsCheckpoint: false,
      stallMs: 10,
    });
    await vi.waitFor(() => expect(printed).toContain('up'));
    writeFileSync(join(stateDir, 'on'), '');
    expect(await finished).toMatchObject({ exit: { code: 0 }, stoppedFor: undefined });
  });

  it('that is killed has its end written down', async () => {
    const { folder, finished } = await start('trap "" TERM; echo up; while :; do sleep 0.02; done');
    await vi.waitFor(() => expect(printed).toContain('up'));
    canceling.abort();
    expect(kindOf(await finished)).toBe('stopped');
    expect(await readGuardEnd(folder.path)).toMatchObject({ exit: { signal: 'SIGKILL' } });
  });

  it('is not started where it is too late', async () => {
    const { finished } = await start('echo up', { startBy: performance.now() - 1 });
    expect(kindOf(await finished)).toBe('none');
    expect(printed).toBe('');
  });
});
