/** What the chart says is what the program reads: the pods of a rendered chart as real processes, from the first token to a backup. */
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { findHelm, type Values } from './helm.ts';
import { type Installation, install } from './installation.ts';

const found = findHelm();

/** How a gateway in the clear, and processes that know each other by the service token, are asked for. */
const PLAIN: Values = {};
const ENCRYPTED: Values = {
  gateway: { allowOpen: false, tls: { existingSecret: 'https' } },
  tls: { enabled: true, existingSecret: 'tls', serverName: 'tidemark' },
  workers: { defaults: { secretFiles: ['storages'], manifestKey: { existingSecret: 'manifest-key' } } },
};

describe.skipIf('missing' in found).each([
  ['in the clear', PLAIN],
  ['with mutual TLS, HTTPS, files of storages and signed manifests', ENCRYPTED],
])('the processes of a rendered chart, %s', (_, values) => {
  let chart: Installation;
  beforeAll(async () => {
    if ('missing' in found) return;
    chart = await install(found.python, values);
  }, 180_000);
  afterAll(() => chart?.[Symbol.asyncDispose](), 60_000);

  it('start, and answer each of their probes', async () => {
    expect(chart.pods.map(({ component }) => component).sort()).toEqual([
      'backup-service',
      'executor-worker',
      'gateway',
      'scheduler-service',
      'strategy-service',
    ]);
    for (const pod of chart.pods)
      for (const probe of ['startupProbe', 'livenessProbe', 'readinessProbe'] as const)
        expect(await pod.probe(probe), `${pod.name}: ${probe}`).toBe(200);
  });

  it('take a backup with the br that was copied out of the image of its version', async () => {
    const { tidemark, storage } = chart;
    await tidemark('storage', 'add', 'local', storage);
    await tidemark('cluster', 'add', 'orders', '--pd', '127.0.0.1:2379', '--version', '8.5.0', '--storage', 'local');
    const backupId = (await tidemark('backup', 'start', 'orders', '--wait')).trim();
    const { backup } = JSON.parse(await tidemark('backup', 'get', '-o', 'json', '--', backupId));
    expect(backup).toMatchObject({ state: 'Succeeded' });
    const workers = JSON.parse(await tidemark('worker', 'list', '-o', 'json')).workers;
    expect(workers).toMatchObject([{ pool: 'default', slots: 1, state: 'Present', brVersions: ['v8.5.0'] }]);
  });

  it('have the gauges that KEDA asks for', async () => {
    await vi.waitFor(
      async () => {
        const metrics = await chart.of('backup-service').metrics();
        for (const gauge of ['workers_wanted', 'slots_wanted', 'workers_draining'])
          if (!new RegExp(`^tidemark_pool_${gauge}\\{pool="default"\\} \\d+$`, 'm').test(metrics))
            throw new Error(`${gauge} is not there yet: pools are counted now and then`);
      },
      { timeout: 30_000, interval: 300 },
    );
  });

  it('let a worker finish what it has when it is rolled out, and end by themselves within their grace periods', async () => {
    const { tidemark } = chart;
    chart.behave({ seconds: 5 });
    const backupId = (await tidemark('backup', 'start', 'orders')).trim();
    const record = async () => JSON.parse(await tidemark('backup', 'get', '-o', 'json', '--', backupId)).backup;
    await vi.waitFor(async () => expect(await record()).toMatchObject({ state: 'Running' }), {
      timeout: 30_000,
      interval: 300,
    });
    expect(await chart.of('executor-worker').stop()).toBe(0);
    expect(await record()).toMatchObject({ state: 'Succeeded', attempts: [{ outcome: 'succeeded' }] });
    for (const pod of chart.pods) expect(await pod.stop(), pod.name).toBe(0);
  });
});
