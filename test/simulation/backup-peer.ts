/**
 * backup-service as the scheduler sees it: one backup for each key, one active backup for each cluster, nothing after
 * `notAfter`, and nothing at all while it is away.
 */
import { AppError, invalidArgument } from '@tidemark/errors/app-error';
import { Backup } from '@tidemark/protocol/grpc/tidemark/backup/v1/backup';
import {
  type FindBackupByKeyRequest,
  type FindBackupByKeyResponse,
  GoodBackup,
  type ListNewestGoodRequest,
  type ListNewestGoodResponse,
  type StartBackupRequest,
  type StartBackupResponse,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/backup_service';

/** A backup of a cluster; all times are true ones, in milliseconds. */
export interface PeerBackup {
  readonly id: string;
  readonly clusterId: string;
  /** Empty for one that a person started. */
  readonly key: string;
  readonly storageId: string;
  readonly startedAt: number;
  /** What the peer's own clock said then. */
  readonly startedByClock: number;
  readonly endsAt: number;
}

export interface PeerWorld {
  /** True time. */
  readonly time: () => number;
  readonly isAway: () => boolean;
  /** How long the next backup runs, in milliseconds. */
  readonly length: () => number;
  /** How far its clock is ahead, in milliseconds. */
  readonly clockMs: number;
}

export class BackupPeer {
  readonly byKey = new Map<string, PeerBackup>();
  readonly ofCluster = new Map<string, PeerBackup[]>();
  readonly #world: PeerWorld;

  constructor(world: PeerWorld) {
    this.#world = world;
  }

  async startBackup({ clusterId, key, notAfter, storageId }: StartBackupRequest): Promise<StartBackupResponse> {
    this.#answer();
    const known = this.byKey.get(key);
    if (known && known.storageId !== storageId)
      throw invalidArgument([{ field: 'Idempotency-Key', description: 'was used for another request before' }]);
    if (known) return { backup: Backup.create({ id: known.id }) };
    if (notAfter && this.#now() > +notAfter)
      throw new AppError('start_expired', 'It is too late to start this backup.');
    if (this.isBusy(clusterId)) throw new AppError('cluster_busy', `Cluster ${clusterId} is busy.`);
    const backup = this.#run(clusterId, key, storageId, this.#world.length());
    this.byKey.set(key, backup);
    return { backup: Backup.create({ id: backup.id }) };
  }

  async findBackupByKey({ key }: FindBackupByKeyRequest): Promise<FindBackupByKeyResponse> {
    this.#answer();
    const id = this.byKey.get(key)?.id;
    return { backup: id === undefined ? undefined : Backup.create({ id }) };
  }

  async listNewestGood({ clusterIds }: ListNewestGoodRequest): Promise<ListNewestGoodResponse> {
    this.#answer();
    const backups = clusterIds.flatMap((clusterId) => {
      const newest = this.ofCluster.get(clusterId)?.findLast(({ endsAt }) => endsAt <= this.#world.time());
      if (!newest) return [];
      const { id: backupId, startedAt, endsAt } = newest;
      return [GoodBackup.create({ clusterId, backupId, startTime: new Date(startedAt), endTime: new Date(endsAt) })];
    });
    return { backups, nextPageToken: '', last: [] };
  }

  /** A person starts a backup, unless the cluster is busy. */
  startByHand(clusterId: string, lengthMs: number): void {
    if (!this.isBusy(clusterId)) this.#run(clusterId, '', '', lengthMs);
  }

  isBusy(clusterId: string): boolean {
    const last = this.ofCluster.get(clusterId)?.at(-1);
    return last !== undefined && last.endsAt > this.#world.time();
  }

  #run(clusterId: string, key: string, storageId: string, lengthMs: number): PeerBackup {
    const startedAt = this.#world.time();
    const others = this.ofCluster.get(clusterId) ?? [];
    const backup = {
      id: `${clusterId}-${others.length}`,
      clusterId,
      key,
      storageId,
      startedAt,
      startedByClock: this.#now(),
      endsAt: startedAt + lengthMs,
    };
    others.push(backup);
    this.ofCluster.set(clusterId, others);
    return backup;
  }

  #now(): number {
    return this.#world.time() + this.#world.clockMs;
  }

  #answer(): void {
    if (this.#world.isAway()) throw new AppError('unavailable', 'backup-service is away');
  }
}
