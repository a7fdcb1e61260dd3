import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { EVERY_DAY, inMinutes, startTidemark, type Tidemark } from './tidemark.ts';

/** That windows open on the minute, and not before, is what a simulated year is about; here one is waited for in real time. */
const inRealTime = it.runIf(process.env.TIDEMARK_LONG_TESTS === '1');

describe('a strategy', () => {
  let tidemark: Tidemark;
  beforeAll(async () => {
    tidemark = await startTidemark({ copies: { 'scheduler-service': 3 } });
  }, 120_000);
  afterAll(() => tidemark?.[Symbol.asyncDispose]());

  const save = (clusterId: string, period: string) =>
    tidemark.patiently('PUT', `/clusters/${clusterId}/strategy`, {
      strategy: { backupDate: EVERY_DAY, period, timeZone: 'UTC' },
    });
  const backups = (clusterId: string) => tidemark.backups(clusterId);
  const occurrences = (clusterId: string) => tidemark.occurrences(clusterId);

  it('saved for a window that is open now starts one backup by itself, with three schedulers at work', async () => {
    const clusterId = await tidemark.cluster('open');
    expect(await save(clusterId, `${inMinutes(-30)}-${inMinutes(60)}`)).toMatchObject({ status: 200 });
    const [backup] = await vi.waitFor(
      async () => {
        const found = await backups(clusterId);
        expect(found).toHaveLength(1);
        return found;
      },
      { timeout: 20_000, interval: 100 },
    );
    const record = await tidemark.untilState(backup?.id ?? '', 'Succeeded');
    expect(record).toMatchObject({ origin: 'schedule', createdBy: 'scheduler' });
    await vi.waitFor(async () =>
      expect(await occurrences(clusterId)).toMatchObject([{ state: 'Started', backupId: record.id }]),
    );
    // Saved again, the window that was taken up starts no second one.
    await save(clusterId, `${inMinutes(-30)}-${inMinutes(60)}`);
    await vi.waitFor(
      async () => {
        const { data } = await tidemark.patiently<{ strategy: { nextWindow: { opensAt: string } } }>(
          'GET',
          `/clusters/${clusterId}/strategy`,
        );
        expect(Date.parse(data.strategy.nextWindow.opensAt)).toBeGreaterThan(Date.now());
      },
      { timeout: 15_000 },
    );
    expect(await backups(clusterId)).toHaveLength(1);
  });

  it('of a busy cluster waits for its turn in the window and then starts, although a scheduler is killed', async () => {
    const clusterId = await tidemark.cluster('waits');
    tidemark.demo({ seconds: 3 }, clusterId);
    const manual = await tidemark.start(clusterId);
    await save(clusterId, `${inMinutes(-30)}-${inMinutes(60)}`);
    await vi.waitFor(async () => expect(await occurrences(clusterId)).toMatchObject([{ state: 'Pending' }]), {
      timeout: 15_000,
    });
    tidemark.stack.process('scheduler-service').kill('SIGKILL');
    await tidemark.untilState(manual, 'Succeeded');
    await vi.waitFor(async () => expect(await occurrences(clusterId)).toMatchObject([{ state: 'Started' }]), {
      timeout: 20_000,
    });
    expect(await backups(clusterId)).toHaveLength(2);
    await tidemark.stack.process('scheduler-service').start();
  });

  inRealTime(
    'for a window that opens in a minute starts its backup then',
    async () => {
      const clusterId = await tidemark.cluster('soon');
      await save(clusterId, `${inMinutes(1)}-${inMinutes(60)}`);
      const opensAt = Math.ceil(Date.now() / 60_000) * 60_000;
      expect(await backups(clusterId)).toEqual([]);
      await vi.waitFor(async () => expect(await backups(clusterId)).toHaveLength(1), {
        timeout: 90_000,
        interval: 500,
      });
      expect(Date.now()).toBeGreaterThanOrEqual(opensAt);
    },
    120_000,
  );
});
