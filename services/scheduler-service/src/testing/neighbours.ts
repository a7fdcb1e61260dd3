/** backup-service and strategy-service as a peer on the wire that can be made to fail. */
import { AppError } from '@tidemark/errors/app-error';
import { Backup, BackupOrigin, BackupState, DeletionState } from '@tidemark/protocol/grpc/tidemark/backup/v1/backup';
import {
  type BackupServiceServer,
  BackupServiceService,
  type CancelBackupRequest,
  type ChangedBackup,
  type ClusterActivity,
  type DeleteBackupRequest,
  type LastBackup,
  ListBackupsResponse,
  ListRecoveryPointsResponse,
  type NeededBase,
  RecoveryPoint,
  RecoveryRange,
  type StartBackupRequest,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/backup_service';
import { LogBackup, type LogStanding } from '@tidemark/protocol/grpc/tidemark/backup/v1/log_backup';
import {
  type LogBackupServiceServer,
  LogBackupServiceService,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/log_backup_service';
import {
  type Cluster,
  type RegistryServiceServer,
  RegistryServiceService,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/registry_service';
import {
  Restore,
  type RestoreCheck,
  RestorePlan,
  RestoreState,
  TargetState,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/restore';
import {
  type RestoreServiceServer,
  RestoreServiceService,
  type StartRestoreRequest,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/restore_service';
import {
  type PlanServiceServer,
  PlanServiceService,
  type SavedFleetStrategy,
} from '@tidemark/protocol/grpc/tidemark/strategy/v1/plan_service';
import {
  type SaveStrategyRequest,
  Strategy,
  type StrategyServiceServer,
  StrategyServiceService,
} from '@tidemark/protocol/grpc/tidemark/strategy/v1/strategy_service';
import { fitting } from '@tidemark/service-kit/grpc/fitting';
import { type GrpcServer, startGrpcServer } from '@tidemark/service-kit/grpc/server';
import { bindPart } from '@tidemark/service-kit/testing/bind-part';
import { type Backends, openBackends } from '../backends.ts';
import { toConfig } from '../config.ts';
import { log } from '../logger.ts';

/** What the two services know and how they behave; a test changes it as it likes. */
export class Neighbours {
  /** Key → backup. */
  readonly started = new Map<string, string>();
  readonly requests: StartBackupRequest[] = [];
  readonly canceled: CancelBackupRequest[] = [];
  readonly deleted: DeleteBackupRequest[] = [];
  readonly noted = new Map<string, Readonly<Record<string, string>>>();
  readonly gone: string[] = [];
  /** Strategies for labels that wait for all clusters to be told. */
  waiting: SavedFleetStrategy[] = [];
  /** Strategy for labels → the clusters that had been told when it was named as one that needs to wait no longer. */
  readonly toldFor = new Map<string, string[]>();
  strategies: Strategy[] = [];
  clusters: Cluster[] = [];
  /** Clusters that lists leave out, since they cannot be read. */
  readonly unreadable = new Set<string>();
  backups: Backup[] = [];
  /** From which points of a log backup are restored. */
  bases: NeededBase[] = [];
  /** How the last backup ended, by cluster; nothing is told of it where that is none. */
  readonly last = new Map<string, Pick<LastBackup, 'state' | 'endTime'>>();
  /** The moments of snapshots, by backup. */
  readonly snapshots = new Map<string, Date>();
  /** Clusters that are told to have changed, as a copy of an older version does: without the backups. */
  changed: string[] = [];
  /** Backups that are told to have changed, each time anew. */
  changedBackups: ChangedBackup[] = [];
  /** What runs, and what ended last, by cluster. */
  readonly activities = new Map<string, ClusterActivity>();
  /** Clusters of which that was asked for. */
  readonly activitiesAsked: string[] = [];
  #activitiesHeld: Promise<void> | undefined;
  #activitiesArrived = Promise.withResolvers<void>();
  /** How often the next questions for changes are refused. */
  refusals = 0;
  /** How often changes were asked for. */
  rounds = 0;
  /** How often backups were listed. */
  listed = 0;
  /** How many newest good backups and changes are told in one answer. */
  atOnce = Number.POSITIVE_INFINITY;
  /** Clusters whose newest good backup was asked for. */
  readonly lookedUp: string[] = [];
  /** Newest first. */
  restores: Restore[] = [];
  /** How log backups stand, told in messages of one each; undefined as of a copy of an older version, which knows no such call. */
  logs: LogStanding[] | undefined = [];
  /** What the logs of clusters lead to, the newest first. */
  ranges: { readonly fromTime: Date; readonly toTime: Date }[] = [];
  /** Backups that wait, told to whoever asks for those of all clusters. */
  queued: Backup[] = [];
  /** What stands in the way of restores. */
  blocked: RestoreCheck[] = [];
  /** Restores whose targets were said to be empty again. */
  readonly emptied: string[] = [];
  /** Key → restore. */
  readonly restoring = new Map<string, string>();
  /** How the next starts go; `lost` starts the backup and loses the answer. */
  mood: 'fine' | 'busy' | 'lost' | 'away' = 'fine';
  /** Clusters whose records are damaged: no call that concerns one can be answered. */
  readonly damaged = new Set<string>();
  /** Deletions that are taken before others are refused as too many. */
  deletions = Number.POSITIVE_INFINITY;

  /** Answers no question for what runs until it is released; what is answered then is what was there when it was asked. */
  holdActivities(): { readonly arrived: Promise<void>; release(): void } {
    const held = Promise.withResolvers<void>();
    this.#activitiesHeld = held.promise;
    this.#activitiesArrived = Promise.withResolvers();
    return { arrived: this.#activitiesArrived.promise, release: held.resolve };
  }

  async activitiesOf(clusterIds: readonly string[]) {
    const clusters = clusterIds.flatMap((id) => this.activities.get(id) ?? []);
    this.activitiesAsked.push(...clusterIds);
    this.#activitiesArrived.resolve();
    await this.#activitiesHeld;
    return { clusters };
  }

  get readable(): Cluster[] {
    return this.clusters.filter(({ id }) => !this.unreadable.has(id));
  }

  /** @throws AppError `internal` where one of the clusters is damaged */
  requireSound(...clusterIds: readonly string[]): void {
    if (clusterIds.some((id) => this.damaged.has(id))) throw new AppError('internal', 'It is damaged.');
  }

  start(request: StartBackupRequest) {
    const { clusterId, key, notAfter } = request;
    // A call of an earlier test may come late.
    if (!this.strategies.some((one) => one.clusterId === clusterId))
      throw new AppError('cluster_not_found', `There is no cluster ${clusterId}.`);
    if (this.mood === 'away') throw new AppError('unavailable', 'away');
    if (this.mood === 'busy') throw new AppError('cluster_busy', `Cluster ${clusterId} is busy.`);
    if (notAfter && new Date() > notAfter) throw new AppError('start_expired', 'too late');
    const id = this.started.get(key) ?? `backup-${this.started.size}`;
    if (!this.started.has(key)) this.requests.push(request);
    this.started.set(key, id);
    if (this.mood === 'lost') throw new AppError('unavailable', 'the answer was lost');
    return { backup: Backup.create({ id }) };
  }

  /** A restore under way; the same for the same key, and none behind its time, or while another one has its target. */
  startRestore({ key, backupId, point, targetClusterId, notAfter }: StartRestoreRequest) {
    const known = this.restores.find(({ id }) => id === this.restoring.get(key));
    if (known) return { restore: known };
    if (this.mood === 'away') throw new AppError('unavailable', 'away');
    if (notAfter && new Date() > notAfter) throw new AppError('start_expired', 'too late');
    const isOpen = ({ target, state }: Restore) =>
      target?.clusterId === targetClusterId && state === RestoreState.RESTORE_STATE_RUNNING;
    if (this.restores.some(isOpen)) throw new AppError('cluster_busy', `Cluster ${targetClusterId} is busy.`);
    const restore = Restore.create({
      id: `restore-${this.restoring.size}`,
      state: RestoreState.RESTORE_STATE_RUNNING,
      target: { clusterId: targetClusterId },
      source: point ? { backupId: 'base', point: { time: point.time } } : { backupId },
      startTime: new Date(),
    });
    this.restoring.set(key, restore.id);
    this.restores.unshift(restore);
    return { restore };
  }

  /** What a restore left in its target is gone, and stands in the way of no other. */
  empty(id: string) {
    this.emptied.push(id);
    const emptied = { targetState: TargetState.TARGET_STATE_UNTOUCHED, needsCleaning: false };
    this.restores = this.restores.map((restore) => (restore.id === id ? { ...restore, ...emptied } : restore));
    this.blocked = this.blocked.filter(({ name }) => name !== 'targetFree');
    return { restore: this.restores.find((restore) => restore.id === id) };
  }

  advance(clusterId: string, rule: string, opensAt: Date | undefined) {
    this.requireSound(clusterId);
    const index = this.strategies.findIndex(
      (one) =>
        one.clusterId === clusterId && one.rule === rule && one.nextWindow?.opensAt?.getTime() === opensAt?.getTime(),
    );
    const strategy = this.strategies[index];
    if (!strategy) return { advanced: false, strategy: undefined };
    this.strategies[index] = { ...strategy, nextWindow: undefined };
    return { advanced: true, strategy: this.strategies[index] };
  }

  cancel(request: CancelBackupRequest) {
    this.canceled.push(request);
    if (this.canceled.length > 1) throw new AppError('backup_over', 'It is over.');
    return { backup: Backup.create({ id: request.id }) };
  }

  delete(request: DeleteBackupRequest) {
    if (this.deletions <= 0) throw new AppError('too_many_requests', 'many deletions are under way');
    this.deletions -= 1;
    this.deleted.push(request);
    this.backups = this.backups.map((backup) =>
      backup.id === request.id
        ? { ...backup, deletion: { ...NO_DELETION, state: DeletionState.DELETION_STATE_REQUESTED } }
        : backup,
    );
    return { backup: this.backups.find(({ id }) => id === request.id) };
  }

  changes(pageToken: string) {
    const { items: backups, nextPageToken } = this.#piece(this.changedBackups, pageToken);
    const clusterIds = backups.map(({ clusterId }) => clusterId);
    if (pageToken !== '') return { clusterIds, backups, nextPageToken };
    this.rounds += 1;
    if (this.refusals > 0) {
      this.refusals -= 1;
      throw new AppError('unavailable', 'away');
    }
    return { clusterIds: [...this.changed.splice(0), ...clusterIds], backups, nextPageToken };
  }

  /** Some of a list; the token is how many were told. */
  #piece<T>(all: readonly T[], pageToken: string): { items: T[]; nextPageToken: string } {
    const end = Number(pageToken) + this.atOnce;
    return { items: all.slice(Number(pageToken), end), nextPageToken: end < all.length ? String(end) : '' };
  }

  newestGood(clusterIds: readonly string[], pageToken: string) {
    if (pageToken === '') this.lookedUp.push(...clusterIds);
    const found = clusterIds.flatMap((clusterId) => {
      const newest = this.backups
        .filter((backup) => backup.clusterId === clusterId)
        .sort((one, other) => Number(other.startTime) - Number(one.startTime))[0];
      if (!newest) return [];
      const { id: backupId, startTime, endTime, result } = newest;
      const sizeBytes = result?.sizeBytes ?? 0n;
      const snapshotTime = this.snapshots.get(backupId);
      return [{ clusterId, backupId, startTime, endTime, snapshotTime, verifiedSnapshotTime: undefined, sizeBytes }];
    });
    const { items: backups, nextPageToken } = this.#piece(found, pageToken);
    const ended = pageToken === '' ? clusterIds : [];
    const last = ended.flatMap((clusterId) => {
      const known = this.last.get(clusterId);
      return known ? [{ clusterId, ...known }] : [];
    });
    return { backups, nextPageToken, last };
  }

  /** What strategy-service would store for a request, as far as these tests ask. */
  proposed({ clusterId, rule, days, period, windowEnd }: SaveStrategyRequest): Strategy | undefined {
    const stored = this.strategies.find((one) => one.clusterId === clusterId && one.rule === (rule || 'default'));
    return (
      stored && {
        ...stored,
        ...(days !== undefined && { days: days.split(',') }),
        ...(period !== undefined && { period }),
        ...(windowEnd !== undefined && { windowEnd }),
      }
    );
  }
}

const NO_DELETION = {
  state: DeletionState.DELETION_STATE_NONE,
  trashUntil: undefined,
  by: '',
  reason: '',
  at: undefined,
  bytes: 0n,
  error: '',
  remark: '',
  errorCode: '',
} as const;

/** A successful backup that the scheduler started. */
export function goodBackup(fields: Partial<Backup> & Pick<Backup, 'id' | 'clusterId'>): Backup {
  return Backup.create({
    state: BackupState.BACKUP_STATE_SUCCEEDED,
    origin: BackupOrigin.BACKUP_ORIGIN_SCHEDULE,
    rule: 'default',
    deletion: NO_DELETION,
    startTime: new Date(),
    endTime: new Date(),
    ...fields,
  });
}

export interface NeighboursServer extends AsyncDisposable {
  readonly address: string;
  readonly backends: () => Backends;
}

/** Serves whatever `neighbours` answers at the moment of a call. */
export async function serveNeighbours(neighbours: () => Neighbours): Promise<NeighboursServer> {
  const server: GrpcServer = await startGrpcServer({
    host: '127.0.0.1',
    port: 0,
    token: undefined,
    log,
    services: [
      bindPart<BackupServiceServer>(BackupServiceService, {
        startBackup: async (request) => neighbours().start(request),
        findBackupByKey: async ({ key }) => {
          const id = neighbours().started.get(key);
          return { backup: id === undefined ? undefined : Backup.create({ id }) };
        },
        listBackups: async ({ clusterIds, rule, origin, pageToken }) => {
          if (clusterIds.length === 0) return ListBackupsResponse.create({ backups: neighbours().queued });
          if (pageToken === '') neighbours().listed += 1;
          const all = neighbours().backups.filter(
            (backup) =>
              clusterIds.includes(backup.clusterId) &&
              (rule === '' || backup.rule === rule) &&
              (origin === BackupOrigin.BACKUP_ORIGIN_UNSPECIFIED || backup.origin === origin),
          );
          const told = Number(pageToken);
          const backups = fitting(all.slice(told), Backup);
          const end = told + backups.length;
          return ListBackupsResponse.create({
            backups,
            total: BigInt(all.length),
            followingPageToken: end < all.length ? String(end) : '',
          });
        },
        getBackup: async ({ id }) => {
          const backup = neighbours().backups.find((one) => one.id === id);
          if (!backup) throw new AppError('backup_not_found', `There is no backup ${id}.`);
          return { backup };
        },
        cancelBackup: async (request) => neighbours().cancel(request),
        deleteBackup: async (request) => neighbours().delete(request),
        listNeededBases: async () => ({ bases: neighbours().bases }),
        listRecoveryPoints: async ({ clusterId }) => {
          const points = neighbours()
            .backups.filter((backup) => backup.clusterId === clusterId)
            .map(({ id, startTime }) => RecoveryPoint.create({ backupId: id, time: startTime }));
          const ranges = neighbours().ranges.map((range) => RecoveryRange.create(range));
          return ListRecoveryPointsResponse.create({ points, newest: points[0], ranges });
        },
        listNewestGood: async ({ clusterIds, pageToken }) => neighbours().newestGood(clusterIds, pageToken),
        listActivity: async ({ clusterIds }) => neighbours().activitiesOf(clusterIds),
        listChangedClusters: async ({ after, pageToken }) => ({
          ...(after ? neighbours().changes(pageToken) : { clusterIds: [], backups: [], nextPageToken: '' }),
          nextAfter: new Date(),
          more: false,
        }),
      }),
      bindPart<RestoreServiceServer>(RestoreServiceService, {
        listRestores: async ({ states }) => ({
          restores: neighbours().restores.filter(({ state }) => states.length === 0 || states.includes(state)),
          nextPageToken: '',
        }),
        planRestore: async () => ({ plan: RestorePlan.create({ checks: neighbours().blocked }) }),
        startRestore: async (request) => neighbours().startRestore(request),
        releaseRestore: async ({ id }) => neighbours().empty(id),
        confirmCleaned: async ({ id }) => neighbours().empty(id),
        getRestore: async ({ id }) => {
          const restore = neighbours().restores.find((one) => one.id === id);
          if (!restore) throw new AppError('restore_not_found', `There is no restore ${id}.`);
          return { restore };
        },
      }),
      bindPart<LogBackupServiceServer>(LogBackupServiceService, {
        getLogBackup: async ({ clusterId }) => {
          const log = neighbours().logs?.find((one) => one.clusterId === clusterId);
          return { logBackup: log && LogBackup.create({ clusterId, wanted: log.wanted }) };
        },
        async *scanLogBackups() {
          const { logs } = neighbours();
          if (!logs) throw new AppError('internal', 'There is no such call.');
          for (const log of logs) yield { logs: [log] };
        },
      }),
      bindPart<RegistryServiceServer>(RegistryServiceService, {
        listClusters: async ({ ids }) => ({
          clusters: neighbours().readable.filter(({ id }) => ids.length === 0 || ids.includes(id)),
          nextPageToken: '',
        }),
        async *scanClusters() {
          yield { clusters: neighbours().readable };
        },
        getCluster: async ({ id }) => {
          neighbours().requireSound(id);
          const cluster = neighbours().clusters.find((one) => one.id === id);
          if (!cluster) throw new AppError('cluster_not_found', `There is no cluster ${id}.`);
          return { cluster };
        },
      }),
      bindPart<StrategyServiceServer>(StrategyServiceService, {
        getStrategy: async ({ clusterId, rule }) => ({
          strategy: neighbours().strategies.find(
            (one) => one.clusterId === clusterId && one.rule === (rule || 'default'),
          ),
        }),
        listStrategies: async ({ clusterIds }) => ({
          strategies: neighbours().strategies.filter(
            ({ clusterId }) => clusterIds.length === 0 || clusterIds.includes(clusterId),
          ),
          nextPageToken: '',
        }),
        saveStrategy: async (request) => ({ strategy: neighbours().proposed(request) }),
        listStorageUsers: async () => ({ users: [], total: 0 }),
      }),
      bindPart<PlanServiceServer>(PlanServiceService, {
        listDueStrategies: async () => ({
          strategies: neighbours().strategies.filter((one) => one.nextWindow),
          more: false,
        }),
        advanceStrategy: async ({ clusterId, rule, opensAt }) => neighbours().advance(clusterId, rule, opensAt),
        async *scanStrategies() {
          yield { strategies: neighbours().strategies };
        },
        noteClusters: async ({ clusters, goneClusterIds, toldFor }) => {
          neighbours().requireSound(...clusters.map(({ clusterId }) => clusterId));
          neighbours().gone.push(...goneClusterIds);
          for (const { clusterId, labels } of clusters) neighbours().noted.set(clusterId, labels);
          for (const { name } of toldFor) neighbours().toldFor.set(name, [...neighbours().noted.keys()]);
          return { changed: 0, waiting: neighbours().waiting };
        },
      }),
    ],
  });
  const address = `127.0.0.1:${server.port}`;
  return {
    address,
    backends: () =>
      openBackends(
        toConfig({
          TIDEMARK_MONGODB_URL: 'unused',
          TIDEMARK_STRATEGY_SERVICE: address,
          TIDEMARK_BACKUP_SERVICE: address,
        }),
      ),
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

/** A rule whose window lasts a whole day, for tests that do not ask when. */
export function everyDay(clusterId: string, rule: string, opensAt: Date, closesAt: Date): Strategy {
  const hour = `${opensAt.getUTCHours()}:00`;
  return Strategy.create({
    clusterId,
    rule,
    days: ['Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday', 'Sunday'],
    period: `${hour}-${hour}`,
    timeZone: 'UTC',
    nextWindow: { opensAt, closesAt, startAt: opensAt },
    revision: 1n,
  });
}
