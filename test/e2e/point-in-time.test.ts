/** A cluster that writes rows all the time is brought back to one moment, and holds exactly the rows that were there then. */
import { clusterDigests } from '@tidemark/demo-br/cluster-digests';
import { performTask } from '@tidemark/demo-br/demo-cluster-task';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { startTidemark, type Tidemark } from './tidemark.ts';

const WAIT = { timeout: 60_000, interval: 200 };
const SOURCE_PD = '10.3.0.1:2379';

interface Range {
  readonly from: string;
  readonly to: string;
  readonly fromTso: string;
  readonly toTso: string;
  readonly baseBackupId: string;
}
interface Plan {
  readonly planHash: string;
  readonly estimate: { readonly basis: string };
  readonly source: { readonly backupId: string; readonly log: { readonly tso: string; readonly path: string } };
}

let tidemark: Tidemark;
let sourceId: string;
/** Its log as it was once it led two seconds beyond the base. */
let range: Range;

beforeAll(async () => {
  tidemark = await startTidemark({ env: { all: { TIDEMARK_RING_SECONDS: '2' } } });
  sourceId = await tidemark.cluster('shop', { pd: [SOURCE_PD] });
  await tidemark.demoCluster(SOURCE_PD).touch();
  const writes = { db: 'shop', table: 'ticks', everyMs: 50, since: Date.now() };
  await tidemark.demoCluster(SOURCE_PD).changeState(() => ({ writes }));
  expect(await tidemark.call('PUT', `/clusters/${sourceId}/log-backup`, { storageId: 'local' })).toMatchObject({
    status: 200,
  });
  range = await vi.waitFor(async () => {
    const [found] = await ranges();
    if (!found || Date.parse(found.to) - Date.parse(found.from) < 2_000) throw new Error('the log is not far enough');
    return found;
  }, WAIT);
}, 180_000);
afterAll(() => tidemark[Symbol.asyncDispose]());

const ranges = async () =>
  (await tidemark.patiently<{ ranges: Range[] }>('GET', `/clusters/${sourceId}/recovery-points`)).data.ranges;
const middleOf = ({ from, to }: Range) => new Date((Date.parse(from) + Date.parse(to)) / 2).toISOString();
const rowsAt = (time: string) => clusterDigests(tidemark.demoCluster(SOURCE_PD), BigInt(Date.parse(time)) << 18n);

async function emptyTarget(pd: string): Promise<string> {
  const id = await tidemark.cluster('scratch', { pd: [pd], purpose: 'scratch' });
  await performTask(tidemark.demoCluster(pd), { verb: 'empty' }, AbortSignal.timeout(10_000));
  return id;
}

const plan = (source: object, targetClusterId: string) =>
  tidemark.patiently<{ plan: Plan }>('POST', '/restores/plan', { source, targetClusterId });

const untilOver = (restoreId: string) =>
  vi.waitFor(async () => {
    const { data } = await tidemark.patiently<{ restore: Record<string, unknown> }>('GET', `/restores/${restoreId}`);
    if (['Queued', 'Running', 'Canceling'].includes(String(data.restore.state))) throw new Error(JSON.stringify(data));
    return data.restore;
  }, WAIT);

it('of a moment between two rows, the rows up to it are there and none after it', async () => {
  const pd = '10.3.0.2:2379';
  const targetClusterId = await emptyTarget(pd);
  const pointInTime = middleOf(range);
  const source = { clusterId: sourceId, pointInTime };
  const planned = (await plan(source, targetClusterId)).data.plan;
  expect(planned.estimate.basis).toContain('What the log adds is not in it.');
  const tso = String(BigInt(Date.parse(pointInTime)) << 18n);
  expect(planned.source).toMatchObject({ backupId: range.baseBackupId, log: { pointInTime, tso } });
  const body = { source, targetClusterId, planHash: planned.planHash, confirm: targetClusterId };
  const started = await tidemark.patiently<{ restoreId: string }>('POST', '/restores', body);
  expect(started).toMatchObject({ status: 200 });
  expect(await untilOver(started.data.restoreId)).toMatchObject({
    state: 'Succeeded',
    targetState: 'Restored',
    source: { log: { pointInTime, tso } },
    argv: expect.arrayContaining(['point', '--restored-ts', tso]),
  });
  expect(await clusterDigests(tidemark.demoCluster(pd))).toEqual(await rowsAt(pointInTime));
  const [before, after] = [await rowsAt(range.from), await rowsAt(range.to)];
  const restored = await rowsAt(pointInTime);
  expect(restored['shop.ticks']?.rows).toBeGreaterThan(before['shop.ticks']?.rows ?? 0);
  expect(restored['shop.ticks']?.rows).toBeLessThan(after['shop.ticks']?.rows ?? 0);
});

