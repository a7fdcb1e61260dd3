/** Workers that end by themselves, as the jobs of an autoscaler do. */
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { overlaps, startTidemark, type Tidemark } from './tidemark.ts';

const IDLE_SECONDS = 10;

let tidemark: Tidemark;
beforeAll(async () => {
  tidemark = await startTidemark({
    copies: { 'executor-worker': 2 },
    env: { 'executor-worker': { TIDEMARK_MAX_TASKS: '1', TIDEMARK_IDLE_SECONDS: String(IDLE_SECONDS) } },
  });
}, 120_000);
afterAll(() => tidemark?.[Symbol.asyncDispose]());

const workers = () => tidemark.stack.processes.filter(({ kind }) => kind === 'executor-worker');
const DONE = { code: 0, signal: null };

it('do one task each, interrupt none, and wait no longer for one than they may', async () => {
  const clusters = await Promise.all(['one', 'two', 'three'].map((name) => tidemark.cluster(name)));
  for (const clusterId of clusters) tidemark.demo({ seconds: IDLE_SECONDS + 3 }, clusterId);
  const ids = await Promise.all(clusters.map((clusterId) => tidemark.start(clusterId)));
  // None had a task before, so they may have ended.
  await Promise.all(workers().map((one) => one.start()));
  expect(await Promise.all(workers().map((one) => one.exited()))).toEqual([DONE, DONE]);

  const records = await Promise.all(ids.map((id) => tidemark.record(id)));
  const done = records.filter(({ state }) => state === 'Succeeded');
  expect(done).toHaveLength(2);
  expect(new Set(done.map(({ attempts }) => attempts[0]?.worker)).size).toBe(2);
  expect(done.map(({ attempts }) => attempts.length)).toEqual([1, 1]);
  const [waiting] = records.filter(({ state }) => state === 'Queued');

  const [worker] = workers();
  await worker?.start();
  const last = await tidemark.untilState(waiting?.id ?? '', 'Succeeded');
  expect(last.attempts).toMatchObject([{ worker: worker?.name, outcome: 'succeeded' }]);
  expect(await worker?.exited()).toEqual(DONE);
  expect(overlaps(tidemark.ledger())).toEqual([]);
}, 120_000);

it('end without a task where none comes', async () => {
  const [worker] = workers();
  if (!worker) throw new Error('there is no worker');
  await worker.start();
  expect(await worker.exited()).toEqual(DONE);
  await vi.waitFor(() =>
    expect(tidemark.logs(worker.name)).toContainEqual(
      expect.objectContaining({ reason: `no task came for ${IDLE_SECONDS} s` }),
    ),
  );
}, 60_000);
