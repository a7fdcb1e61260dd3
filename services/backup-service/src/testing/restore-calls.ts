import { createHash, randomUUID } from 'node:crypto';
import type { StartBackupRequest } from '@tidemark/protocol/grpc/tidemark/backup/v1/backup_service';
import {
  CompleteRestoreRequest,
  CompleteTaskRequest,
  RenewRestoreRequest,
  type RestoreGrant,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/executor_service';
import { Cluster } from '@tidemark/protocol/grpc/tidemark/backup/v1/registry_service';
import {
  type Restore,
  RestoreEnd,
  type RestoreEndKind,
  type RestorePlan,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/restore';
import { PlanRestoreRequest, StartRestoreRequest } from '@tidemark/protocol/grpc/tidemark/backup/v1/restore_service';
import { beforeEach, vi } from 'vitest';
import { type BackupCalls, backupCalls } from './backup-calls.ts';

// For this service's tests only: a good backup and a registered target for each test, and what workers do with a restore.

export interface RestoreCalls extends BackupCalls {
  /** The backup of the test; one of its cluster. */
  readonly backupId: () => string;
  /** The cluster that is restored into; another one where a test says so. */
  readonly target: { id: string };
  /** Another good backup, of the cluster of the test unless the fields say otherwise. */
  goodBackup(fields?: Partial<StartBackupRequest>, found?: Found): Promise<string>;
  register(fields?: Partial<Cluster>): Promise<void>;
  plan(fields?: Partial<PlanRestoreRequest>): Promise<RestorePlan>;
  /** By the plan of now, confirmed. */
  startRestore(fields?: Partial<StartRestoreRequest>): Promise<string>;
  read(id: string): Promise<Restore>;
  /** Waits until the restore is granted. */
  granted(wish: Parameters<ReturnType<BackupCalls['service']>['executor']['claimRestore']>[0]): Promise<RestoreGrant>;
  /** A worker that has the restore, and may start `br`. */
  working(id: string, brVersion?: string): Promise<RestoringWorker>;
  /** The holds of the backup. */
  holds(): Promise<string[] | undefined>;
  /** What the plan of now says of who has the target. */
  targetFree(): Promise<RestorePlan['checks'][number] | undefined>;
  /** Does something about another registration, which is the target of the test meanwhile. */
  alsoAs<T>(fields: Partial<Cluster>, act: (first: string) => Promise<T>): Promise<T>;
}

/** What the worker of a good backup found. */
export interface Found {
  /** That of its cluster when left out. */
  readonly tidbClusterId?: bigint;
  readonly manifestKeyId?: string;
}

/** The id that TiDB gave a cluster of a test: another one for each. */
export function tidbIdOf(clusterId: string): bigint {
  return createHash('sha256').update(clusterId).digest().readBigUInt64BE() >> 1n;
}

export interface RestoringWorker {
  readonly grant: RestoreGrant;
  readonly restore: { readonly restoreId: string; readonly claim: string; readonly fence: bigint };
  starts(): ReturnType<ReturnType<BackupCalls['service']>['executor']['renewRestore']>;
  ends(
    kind: RestoreEndKind,
    fields?: Partial<RestoreEnd>,
  ): ReturnType<ReturnType<BackupCalls['service']>['executor']['completeRestore']>;
  reports(
    kind: RestoreEndKind,
    fields?: Partial<RestoreEnd>,
  ): ReturnType<ReturnType<BackupCalls['service']>['executor']['reportRestoreEnd']>;
}

/** As `backupCalls`, with a good backup and an empty target before each test. */
export function restoreCalls(): RestoreCalls {
  const calls = backupCalls();
  const { service, start } = calls;
  const target = { id: '' };
  let backupId: string;

  const goodBackup: RestoreCalls['goodBackup'] = async (fields = {}, { tidbClusterId, manifestKeyId = '' } = {}) => {
    const { id, clusterId } = await start(fields);
    const token = randomUUID();
    const wish = { backupId: id, claim: token, worker: 'w1', pool: 'default', instance: '', outOfReach: [] };
    const { grant } = await service().executor.claimTask(wish);
    const task = { backupId: id, claim: token, fence: grant?.value.fence ?? 0n };
    const result = {
      ...{ tso: 5n, sizeBytes: 7n, files: 1n, clusterVersion: '8.5.0', remark: '' },
      tidbClusterId: tidbClusterId ?? tidbIdOf(clusterId),
    };
    const outcome = { $case: 'succeeded' as const, value: { result, exitSeen: true, manifestKeyId } };
    await service().executor.completeTask(CompleteTaskRequest.create({ task, outcome }));
    return id;
  };
  const register = async (fields: Partial<Cluster> = {}) => {
    const registered = { id: target.id, pd: [`${target.id}:3379`], version: '8.5.0', storageId: 'local', ...fields };
    await service().registry.putCluster({ cluster: Cluster.create(registered) });
  };
  beforeEach(async () => {
    backupId = await goodBackup();
    target.id = `target-${randomUUID().slice(0, 8)}`;
    await register();
  });

  const plan = async (fields: Partial<PlanRestoreRequest> = {}) => {
    const request = PlanRestoreRequest.create({ backupId, targetClusterId: target.id, ...fields });
    const { plan: found } = await service().restores.planRestore(request);
    if (!found) throw new Error('no plan was answered');
    return found;
  };
  // Where a poll of the dispatcher comes first, the hold is taken only behind the answer of the start.
  const granted: RestoreCalls['granted'] = (wish) =>
    vi.waitFor(async () => {
      const { grant } = await service().executor.claimRestore(wish);
      if (!grant) throw new Error('the restore was not granted');
      return grant;
    });

  return {
    ...calls,
    backupId: () => backupId,
    target,
    goodBackup,
    register,
    plan,
    async startRestore(fields = {}) {
      const { options, backupId: source = backupId } = fields;
      const { hash } = await plan({ backupId: source, ...(options && { options }) });
      const wish = { backupId, targetClusterId: target.id, planHash: hash, confirm: target.id, ...fields };
      const { restore } = await service().restores.startRestore(StartRestoreRequest.create(wish));
      return restore?.id ?? '';
    },
    async read(id) {
      const { restore } = await service().restores.getRestore({ id });
      if (!restore) throw new Error('no restore was answered');
      return restore;
    },
    granted,
    async working(id, brVersion = 'v8.5.0') {
      const { executor } = service();
      const token = randomUUID();
      const wish = {
        restoreId: id,
        claim: token,
        worker: 'w1',
        pool: 'default',
        brVersions: [brVersion],
        replaysLogs: true,
      };
      const grant = await granted(wish);
      const restore = { restoreId: id, claim: token, fence: grant.fence };
      const starting = { brVersion, host: 'h1', hasCheckpoint: true, argv: ['restore', 'full'] };
      return {
        grant,
        restore,
        starts: () => executor.renewRestore(RenewRestoreRequest.create({ restore, starting })),
        ends: (kind, fields) =>
          executor.completeRestore(
            CompleteRestoreRequest.create({ restore, end: RestoreEnd.create({ kind, ...fields }) }),
          ),
        reports: (kind, fields) => executor.reportRestoreEnd({ restore, end: RestoreEnd.create({ kind, ...fields }) }),
      };
    },
    holds: async () => (await service().backups.getBackup({ id: backupId })).backup?.holds,
    targetFree: async () => (await plan()).checks.find(({ name }) => name === 'targetFree'),
    async alsoAs(fields, act) {
      const first = target.id;
      target.id = `target-${randomUUID().slice(0, 8)}`;
      try {
        await register(fields);
        return await act(first);
      } finally {
        target.id = first;
      }
    },
  };
}
