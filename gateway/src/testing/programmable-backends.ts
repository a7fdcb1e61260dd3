/** Test support: the services behind the gateway, faked in this process, answer by answer. */
import type { DescService, MessageInitShape } from '@bufbuild/protobuf';
import { create } from '@bufbuild/protobuf';
import { timestampFromDate } from '@bufbuild/protobuf/wkt';
import {
  Code,
  ConnectError,
  type ConnectRouter,
  createRouterTransport,
  type HandlerContext,
  type ServiceImpl,
} from '@connectrpc/connect';
import { AppError } from '@tidemark/errors/app-error';
import {
  BadRequestSchema,
  ErrorInfoSchema,
  RetryInfoSchema,
} from '@tidemark/protocol/connect/google/rpc/error_details';
import { AuditService } from '@tidemark/protocol/connect/tidemark/backup/v1/audit_service';
import {
  type Backup,
  BackupMode,
  BackupOrigin,
  BackupSchema,
  BackupState,
  DeletionState,
  VerificationState,
} from '@tidemark/protocol/connect/tidemark/backup/v1/backup';
import { BackupService } from '@tidemark/protocol/connect/tidemark/backup/v1/backup_service';
import { LogState, LogWish } from '@tidemark/protocol/connect/tidemark/backup/v1/log_backup';
import { LogBackupService } from '@tidemark/protocol/connect/tidemark/backup/v1/log_backup_service';
import { CheckState, RegistryService } from '@tidemark/protocol/connect/tidemark/backup/v1/registry_service';
import { RestoreState } from '@tidemark/protocol/connect/tidemark/backup/v1/restore';
import { RestoreService } from '@tidemark/protocol/connect/tidemark/backup/v1/restore_service';
import { DrillService } from '@tidemark/protocol/connect/tidemark/scheduler/v1/drill_service';
import { FleetService } from '@tidemark/protocol/connect/tidemark/scheduler/v1/fleet_service';
import {
  DeliveryState,
  NotificationService,
  NotificationSeverity,
  NotificationTopic,
  ReceiverKind,
} from '@tidemark/protocol/connect/tidemark/scheduler/v1/notification_service';
import { OccurrenceService } from '@tidemark/protocol/connect/tidemark/scheduler/v1/occurrence_service';
import { RetentionService } from '@tidemark/protocol/connect/tidemark/scheduler/v1/retention_service';
import { StrategyService, WindowEnd } from '@tidemark/protocol/connect/tidemark/strategy/v1/strategy_service';
import { HONORED, SIGHT } from '@tidemark/service-kit/grpc/metadata-names';
import { type Backends, createBackends } from '../backends.ts';

export const CLUSTER = 'oEcox8lMQ7KMswDebRwIZg';
export const OTHER_CLUSTER = 'test-tidb';
export const BACKUP = 'h6IhUQh-Q32MDOfcVieYgA';
/** A restore into `CLUSTER` of a backup of it. */
export const RESTORE = 'Qm1haW4tcmVzdG9yZS0wMQ';
/** The same of `OTHER_CLUSTER`. */
export const OTHER_RESTORE = 'Qm1haW4tcmVzdG9yZS0wMg';
/** A backup of `OTHER_CLUSTER`. */
export const OTHER_BACKUP = 'AM0kcZ1qSkyE_PKal6jQmA';

const SERVICES: readonly DescService[] = [
  BackupService,
  RestoreService,
  LogBackupService,
  RegistryService,
  AuditService,
  StrategyService,
  FleetService,
  OccurrenceService,
  RetentionService,
  DrillService,
  NotificationService,
];

type Answers = ServiceImpl<typeof BackupService> &
  ServiceImpl<typeof RestoreService> &
  ServiceImpl<typeof LogBackupService> &
  ServiceImpl<typeof RegistryService> &
  ServiceImpl<typeof AuditService> &
  ServiceImpl<typeof StrategyService> &
  ServiceImpl<typeof DrillService> &
  ServiceImpl<typeof FleetService> &
  ServiceImpl<typeof NotificationService> &
  ServiceImpl<typeof OccurrenceService> &
  ServiceImpl<typeof RetentionService>;