it('goes on where it was after a br that crashed while it replayed the log, and is exact all the same', async () => {
  const pd = '10.3.0.3:2379';
  const targetClusterId = await emptyTarget(pd);
  tidemark.demo({ restore: { outcome: { kind: 'crash', step: 'log-files' } } }, sourceId);
  const pointInTime = middleOf(range);
  const body = { source: { clusterId: sourceId, pointInTime }, targetClusterId };
  const started = await tidemark.patiently<{ restoreId: string }>('POST', '/restores', body);
  const path = `/restores/${started.data.restoreId}`;
  await vi.waitFor(async () => {
    const { data } = await tidemark.patiently<{ restore: { attempts: { outcome: string }[] } }>('GET', path);
    expect(data.restore.attempts.some(({ outcome }) => outcome !== '')).toBe(true);
  }, WAIT);
  tidemark.demo({}, sourceId);
  const over = await untilOver(started.data.restoreId);
  if (over.state !== 'Succeeded') await tidemark.patiently('POST', `${path}/resume`, {});
  expect(await untilOver(started.data.restoreId)).toMatchObject({ state: 'Succeeded', targetState: 'Restored' });
  expect(await clusterDigests(tidemark.demoCluster(pd))).toEqual(await rowsAt(pointInTime));
});

it.each([
  ['in the future', () => new Date(Date.now() + 86_400_000).toISOString(), 'it lies behind the newest point'],
  ['before the first base', () => new Date(Date.parse(range.from) - 1_000).toISOString(), 'What can be restored'],
])('a moment %s is refused with what can be restored', async (_, at, sentence) => {
  const targetClusterId = await emptyTarget('10.3.0.4:2379');
  const refused = await plan({ clusterId: sourceId, pointInTime: at() }, targetClusterId);
  expect(refused).toMatchObject({ status: 400, details: { ranges: expect.stringContaining(' to ') } });
  expect(refused.message).toContain(sentence);
  const none = await plan({ clusterId: targetClusterId, pointInTime: at() }, targetClusterId);
  expect(none).toMatchObject({ status: 400, message: expect.stringContaining('no log backup') });
});

it('takes neither a filter nor users and grants, which br does not bring back to a moment', async () => {
  const targetClusterId = await emptyTarget('10.3.0.5:2379');
  const source = { clusterId: sourceId, pointInTime: middleOf(range) };
  for (const [field, value] of Object.entries({ filter: ['shop.*'], withSystemTables: true })) {
    const refused = await tidemark.call('POST', '/restores/plan', { source, targetClusterId, [field]: value });
    expect(refused).toMatchObject({ status: 400, details: { fields: [{ field }] } });
  }
});

it('a moment without a zone is refused, and one in a hole with why it is there', async () => {
  const targetClusterId = await emptyTarget('10.3.0.6:2379');
  const withoutZone = await plan({ clusterId: sourceId, pointInTime: '2026-12-01T10:15:00' }, targetClusterId);
  expect(withoutZone).toMatchObject({ status: 400, details: { fields: [{ field: 'source.pointInTime' }] } });

  const logBackup = `/clusters/${sourceId}/log-backup`;
  expect(await tidemark.patiently('DELETE', logBackup)).toMatchObject({ status: 200 });
  await vi.waitFor(async () => {
    const { data } = await tidemark.patiently<{ logBackup: { state: string } }>('GET', logBackup);
    expect(data.logBackup.state).toBe('Off');
  }, WAIT);
  expect(await tidemark.patiently('PUT', logBackup, { storageId: 'local' })).toMatchObject({ status: 200 });
  const [stoppedAt] = await vi.waitFor(async () => {
    const all = await ranges();
    expect(all).toHaveLength(2);
    return all.map(({ to }) => Date.parse(to)).sort((one, other) => one - other);
  }, WAIT);
  const pointInTime = new Date((stoppedAt ?? 0) + 1).toISOString();
  expect(await plan({ clusterId: sourceId, pointInTime }, targetClusterId)).toMatchObject({
    status: 400,
    message: expect.stringContaining('it lies in a hole (stopped)'),
    details: { why: 'stopped' },
  });
});
