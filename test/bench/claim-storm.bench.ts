import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Stack } from '@tidemark/local-stack/stack';
import { connectBroker } from '@tidemark/messaging/connection';
import { startConsumer } from '@tidemark/messaging/consumer';
import { startPublisher } from '@tidemark/messaging/publisher';
import type { BackupResult } from '@tidemark/protocol/grpc/tidemark/backup/v1/backup';
import {
  type ExecutorServiceServer,
  ExecutorServiceService,
  type TaskRef,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/executor_service';
import { CommandKind } from '@tidemark/protocol/queue/v1/commands';
import { createServiceClient, type ServiceClient } from '@tidemark/service-kit/grpc/client';
import type { Db } from 'mongodb';
import { insertAll, queuedBackup, type StoredDocument } from '../documents.ts';
import { untilCount } from './backup-lives.ts';
import type { BenchContext, Benchmark, Figure } from './benchmark.ts';
import { crowd } from './crowd.ts';
import { against } from './statistics.ts';

const HOUR_MS = 3_600_000;
/** The product's own. */
const RING_MS = 60_000;
const LIMIT_MS = 900_000;
const RESULT: BackupResult = {
  ...{ tso: 450_000_000_000_000_001n, sizeBytes: 1n, files: 0n, tidbClusterId: 7_300_000_000_000_000_001n },
  ...{ clusterVersion: '8.5.0', remark: '' },
};
const silent = () => undefined;
const log = { debug: silent, info: silent, warn: silent, error: silent };

interface Storm {
  readonly name: string;
  /** Messages for each backup. */
  readonly rung: number;
  /** How many backups the storage lets run at once; 0 is no limit. */
  readonly slots: number;
}

const STORMS: readonly Storm[] = [
  { name: 'each rung once', rung: 1, slots: 0 },
  { name: 'each rung 3 times', rung: 3, slots: 0 },
  { name: 'each rung once, 20 may run at a storage', rung: 1, slots: 20 },
];

export const benchmark: Benchmark = {
  name: 'claim-storm',
  what: 'many workers claim, announce and complete over gRPC as fast as they can; claims that got nothing, for each that got a task',
  async run(context) {
    const [workers, doorbells] = context.quick ? [50, 200] : [200, 500];
    const figures: Figure[] = [];
    for (const storm of STORMS) {
      context.say(`${workers} workers, ${doorbells} doorbells, ${storm.name}`);
      figures.push(...(await measure(storm, { workers, doorbells }, context)));
    }
    return figures;
  },
};

interface Size {
  readonly workers: number;
  readonly doorbells: number;
}

async function measure(storm: Storm, { workers, doorbells }: Size, context: BenchContext): Promise<Figure[]> {
  const { amqpUrl, signal } = context;
  await using resources = new AsyncDisposableStack();
  const database = context.database();
  const namespace = database.databaseName;
  const stack = resources.use(
    await context.processes(database, {
      copies: { 'strategy-service': 0, 'backup-service': 1, 'scheduler-service': 0, 'executor-worker': 0, gateway: 0 },
    }),
  );
  const ids = await fill(database, doorbells, storm, signal);
  const client = resources.use(openExecutor(stack));
  const broker = resources.use(await connectBroker({ url: amqpUrl, connectionName: 'claim-storm', log }));
  const publisher = startPublisher(broker, { namespace, log });
  while (!broker.ready) await sleep(20, undefined, { signal });
  const kind = CommandKind.COMMAND_KIND_BACKUP;
  await crowd({ times: doorbells * storm.rung, atOnce: 50, signal }, (index) => {
    const id = ids[index % doorbells] ?? '';
    return publisher.publishRun('default', { kind, id }, { expirationMs: LIMIT_MS, requestId: id });
  });

  const bare = await bareClaims(database, doorbells, workers, signal);
  const counts = { useful: 0, wasted: 0 };
  const startedAt = performance.now();
  const consumers = Array.from({ length: workers }, (_, worker) =>
    startConsumer(broker, {
      namespace,
      pool: 'default',
      slots: 1,
      log,
      onUnreadable: silent,
      async claim({ id }) {
        const claim = randomBytes(24).toString('base64url');
        const { grant } = await client.claimTask({
          backupId: id,
          claim,
          worker: `storm-${worker}`,
          pool: 'default',
          instance: '',
          outOfReach: [],
        });
        if (!grant) counts.wasted += 1;
        if (grant?.$case !== 'backup') return undefined;
        counts.useful += 1;
        return () => work(client, { backupId: id, claim, fence: grant.value.fence });
      },
    }),
  );
  resources.defer(async () => {
    await Promise.all(consumers.map((consumer) => consumer.stop()));
  });
  await untilCount(database, { state: 'Succeeded', count: doorbells, signal, limitMs: LIMIT_MS });
  const tookMs = performance.now() - startedAt;
  const perSecond = (counts.useful / tookMs) * 1_000;
  return [
    { name: `until all had ended, ${storm.name}`, value: tookMs / 1_000, unit: 's' },
    { name: `wasted for each useful claim, ${storm.name}`, value: counts.wasted / counts.useful, unit: 'times' },
    {
      name: `claimed and completed, ${storm.name}`,
      value: perSecond,
      unit: '/s',
      ...against(perSecond, '3 reads and updates', bare),
    },
  ];
}

/** What a worker tells of a run that takes no time. */
async function work(client: ServiceClient<ExecutorServiceServer>, task: TaskRef): Promise<void> {
  await client.renewTask({
    task,
    progress: undefined,
    stall: undefined,
    removing: [],
    estimate: undefined,
    starting: { argv: ['br'], brVersion: 'v8.5.0', hasLock: true },
  });
  await client.completeTask({
    task,
    outcome: { $case: 'succeeded', value: { result: RESULT, exitSeen: true, manifestKeyId: '' } },
  });
}

async function fill(database: Db, doorbells: number, { slots }: Storm, signal: AbortSignal): Promise<string[]> {
  const ids = Array.from({ length: doorbells }, (_, index) => `storm-backup-${String(index).padStart(9, '0')}`);
  const storage = { _id: 'bench', maxConcurrent: slots, local: { path: '/nowhere' } };
  await insertAll(
    database.collection<StoredDocument>('backups'),
    doorbells,
    (index) => {
      const at = new Date(Date.now() - HOUR_MS + index);
      const id = ids[index] ?? '';
      const backup = queuedBackup(id, { clusterId: `storm-${index}`, storage, at });
      // They were rung for just now, and ring again when the dispatcher's time has come.
      return { ...backup, task: { ...backup.task, ringAt: new Date(Date.now() + RING_MS), rings: 1 } };
    },
    signal,
  );
  return ids;
}

function openExecutor({ dataDir, process }: Stack): ServiceClient<ExecutorServiceServer> {
  return createServiceClient<ExecutorServiceServer>(ExecutorServiceService, {
    address: process('backup-service').address,
    token: readFileSync(join(dataDir, 'secrets', 'service-token'), 'utf8').trim(),
  });
}

/** A second: three times a read and a compare-and-set of a document of that size, for each backup. */
async function bareClaims(database: Db, count: number, atOnce: number, signal: AbortSignal): Promise<number> {
  const bare = database.collection<StoredDocument>('bare_backups');
  const idOf = (index: number) => `bare-${index}`;
  await insertAll(bare, count, (index) =>
    queuedBackup(idOf(index), { clusterId: idOf(index), storage: {}, at: new Date() }),
  );
  const startedAt = performance.now();
  await crowd({ times: count, atOnce, signal }, async (index) => {
    for (let revision = 1; revision <= 3; revision += 1) {
      await bare.findOne({ _id: idOf(index) });
      await bare.updateOne(
        { _id: idOf(index), revision },
        { $set: { revision: revision + 1, updateTime: new Date() } },
      );
    }
  });
  return (count / (performance.now() - startedAt)) * 1_000;
}
