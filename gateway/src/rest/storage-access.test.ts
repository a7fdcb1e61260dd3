/** Which clusters may use a storage: the same verdict over REST and every RPC. */
import { AppError } from '@tidemark/errors/app-error';
import { RegistryService } from '@tidemark/protocol/connect/tidemark/backup/v1/registry_service';
import { OccurrenceService } from '@tidemark/protocol/connect/tidemark/scheduler/v1/occurrence_service';
import { StrategyService } from '@tidemark/protocol/connect/tidemark/strategy/v1/strategy_service';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { CLUSTER, sampleFleetStrategy } from '../testing/programmable-backends.ts';
import { as, outcomeOf, PROTOCOLS, type RpcGateway, startRpcGateway } from '../testing/rpc-clients.ts';
import { badFields, expectFailure } from '../testing/test-gateway.ts';

let gateway: RpcGateway;
beforeAll(async () => {
  gateway = await startRpcGateway();
});
afterAll(() => gateway[Symbol.asyncDispose]());
beforeEach(() => {
  gateway.reset();
});

const methods = () => gateway.calls.map(({ method }) => method);
const LOCAL = { type: 'local', path: '/mnt/nfs' };
const SHOP = { clusters: [CLUSTER], labels: { team: 'shop' } };
const PD = ['10.0.0.1:2379'];

describe('a storage', () => {
  it('says which clusters may use it, and shows it; null and nothing say all', async () => {
    const put = async (body: object) => (await gateway.ask('PUT', '/storages/nfs', { body })).body.data.storage;
    expect(await put({ ...LOCAL, usableBy: SHOP })).toMatchObject({ id: 'nfs', usableBy: SHOP });
    expect(await put({ ...LOCAL, usableBy: { labels: { team: 'shop' }, clusters: null } })).toMatchObject({
      usableBy: { clusters: [], labels: { team: 'shop' } },
    });
    for (const nothing of [{}, { usableBy: null }]) {
      expect(await put({ ...LOCAL, ...nothing })).not.toHaveProperty('usableBy');
      expect(gateway.received('putStorage').request.storage.usableBy).toBeUndefined();
    }
    expect(await put({ url: 's3://shop', usableBy: { clusters: [CLUSTER] } })).toMatchObject({
      type: 's3',
      usableBy: { clusters: [CLUSTER], labels: {} },
    });
  });

  it.each([
    [{ clusters: ['no id'] }, ['usableBy.clusters.0']],
    [{ clusters: Array.from({ length: 1_001 }, (_, index) => `c${index}`) }, ['usableBy.clusters']],
    [{ labels: { team: 7 } }, ['usableBy.labels.team']],
    [{ ids: [CLUSTER] }, ['usableBy']],
    [[CLUSTER], ['usableBy']],
  ])('is not saved with %j', async (usableBy, fields) => {
    const answer = await gateway.ask('PUT', '/storages/nfs', { body: { ...LOCAL, usableBy } });
    expectFailure(answer, 400, 10001);
    expect(badFields(answer)).toEqual(fields);
    expect(gateway.calls).toEqual([]);
  });

  it('is not closed to clusters and rules that write to it: they are named, and how many more there are', async () => {
    gateway.answers.listExcludedClusters = async () => ({ clusterIds: ['c1', 'c2', 'c3'], ownerIds: ['c1'] });
    const rules = Array.from({ length: 9 }, (_, index) => ({ clusterId: 'c2', rule: `r${index}` }));
    const fleet = { clusterId: 'c3', rule: 'default', fleetStrategy: 'all-prod' };
    gateway.answers.listStorageUsers = async () => ({ users: [fleet, ...rules], total: 30 });
    const sentence =
      /cluster c1, rule default of cluster c3 \(strategy all-prod for labels\), rule r0 of cluster c2,.* and 21 more\./;
    const answer = await gateway.ask('PUT', '/storages/nfs', { body: { ...LOCAL, usableBy: SHOP } });
    expectFailure(answer, 409, 20601);
    expect(answer.body.message).toMatch(sentence);
    expect(gateway.received('listExcludedClusters').request).toMatchObject({ storageId: 'nfs', proposal: SHOP });
    expect(gateway.received('listStorageUsers').request.clusterIds).toEqual(['c1', 'c2', 'c3']);
    const storage = { id: 'nfs', location: { case: 'local', value: { path: '/mnt/nfs' } }, usableBy: SHOP };
    for (const protocol of PROTOCOLS) {
      const told = await outcomeOf(gateway.call(protocol, RegistryService, 'putStorage', { storage }, as('admin')));
      expect(told, protocol).toMatchObject({
        code: 'FailedPrecondition',
        reason: 'tidemark/storage_in_use',
        message: expect.stringMatching(sentence),
      });
    }
    expect(methods()).not.toContain('putStorage');

    gateway.answers.listExcludedClusters = async () => ({ clusterIds: ['c9'] });
    gateway.answers.listStorageUsers = async () => ({ users: [], total: 0 });
    expect((await gateway.ask('PUT', '/storages/nfs', { body: { ...LOCAL, usableBy: SHOP } })).status).toBe(200);
  });

  it('that is open to all, or whose change leaves out nobody, asks for no users', async () => {
    await gateway.ask('PUT', '/storages/nfs', { body: LOCAL });
    expect(methods()).toEqual(['putStorage']);
    gateway.calls.length = 0;
    await gateway.ask('PUT', '/storages/nfs', { body: { ...LOCAL, usableBy: SHOP } });
    expect(methods()).toEqual(['listExcludedClusters', 'putStorage']);
  });

  it('is not shown on behalf of a cluster to people', async () => {
    const told = await outcomeOf(
      gateway.call('gRPC', RegistryService, 'getStorage', { id: 'nfs', clusterId: CLUSTER }, as('admin')),
    );
    expect(told).toMatchObject({ code: 'InvalidArgument', fields: ['clusterId'] });
  });
});

