import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { isRunning, overlaps, startTidemark, type Tidemark } from './tidemark.ts';

describe('a worker that is frozen beyond its lease', () => {
  let tidemark: Tidemark;
  beforeAll(async () => {
    tidemark = await startTidemark({ copies: { 'executor-worker': 2 } });
  }, 120_000);
  afterAll(() => tidemark?.[Symbol.asyncDispose]());

  it('has its br ended by the guard before another starts one, and touches nothing when it wakes (T4, T13)', async () => {
    const clusterId = await tidemark.cluster('frozen');
    tidemark.demo({ seconds: 4 }, clusterId);
    const id = await tidemark.start(clusterId);
    const { pid } = await tidemark.brStarted(clusterId);
    const name = (await tidemark.record(id)).attempts[0]?.worker;
    const worker = tidemark.stack.processes.find((one) => one.name === name);
    worker?.kill('SIGSTOP');
    const second = await tidemark.brStarted(clusterId, 2);
    expect(isRunning(pid)).toBe(false);
    expect(second.pid).not.toBe(pid);
    worker?.kill('SIGCONT');
    const record = await tidemark.untilState(id, 'Succeeded', 40);
    expect(record.attempts.map(({ outcome }) => outcome)).toEqual(['lost', 'succeeded']);
    expect(overlaps(tidemark.ledger())).toEqual([]);
    // What the woken worker tells about a path that is still wanted changes nothing.
    await vi.waitFor(() => expect(tidemark.logs(name).some(({ outcome }) => outcome === 'lost')).toBe(true), {
      timeout: 15_000,
    });
    expect(tidemark.files(record.filePath)).toContain('backupmeta');
    expect(await tidemark.record(id)).toMatchObject({ state: 'Succeeded', deletion: { state: 'None' } });
    const next = await tidemark.start(clusterId);
    await tidemark.untilState(next, 'Succeeded', 40);
  });

  it('is told from one that lives while backup-service was frozen itself: nothing is counted as lost (T2, T14)', async () => {
    const clusterId = await tidemark.cluster('unanswered');
    tidemark.demo({ seconds: 5 }, clusterId);
    const id = await tidemark.start(clusterId);
    const { pid } = await tidemark.brStarted(clusterId);
    const service = tidemark.stack.process('backup-service');
    service.kill('SIGSTOP');
    // Without answered renewals the guard ends br, long before its lease could be given to somebody else.
    await vi.waitFor(() => expect(isRunning(pid)).toBe(false), { timeout: 15_000 });
    const frozenAt = performance.now();
    await vi.waitFor(() => expect(performance.now() - frozenAt).toBeGreaterThan(3_000), { timeout: 10_000 });
    service.kill('SIGCONT');
    const record = await tidemark.untilState(id, 'Succeeded', 40);
    expect(record.attempts.map(({ outcome }) => outcome)).toEqual(['released', 'succeeded']);
    expect(overlaps(tidemark.ledger())).toEqual([]);
  });
});
