import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { overlaps, startTidemark, type Tidemark } from './tidemark.ts';

describe('when a server fails', () => {
  let tidemark: Tidemark;
  beforeAll(async () => {
    tidemark = await startTidemark({
      ownServers: true,
      copies: { 'executor-worker': 1 },
    });
  }, 120_000);
  afterAll(() => tidemark?.[Symbol.asyncDispose]());

  const allReady = () =>
    vi.waitFor(
      async () => {
        for (const { operations, name } of tidemark.stack.processes)
          expect((await fetch(`http://${operations}/readyz`)).status, name).toBe(200);
      },
      { timeout: 30_000, interval: 200 },
    );

  it('a backup is accepted without the broker, and the service that accepted it may be killed: it still runs (T2)', async () => {
    const clusterId = await tidemark.cluster('unpublished');
    await tidemark.stack.broker.stop();
    const id = await tidemark.start(clusterId);
    const service = tidemark.stack.process('backup-service');
    service.kill('SIGKILL');
    await service.exited();
    await tidemark.stack.broker.start();
    await service.start();
    const record = await tidemark.untilState(id, 'Succeeded', 40);
    expect(record.attempts).toHaveLength(1);
  });

  it('a broker that is stopped and wiped loses nothing: waiting and running backups both finish, once (T8)', async () => {
    await allReady();
    const running = await tidemark.cluster('running');
    const waiting = await tidemark.cluster('waiting');
    tidemark.demo({ seconds: 4 }, running);
    const first = await tidemark.start(running);
    await tidemark.brStarted(running);
    const second = await tidemark.start(waiting); // rings, but the only worker is busy
    await tidemark.stack.broker.wipe();
    for (const id of [first, second]) {
      const record = await tidemark.untilState(id, 'Succeeded', 60);
      expect(record.attempts.map(({ outcome }) => outcome)).toEqual(['succeeded']);
    }
    expect(overlaps(tidemark.ledger())).toEqual([]);
  });

  it('a database that is restarted interrupts no backup that runs', async () => {
    await allReady();
    const clusterId = await tidemark.cluster('restarted');
    tidemark.demo({ seconds: 5 }, clusterId);
    const id = await tidemark.start(clusterId);
    await tidemark.brStarted(clusterId);
    await tidemark.stack.database.kill();
    await tidemark.stack.database.start();
    await allReady();
    const record = await tidemark.untilState(id, 'Succeeded', 60);
    expect(overlaps(tidemark.ledger())).toEqual([]);
    expect(tidemark.files(record.filePath)).toContain('backupmeta');
  });

  it('the answer while the database is away is 503 with Retry-After, within two seconds, and names no driver', async () => {
    await allReady();
    const clusterId = await tidemark.cluster('away');
    await tidemark.stack.database.stop();
    const startedAt = performance.now();
    const answer = await tidemark.call('POST', '/backups', { clusterId });
    expect(performance.now() - startedAt).toBeLessThan(2_500);
    expect(answer).toMatchObject({ status: 503, code: 20602 });
    expect(answer.headers.get('retry-after')).toMatch(/^\d+$/);
    expect(answer.message).not.toMatch(/mongo|ECONN/i);
    await tidemark.stack.database.start();
    await allReady();
    const id = await tidemark.start(clusterId);
    await tidemark.untilState(id, 'Succeeded', 40);
  });
});