describe('a rule', () => {
  const RULE = { clusterId: CLUSTER, days: 'Monday', storageId: 'theirs' };
  const sentence = `There is no storage theirs that cluster ${CLUSTER} may use.`;

  it('is neither saved nor previewed with a storage that is not for its cluster, in the same words as one that is not there', async () => {
    const refuse = async ({ clusterId }: { readonly clusterId: string }) => {
      throw new AppError('storage_not_found', `There is no storage theirs that cluster ${clusterId} may use.`);
    };
    Object.assign(gateway.answers, { saveStrategy: refuse, previewStrategy: refuse });
    const body = { strategy: { backupDate: 'Monday', storageId: 'theirs' } };
    for (const token of ['one-cluster', 'operator', 'admin']) {
      for (const [method, path] of [
        ['PUT', 'strategy'],
        ['PUT', 'strategies/weekly'],
        ['POST', 'strategy/preview'],
      ] as const) {
        const answer = await gateway.ask(method, `/clusters/${CLUSTER}/${path}`, { token, body });
        expectFailure(answer, 404, 20600);
        expect(answer.body.message).toBe(sentence);
      }
      for (const protocol of PROTOCOLS) {
        const save = gateway.call(protocol, StrategyService, 'saveStrategy', RULE, as(token));
        expect(await outcomeOf(save), protocol).toMatchObject({ code: 'NotFound', message: sentence });
        const preview = { clusterId: CLUSTER, proposal: RULE };
        const shown = gateway.call(protocol, OccurrenceService, 'previewStrategy', preview, as(token));
        expect(await outcomeOf(shown), protocol).toMatchObject({ code: 'NotFound', message: sentence });
      }
    }
  });
});

describe('a strategy for labels', () => {
  const save = async () => (await gateway.ask('PUT', '/strategies/all-prod', { body: { strategy: {} } })).body.data;

  it('names the clusters with its labels that may not use its storage', async () => {
    const ids = Array.from({ length: 12 }, (_, index) => `c${index}`);
    gateway.answers.listExcludedClusters = async () => ({ clusterIds: ids });
    expect((await save()).warnings).toContain(
      `These clusters may not use storage nfs, so their windows start nothing: ${ids.slice(0, 10).join(', ')} and 2 more.`,
    );
    expect(gateway.received('listExcludedClusters').request).toMatchObject({
      storageId: 'nfs',
      labels: sampleFleetStrategy('all-prod').selector,
    });
    expect(gateway.received('listExcludedClusters').request.proposal).toBeUndefined();
  });

  it('is saved although that cannot be found out, and says so', async () => {
    gateway.answers.listExcludedClusters = async () => {
      throw new AppError('unavailable', 'The database does not answer.');
    };
    const saved = await save();
    expect(saved).toMatchObject({ strategy: { name: 'all-prod' } });
    expect(saved.warnings).toContainEqual(expect.stringContaining('could not be looked up just now'));
  });
});

