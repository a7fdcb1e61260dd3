import { randomUUID } from 'node:crypto';
import { connectBroker } from '@tidemark/messaging/connection';
import { startConsumer } from '@tidemark/messaging/consumer';
import { type Backup, BackupMode, BackupOrigin } from '@tidemark/protocol/grpc/tidemark/backup/v1/backup';
import type { ListBackupsRequest, StartBackupRequest } from '@tidemark/protocol/grpc/tidemark/backup/v1/backup_service';
import type { ClaimTaskResponse } from '@tidemark/protocol/grpc/tidemark/backup/v1/executor_service';
import { afterAll, beforeAll, beforeEach, inject } from 'vitest';
import { runningService, type TestService, wishFor } from './running-service.ts';

// For this service's tests only: what most of them ask of it, for a cluster of each test's own.

const quiet = { debug() {}, info() {}, warn() {}, error() {} };

export interface BackupCalls {
  readonly service: () => TestService;
  /** The cluster of the test. */
  readonly cluster: () => string;
  /** Ids of what was rung for, in order. */
  readonly rung: string[];
  start(fields?: Partial<StartBackupRequest>): Promise<Backup>;
  /** A backup that is over: it was canceled. */
  finished(): Promise<Backup>;
  claim(backupId: string): Promise<ClaimTaskResponse>;
  /** A list of the backups of the cluster, unless the fields say otherwise. */
  selection(fields?: Partial<ListBackupsRequest>): ListBackupsRequest;
}

/** Runs the service for a test file, which registers a new cluster before each test. */
export function backupCalls(): BackupCalls {
  const stack = new AsyncDisposableStack();
  const rung: string[] = [];
  let service: TestService;
  let clusterId: string;
  beforeAll(async () => {
    service = stack.use(await runningService());
    const broker = stack.use(await connectBroker({ url: inject('amqpUrl'), connectionName: 'test', log: quiet }));
    startConsumer(broker, {
      namespace: service.namespace,
      pool: 'default',
      slots: 1,
      log: quiet,
      onUnreadable() {},
      claim: async ({ id }) => void rung.push(id),
    });
  });
  afterAll(() => stack.disposeAsync());
  beforeEach(async () => {
    clusterId = await service.newCluster();
  });

  const start = async (fields: Partial<StartBackupRequest> = {}) => {
    const { backup } = await service.backups.startBackup(wishFor(clusterId, fields));
    if (!backup) throw new Error('no backup was answered');
    return backup;
  };
  return {
    service: () => service,
    cluster: () => clusterId,
    rung,
    start,
    async finished() {
      const backup = await start();
      await service.backups.cancelBackup({ id: backup.id, clusterId: '', reason: '', reasonCode: '' });
      return backup;
    },
    claim: (backupId) =>
      service.executor.claimTask({
        backupId,
        claim: randomUUID(),
        worker: 'w1',
        pool: 'default',
        instance: '',
        outOfReach: [],
      }),
    selection: (fields = {}) => ({
      clusterIds: [clusterId],
      id: '',
      pageToken: '',
      startedAtOrAfter: undefined,
      endedAtOrBefore: undefined,
      states: [],
      mode: BackupMode.BACKUP_MODE_UNSPECIFIED,
      origin: BackupOrigin.BACKUP_ORIGIN_UNSPECIFIED,
      rule: '',
      includeDeleted: false,
      page: 1,
      pageSize: 10,
      withoutTotal: false,
      withinSight: false,
      damaged: false,
      ...fields,
    }),
  };
}