/** A call that reached a service. */
export interface ReceivedCall {
  readonly method: string;
  // biome-ignore lint/suspicious/noExplicitAny: a test knows which request its call has
  readonly request: any;
  readonly headers: Headers;
}

export interface ProgrammableBackends {
  readonly backends: Backends;
  /** What each method answers; a test replaces what it needs. */
  readonly answers: Answers;
  /** Every call, in order. */
  readonly calls: ReceivedCall[];
  /** Whether backup-service says that it looks at what callers see; the answers here do not. */
  readonly sight: { honored: boolean };
  /** The last call of a method. */
  received(method: keyof Answers): ReceivedCall;
  /** Answers as at the start, and knows of no call any more. */
  reset(): void;
}

/** What a service of ours answers for an error, with its details. */
export function wireError(error: AppError): ConnectError {
  const { fields, info, retryAfterMs } = error.details;
  const code = { 404: Code.NotFound, 409: Code.FailedPrecondition, 400: Code.InvalidArgument, 503: Code.Unavailable };
  return new ConnectError(error.message, (code as Record<number, Code>)[error.row.http] ?? Code.Internal, undefined, [
    { desc: ErrorInfoSchema, value: { reason: error.code, domain: 'tidemark', metadata: { ...info } } },
    ...(fields ? [{ desc: BadRequestSchema, value: { fieldViolations: [...fields] } }] : []),
    ...(retryAfterMs === undefined
      ? []
      : [{ desc: RetryInfoSchema, value: { retryDelay: { seconds: BigInt(retryAfterMs) / 1000n } } }]),
  ]);
}

/** A finished backup like the sample of the API's document. */
export function sampleBackup(changes: MessageInitShape<typeof BackupSchema> = {}): Backup {
  const time = (text: string) => timestampFromDate(new Date(text));
  const sample: MessageInitShape<typeof BackupSchema> = {
    id: BACKUP,
    clusterId: CLUSTER,
    mode: BackupMode.MANUAL,
    type: 'full',
    method: 'physical',
    origin: BackupOrigin.REQUEST,
    state: BackupState.SUCCEEDED,
    storageId: 'nfs',
    path: `nfs/em/backup/${CLUSTER}/2022-04-28-08-00-41-full`,
    result: { tso: 432834567783317505n, sizeBytes: 1_572_864n, files: 7n },
    deletion: { state: DeletionState.NONE },
    startTime: time('2022-04-28T08:00:41.697Z'),
    endTime: time('2022-04-28T08:00:42.263Z'),
    createTime: time('2022-04-28T08:00:41.698Z'),
    updateTime: time('2022-04-28T08:00:42.267Z'),
    revision: 9n,
    createdBy: 'console',
  };
  return create(BackupSchema, { ...sample, ...changes } as typeof sample);
}

/** A receiver of everything that is urgent. */
export function sampleReceiver(id: string) {
  return {
    id,
    kind: ReceiverKind.WEBHOOK,
    leastSeverity: NotificationSeverity.WARNING,
    url: 'https://hooks.example.com/',
    secrets: { source: { case: 'envPrefix', value: 'OPS_' } },
    revision: 1n,
    updatedBy: 'console',
  } as const;
}

/** A strategy for labels that three clusters have. */
export function sampleFleetStrategy(name: string) {
  return {
    name,
    selector: { env: 'prod' },
    priority: 10,
    rule: 'default',
    days: ['Monday', 'Friday'],
    period: '23:00-2:00',
    retention: { keepLast: 7 },
    windowEnd: WindowEnd.STOP,
    storageId: 'nfs',
    revision: 2n,
    updateTime: timestampFromDate(new Date('2026-01-05T23:00:00Z')),
    updatedBy: 'console',
    applied: true,
    clusters: 3,
  };
}

