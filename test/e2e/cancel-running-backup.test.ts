import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { isRunning, startTidemark, type Tidemark } from './tidemark.ts';

describe('canceling', () => {
  let tidemark: Tidemark;
  beforeAll(async () => {
    tidemark = await startTidemark();
  }, 120_000);
  afterAll(() => tidemark?.[Symbol.asyncDispose]());

  const running = async (name: string, script: Record<string, unknown> = {}) => {
    const clusterId = await tidemark.cluster(name);
    tidemark.demo({ seconds: 60, ...script }, clusterId);
    const id = await tidemark.start(clusterId);
    const { pid } = await tidemark.brStarted(clusterId);
    return { clusterId, id, pid };
  };

  it('ends the process, removes the partial files and says so', async () => {
    const { clusterId, id, pid } = await running('cancel');
    await vi.waitFor(() => expect(tidemark.files(`nfs/em/backup/${clusterId}`).length).toBeGreaterThan(2), {
      timeout: 10_000,
    });
    const answer = await tidemark.call('POST', '/backups/cancel', { clusterId, backupId: id });
    expect(answer).toMatchObject({ status: 200, code: 0 });
    const record = await tidemark.untilState(id, 'Canceled');
    expect(record.status).toBe('Failed');
    expect(isRunning(pid)).toBe(false);
    await vi.waitFor(() => expect(tidemark.files(record.filePath)).toEqual([]), { timeout: 15_000 });
    const again = await tidemark.call('POST', '/backups/cancel', { clusterId, backupId: id });
    expect(again).toMatchObject({ status: 409, code: 20611 });
  });

  it('is fine to repeat while it is under way, and kills a br that will not listen', async () => {
    const { clusterId, id, pid } = await running('stubborn', { outcome: 'ignore-term' });
    for (let times = 0; times < 2; times += 1)
      expect(await tidemark.call('POST', '/backups/cancel', { clusterId, backupId: id })).toMatchObject({
        status: 200,
      });
    await tidemark.untilState(id, 'Canceled');
    expect(isRunning(pid)).toBe(false);
  });

  it('leaves the cluster free for the next backup', async () => {
    const { clusterId, id } = await running('next');
    await tidemark.call('POST', '/backups/cancel', { clusterId, backupId: id });
    await tidemark.untilState(id, 'Canceled');
    tidemark.demo({ seconds: 0.2 }, clusterId);
    const next = await tidemark.start(clusterId);
    await tidemark.untilState(next, 'Succeeded');
  });

  it('racing the end leaves one truth: canceled with its files removed, or finished and the cancel refused (T12)', async () => {
    for (let round = 0; round < 4; round += 1) {
      const clusterId = await tidemark.cluster('race');
      tidemark.demo({ seconds: 0.3 }, clusterId);
      const id = await tidemark.start(clusterId);
      await tidemark.until(id, ({ progress }) => progress.percent > 20 + 20 * round || progress.percent === 100);
      const { status } = await tidemark.call('POST', '/backups/cancel', { clusterId, backupId: id });
      const record = await tidemark.until(id, ({ endTime }) => !endTime.startsWith('0001'));
      expect(record.state).toBe(status === 200 ? 'Canceled' : 'Succeeded');
      if (status === 200)
        await vi.waitFor(() => expect(tidemark.files(record.filePath)).toEqual([]), { timeout: 15_000 });
      else expect(tidemark.files(record.filePath)).toContain('backupmeta');
    }
  });
});