describe('a label by which storages go', () => {
  const cluster = (labels: Record<string, string>) => ({ pd: PD, storageId: 'nfs', labels });
  const put = (labels: Record<string, string>, token: string) =>
    gateway.ask('PUT', `/clusters/${CLUSTER}`, { token, body: cluster(labels) });

  beforeEach(() => {
    gateway.answers.getCluster = async ({ id }) => ({
      cluster: { id, pd: PD, storageId: 'nfs', labels: { env: 'prod', team: 'shop' } },
    });
    gateway.answers.listStorages = async () => ({
      storages: [{ id: 'shop', usableBy: { labels: { team: 'shop' } } }, { id: 'nfs' }],
    });
  });

  it('is set, changed and removed by admins of all clusters alone, over REST and RPC alike', async () => {
    for (const token of ['one-cluster-admin', 'labelled-admin']) {
      for (const more of [{ team: 'billing' }, {}]) {
        const labels = { env: 'prod', ...more } as Record<string, string>;
        const answer = await put(labels, token);
        expectFailure(answer, 403, 70650);
        expect(answer.body.message).toContain('Storages go by the label team');
        expect(answer.body.message).toContain('by admins of all clusters');
        for (const protocol of PROTOCOLS) {
          const request = { cluster: { ...cluster(labels), id: CLUSTER } };
          expect(
            await outcomeOf(gateway.call(protocol, RegistryService, 'putCluster', request, as(token))),
            protocol,
          ).toMatchObject({ code: 'PermissionDenied', message: answer.body.message });
        }
      }
    }
    expect(methods()).not.toContain('putCluster');
    expect((await put({ team: 'billing' }, 'admin')).status).toBe(200);
  });

  it('may be left as it is, and others are for the admins of the cluster as before', async () => {
    expect((await put({ env: 'prod', team: 'shop', tier: 'gold' }, 'one-cluster-admin')).status).toBe(200);
    expect((await put({ team: 'shop' }, 'one-cluster-admin')).status).toBe(200);
    gateway.calls.length = 0;
    await put({ env: 'prod', team: 'shop' }, 'one-cluster-admin');
    expect(methods(), 'where no label changes, no storage is looked at').not.toContain('listStorages');
  });

  it('is not set with a cluster that is registered for the first time, or once more', async () => {
    gateway.answers.getCluster = async () => {
      throw new AppError('cluster_not_found', 'There is none.');
    };
    expectFailure(await put({ team: 'shop' }, 'one-cluster-admin'), 403, 70650);
    expect((await put({ env: 'prod' }, 'one-cluster-admin')).status).toBe(200);
  });
});

it('a cluster is told nothing of the credentials of a storage that is not for it', async () => {
  gateway.answers.getCluster = async ({ id }) => ({ cluster: { id, pd: PD, storageId: 'nfs' } });
  gateway.answers.getStorage = async ({ id, clusterId }) => {
    if (clusterId !== '') throw new AppError('storage_not_found', `There is no storage ${id} for ${clusterId}.`);
    return { storage: { id, location: { case: 'local', value: { path: '/mnt' } } } };
  };
  gateway.answers.putCluster = async ({ cluster }) => {
    throw new AppError('storage_not_found', `There is no storage ${cluster?.storageId} for ${cluster?.id}.`);
  };
  const answer = await gateway.ask('PUT', `/clusters/${CLUSTER}`, {
    token: 'one-cluster-admin',
    body: { pd: PD, storageId: 'theirs' },
  });
  expectFailure(answer, 404, 20600);
});
