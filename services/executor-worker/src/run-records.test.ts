import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isGroupAlive, signalGroup } from '@tidemark/processes/group';
import { processStart } from '@tidemark/processes/identity';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openRunRecords } from './run-records.ts';

const run = { backupId: 'b1', claim: 'token', fence: 1, path: 'root/c1/p' };

describe('records of what runs on this host', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'tidemark-runs-'));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  const leave = (record: object) => writeFileSync(join(folder, 'runs', 'token.json'), JSON.stringify(record));
  const dead = { pid: 2 ** 22 - 3, start: '1' };
  async function startOrphan(): Promise<{ pid: number; start: string }> {
    const child = spawn('/bin/sleep', ['60'], { detached: true, stdio: 'ignore' });
    await once(child, 'spawn');
    const pid = child.pid ?? 0;
    return { pid, start: processStart(pid) ?? '' };
  }

  it('kill what a dead worker left running, and tell of it', async () => {
    const records = await openRunRecords(folder);
    const group = await startOrphan();
    leave({ ...run, worker: dead, group });
    expect(await records.sweep()).toMatchObject([run]);
    expect(isGroupAlive(group.pid)).toBe(false);
  });
  it('leave alone what a living worker runs', async () => {
    const records = await openRunRecords(folder);
    const group = await startOrphan();
    try {
      leave({ ...run, worker: { pid: process.pid, start: processStart(process.pid) }, group });
      expect(await records.sweep()).toEqual([]);
      expect(isGroupAlive(group.pid)).toBe(true);
    } finally {
      signalGroup(group.pid, 'SIGKILL');
    }
  });
  it('never kill a process that only has the pid of the recorded one', async () => {
    const records = await openRunRecords(folder);
    const group = await startOrphan();
    try {
      leave({ ...run, worker: dead, group: { ...group, start: '1' } });
      expect(await records.sweep()).toMatchObject([run]);
      expect(isGroupAlive(group.pid)).toBe(true);
    } finally {
      signalGroup(group.pid, 'SIGKILL');
    }
  });
  it('go with their temporary folder when their end was answered', async () => {
    const records = await openRunRecords(folder);
    const temporary = await records.temporaryFolder('token');
    await records.write({ ...run, group: undefined });
    expect(readdirSync(join(folder, 'runs'))).toEqual(['token.json']);
    await records.remove('token');
    expect(existsSync(temporary)).toBe(false);
    expect(readdirSync(join(folder, 'runs'))).toEqual([]);
  });
  it('that cannot be read hinder nobody', async () => {
    const records = await openRunRecords(folder);
    writeFileSync(join(folder, 'runs', 'broken.json'), '{');
    for (const [name, record] of Object.entries({
      a: null,
      b: 7,
      c: {},
      d: { ...run, worker: {} },
      e: { ...run, worker: dead, group: 1 },
    }))
      writeFileSync(join(folder, 'runs', `${name}.json`), JSON.stringify(record));
    writeFileSync(join(folder, 'runs', 'long.json'), JSON.stringify({ ...run, path: 'x'.repeat(65_536) }));
    expect(await records.sweep()).toEqual([]);
  });
});