/** Fakes that know two clusters, with one finished backup each. */
export function programmableBackends(): ProgrammableBackends {
  const calls: ReceivedCall[] = [];
  const answers = { ...emptyAnswers(), ...knownAnswers() } as Answers;
  const sight = { honored: false };
  const transport = createRouterTransport((router) => {
    for (const service of SERVICES) serve(router, service, answers, calls, sight);
  });
  return {
    sight,
    backends: createBackends({ backup: transport, strategy: transport, scheduler: transport }),
    answers,
    calls,
    received(method) {
      const call = calls.findLast((one) => one.method === method);
      if (!call) throw new Error(`${method} was not called`);
      return call;
    },
    reset() {
      Object.assign(answers, emptyAnswers(), knownAnswers());
      calls.length = 0;
      sight.honored = false;
    },
  };
}

type AnyAnswer = (request: unknown, context: HandlerContext) => unknown;

/** Looks the answer up anew for each call, and turns an `AppError` into what a service would send. */
function serve(
  router: ConnectRouter,
  service: DescService,
  answers: Answers,
  calls: ReceivedCall[],
  sight: ProgrammableBackends['sight'],
): void {
  const find = (method: string, request: unknown, { requestHeader, responseHeader }: HandlerContext): AnyAnswer => {
    if (sight.honored) responseHeader.set(SIGHT, HONORED);
    calls.push({ method, request, headers: requestHeader });
    return answers[method as keyof Answers] as AnyAnswer;
  };
  const toWire = (error: unknown) => (error instanceof AppError ? wireError(error) : error);
  const handlers = service.methods.map(({ localName, methodKind }) => [
    localName,
    methodKind === 'unary'
      ? async (request: unknown, context: HandlerContext) => {
          try {
            return await find(localName, request, context)(request, context);
          } catch (error) {
            throw toWire(error);
          }
        }
      : async function* (request: unknown, context: HandlerContext) {
          try {
            yield* find(localName, request, context)(request, context) as AsyncIterable<unknown>;
          } catch (error) {
            throw toWire(error);
          }
        },
  ]);
  router.service(service, Object.fromEntries(handlers) as Partial<ServiceImpl<DescService>>);
}

/** To every method what its service answers that has nothing to say. */
function emptyAnswers(): object {
  const methods = SERVICES.flatMap((service) => service.methods);
  return Object.fromEntries(
    methods.map(({ localName, methodKind }) => [
      localName,
      methodKind === 'unary' ? async () => ({}) : async function* () {},
    ]),
  );
}

