/** What a roll-out does to the backups that run: real workers are told to stop, as `docker stop` does. */
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { isRunning, overlaps, startTidemark, type Tidemark } from './tidemark.ts';

describe('a worker with a drain time', () => {
  let tidemark: Tidemark;
  beforeAll(async () => {
    tidemark = await startTidemark({
      copies: { 'executor-worker': 2 },
      env: { 'executor-worker': { TIDEMARK_DRAIN_SECONDS: '600' } },
    });
  }, 120_000);
  afterAll(async () => {
    for (const one of tidemark?.stack.processes ?? []) if (one.kind === 'executor-worker') one.kill('SIGKILL');
    await tidemark?.[Symbol.asyncDispose]();
  });

  /** A backup that runs for as long as it is told, and the worker that has it. */
  const running = async (name: string, seconds: number) => {
    const clusterId = await tidemark.cluster(name);
    tidemark.demo({ seconds }, clusterId);
    const id = await tidemark.start(clusterId);
    const { pid } = await tidemark.brStarted(clusterId);
    const { attempts } = await tidemark.record(id);
    const worker = tidemark.stack.processes.find((one) => one.name === attempts.at(-1)?.worker);
    if (!worker) throw new Error('there is no such worker');
    return { id, clusterId, pid, worker };
  };
  const readiness = async (operations: string) => {
    const response = await fetch(`http://${operations}/readyz`);
    return { status: response.status, checks: ((await response.json()) as { checks: Record<string, string> }).checks };
  };
  const poolMetrics = async () => {
    const { operations } = tidemark.stack.process('backup-service');
    return (await (await fetch(`http://${operations}/metrics`)).text()).split('\n');
  };

  it('is rolled out under a running br without interrupting it, says that it drains, and takes nothing new', async () => {
    const { id, worker } = await running('rolled-out', 8);
    const stopped = worker.stop();
    await vi.waitFor(async () =>
      expect(await readiness(worker.operations)).toMatchObject({ status: 503, checks: { process: 'draining' } }),
    );
    await vi.waitFor(
      async () =>
        expect(await poolMetrics()).toEqual(
          expect.arrayContaining([
            'tidemark_pool_workers_draining{pool="default"} 1',
            'tidemark_pool_workers{pool="default"} 1',
          ]),
        ),
      { timeout: 7_000, interval: 100 },
    );
    // Two at once, of which the other worker does one after the other.
    const others = [await tidemark.cluster('meanwhile'), await tidemark.cluster('meanwhile')];
    const ids = await Promise.all(others.map((clusterId) => tidemark.start(clusterId)));
    for (const one of ids) {
      const { attempts } = await tidemark.untilState(one, 'Succeeded');
      expect(attempts.map((attempt) => attempt.worker)).not.toContain(worker.name);
    }
    await stopped;
    const record = await tidemark.untilState(id, 'Succeeded');
    expect(record.attempts).toMatchObject([{ worker: worker.name, outcome: 'succeeded' }]);
    expect(await worker.exited()).toEqual({ code: 0, signal: null });
    await worker.start();
    expect(overlaps(tidemark.ledger())).toEqual([]);
  });

  it('stops at once when it is told a second time, and gives back what it has', async () => {
    const { id, pid, worker } = await running('hurried', 4);
    worker.kill('SIGTERM');
    await vi.waitFor(async () => expect((await readiness(worker.operations)).checks.process).toBe('draining'));
    // What comes within a second of the first may be the same Ctrl-C again.
    await vi.waitFor(
      () => {
        worker.kill('SIGTERM');
        expect(worker.running).toBe(false);
      },
      { timeout: 15_000, interval: 1_200 },
    );
    expect(isRunning(pid)).toBe(false);
    const record = await tidemark.untilState(id, 'Succeeded');
    expect(record.attempts.map(({ outcome }) => outcome)).toEqual(['released', 'succeeded']);
    await worker.start();
  });

  it('ends its drain when backup-service is lost', async () => {
    const { id, pid, worker } = await running('alone', 60);
    const service = tidemark.stack.process('backup-service');
    const exited = worker.exited();
    worker.kill('SIGTERM');
    service.kill('SIGKILL');
    await vi.waitFor(() => expect(isRunning(pid)).toBe(false), { timeout: 15_000 });
    await vi.waitFor(
      () =>
        expect(tidemark.logs(worker.name)).toContainEqual(expect.objectContaining({ why: 'backup-service is lost' })),
      { timeout: 15_000 },
    );
    await service.start();
    await exited;
    await worker.start();
    await tidemark.until(id, ({ state }) => state !== 'Succeeded');
  });

  it('that drains is stopped by a cancel of its backup, and ends', async () => {
    const { id, clusterId, worker } = await running('canceled', 60);
    const stopped = worker.stop();
    await vi.waitFor(async () => expect((await readiness(worker.operations)).checks.process).toBe('draining'));
    await tidemark.call('POST', '/backups/cancel', { clusterId, backupId: id });
    await tidemark.untilState(id, 'Canceled');
    await stopped;
    await worker.start();
  });
});
