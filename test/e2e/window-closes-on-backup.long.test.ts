import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { EVERY_DAY, inMinutes, startTidemark, type Tidemark } from './tidemark.ts';

describe('a window that closes while its backup runs', () => {
  let tidemark: Tidemark;
  beforeAll(async () => {
    tidemark = await startTidemark({ copies: { 'executor-worker': 2 } });
  }, 120_000);
  afterAll(() => tidemark?.[Symbol.asyncDispose]());

  it('stops it and removes its files where the rule says so, and else lets it run', async () => {
    const stops = await tidemark.cluster('stops');
    const goesOn = await tidemark.cluster('goes-on');
    // Windows end at full minutes; this one leaves time for both to start.
    const closesAt = Math.ceil((Date.now() + 8_000) / 60_000) * 60_000;
    const open = { backupDate: EVERY_DAY, period: `${inMinutes(-30)}-${inMinutes(0, closesAt)}`, timeZone: 'UTC' };
    tidemark.demo({ seconds: 300, progressIntervalSeconds: 0.1 }, stops);
    tidemark.demo({ seconds: (closesAt - Date.now()) / 1000 + 4, progressIntervalSeconds: 0.1 }, goesOn);

    await tidemark.saveRule(stops, 'default', { ...open, windowEnd: 'stop' });
    await tidemark.saveRule(goesOn, 'default', open);
    const stopped = expect.stringContaining('is stopped and its files are removed');
    expect(await tidemark.warnings(stops)).toContainEqual(stopped);
    expect(await tidemark.warnings(goesOn)).not.toContainEqual(stopped);
    const cut = await tidemark.windowStarted(stops);
    const whole = await tidemark.windowStarted(goesOn);
    const { filePath } = await tidemark.untilState(cut, 'Running');
    await vi.waitFor(() => expect(tidemark.files(filePath)).not.toEqual([]), { timeout: 20_000 });

    const canceled = await tidemark.untilState(cut, 'Canceled', 100);
    expect(canceled.reason).toMatchObject({
      code: 'WINDOW_CLOSED',
      message: expect.stringContaining('the next window starts anew'),
    });
    expect(Date.parse(canceled.endTime)).toBeGreaterThanOrEqual(closesAt);
    await vi.waitFor(() => expect(tidemark.files(filePath)).toEqual([]), { timeout: 20_000 });
    const { nextWindow } = await tidemark.rule(stops);
    expect(Date.parse(nextWindow?.opensAt ?? '')).toBeGreaterThan(closesAt);

    const finished = await tidemark.untilState(whole, 'Succeeded');
    expect(Date.parse(finished.endTime)).toBeGreaterThan(closesAt);
    for (const clusterId of [stops, goesOn]) {
      expect(await tidemark.backups(clusterId)).toHaveLength(1);
      expect(await tidemark.occurrences(clusterId)).toMatchObject([{ state: 'Started' }]);
    }
  }, 150_000);
});
