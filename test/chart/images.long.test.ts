/** The image of each process as the pods of a rendered chart: not as root, over a root file system that nobody writes, in its limit of memory. */
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { findHelm } from './helm.ts';
import { type Installation, install } from './installation.ts';
import { findPodman } from './podman.ts';

const helm = findHelm();
const podman = findPodman();

describe('the images, as the chart runs them', () => {
  let chart: Installation;
  beforeAll(async () => {
    if ('missing' in helm || 'missing' in podman) return;
    chart = await install(helm.python, {}, podman);
  }, 300_000);
  beforeEach(({ skip }) => {
    for (const one of [helm, podman]) if ('missing' in one) skip(one.missing);
  });
  afterAll(() => chart?.[Symbol.asyncDispose](), 120_000);

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

  it('have only the rights of the chart, and write nowhere but in their volumes', () => {
    for (const pod of chart.pods) {
      const status = pod.execute('cat', '/proc/1/status');
      for (const line of [
        'Uid:\t1000\t1000\t1000\t1000',
        'CapBnd:\t0{16}',
        'CapEff:\t0{16}',
        'NoNewPrivs:\t1',
        'Seccomp:\t2',
      ])
        expect(status, pod.name).toMatch(new RegExp(`^${line}$`, 'm'));
      const written = [
        '/',
        '/tidemark',
        '/tidemark/.cache',
        '/home/node',
        '/var/tmp',
        '/tmp',
        '/var/lib/tidemark',
      ].filter((folder) => pod.execute('sh', '-c', `touch ${folder}/x 2>&1 || true`) === '');
      expect(written, pod.name).toEqual(pod.component === 'executor-worker' ? ['/tmp', '/var/lib/tidemark'] : ['/tmp']);
    }
  });

  it('take a backup, let a worker finish one that runs when it is stopped, and end by themselves', async () => {
    const { tidemark, storage } = chart;
    await tidemark('storage', 'add', 'local', storage);
    await tidemark('cluster', 'add', 'orders', '--pd', '127.0.0.1:2379', '--version', '8.5.0', '--storage', 'local');
    const record = async (id: string) => JSON.parse(await tidemark('backup', 'get', '-o', 'json', '--', id)).backup;
    const first = (await tidemark('backup', 'start', 'orders', '--wait')).trim();
    expect(await record(first)).toMatchObject({ state: 'Succeeded' });

    chart.behave({ seconds: 5 });
    const second = (await tidemark('backup', 'start', 'orders')).trim();
    await vi.waitFor(async () => expect(await record(second)).toMatchObject({ state: 'Running' }), {
      timeout: 30_000,
      interval: 300,
    });
    expect(await chart.of('executor-worker').stop()).toBe(0);
    expect(await record(second)).toMatchObject({ state: 'Succeeded', attempts: [{ outcome: 'succeeded' }] });
    for (const pod of chart.pods) expect(await pod.stop(), pod.name).toBe(0);
  }, 180_000);
});
