/**
 * Which clusters are there, as two copies of the service know it beside a registry in which they come and go. The promises
 * K1 to K6 are those of `known-clusters.ts`.
 */
import { randomUUID } from 'node:crypto';
import { requireRevision } from '@tidemark/mongo/expected-revision';
import { dropTestDatabase } from '@tidemark/mongo/testing/drop-test-database';
import {
  type RegistryServiceServer,
  RegistryServiceService,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/registry_service';
import {
  SaveStrategyRequest,
  type StrategyServiceServer,
  StrategyServiceService,
} from '@tidemark/protocol/grpc/tidemark/strategy/v1/strategy_service';
import { createServiceClient, openChannel } from '@tidemark/service-kit/grpc/client';
import { serviceMetadata } from '@tidemark/service-kit/grpc/credentials';
import { CALL_ID } from '@tidemark/service-kit/grpc/metadata-names';
import { MongoClient } from 'mongodb';
import { afterAll, beforeAll, beforeEach, describe, expect, inject, it, vi } from 'vitest';
import { toConfig } from './config.ts';
import { createKnownClusters } from './known-clusters.ts';
import { type Change, createSavesTogether } from './saves-together.ts';
import { type RunningStrategyService, startStrategyService } from './service.ts';
import { strategyId } from './strategy.ts';
import { createStrategyStore } from './strategy-store.ts';
import { type RegistryPeer, serveRegistry } from './testing/registry-peer.ts';

const MINUTE_MS = 60_000;
const UNKNOWN = { code: 'cluster_not_found' };
const CHANGED = { reason: { code: 'revision_changed', details: { info: { revision: '2' } } } };

describe('a cluster', () => {
  const database = `test-${randomUUID()}`;
  const stack = new AsyncDisposableStack();
  const mongo = new MongoClient(inject('mongodbUrl'));
  const copies: RunningStrategyService[] = [];
  let registry: RegistryPeer;
  let clusterId: string;

  beforeAll(async () => {
    stack.defer(async () => {
      await dropTestDatabase(mongo.db(database));
      await mongo.close();
    });
    registry = stack.use(await serveRegistry());
    for (let copy = 0; copy < 2; copy += 1)
      copies.push(
        stack.use(
          await startStrategyService(
            toConfig({
              TIDEMARK_PORT: '0',
              TIDEMARK_OPERATIONS_PORT: '0',
              TIDEMARK_MONGODB_URL: inject('mongodbUrl'),
              TIDEMARK_MONGODB_DATABASE: database,
              TIDEMARK_BACKUP_SERVICE: registry.address,
              TIDEMARK_TIME_ZONE: 'Asia/Tokyo',
            }),
          ),
        ),
      );
    for (const { operationsPort } of copies)
      await vi.waitFor(
        async () => expect((await fetch(`http://127.0.0.1:${operationsPort}/readyz`)).status).toBe(200),
        { timeout: 20_000 },
      );
  });
  afterAll(() => stack.disposeAsync());
  beforeEach(() => {
    clusterId = `c-${randomUUID().slice(0, 8)}`;
    registry.beforeAnswer = async () => undefined;
  });

  const strategies = (copy = 0) => {
    const address = `127.0.0.1:${copies[copy]?.port}`;
    return stack.use(createServiceClient<StrategyServiceServer>(StrategyServiceService, { address, token: undefined }));
  };
  const get = async (copy = 0) => (await strategies(copy).getStrategy({ clusterId, rule: '' })).strategy;
  const save = async (fields: Partial<SaveStrategyRequest> = {}, copy = 0) =>
    (await strategies(copy).saveStrategy(SaveStrategyRequest.create({ clusterId, days: 'Monday', ...fields })))
      .strategy;
  const questions = () => registry.asked.filter((id) => id === clusterId).length;
  const rules = () => mongo.db(database).collection('strategies').countDocuments({ clusterId });
  /** As the gateway deletes a cluster. */
  const deleteCluster = async () => {
    await strategies().doubtCluster({ clusterId });
    registry.unknown.add(clusterId);
    await strategies().deleteStrategy({ clusterId, rule: '' });
  };

  it('is asked for once, and then known to every copy (K1)', async () => {
    await save();
    const asked = questions();
    for (const copy of [0, 1, 0, 1]) expect((await get(copy))?.revision).toBe(1n);
    await save({ period: '3:00-4:00' }, 1);
    expect(questions()).toBe(asked);
  });

  it('has of two saves for one revision only one stored, whichever copies they came to', async () => {
    const both = () => [0, 1].map((copy) => save({ period: `${copy}:00-5:00`, revision: 1n }, copy));
    await save();
    const saved = await Promise.allSettled([...both(), ...both()]);
    expect(saved.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected', 'rejected', 'rejected']);
    expect(saved.filter(({ status }) => status === 'rejected')).toMatchObject([CHANGED, CHANGED, CHANGED]);
    expect(await get()).toMatchObject({ revision: 2n });
    await expect(save({ rule: 'another', revision: 3n })).rejects.toMatchObject({ code: 'revision_changed' });
  });

  it('has a save for one revision answered again by another copy, where its first answer was lost', async () => {
    await save();
    const { path, requestSerialize, responseDeserialize } = StrategyServiceService.saveStrategy;
    const metadata = serviceMetadata(undefined);
    metadata.set(CALL_ID, randomUUID());
    const request = SaveStrategyRequest.create({ clusterId, period: '3:00-4:00', revision: 1n });
    const ask = async (copy: number) => {
      const channel = stack.adopt(openChannel(`127.0.0.1:${copies[copy]?.port}`, undefined), (one) => one.close());
      return new Promise((resolve, reject) =>
        channel.makeUnaryRequest(path, requestSerialize, responseDeserialize, request, metadata, {}, (error, answer) =>
          error ? reject(error) : resolve(answer),
        ),
      );
    };
    for (const copy of [0, 1]) expect(await ask(copy)).toMatchObject({ strategy: { revision: 2n } });
  });

  it('has a save for one revision done once where the database took it and its answer was lost (S5)', async () => {
    await save();
    const db = mongo.db(database);
    const store = createStrategyStore(db);
    let isLost = false;
    const losing = {
      ...store,
      async write(...documents: Parameters<typeof store.write>) {
        const isWritten = await store.write(...documents);
        if (isLost) return isWritten;
        isLost = true;
        return false;
      },
    };
    const peer = { address: registry.address, token: undefined };
    const client = stack.use(createServiceClient<RegistryServiceServer>(RegistryServiceService, peer));
    const known = createKnownClusters({ db, registry: client, store, now: () => new Date() });
    const saveTogether = createSavesTogether(losing, known, async () => undefined);
    const change: Change = (before) => {
      requireRevision('The rule', 1n, before);
      return before && { ...before, period: '3:00-4:00', revision: before.revision + 1, savedIn: 'this call' };
    };
    const wish = { clusterId, rule: 'default', change, needsRead: true, asking: {} };
    expect(await saveTogether(strategyId(clusterId, 'default'), wish)).toMatchObject({
      changed: true,
      strategy: { revision: 2, period: '3:00-4:00' },
    });
    expect(isLost).toBe(true);
    expect(await get()).toMatchObject({ revision: 2n, period: '3:00-4:00' });
  });

  it('that is not there has no strategy, and gets none', async () => {
    registry.unknown.add(clusterId);
    await expect(get()).rejects.toMatchObject(UNKNOWN);
    await expect(save()).rejects.toMatchObject(UNKNOWN);
    await expect(save({ validateOnly: true })).rejects.toMatchObject(UNKNOWN);
    await expect(save({ storageId: 's3' })).rejects.toMatchObject(UNKNOWN);
    expect(await rules()).toBe(0);
  });

  it('that was deleted is told of by no copy, also where whoever deleted it came no further than the registry (K2)', async () => {
    await save();
    await get(1);
    await strategies().doubtCluster({ clusterId });
    expect((await get(1))?.revision).toBe(1n);
    registry.unknown.add(clusterId);
    for (const copy of [0, 1]) await expect(get(copy)).rejects.toMatchObject(UNKNOWN);
    await strategies(1).deleteStrategy({ clusterId, rule: '' });
    for (const copy of [0, 1]) await expect(get(copy)).rejects.toMatchObject(UNKNOWN);
  });

  it('that was not deleted after all is known again after a minute', async () => {
    await save();
    await strategies().doubtCluster({ clusterId });
    await get();
    const asked = questions();
    await get();
    expect(questions()).toBe(asked + 1);
    const doubtedAt = new Date(Date.now() - 2 * MINUTE_MS);
    await mongo
      .db(database)
      .collection<{ _id: string }>('known_clusters')
      .updateOne({ _id: clusterId }, { $set: { doubtedAt } });
    await get();
    const last = questions();
    for (const copy of [0, 1]) await get(copy);
    expect(questions()).toBe(last);
  });

  it('is not kept by an answer that a deletion overtook (K3)', async () => {
    registry.beforeAnswer = async () => {
      registry.beforeAnswer = async () => undefined;
      await deleteCluster();
    };
    expect((await get())?.revision).toBe(0n);
    for (const copy of [0, 1]) await expect(get(copy)).rejects.toMatchObject(UNKNOWN);
  });

  it('is asked for again after ten minutes, whatever went wrong (K4)', async () => {
    await save();
    registry.unknown.add(clusterId);
    expect((await get())?.revision).toBe(1n);
    const knownAt = new Date(Date.now() - 11 * MINUTE_MS);
    await mongo
      .db(database)
      .collection<{ _id: string }>('known_clusters')
      .updateOne({ _id: clusterId }, { $set: { knownAt } });
    await expect(get()).rejects.toMatchObject(UNKNOWN);
  });

  it('leaves no rule behind that was saved while it was deleted, and one of its name inherits none (K5)', async () => {
    registry.beforeAnswer = async () => {
      registry.beforeAnswer = async () => undefined;
      await deleteCluster();
    };
    await expect(save()).rejects.toMatchObject(UNKNOWN);
    expect(await rules()).toBe(0);
    registry.unknown.delete(clusterId);
    expect(await get()).toMatchObject({ revision: 0n, days: [] });
  });

  it('leaves none either where many saves and its deletion run into each other, in all copies', async () => {
    for (let round = 0; round < 3; round += 1) {
      clusterId = `c-${randomUUID().slice(0, 8)}`;
      const saves = Array.from({ length: 4 }, (_, index) =>
        save({ rule: `r${index}` }, index % 2).catch(() => undefined),
      );
      await Promise.all([...saves, deleteCluster()]);
      expect(await rules(), clusterId).toBe(0);
    }
  });

  it('that is registered again has none of the rules that a save left which died beside the deletion (K6)', async () => {
    await save();
    await strategies().doubtCluster({ clusterId });
    registry.clusters.set(clusterId, { createTime: new Date(Date.now() + 5_000) });
    expect((await get())?.revision).toBe(0n);
    expect(await rules()).toBe(0);
  });

  it('gives a first save its time zone, which is shown before', async () => {
    expect((await get())?.timeZone).toBe('Asia/Tokyo');
    registry.clusters.set(clusterId, { timeZone: 'Europe/Berlin' });
    expect((await get())?.timeZone).toBe('Europe/Berlin');
    expect((await save({ validateOnly: true }))?.timeZone).toBe('Europe/Berlin');
    expect((await save())?.timeZone).toBe('Europe/Berlin');
    registry.clusters.set(clusterId, { timeZone: 'Europe/Rome' });
    expect((await get())?.timeZone).toBe('Europe/Berlin');
  });

  it('has no rule that writes to a storage which is not for it, whether a save names that or keeps it', async () => {
    const refused = {
      code: 'storage_not_found',
      message: `There is no storage theirs that cluster ${clusterId} may use.`,
    };
    await save({ storageId: 'theirs' });
    registry.closed.add('theirs');
    await expect(save({ storageId: 'theirs' })).rejects.toMatchObject(refused);
    await expect(save({ days: 'Friday' })).rejects.toMatchObject(refused);
    await expect(save({ days: 'Friday', validateOnly: true })).rejects.toMatchObject(refused);
    expect((await get())?.revision).toBe(1n);
    await strategies().saveStrategy(SaveStrategyRequest.create({ clusterId, paused: true }));
    await save({ days: 'Friday', storageId: '' });
    registry.closed.delete('theirs');
  });
});
