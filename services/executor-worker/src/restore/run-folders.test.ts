import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isGroupAlive, signalGroup } from '@tidemark/processes/group';
import { processStart } from '@tidemark/processes/identity';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { reportLateEnds } from './late-ends.ts';
import { type LeftRun, openRunFolders, type RestoreRun } from './run-folders.ts';

const DATA = join(import.meta.dirname, 'testdata');
const facts = { brVersion: 'v8.5.0', tso: '470814418453921793', wasPartial: false, failures: 0, waits: 0 };
const run = { restoreId: 'r1', claim: 'token', fence: 1, group: undefined, facts };
const dead = { pid: 2 ** 22 - 3, start: '1' };

let folder: string;
let children: ChildProcess[];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tidemark-restores-'));
  children = [];
});
afterEach(() => {
  for (const { pid } of children) signalGroup(pid ?? 0, 'SIGKILL');
  rmSync(folder, { recursive: true });
});

const open = () => openRunFolders(folder, { killMs: 100 });
const pathOf = (claim: string) => join(folder, 'restores', claim);

interface Left {
  readonly sample?: string;
  readonly exit?: object;
  readonly group?: RestoreRun['group'];
  readonly claim?: string;
}

/** A folder as a dead worker leaves it, with what a real `br` printed. */
function leave({ sample, exit, group, claim = 'token' }: Left) {
  const path = pathOf(claim);
  mkdirSync(path, { recursive: true });
  writeFileSync(join(path, 'run.json'), JSON.stringify({ ...run, claim, group, worker: dead }));
  for (const file of ['stdout', 'stderr'])
    writeFileSync(join(path, file), sample === undefined ? '' : readFileSync(join(DATA, `${sample}.${file}`)));
  if (exit) writeFileSync(join(path, 'exit.json'), JSON.stringify({ ...exit, endedAt: '2026-12-01T00:00:00.000Z' }));
  return path;
}

async function startOrphan(): Promise<{ pid: number; start: string }> {
  const child = spawn('/bin/sleep', ['60'], { detached: true, stdio: 'ignore' });
  children.push(child);
  await once(child, 'spawn');
  const pid = child.pid ?? 0;
  return { pid, start: processStart(pid) ?? '' };
}

