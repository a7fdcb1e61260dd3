import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { openSince, opensLater, startTidemark, type Tidemark } from './tidemark.ts';

const NAME = 'prod-nightly';
const FLEET = { kind: 'fleet', name: NAME };
const OWN = { kind: 'cluster' };
/** Beyond this, "within seconds" is a lie. */
const SECONDS = { timeout: 15_000, interval: 100 };

describe('a strategy for labels', () => {
  let tidemark: Tidemark;
  beforeAll(async () => {
    tidemark = await startTidemark({ copies: { 'strategy-service': 2 } });
  }, 120_000);
  afterAll(() => tidemark?.[Symbol.asyncDispose]());

  const prod = (name: string) => tidemark.cluster(name, { labels: { env: 'prod', team: name } });
  const save = async (strategy: Record<string, unknown>) => {
    const answer = await tidemark.patiently('PUT', `/strategies/${NAME}`, { strategy });
    expect(answer.code, answer.message).toBe(0);
  };
  const untilRule = (clusterId: string, wanted: Record<string, unknown>) =>
    vi.waitFor(async () => {
      const rule = await tidemark.rule(clusterId);
      expect(rule).toMatchObject(wanted);
      return rule;
    }, SECONDS);
  const rulesOf = async (clusterId: string) =>
    (await tidemark.patiently<{ strategies: object[] }>('GET', `/clusters/${clusterId}/strategies`)).data.strategies;
  const metrics = async () => {
    const { operations } = tidemark.stack.process('scheduler-service');
    return (await fetch(`http://${operations}/metrics`)).text();
  };

  it('reaches its clusters within seconds, gives way to their own, and starts nothing at once', async () => {
    const early = await prod('early');
    const other = await tidemark.cluster('other', { labels: { env: 'test' } });
    const open = openSince(30);
    await save({ ...open, selector: { env: 'prod' } });
    const late = await prod('late');
    for (const clusterId of [early, late]) {
      const { nextWindow } = await untilRule(clusterId, { source: FLEET, period: open.period });
      expect(Date.parse(nextWindow?.opensAt ?? '')).toBeGreaterThan(Date.now());
    }
    await vi.waitFor(async () => {
      const { data } = await tidemark.patiently('GET', `/strategies/${NAME}`);
      expect(data).toMatchObject({ strategy: { applied: true, clusters: 2 } });
    }, SECONDS);
    expect(await rulesOf(other)).toEqual([]);

    const [own, { period }] = [opensLater(3), opensLater(5)];
    await tidemark.patiently('PUT', `/clusters/${early}/strategy`, { strategy: own });
    await save({ period });
    await untilRule(late, { source: FLEET, period });
    expect(await tidemark.rule(early)).toMatchObject({ source: OWN, period: own.period });

    expect(await tidemark.call('DELETE', `/clusters/${early}/strategy`)).toMatchObject({ status: 200 });
    expect(await tidemark.rule(early)).toMatchObject({ source: FLEET, period });
    expect(await tidemark.call('DELETE', `/clusters/${early}/strategy`)).toMatchObject({ status: 409, code: 20607 });
    for (const clusterId of [early, late]) expect(await tidemark.backups(clusterId)).toEqual([]);
  });

  it('that is paused plans nothing for any of its clusters until it is resumed', async () => {
    const clusterId = await prod('stops');
    await save({ ...opensLater(), selector: { env: 'prod' } });
    await untilRule(clusterId, { source: FLEET, nextWindow: expect.anything() });
    await save({ paused: true });
    const paused = await untilRule(clusterId, { paused: true, pausedBy: 'fleet' });
    expect(paused.nextWindow).toBeUndefined();
    await save({ paused: false });
    const resumed = await untilRule(clusterId, { paused: false, nextWindow: expect.anything() });
    expect(Date.parse(resumed.nextWindow?.opensAt ?? '')).toBeGreaterThan(Date.now());
  });

  it('leaves clusters that lose the label or are deleted, and these leave the metrics', async () => {
    const loses = await prod('loses');
    const goes = await prod('goes');
    await save({ ...opensLater(), selector: { env: 'prod' } });
    for (const clusterId of [loses, goes]) await untilRule(clusterId, { source: FLEET });
    await vi.waitFor(async () => expect(await metrics()).toContain(goes), SECONDS);

    const registration = { pd: ['127.0.0.1:2379'], version: '8.5.0', storageId: 'local' };
    await tidemark.patiently('PUT', `/clusters/${loses}`, registration);
    expect(await tidemark.call('DELETE', `/clusters/${goes}`)).toMatchObject({ status: 200 });
    await vi.waitFor(async () => expect(await rulesOf(loses)).toEqual([]), SECONDS);
    await vi.waitFor(async () => expect(await metrics()).not.toContain(goes), SECONDS);
    // Registered once more, it is a new one that has nothing yet.
    await tidemark.patiently('PUT', `/clusters/${goes}`, registration);
    expect(await rulesOf(goes)).toEqual([]);
  });
});
