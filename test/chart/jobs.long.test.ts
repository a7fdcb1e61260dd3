/** A pool of Jobs: pods of a rendered ScaledJob as real processes, one for each task, beside a worker that stays. */
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { findHelm } from './helm.ts';
import { type Installation, install } from './installation.ts';

const found = findHelm();
const IDLE_SECONDS = 5;
const JOB = 'tidemark-worker-default';
const RATHER_SOON = { timeout: 30_000, interval: 300 };

describe.skipIf('missing' in found)('the Jobs of a rendered ScaledJob', () => {
  let chart: Installation;
  beforeAll(async () => {
    if ('missing' in found) return;
    const keda = { enabled: true, kind: 'ScaledJob', minReplicas: 1, idleSeconds: IDLE_SECONDS };
    chart = await install(found.python, { workers: { defaults: { keda } } });
    await chart.tidemark('storage', 'add', 'local', chart.storage);
  }, 180_000);
  afterAll(() => chart?.[Symbol.asyncDispose](), 60_000);

  const register = (cluster: string, index: number) =>
    chart.tidemark(
      'cluster',
      'add',
      cluster,
      '--pd',
      `10.0.0.${index}:2379`,
      '--version',
      '8.5.0',
      '--storage',
      'local',
    );
  const startBackup = async (cluster: string) => (await chart.tidemark('backup', 'start', cluster)).trim();
  const recordOf = async (backupId: string) =>
    JSON.parse(await chart.tidemark('backup', 'get', '-o', 'json', '--', backupId)).backup;
  const untilRunning = (backupId: string) =>
    vi.waitFor(async () => expect(await recordOf(backupId)).toMatchObject({ state: 'Running' }), RATHER_SOON);
  /** What the query of the trigger answers, for the one backup-service that there is. */
  const wanted = async () => {
    const metrics = await chart.of('backup-service').metrics();
    return Number(/^tidemark_pool_slots_wanted\{pool="default"\} (\d+)$/m.exec(metrics)?.[1]) - 1;
  };

  it('are wanted for what the worker that stays cannot take, do one task each, and end with code 0', async () => {
    chart.behave({ seconds: 15 });
    await Promise.all(['one', 'two', 'three'].map(register));
    const first = await startBackup('one');
    await untilRunning(first);
    const others = await Promise.all(['two', 'three'].map(startBackup));
    await vi.waitFor(async () => expect(await wanted()).toBe(2), RATHER_SOON);

    const jobs = await Promise.all([JOB, JOB].map(chart.startJob));
    expect(await Promise.all(jobs.map((job) => job.ended))).toEqual([0, 0]);
    const records = await Promise.all(others.map(recordOf));
    expect(records).toMatchObject(others.map(() => ({ state: 'Succeeded', attempts: [{ outcome: 'succeeded' }] })));
    expect(new Set(records.map(({ attempts }) => attempts[0].worker)).size).toBe(2);
    await vi.waitFor(async () => expect(await recordOf(first)).toMatchObject({ state: 'Succeeded' }), RATHER_SOON);
    expect(await chart.of('executor-worker').probe('readinessProbe')).toBe(200);
  }, 120_000);

  it('end with code 0 where another took the task', async () => {
    const job = await chart.startJob(JOB);
    expect(await job.ended).toBe(0);
    expect(job.log()).toContain(`no task came for ${IDLE_SECONDS} s`);
  }, 60_000);

  it('finish what they have when their node is drained', async () => {
    await chart.of('executor-worker').stop();
    chart.behave({ seconds: 6 });
    const backupId = await startBackup('two');
    const job = await chart.startJob(JOB);
    await untilRunning(backupId);
    expect(await job.stop()).toBe(0);
    expect(await recordOf(backupId)).toMatchObject({ state: 'Succeeded', attempts: [{ outcome: 'succeeded' }] });
  }, 60_000);
});