function knownAnswers(): Partial<Answers> {
  const backups = new Map([
    [BACKUP, sampleBackup()],
    [OTHER_BACKUP, sampleBackup({ id: OTHER_BACKUP, clusterId: OTHER_CLUSTER })],
  ]);
  const backupOf = (id: string) => {
    const backup = backups.get(id);
    if (!backup) throw new AppError('backup_not_found', `There is no backup ${id}.`, { info: { backupId: id } });
    return { backup };
  };
  const clusters = new Map([
    [RESTORE, CLUSTER],
    [OTHER_RESTORE, OTHER_CLUSTER],
  ]);
  const restoreOf = (id: string) => {
    const clusterId = clusters.get(id);
    if (!clusterId) throw new AppError('restore_not_found', `There is no restore ${id}.`, { info: { restoreId: id } });
    return { restore: { id, source: { clusterId }, target: { clusterId }, state: RestoreState.RUNNING } };
  };
  const known = (id: string) => {
    if (id !== CLUSTER && id !== OTHER_CLUSTER)
      throw new AppError('cluster_not_found', `There is no cluster ${id}.`, { info: { clusterId: id } });
  };
  const logBackupOf = (clusterId: string) => {
    known(clusterId);
    return { logBackup: { clusterId, wanted: LogWish.ON, state: LogState.RUNNING } };
  };
  const storage = {
    id: 'nfs',
    location: { case: 'local' as const, value: { path: '/mnt/nfs' } },
    root: 'nfs/em/backup',
  };
  return {
    async startBackup({ clusterId }) {
      known(clusterId);
      return { backup: sampleBackup({ clusterId, state: BackupState.QUEUED }) };
    },
    async listRecoveryPoints({ clusterId }) {
      known(clusterId);
      return { newest: { backupId: BACKUP } };
    },
    async putDrill({ clusterId, targetClusterId }) {
      known(clusterId);
      return { drill: { clusterId, targetClusterId, revision: 1n } };
    },
    async getDrill({ clusterId }) {
      known(clusterId);
      return { drill: { clusterId, targetClusterId: OTHER_CLUSTER, revision: 1n } };
    },
    async deleteDrill({ clusterId }) {
      known(clusterId);
      return {};
    },
    async runDrill({ clusterId }) {
      known(clusterId);
      return { run: { id: 'run', clusterId } };
    },
    async listDrillRuns({ clusterId }) {
      known(clusterId);
      return { runs: [{ id: 'run', clusterId }] };
    },
    putLogBackup: async ({ clusterId }) => logBackupOf(clusterId),
    getLogBackup: async ({ clusterId }) => logBackupOf(clusterId),
    pauseLogBackup: async ({ clusterId }) => logBackupOf(clusterId),
    resumeLogBackup: async ({ clusterId }) => logBackupOf(clusterId),
    truncateLogBackup: async ({ clusterId }) => logBackupOf(clusterId),
    stopLogBackup: async ({ clusterId }) => logBackupOf(clusterId),
    async planRestore({ targetClusterId }) {
      known(targetClusterId);
      return { plan: { hash: 'p', target: { clusterId: targetClusterId } } };
    },
    async startRestore({ targetClusterId }) {
      known(targetClusterId);
      return restoreOf(targetClusterId === CLUSTER ? RESTORE : OTHER_RESTORE);
    },
    getRestore: async ({ id }) => restoreOf(id),
    cancelRestore: async ({ id }) => restoreOf(id),
    resumeRestore: async ({ id }) => restoreOf(id),
    releaseRestore: async ({ id }) => restoreOf(id),
    confirmCleaned: async ({ id }) => restoreOf(id),
    async *watchRestore({ id }) {
      yield restoreOf(id);
    },
    async *readRestoreLog({ id }) {
      restoreOf(id);
      yield { attempt: 1, data: Buffer.from('one line\n'), worker: 'w1', brVersion: 'v8.5.0' };
    },
    getBackup: async ({ id }) => backupOf(id),
    async listBackups({ clusterIds }) {
      const found = [...backups.values()].filter(
        (one) => clusterIds.length === 0 || clusterIds.includes(one.clusterId),
      );
      return { backups: found, total: BigInt(found.length) };
    },
    async cancelBackup({ id }) {
      backupOf(id);
      return { backup: sampleBackup({ id, state: BackupState.CANCELING }) };
    },
    async deleteBackup({ id }) {
      backupOf(id);
      return { backup: sampleBackup({ id, deletion: { state: DeletionState.DELETED } }) };
    },
    undeleteBackup: async ({ id }) => backupOf(id),
    async pinBackup({ id }) {
      backupOf(id);
      return { backup: sampleBackup({ id, holds: ['pin:r-1'] }) };
    },
    unpinBackup: async ({ id }) => backupOf(id),
    async verifyBackup({ id, level, sample = 1, rateLimit }) {
      backupOf(id);
      const verification = { state: VerificationState.QUEUED, level, sample, rateLimit };
      return { backup: sampleBackup({ id, holds: ['verify:1'], verification }) };
    },
    async cancelVerification({ id }) {
      backupOf(id);
      return { backup: sampleBackup({ id, verification: { state: VerificationState.CANCELED } }) };
    },
    async *watchBackup({ id }) {
      yield backupOf(id);
    },
    async *readBackupLog({ id }) {
      backupOf(id);
      yield { attempt: 1, data: Buffer.from('one line\n'), worker: 'w1', brVersion: 'v8.5.0' };
    },
    putCluster: async ({ cluster }) => ({ ...(cluster && { cluster }) }),
    async getCluster({ id }) {
      known(id);
      return { cluster: { id, timeZone: 'Asia/Shanghai' } };
    },
    listClusters: async ({ ids }) => ({
      clusters: [CLUSTER, OTHER_CLUSTER]
        .filter((id) => ids.length === 0 || ids.includes(id))
        .map((id) => ({ id, labels: { env: id === CLUSTER ? 'prod' : 'dev' } })),
    }),
    createToken: async ({ name, role, clusterIds }) => ({
      token: { id: 't1', name, role, clusterIds },
      secret: 'tdms_word',
    }),
    putStorage: async (request) => ({ ...(request.storage && { storage: request.storage }) }),
    getStorage: async () => ({ storage }),
    listStorages: async () => ({ storages: [storage] }),
    checkStorage: async ({ storageId }) => ({ check: { id: 'c1', storageId, state: CheckState.DONE, ok: true } }),
    rebuildRecords: async ({ storageId }) => ({ check: { id: 'c1', storageId, state: CheckState.QUEUED } }),
    getStorageCheck: async ({ id }) => ({ check: { id, storageId: 'nfs', state: CheckState.RUNNING } }),
    async getStrategy({ clusterId, rule }) {
      known(clusterId);
      return { strategy: { clusterId, rule: rule || 'default', period: '0:00-1:00', timeZone: 'Asia/Shanghai' } };
    },
    listStrategies: async ({ clusterIds }) => ({
      strategies: clusterIds.map((clusterId) => ({ clusterId, rule: 'default', period: '0:00-1:00', revision: 1n })),
    }),
    async saveStrategy({ $typeName: _, days = '', period = '0:00-1:00', windowEnd, ...fields }) {
      known(fields.clusterId);
      return {
        strategy: {
          clusterId: fields.clusterId,
          rule: fields.rule || 'default',
          days: days.split(',').filter(Boolean),
          period,
          timeZone: 'Asia/Shanghai',
          paused: fields.paused ?? false,
          windowEnd: windowEnd ?? WindowEnd.LET_RUN,
          storageId: fields.storageId ?? '',
          ...(fields.retention && { retention: fields.retention }),
          ...(fields.brOptions && { brOptions: fields.brOptions }),
          ...(fields.verify && { verify: fields.verify }),
          revision: 1n,
        },
      };
    },
    listReceivers: async () => ({ receivers: [sampleReceiver('ops')] }),
    getReceiver: async ({ id }) => ({ receiver: sampleReceiver(id), status: { waiting: 1 } }),
    putReceiver: async ({ receiver }) => ({ ...(receiver && { receiver }) }),
    testReceiver: async ({ id }) => ({
      delivery: { eventId: 'e1', receiverId: id, state: DeliveryState.DELIVERED, topic: NotificationTopic.TEST },
    }),
    getFleetStrategy: async ({ name }) => ({ fleetStrategy: sampleFleetStrategy(name) }),
    listFleetStrategies: async () => ({ fleetStrategies: [sampleFleetStrategy('all-prod')] }),
    saveFleetStrategy: async ({ name }) => ({ fleetStrategy: sampleFleetStrategy(name) }),
    async previewStrategy({ clusterId, rule }) {
      known(clusterId);
      return { strategy: { clusterId, rule, days: ['Monday'], period: '1:00-2:00', timeZone: 'UTC', revision: 1n } };
    },
    evaluateRetention: async ({ clusterId }) => ({
      verdicts: [
        {
          backupId: BACKUP,
          rule: 'default',
          sizeBytes: 1_572_864n,
          keepReasons: clusterId === CLUSTER ? ['last 7'] : [],
        },
      ],
      bytesToFree: 0n,
    }),
  };
}
