import { MongoClient } from 'mongodb';
import { afterAll, beforeAll, describe, expect, inject, it, vi } from 'vitest';
import { isRunning, overlaps, startTidemark, type Tidemark } from './tidemark.ts';

describe('a worker that dies', () => {
  let tidemark: Tidemark;
  beforeAll(async () => {
    tidemark = await startTidemark({ copies: { 'executor-worker': 2 } });
  }, 120_000);
  afterAll(() => tidemark?.[Symbol.asyncDispose]());

  const workerOf = async (id: string) => {
    const name = (await tidemark.record(id)).attempts.at(-1)?.worker;
    const worker = tidemark.stack.processes.find((one) => one.name === name);
    if (!worker) throw new Error(`there is no worker ${name}`);
    return worker;
  };

  it('in the middle of a run takes its br with it, and another worker finishes the backup, once (T13, T14)', async () => {
    const clusterId = await tidemark.cluster('killed');
    tidemark.demo({ seconds: 2 }, clusterId);
    const id = await tidemark.start(clusterId);
    const { pid } = await tidemark.brStarted(clusterId);
    const worker = await workerOf(id);
    worker.kill('SIGKILL');
    await vi.waitFor(() => expect(isRunning(pid)).toBe(false), { timeout: 10_000 });
    const record = await tidemark.untilState(id, 'Succeeded', 40);
    expect(record.attempts.map(({ outcome }) => outcome)).toEqual(['lost', 'succeeded']);
    expect(record.attempts[1]?.worker).not.toBe(worker.name);
    // br has a lock of its own, so the second worker went on in the same path.
    expect(new Set(record.attempts.map(({ filePath }) => filePath)).size).toBe(1);
    expect(overlaps(tidemark.ledger())).toEqual([]);
    await worker.start();
  });

  const letDeadlinePass = async (id: string) => {
    await using mongo = new MongoClient(inject('mongodbUrl'));
    const backups = mongo.db(tidemark.database).collection<{ _id: string }>('backups');
    await backups.updateOne({ _id: id }, { $set: { deadline: new Date(0) } });
  };

  it.each([
    ['between the success of br and its report loses nothing: the finished backup is adopted, not run again', false],
    ['so, and whose task nobody takes up before the deadline, loses nothing either', true],
  ])('%s', async (_, overdue) => {
    const clusterId = await tidemark.cluster('adopted');
    // demo-br kills the worker once backupmeta is written.
    tidemark.demo({ seconds: 0.3, outcome: { kind: 'kill-parent', at: 1, times: 1 } }, clusterId);
    const id = await tidemark.start(clusterId);
    await tidemark.brStarted(clusterId);
    if (overdue) await letDeadlinePass(id);
    const record = await tidemark.untilState(id, 'Succeeded', 40);
    const dead = tidemark.stack.processes.filter((one) => !one.running);
    expect(dead.map(({ kind }) => kind)).toEqual(['executor-worker']);
    expect(record.attempts.map(({ outcome }) => outcome)).toEqual(['lost', 'succeeded']);
    expect(tidemark.ledger().filter(({ path, event }) => path.includes(clusterId) && event === 'start')).toHaveLength(
      1,
    );
    expect(tidemark.files(record.filePath)).toContain('tidemark.json');
    for (const one of dead) await one.start();
  });

  it('leaves files that are removed when the backup was canceled meanwhile', async () => {
    const clusterId = await tidemark.cluster('canceled');
    tidemark.demo({ seconds: 30 }, clusterId);
    const id = await tidemark.start(clusterId);
    await tidemark.brStarted(clusterId);
    const worker = await workerOf(id);
    worker.kill('SIGSTOP');
    await tidemark.call('POST', '/backups/cancel', { clusterId, backupId: id });
    worker.kill('SIGKILL');
    const record = await tidemark.untilState(id, 'Canceled', 40);
    await vi.waitFor(() => expect(tidemark.files(record.filePath)).toEqual([]), { timeout: 20_000 });
    await worker.start();
  });

  it('gives its backup to another when it is stopped in good order, without counting it', async () => {
    const clusterId = await tidemark.cluster('drained');
    tidemark.demo({ seconds: 3 }, clusterId);
    const id = await tidemark.start(clusterId);
    await tidemark.brStarted(clusterId);
    const worker = await workerOf(id);
    await worker.stop();
    const record = await tidemark.untilState(id, 'Succeeded', 40);
    expect(record.attempts.map(({ outcome }) => outcome)).toEqual(['released', 'succeeded']);
    expect(overlaps(tidemark.ledger())).toEqual([]);
    await worker.start();
  });

  it('ends a cancel as canceled although it drains at the same moment', async () => {
    const clusterId = await tidemark.cluster('draining');
    tidemark.demo({ seconds: 30, outcome: 'ignore-term' }, clusterId);
    const id = await tidemark.start(clusterId);
    await tidemark.brStarted(clusterId);
    const worker = await workerOf(id);
    const stopped = worker.stop();
    const answer = await tidemark.call('POST', '/backups/cancel', { clusterId, backupId: id });
    expect(answer.status).toBe(200);
    const record = await tidemark.untilState(id, 'Canceled', 40);
    expect(record.attempts.at(-1)?.outcome).toMatch(/released|stopped/);
    await stopped;
    await worker.start();
  });
});