describe('folders of restores on this host', () => {
  it('appear whole, with the record of their run, and go when its end was answered', async () => {
    const folders = await open();
    const { folder: created } = await folders.create(run);
    expect(readdirSync(join(folder, 'restores'))).toEqual(['token']);
    expect(readdirSync(created.path).sort()).toEqual(['run.json', 'stderr', 'stdout', 'tmp']);
    expect(JSON.parse(readFileSync(join(created.path, 'run.json'), 'utf8'))).toMatchObject({
      restoreId: 'r1',
      worker: { pid: process.pid },
      facts,
    });
    await folders.remove('token');
    expect(readdirSync(join(folder, 'restores'))).toEqual([]);
  });

  it('are left alone as long as their worker lives', async () => {
    const folders = await open();
    await folders.create(run);
    expect(await folders.sweep()).toEqual([]);
  });

  it.each([
    ['success', { exit: 0, signal: null }, 'succeeded'],
    ['killed-after-summary', { exit: null, signal: 'SIGKILL', ending: 'worker gone' }, 'afterSummary'],
    ['cancelled', { exit: 1, signal: null, ending: 'silence' }, 'stopped'],
    ['not-fresh', { exit: 1, signal: null }, 'notFresh'],
    ['restore-checksum-mismatch', { exit: 1, signal: null }, 'dirty'],
    [undefined, { notStarted: 'too late' }, 'none'],
  ])('say how the run of a dead worker ended: %s', async (sample, exit, kind) => {
    leave({ exit, ...(sample !== undefined && { sample }) });
    const folders = await open();
    expect(await folders.sweep()).toMatchObject([{ run: { restoreId: 'r1', claim: 'token' }, end: { kind } }]);
  });

  it('say nothing of an end that nobody saw, not even after the summary, but that rows were wrong', async () => {
    const folders = await open();
    for (const sample of ['success', 'cancelled', 'not-fresh', undefined]) {
      leave(sample === undefined ? {} : { sample });
      expect(await folders.sweep()).toMatchObject([{ end: undefined }]);
    }
    leave({ sample: 'restore-checksum-mismatch' });
    expect(await folders.sweep()).toMatchObject([{ end: { kind: 'dirty' } }]);
  });

  it('have what still runs of a dead worker killed, which then is known to be stopped', async () => {
    const group = await startOrphan();
    leave({ sample: 'killed', group });
    const folders = await open();
    expect(await folders.sweep()).toMatchObject([{ end: { kind: 'stopped', reason: { code: 'WORKER_GONE' } } }]);
    expect(isGroupAlive(group.pid)).toBe(false);
  });

  it('leave a guard the time to write down how its br ended', async () => {
    const group = await startOrphan();
    const path = leave({ sample: 'success', group });
    const swept = (await open()).sweep();
    writeFileSync(join(path, 'exit.json'), JSON.stringify({ exit: 0, signal: null }));
    signalGroup(group.pid, 'SIGTERM');
    expect(await swept).toMatchObject([{ end: { kind: 'succeeded' } }]);
  });

  it('never have a process killed that only has the pid of the recorded one', async () => {
    const group = await startOrphan();
    leave({ group: { ...group, start: '1' } });
    expect(await (await open()).sweep()).toMatchObject([{ end: undefined }]);
    expect(isGroupAlive(group.pid)).toBe(true);
  });

  it('prove nothing where some of the output is gone', async () => {
    const path = leave({ sample: 'not-fresh', exit: { exit: 1, signal: null } });
    writeFileSync(join(path, 'cut'), '');
    expect(await (await open()).sweep()).toMatchObject([{ end: { kind: 'stopped' } }]);
    rmSync(join(path, 'cut'));
    rmSync(join(path, 'stdout'));
    expect(await (await open()).sweep()).toMatchObject([{ end: { kind: 'stopped' } }]);
  });

  it('pass on no words of br where nobody knows which are secret', async () => {
    leave({ sample: 'sst-missing', exit: { exit: 1, signal: null } });
    expect(await (await open()).sweep()).toMatchObject([{ end: { kind: 'failed', reason: { detail: '' } } }]);
  });

  it('that cannot be read hinder no other one', async () => {
    leave({ sample: 'success', exit: { exit: 0, signal: null }, claim: 'good' });
    for (const [claim, record] of Object.entries({
      a: null,
      b: 7,
      c: {},
      d: { ...run, worker: {} },
      e: { ...run, worker: dead, facts: {} },
      z: { ...run, worker: dead, claim: '../../..' },
    })) {
      mkdirSync(pathOf(claim));
      writeFileSync(join(pathOf(claim), 'run.json'), JSON.stringify(record));
    }
    mkdirSync(pathOf('f'));
    writeFileSync(join(pathOf('f'), 'run.json'), 'x'.repeat(70_000));
    writeFileSync(pathOf('g'), 'a file');
    expect((await (await open()).sweep()).map(({ run: { claim } }) => claim)).toEqual(['good']);
  });

  it('that were begun by a dead worker and never finished are removed', async () => {
    const folders = await open();
    mkdirSync(pathOf(`.new-${dead.pid}-token`));
    mkdirSync(pathOf(`.new-${process.pid}-token`));
    expect(await folders.sweep()).toEqual([]);
    expect(readdirSync(join(folder, 'restores'))).toEqual([`.new-${process.pid}-token`]);
  });
});

describe('ends that become known late', () => {
  it('are reported beside each other, and their folders go once that was answered', async () => {
    const folders = await open();
    for (const claim of ['answered', 'unanswered', 'broken'])
      leave({ sample: 'success', exit: { exit: 0, signal: null }, claim });
    const reported: LeftRun[] = [];
    await reportLateEnds(
      await folders.sweep(),
      async (left) => {
        reported.push(left);
        if (left.run.claim === 'broken') throw new Error('a bug');
        return left.run.claim === 'answered';
      },
      folders,
    );
    expect(reported.map(({ end }) => end?.kind)).toEqual(['succeeded', 'succeeded', 'succeeded']);
    await vi.waitFor(() => expect(existsSync(pathOf('answered'))).toBe(false));
    expect([existsSync(pathOf('unanswered')), existsSync(pathOf('broken'))]).toEqual([true, true]);
  });
});
