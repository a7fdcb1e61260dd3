import { randomUUID } from 'node:crypto';
import { AppError } from '@tidemark/errors/app-error';
import { connectMongo, type MongoConnection } from '@tidemark/mongo/connection';
import { Backup } from '@tidemark/protocol/grpc/tidemark/backup/v1/backup';
import {
  type BackupServiceServer,
  BackupServiceService,
  type StartBackupRequest,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/backup_service';
import { type PlanServiceServer, PlanServiceService } from '@tidemark/protocol/grpc/tidemark/strategy/v1/plan_service';
import {
  Strategy,
  type StrategyServiceServer,
  StrategyServiceService,
} from '@tidemark/protocol/grpc/tidemark/strategy/v1/strategy_service';
import { bindService } from '@tidemark/service-kit/grpc/bind-service';
import { type GrpcServer, startGrpcServer } from '@tidemark/service-kit/grpc/server';
import { afterAll, beforeAll, beforeEach, describe, expect, inject, it, vi } from 'vitest';
import { openBackends } from './backends.ts';
import type { Occurrence } from './catch-up.ts';
import { toConfig } from './config.ts';
import { startDueLoop } from './due-loop.ts';
import { log } from './logger.ts';
import { createOccurrenceStore, type OccurrenceStore } from './occurrence-store.ts';

const HOUR = 3_600_000;
const quiet = { info() {}, warn() {} };
const refuse = async () => {
  throw new AppError('internal', 'not part of this test');
};

/** The two neighbours of the scheduler, as a peer on the wire that can be made to fail. */
class Neighbours {
  readonly started = new Map<string, string>();
  strategies: Strategy[] = [];
  /** How the next starts go; `lost` starts the backup and loses the answer. */
  mood: 'fine' | 'busy' | 'lost' | 'away' = 'fine';

  start({ clusterId, key, notAfter }: StartBackupRequest) {
    if (this.mood === 'away') throw new AppError('unavailable', 'away');
    if (this.mood === 'busy') throw new AppError('cluster_busy', `Cluster ${clusterId} is busy.`);
    if (notAfter && new Date() > notAfter) throw new AppError('start_expired', 'too late');
    const id = this.started.get(key) ?? `backup-${this.started.size}`;
    this.started.set(key, id);
    if (this.mood === 'lost') throw new AppError('unavailable', 'the answer was lost');
    return { backup: Backup.create({ id }) };
  }
  advance(clusterId: string, opensAt: Date | undefined) {
    const index = this.strategies.findIndex(
      (one) => one.clusterId === clusterId && one.nextWindow?.opensAt?.getTime() === opensAt?.getTime(),
    );
    const strategy = this.strategies[index];
    if (!strategy) return { advanced: false, strategy: undefined };
    this.strategies[index] = { ...strategy, nextWindow: undefined };
    return { advanced: true, strategy: this.strategies[index] };
  }
}

describe('the due loop', () => {
  const stack = new AsyncDisposableStack();
  let neighbours: Neighbours;
  let server: GrpcServer;
  let mongo: MongoConnection;
  let store: OccurrenceStore;
  let clusterId: string;

  beforeAll(async () => {
    server = stack.use(
      await startGrpcServer({
        host: '127.0.0.1',
        port: 0,
        token: undefined,
        log,
        services: [
          bindService<BackupServiceServer>(BackupServiceService, {
            startBackup: async (request) => neighbours.start(request),
            findBackupByKey: async ({ key }) => {
              const id = neighbours.started.get(key);
              return { backup: id === undefined ? undefined : Backup.create({ id }) };
            },
            getBackup: refuse,
            listBackups: refuse,
            cancelBackup: refuse,
            deleteBackup: refuse,
            async *watchBackup() {},
            async *readBackupLog() {},
          }),
          bindService<StrategyServiceServer>(StrategyServiceService, {
            getStrategy: async (request) => ({
              strategy: neighbours.strategies.find((one) => one.clusterId === request.clusterId),
            }),
            saveStrategy: refuse,
            deleteStrategy: refuse,
          }),
          bindService<PlanServiceServer>(PlanServiceService, {
            listDueStrategies: async () => ({
              strategies: neighbours.strategies.filter((one) => one.nextWindow),
              more: false,
            }),
            advanceStrategy: async (request) => neighbours.advance(request.clusterId, request.opensAt),
          }),
        ],
      }),
    );
    mongo = stack.use(
      connectMongo({ url: inject('mongodbUrl'), database: `test-${randomUUID()}`, appName: 'test', log: quiet }),
    );
    store = createOccurrenceStore(mongo.db);
  });
  afterAll(async () => {
    await mongo.db.dropDatabase();
    await stack.disposeAsync();
  });
  beforeEach(async () => {
    neighbours = new Neighbours();
    clusterId = `c-${randomUUID().slice(0, 8)}`;
    await mongo.db.collection('occurrences').deleteMany({});
  });

  /** A whole-day window that opened at the last full hour, or one that is over. */
  const due = (closedAgoMs?: number) => {
    const opensAt = new Date(Math.floor(Date.now() / HOUR) * HOUR - (closedAgoMs === undefined ? 0 : 2 * HOUR));
    const closesAt =
      closedAgoMs === undefined ? new Date(opensAt.getTime() + 24 * HOUR) : new Date(Date.now() - closedAgoMs);
    const hour = `${opensAt.getUTCHours()}:00`;
    neighbours.strategies = [
      Strategy.create({
        clusterId,
        rule: 'default',
        days: ['Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday', 'Sunday'],
        period: `${hour}-${hour}`,
        timeZone: 'UTC',
        nextWindow: { opensAt, closesAt, startAt: opensAt },
        revision: 1n,
      }),
    ];
  };
  const copies = async (count: number) => {
    const running = new AsyncDisposableStack();
    const config = toConfig({
      TIDEMARK_MONGODB_URL: 'unused',
      TIDEMARK_STRATEGY_SERVICE: `127.0.0.1:${server.port}`,
      TIDEMARK_BACKUP_SERVICE: `127.0.0.1:${server.port}`,
    });
    for (let copy = 0; copy < count; copy += 1) {
      const backends = running.use(openBackends(config));
      running.use(startDueLoop({ store, backends, now: () => new Date(), pollMs: 20, retryMs: 50, skewMs: 100 }));
    }
    return running;
  };
  const occurrences = async () =>
    (await store.list([clusterId], { skip: 0, limit: 10 }, AbortSignal.timeout(5_000))).occurrences;
  const until = (state: Occurrence['state']) =>
    vi.waitFor(
      async () => {
        const [only, ...others] = await occurrences();
        expect(others).toEqual([]);
        expect(only?.state).toBe(state);
        return only as Occurrence;
      },
      { timeout: 10_000 },
    );

  it('starts a due window once, with five copies at work', async () => {
    due();
    await using _ = await copies(5);
    const { backupId } = await until('Started');
    expect([...neighbours.started.values()]).toEqual([backupId]);
  });

  it('finds out that a start whose answer was lost has happened, and starts no second one', async () => {
    due();
    neighbours.mood = 'lost';
    await using _ = await copies(3);
    await vi.waitFor(() => expect(neighbours.started.size).toBe(1));
    neighbours.mood = 'fine';
    await until('Started');
    expect(neighbours.started.size).toBe(1);
  });

  it('waits while the cluster is busy and says so, then starts', async () => {
    due();
    neighbours.mood = 'busy';
    await using _ = await copies(2);
    await vi.waitFor(async () => expect((await occurrences())[0]?.reason).toContain('is busy'), { timeout: 5_000 });
    neighbours.mood = 'fine';
    await until('Started');
  });

  it('finishes what a copy left after inserting the occurrence', async () => {
    due();
    neighbours.mood = 'away';
    const first = await copies(1);
    await until('Pending');
    await first.disposeAsync();
    neighbours.mood = 'fine';
    await using _ = await copies(1);
    await until('Started');
  });

  it('says that a window was missed when nobody was there while it was open (A9)', async () => {
    due(10 * 60_000);
    await using _ = await copies(2);
    expect(await until('Missed')).toMatchObject({ backupId: null, reason: expect.stringContaining('no scheduler') });
    expect(neighbours.started.size).toBe(0);
  });

  it('starts nothing for a strategy that was paused meanwhile', async () => {
    due();
    neighbours.strategies = neighbours.strategies.map((one) => ({ ...one, paused: true }));
    await using _ = await copies(1);
    await vi.waitFor(async () => expect((await occurrences())[0]?.reason).toBe('the strategy is paused'), {
      timeout: 5_000,
    });
    expect(neighbours.started.size).toBe(0);
  });
});
