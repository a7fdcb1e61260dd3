import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { isRunning, startTidemark, type Tidemark } from './tidemark.ts';

/** Both are one to the watchdog, which looks at what is printed (TIDEMARK_LONG_TESTS=1). */
const STUCK = process.env.TIDEMARK_LONG_TESTS === '1' ? ['stall', 'hang'] : ['stall'];

describe('a br that behaves as none should', () => {
  let tidemark: Tidemark;
  beforeAll(async () => {
    tidemark = await startTidemark({
      copies: { 'executor-worker': 1 },
      env: { 'executor-worker': { TIDEMARK_STALL_SECONDS: '6' } },
    });
  }, 120_000);
  afterAll(() => tidemark?.[Symbol.asyncDispose]());

  const run = async (name: string, script: Record<string, unknown>) => {
    const clusterId = await tidemark.cluster(name);
    tidemark.demo({ seconds: 0.5, ...script }, clusterId);
    return { clusterId, id: await tidemark.start(clusterId) };
  };
  const log = async (id: string) => {
    const response = await fetch(`${tidemark.stack.url}/api/v1/backups/${id}/log`, {
      headers: { authorization: `Bearer ${tidemark.stack.token}` },
    });
    expect(response.status).toBe(200);
    return response.text();
  };

  it.each([
    // 300 MB go through guard and reader in extremes.test.ts; the short leases here are no match for a busy machine.
    ['prints more than is kept', { kind: 'flood', megabytes: 12 }],
    ['prints one line of 12 MB', { kind: 'long-line', megabytes: 12 }],
    ['has errors in its log', { kind: 'noisy' }],
    ['leaves a child behind that ignores TERM', { kind: 'fork', childSeconds: 600 }],
  ])('%s is backed up with all the same', async (_, outcome) => {
    const { id } = await run('odd', { outcome });
    const record = await tidemark.untilState(id, 'Succeeded', 50);
    expect(record.attempts.map((attempt) => attempt.outcome)).toEqual(['succeeded']);
    const text = await log(id);
    expect(text).toMatch(/^==> attempt 1, br v/);
    expect(text).toContain('Full Backup success summary');
    expect(Buffer.byteLength(text)).toBeLessThan(11 * 1024 * 1024);
  });

  it('closes its pipes early is not believed, since nobody heard of a success, but what it wrote is', async () => {
    const { id } = await run('mute', { outcome: { kind: 'close-pipes' } });
    const record = await tidemark.untilState(id, 'Succeeded', 40);
    expect(tidemark.files(record.filePath)).toContain('backupmeta');
  });

  it('waits for a TiKV that is down says which on its record and since when, until it goes on', async () => {
    const { id } = await run('away', { outcome: { kind: 'store-away', awaySeconds: 4 } });
    const waits = await tidemark.until(id, ({ waiting }) => waiting?.store === '4', 30);
    expect(waits).toMatchObject({
      state: 'Running',
      waiting: { code: 'STORE_AWAY', since: expect.stringMatching(/^2/) },
    });
    await tidemark.until(id, ({ waiting }) => waiting === undefined, 30);
    expect((await tidemark.untilState(id, 'Succeeded', 40)).waiting).toBeUndefined();
  });

  it('is killed from elsewhere is tried again within seconds, and goes on where it stopped', async () => {
    const { id } = await run('oom', { outcome: { kind: 'crash', times: 1 } });
    const record = await tidemark.untilState(id, 'Succeeded', 40);
    expect(record.attempts.map(({ outcome }) => outcome)).toEqual(['retry', 'succeeded']);
    expect(record.attempts[0]).toMatchObject({ reason: { message: expect.stringContaining('want of memory') } });
    expect(record.nextTryTime).toBeUndefined();
  });

  it.each(STUCK)(
    'does not get on (%s) is stopped by the watchdog with its goroutines in the log, and goes on where it stopped',
    async (kind) => {
      const { id, clusterId } = await run('stuck', { outcome: { kind, times: 1 } });
      const record = await tidemark.untilState(id, 'Succeeded', 60);
      expect(record.attempts.map(({ outcome }) => outcome)).toEqual(['retry', 'succeeded']);
      expect(record.attempts[0]).toMatchObject({ reason: { code: 'STALLED' } });
      expect(new Set(record.attempts.map(({ filePath }) => filePath)).size).toBe(1);
      const text = await log(id);
      expect(text).toContain('br hangs; its goroutines');
      expect(text).toMatch(/goroutine \d+ \[/);
      expect(text).toMatch(/==> attempt 2, br v/);
      for (const { pid, path } of tidemark.ledger()) if (path.includes(clusterId)) expect(isRunning(pid)).toBe(false);
    },
  );

  it('ignores being told to stop is asked for its goroutines, and then killed with all its children', async () => {
    const { id, clusterId } = await run('deaf', { seconds: 60, outcome: { kind: 'ignore-term' } });
    const { pid } = await tidemark.brStarted(clusterId);
    await tidemark.until(id, ({ progress }) => progress.percent > 0);
    await tidemark.call('POST', '/backups/cancel', { clusterId, backupId: id });
    await tidemark.untilState(id, 'Canceled', 40);
    expect(isRunning(pid)).toBe(false);
    expect(await log(id)).toContain('br hangs; its goroutines');
  });

  it('can be listened to while it runs, by anybody who may see its cluster, until it ends', async () => {
    const { id } = await run('live', { seconds: 3, progressIntervalSeconds: 0.2 });
    const response = await fetch(`${tidemark.stack.url}/api/v1/backups/${id}/log?follow=true`, {
      headers: { authorization: `Bearer ${tidemark.stack.token}` },
    });
    let text = '';
    let heardWhileRunning = false;
    for await (const chunk of response.body?.pipeThrough(new TextDecoderStream()) ?? []) {
      text += chunk;
      if (!heardWhileRunning && text.includes('[progress]')) {
        heardWhileRunning = true;
        expect((await tidemark.record(id)).state).toBe('Running');
      }
    }
    expect(heardWhileRunning).toBe(true);
    expect(text).toContain('Full Backup success summary');
    await vi.waitFor(async () => expect((await tidemark.record(id)).state).toBe('Succeeded'));
    expect(await log(id)).toBe(text);
  });
});
