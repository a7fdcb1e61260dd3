import { randomUUID } from 'node:crypto';
import type { Backup } from '@tidemark/protocol/grpc/tidemark/backup/v1/backup';
import type {
  BackupGrant,
  CheckGrant,
  CheckRef,
  RemoveGrant,
  SettleMoveResponse,
  TaskRef,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/executor_service';
import { Cluster, S3Location, Storage } from '@tidemark/protocol/grpc/tidemark/backup/v1/registry_service';
import { afterAll, beforeAll, expect, vi } from 'vitest';
import { runningService, type TestService, wishFor } from './running-service.ts';

// For this service's tests only: storages that move, their backups, and the checks that prove a move.

export const ROOT = 'nfs/em/backup';
export const MINE = 'f'.repeat(32);
export const OTHER = '0'.repeat(32);
export const FAILED = { code: 'REMOVE_FAILED', message: 'The files could not be removed: no way in.', detail: '' };
export const worker = { worker: 'w1', pool: 'default', instance: '' };

export const bucket = (name: string, envPrefix = 'OLD_', fields: Partial<S3Location> = {}): Partial<Storage> => ({
  location: { $case: 's3', value: S3Location.create({ bucket: name, ...fields }) },
  credentials: { source: { $case: 'envPrefix', value: envPrefix } },
});

export const bucketOf = ({ storage }: { storage: Storage | undefined }) =>
  storage?.location?.$case === 's3' ? storage.location.value.bucket : undefined;
export const prefixOf = ({ storage }: { storage: Storage | undefined }) => storage?.credentials?.source?.value;

interface Registered {
  readonly id: string;
  put(where: Partial<Storage>): Promise<unknown>;
  /** Registers a cluster that uses the storage. */
  cluster(): Promise<string>;
}

export interface Granted {
  readonly task: TaskRef;
  readonly value: BackupGrant | RemoveGrant;
}

export interface Probe {
  readonly check: CheckRef;
  readonly grant: CheckGrant;
}

/** Runs the service for a test file. */
export function movingStorages() {
  let service: TestService;
  beforeAll(async () => {
    service = await runningService();
  });
  afterAll(() => service[Symbol.asyncDispose]());

  /** A storage of a new name in the bucket `one`, and a cluster that uses it. */
  async function register(): Promise<Registered> {
    const id = `s-${randomUUID().slice(0, 8)}`;
    const put = (where: Partial<Storage>) => service.registry.putStorage({ storage: Storage.create({ id, ...where }) });
    await put(bucket('one'));
    const cluster = async () => {
      const clusterId = `c-${randomUUID().slice(0, 8)}`;
      await service.registry.putCluster({
        cluster: Cluster.create({ id: clusterId, pd: ['127.0.0.1:2379'], storageId: id }),
      });
      return clusterId;
    };
    return { id, put, cluster };
  }
  async function claimTask(backupId: string, claim: string = randomUUID()): Promise<Granted> {
    const { grant } = await service.executor.claimTask({ backupId, claim, ...worker, outOfReach: [] });
    if (!grant) throw new Error('no grant');
    return { task: { backupId, claim, fence: grant.value.fence }, value: grant.value };
  }
  /** Claims as soon as that may be done. */
  const claimSoon = (id: string) => vi.waitFor(() => claimTask(id), { timeout: 10_000 });

  async function start(clusterId: string): Promise<Granted> {
    const { backup } = await service.backups.startBackup(wishFor(clusterId));
    return claimTask(backup?.id ?? '');
  }

  /** A good backup of a cluster of its own; `marker` is what lies in its storage. */
  async function good({ cluster }: Registered, marker = ''): Promise<Backup> {
    const { task } = await start(await cluster());
    if (marker !== '') await service.executor.settleMarker({ holder: { $case: 'task', value: task }, number: marker });
    const result = { tso: 5n, sizeBytes: 7n, files: 1n, tidbClusterId: 1n, clusterVersion: '8.5.0', remark: '' };
    await service.executor.completeTask({
      task,
      outcome: { $case: 'succeeded', value: { result, exitSeen: false, manifestKeyId: '' } },
    });
    return show(task.backupId);
  }

  async function show(id: string): Promise<Backup> {
    const { backup } = await service.backups.getBackup({ id });
    if (!backup) throw new Error('there is no backup');
    return backup;
  }

  const remove = (id: string) =>
    service.backups.deleteBackup({ id, clusterId: '', reason: '', byRetention: false, forget: false });

  /** Asks for the deletion of a backup, and has the first try fail. */
  async function failRemoval(id: string): Promise<Backup> {
    await remove(id);
    const { task } = await claimSoon(id);
    await service.executor.completeTask({ task, outcome: { $case: 'removeFailed', value: { reason: FAILED } } });
    return show(id);
  }

  /** What is granted for the removal of a backup, which is then given back. */
  async function removalOf(id: string): Promise<RemoveGrant> {
    await remove(id);
    const { task, value } = await claimSoon(id);
    await service.executor.releaseTask({ task, strayPath: '' });
    return value as RemoveGrant;
  }

  /** Says that a storage was moved, and claims the check. */
  async function sayMoved(storageId: string, moved = true): Promise<Probe> {
    const enough = new AbortController();
    const wish = { storageId, pool: '', adopt: false, moved };
    const answer = service.registry.checkStorage(wish, { timeoutMs: 60_000, signal: enough.signal });
    answer.catch(() => undefined);
    const checks = service.db.collection<{ _id: string }>('checks');
    const checkId = await vi.waitFor(
      async () => {
        const found = await checks.findOne({ storageId, state: 'Queued', part: { $exists: false } });
        if (!found) throw new Error('not asked yet');
        return found._id;
      },
      { timeout: 30_000 },
    );
    enough.abort();
    await expect(answer).rejects.toThrow();
    const claim = randomUUID();
    const { grant } = await service.executor.claimCheck({ checkId, claim, ...worker });
    if (!grant) throw new Error('no grant');
    return { check: { checkId, claim, fence: grant.fence }, grant };
  }

  const tell = ({ check }: Probe, place: string, number: string, backups: string[] = []): Promise<SettleMoveResponse> =>
    service.executor.settleMove({ check, place, number, backups });

  /** Says that a storage was moved, and reports what was found of all older places: all of the good backups, unless said otherwise. */
  async function proveMoved(storageId: string, number: string, found?: string[]) {
    const probe = await sayMoved(storageId);
    const answers: SettleMoveResponse[] = [];
    for (const { place, backups } of probe.grant.move?.places ?? [])
      answers.push(await tell(probe, place, number, found ?? backups));
    return { probe, answers };
  }

  return {
    service: () => service,
    register,
    claimTask,
    claimSoon,
    start,
    good,
    show,
    remove,
    failRemoval,
    removalOf,
    sayMoved,
    tell,
    proveMoved,
  };
}
