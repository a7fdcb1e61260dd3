/**
 * Promise: a window starts exactly one backup, with any number of schedulers, whenever they die (architecture 4).
 *
 * 1. Many windows that come at once make as many occurrences and backups.
 * 2. Each occurrence is Started and names the backup of its own cluster; none is named twice.
 * 3. Each strategy has moved on to its next window, by one step.
 * All of it holds although of three schedulers one after the other is killed and comes back.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { MongoClient } from 'mongodb';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import {
  anyWindowWaits,
  clusterDocument,
  insertAll,
  labelsDocument,
  openWindow,
  type StoredDocument,
  strategyDocument,
} from '../documents.ts';
import { startTidemark, type Tidemark } from './tidemark.ts';

/** So many share the database with the tests beside; a thousand (TIDEMARK_TEST_WINDOWS=1000) have servers of their own. */
const SHARED_CLUSTERS = 100;
const CLUSTERS = Number(process.env.TIDEMARK_TEST_WINDOWS ?? SHARED_CLUSTERS);
/** From the last document's insertion to the moment at which all are due. */
const LEAD_MS = 1_000;
const KILL_EVERY_MS = 5_000;
/** Several times what it takes where the machine has nothing else to do. */
const LIMIT_MS = 240_000;

interface Occurrence extends StoredDocument {
  readonly clusterId: string;
  readonly state: string;
  readonly backupId: string | null;
}

describe('many windows at once', () => {
  let tidemark: Tidemark;
  let client: MongoClient;
  beforeAll(async () => {
    tidemark = await startTidemark({
      ownServers: CLUSTERS > SHARED_CLUSTERS,
      copies: { 'scheduler-service': 3, 'backup-service': 2, 'executor-worker': 0, gateway: 1 },
      env: {
        // Nobody works on them, so ringing again and again would only cost.
        'backup-service': { TIDEMARK_RING_SECONDS: '600' },
      },
    });
    client = new MongoClient(tidemark.stack.database.url);
  }, 120_000);
  afterAll(async () => {
    await client?.close();
    await tidemark?.[Symbol.asyncDispose]();
  }, 120_000);

  it('start one backup each, while one scheduler after the other is killed', async () => {
    const db = client.db(tidemark.database);
    const collection = <T extends StoredDocument>(name: string) => db.collection<T>(name);
    const clusterId = (index: number) => `due-${String(index).padStart(4, '0')}`;
    await insertAll(collection('clusters'), CLUSTERS, (index) => clusterDocument(clusterId(index), 'local'));
    await insertAll(collection('cluster_labels'), CLUSTERS, (index) => labelsDocument(clusterId(index)));
    const startAt = new Date(Date.now() + LEAD_MS + CLUSTERS);
    const window = openWindow(startAt);
    await insertAll(collection('strategies'), CLUSTERS, (index) => strategyDocument(clusterId(index), window));

    await using chaos = killOneAfterTheOther(tidemark);
    await vi.waitFor(async () => expect(await anyWindowWaits(db)).toBe(false), { timeout: LIMIT_MS, interval: 500 });
    const tookMs = Date.now() - startAt.getTime();
    const killed = await chaos.stop();
    expect(killed).toBeGreaterThan(1);
    console.log(`${CLUSTERS} windows in ${tookMs} ms, ${killed} schedulers killed`);

    const occurrences = await collection<Occurrence>('occurrences').find().toArray();
    const backups = await collection('backups').find().toArray();
    const strategies = await collection('strategies').find().toArray();
    const all = Array.from({ length: CLUSTERS }, (_, index) => clusterId(index));
    const idsByCluster = (documents: readonly StoredDocument[], id: (document: StoredDocument) => unknown) =>
      documents.map((document) => [document.clusterId, id(document)]).sort();

    expect(new Set(occurrences.map((one) => one.state))).toEqual(new Set(['Started']));
    expect(occurrences.map((one) => one._id).sort()).toEqual(
      all.map((id) => `${id}:default:${window.opensAt.toISOString()}`),
    );
    expect(backups.map((one) => one.clusterId).sort()).toEqual(all);
    expect(idsByCluster(occurrences, (one) => one.backupId)).toEqual(idsByCluster(backups, (one) => one._id));
    expect(new Set(backups.map((one) => `${one.origin} ${one.createdBy} ${one.rule}`))).toEqual(
      new Set(['schedule scheduler default']),
    );
    const tomorrow = new Date(window.opensAt.getTime() + 86_400_000);
    expect(strategies.map((one) => [one.revision, one.nextWindow.opensAt])).toEqual(all.map(() => [2, tomorrow]));
  }, 300_000);
});

/** Kills a scheduler every moment, another each time, and starts it again; `stop` answers how many times. */
function killOneAfterTheOther({ stack }: Tidemark): AsyncDisposable & { stop(): Promise<number> } {
  const schedulers = stack.processes.filter(({ kind }) => kind === 'scheduler-service');
  const end = new AbortController();
  const work = async () => {
    let kills = 0;
    while (!end.signal.aborted) {
      const victim = schedulers[kills % schedulers.length];
      if (!victim?.running) break;
      victim.kill('SIGKILL');
      kills += 1;
      await victim.exited();
      // Back at work whether or not it says so: what matters is that the next one goes meanwhile.
      await Promise.all([
        victim.start(AbortSignal.timeout(KILL_EVERY_MS)).catch(() => undefined),
        sleep(KILL_EVERY_MS, undefined, { signal: end.signal }).catch(() => undefined),
      ]);
    }
    return kills;
  };
  const done = work();
  done.catch(() => undefined); // `stop` tells
  const stop = () => {
    end.abort();
    return done;
  };
  return { stop, [Symbol.asyncDispose]: async () => void (await stop()) };
}
