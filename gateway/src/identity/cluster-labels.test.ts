import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { CLUSTER, type ProgrammableBackends, programmableBackends } from '../testing/programmable-backends.ts';
import { expectFailure, startTestGateway } from '../testing/test-gateway.ts';
import { type ClusterLabels, createClusterLabels } from './cluster-labels.ts';

let fakes: ProgrammableBackends;
beforeEach(() => {
  fakes = programmableBackends();
});
const start = (ages?: Parameters<typeof createClusterLabels>[2]): ClusterLabels =>
  createClusterLabels(fakes.backends.registry, { authorization: 'Bearer service' }, ages);
const registry = (clusters: Readonly<Record<string, Record<string, string>>>) => {
  fakes.answers.listClusters = async ({ pageSize, pageToken }) => {
    const ids = Object.keys(clusters).filter((id) => id > pageToken);
    const page = ids.slice(0, Math.min(2, pageSize));
    return {
      clusters: page.map((id) => ({ id, labels: clusters[id] ?? {} })),
      nextPageToken: ids.length > page.length ? (page.at(-1) ?? '') : '',
    };
  };
};
const failing = () => {
  fakes.answers.listClusters = async () => {
    throw new Error('gone');
  };
};

it('finds the clusters that have every label, over all pages, and proves the gateway to the registry', async () => {
  registry({
    a: { env: 'prod', team: 'x' },
    b: { env: 'prod' },
    c: { env: 'dev' },
    d: { env: 'prod', team: 'y' },
    e: {},
  });
  const labels = start();
  expect(await labels.clustersWith({ env: 'prod' })).toEqual(['a', 'b', 'd']);
  expect(await labels.clustersWith({ team: 'x', env: 'prod' })).toEqual(['a']);
  expect(await labels.clustersWith({ toString: 'prod' })).toEqual([]);
  expect(fakes.received('listClusters').headers.get('authorization')).toBe('Bearer service');
});

it('asks once for all who ask at the same time, and not again within a moment', async () => {
  const labels = start();
  await Promise.all(Array.from({ length: 20 }, () => labels.clustersWith({ env: 'prod' })));
  await labels.clustersWith({ env: 'dev' });
  expect(fakes.calls).toHaveLength(1);
});

it('answers from memory while it asks anew, and takes up what changed', async () => {
  registry({ a: { env: 'prod' } });
  const labels = start({ fresh: 0, usable: 60_000 });
  expect(await labels.clustersWith({ env: 'prod' })).toEqual(['a']);
  registry({ b: { env: 'prod' } });
  await vi.waitFor(async () => expect(await labels.clustersWith({ env: 'prod' })).toEqual(['b']));
});

it('gives no answer that is too old: without the registry it says that it is away', async () => {
  const labels = start({ fresh: 0, usable: 0 });
  expect(await labels.clustersWith({ env: 'prod' })).toEqual([CLUSTER]);
  failing();
  await expect(labels.clustersWith({ env: 'prod' })).rejects.toMatchObject({ code: 'unavailable' });
});

describe('a token that is limited by labels', () => {
  const stack = new AsyncDisposableStack();
  afterEach(() => stack.disposeAsync());

  it('is a 503 while the registry is away, and other tokens are not concerned', async () => {
    const gateway = stack.use(await startTestGateway({ labelAges: { fresh: 0, usable: 0 } }));
    gateway.answers.listClusters = async () => {
      throw new Error('gone');
    };
    for (const token of ['labelled-viewer', 'labelled-admin', 'labelled-nothing']) {
      const answer = await gateway.ask('GET', '/backups', { token });
      expectFailure(answer, 503, 20604);
      expect(answer.headers['retry-after']).toBe('1');
    }
    expect(gateway.calls.map(({ method }) => method)).not.toContain('listBackups');
    expect((await gateway.ask('GET', '/backups', { token: 'one-cluster' })).status).toBe(200);
  });
});
