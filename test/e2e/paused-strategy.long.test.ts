import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { openSince, opensLater, type StrategyView, startTidemark, type Tidemark } from './tidemark.ts';

describe('a strategy', () => {
  let tidemark: Tidemark;
  beforeAll(async () => {
    tidemark = await startTidemark();
  }, 120_000);
  afterAll(() => tidemark?.[Symbol.asyncDispose]());

  const act = async (clusterId: string, verb: 'pause' | 'resume') => {
    const answer = await tidemark.call('POST', `/clusters/${clusterId}/strategies/default/${verb}`);
    expect(answer.code, answer.message).toBe(0);
  };
  /** The scheduler has looked for due windows, and more than once, since this was called. */
  const schedulerWasThere = async () => {
    const witness = await tidemark.cluster('witness');
    await tidemark.saveRule(witness, 'default', openSince(30));
    await tidemark.untilState(await tidemark.windowStarted(witness), 'Succeeded');
  };

  it('that is paused and resumed while its window is open starts nothing, and goes on with the next window', async () => {
    const clusterId = await tidemark.cluster('paused');
    const saved = await tidemark.saveRule(clusterId, 'default', { ...openSince(30), paused: true });
    expect(saved.strategy).toMatchObject({ paused: true, pausedBy: 'cluster' });
    expect(saved.strategy.nextWindow).toBeUndefined();
    expect(await tidemark.warnings(clusterId)).toContainEqual(expect.stringContaining('paused'));
    await schedulerWasThere();
    expect(await tidemark.backups(clusterId)).toEqual([]);

    await act(clusterId, 'resume');
    await act(clusterId, 'pause');
    await act(clusterId, 'resume');
    const { nextWindow } = await tidemark.rule(clusterId);
    expect(Date.parse(nextWindow?.opensAt ?? '')).toBeGreaterThan(Date.now());
    await schedulerWasThere();
    expect(await tidemark.backups(clusterId)).toEqual([]);
    expect(await tidemark.occurrences(clusterId)).toEqual([]);
  });

  it('that is only proposed is previewed without looking as if it were saved', async () => {
    const clusterId = await tidemark.cluster('proposed');
    const saved = await tidemark.saveRule(clusterId, 'default', opensLater());
    const preview = async (body: object) => {
      const path = `/clusters/${clusterId}/strategy/preview`;
      return (await tidemark.call<{ strategy: StrategyView }>('POST', path, body)).data.strategy;
    };
    const proposed = await preview({ strategy: { backupDate: 'Monday', period: '1:00-2:00' } });
    expect(proposed).toMatchObject({ backupDate: 'Monday', revision: 0 });
    expect(proposed).not.toHaveProperty('updateTime');
    expect(await preview({})).toEqual(saved.strategy);
  });

  it('that is paused while its window waits for its turn does not start it after being resumed', async () => {
    const clusterId = await tidemark.cluster('waits');
    tidemark.demo({ seconds: 2 }, clusterId);
    const manual = await tidemark.start(clusterId);
    await tidemark.saveRule(clusterId, 'default', openSince(30));
    const untilWaitsFor = (code: string) =>
      vi.waitFor(
        async () => expect(await tidemark.occurrences(clusterId)).toMatchObject([{ state: 'Pending', code }]),
        { timeout: 15_000 },
      );
    await untilWaitsFor('CLUSTER_BUSY');
    await act(clusterId, 'pause');
    await untilWaitsFor('STRATEGY_PAUSED');
    await act(clusterId, 'resume');
    await tidemark.untilState(manual, 'Succeeded');
    await schedulerWasThere();
    expect(await tidemark.occurrences(clusterId)).toMatchObject([{ state: 'Pending', code: 'STRATEGY_PAUSED' }]);
    expect((await tidemark.backups(clusterId)).map(({ id }) => id)).toEqual([manual]);
  });

  it('that is run now starts one backup, paused or not, and its plan stays', async () => {
    const clusterId = await tidemark.cluster('now');
    const { strategy: before } = await tidemark.saveRule(clusterId, 'default', opensLater());
    const run = (headers: Record<string, string>) =>
      tidemark.call<{ backupId: string }>('POST', `/clusters/${clusterId}/strategies/default/run`, undefined, headers);
    const first = await run({ 'idempotency-key': 'once' });
    expect(first).toMatchObject({ status: 200 });
    expect(await run({ 'idempotency-key': 'once' })).toMatchObject({ data: first.data });
    const record = await tidemark.untilState(first.data.backupId, 'Succeeded');
    expect(record).toMatchObject({ origin: 'request', rule: 'default' });
    expect((await tidemark.rule(clusterId)).nextWindow).toEqual(before.nextWindow);

    await act(clusterId, 'pause');
    const second = await run({});
    await tidemark.untilState(second.data.backupId, 'Succeeded');
    expect(await tidemark.rule(clusterId)).toMatchObject({ paused: true });
    expect(await tidemark.backups(clusterId)).toHaveLength(2);
    expect(await tidemark.occurrences(clusterId)).toEqual([]);
  });
});
