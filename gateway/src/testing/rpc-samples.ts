/** Test support: for each RPC that people may call, a good request, and how REST is asked for the same. */
import type { DescMessage, DescService, MessageInitShape } from '@bufbuild/protobuf';
import { BackupService } from '@tidemark/protocol/connect/tidemark/backup/v1/backup_service';
import { RegistryService } from '@tidemark/protocol/connect/tidemark/backup/v1/registry_service';
import { OccurrenceService } from '@tidemark/protocol/connect/tidemark/scheduler/v1/occurrence_service';
import { RetentionService } from '@tidemark/protocol/connect/tidemark/scheduler/v1/retention_service';
import { StrategyService } from '@tidemark/protocol/connect/tidemark/strategy/v1/strategy_service';
import { BACKUP, CLUSTER, OTHER_BACKUP, OTHER_CLUSTER } from './programmable-backends.ts';

/** Of which cluster a request is. */
export interface Subject {
  readonly clusterId: string;
  readonly backupId: string;
}

export const OWN: Subject = { clusterId: CLUSTER, backupId: BACKUP };
export const FOREIGN: Subject = { clusterId: OTHER_CLUSTER, backupId: OTHER_BACKUP };
export const UNKNOWN: Subject = { clusterId: 'nobody', backupId: 'AAAAAAAAAAAAAAAAAAAAAA' };

export interface Sample<Request> {
  request(subject: Subject): Request;
  /** Method, path below /api/v1 and body; left out where REST has no such call. */
  readonly rest?: (subject: Subject) => readonly [string, string, object?];
}

type Init<Input> = Input extends DescMessage ? MessageInitShape<Input> : never;
type Samples<Service extends DescService> = {
  readonly [Method in keyof Service['method']]?: Sample<
    Service['method'][Method] extends { readonly input: infer Input } ? Init<Input> : never
  >;
};

const BACKUP_SAMPLES: Samples<typeof BackupService> = {
  startBackup: {
    request: ({ clusterId }) => ({ clusterId }),
    rest: ({ clusterId }) => ['POST', '/backups', { clusterId }],
  },
  getBackup: { request: ({ backupId }) => ({ id: backupId }), rest: ({ backupId }) => ['GET', `/backups/${backupId}`] },
  findBackupByKey: { request: ({ clusterId }) => ({ clusterId, key: 'k-1' }) },
  listBackups: {
    request: ({ clusterId }) => ({ clusterIds: [clusterId] }),
    rest: ({ clusterId }) => ['GET', `/backups?clusterId=${clusterId}`],
  },
  cancelBackup: {
    request: ({ clusterId, backupId }) => ({ clusterId, id: backupId, reason: 'too slow' }),
    rest: ({ clusterId, backupId }) => ['POST', '/backups/cancel', { clusterId, backupId, reason: 'too slow' }],
  },
  deleteBackup: {
    request: ({ backupId }) => ({ id: backupId }),
    rest: ({ backupId }) => ['DELETE', `/backups/${backupId}`],
  },
  pinBackup: {
    request: ({ backupId }) => ({ id: backupId }),
    rest: ({ backupId }) => ['PUT', `/backups/${backupId}/pin`],
  },
  unpinBackup: {
    request: ({ backupId }) => ({ id: backupId }),
    rest: ({ backupId }) => ['DELETE', `/backups/${backupId}/pin`],
  },
  watchBackup: {
    request: ({ backupId }) => ({ id: backupId }),
    rest: ({ backupId }) => ['GET', `/backups/${backupId}/events`],
  },
  readBackupLog: {
    request: ({ backupId }) => ({ id: backupId }),
    rest: ({ backupId }) => ['GET', `/backups/${backupId}/log`],
  },
};

const REGISTRY_SAMPLES: Samples<typeof RegistryService> = {
  putCluster: {
    request: ({ clusterId }) => ({ cluster: { id: clusterId, pd: ['10.0.0.1:2379'], storageId: 'nfs' } }),
    rest: ({ clusterId }) => ['PUT', `/clusters/${clusterId}`, { pd: ['10.0.0.1:2379'], storageId: 'nfs' }],
  },
  getCluster: {
    request: ({ clusterId }) => ({ id: clusterId }),
    rest: ({ clusterId }) => ['GET', `/clusters/${clusterId}`],
  },
  listClusters: { request: () => ({}), rest: () => ['GET', '/clusters'] },
  deleteCluster: {
    request: ({ clusterId }) => ({ id: clusterId }),
    rest: ({ clusterId }) => ['DELETE', `/clusters/${clusterId}`],
  },
  putStorage: {
    request: () => ({ storage: { id: 'nfs', location: { case: 'local', value: { path: '/mnt/nfs' } } } }),
    rest: () => ['PUT', '/storages/nfs', { type: 'local', path: '/mnt/nfs' }],
  },
  getStorage: { request: () => ({ id: 'nfs' }), rest: () => ['GET', '/storages/nfs'] },
  listStorages: { request: () => ({}), rest: () => ['GET', '/storages'] },
  deleteStorage: { request: () => ({ id: 'nfs' }), rest: () => ['DELETE', '/storages/nfs'] },
  checkStorage: { request: () => ({ storageId: 'nfs' }), rest: () => ['POST', '/storages/nfs/check'] },
  rebuildRecords: {
    request: () => ({ storageId: 'nfs', apply: true }),
    rest: () => ['POST', '/storages/nfs/rebuild', { apply: true }],
  },
  getStorageCheck: { request: () => ({ id: 'c1' }), rest: () => ['GET', '/storages/nfs/checks/c1'] },
};

const DAYS = { backupDate: 'Monday', period: '1:00-2:00' };

const STRATEGY_SAMPLES: Samples<typeof StrategyService> = {
  getStrategy: {
    request: ({ clusterId }) => ({ clusterId }),
    rest: ({ clusterId }) => ['GET', `/clusters/${clusterId}/strategy`],
  },
  listStrategies: {
    request: ({ clusterId }) => ({ clusterIds: [clusterId] }),
    rest: ({ clusterId }) => ['GET', `/clusters/${clusterId}/strategies`],
  },
  saveStrategy: {
    request: ({ clusterId }) => ({ clusterId, rule: 'default', days: 'Monday', period: '1:00-2:00' }),
    rest: ({ clusterId }) => ['PUT', `/clusters/${clusterId}/strategy`, { strategy: DAYS }],
  },
  deleteStrategy: {
    request: ({ clusterId }) => ({ clusterId, rule: 'default' }),
    rest: ({ clusterId }) => ['DELETE', `/clusters/${clusterId}/strategy`],
  },
  getFleetStrategy: { request: () => ({ name: 'prod' }), rest: () => ['GET', '/strategies/prod'] },
  listFleetStrategies: { request: () => ({}), rest: () => ['GET', '/strategies'] },
  saveFleetStrategy: {
    request: () => ({ name: 'prod', selector: { env: 'prod' }, days: 'Monday', period: '1:00-2:00' }),
    rest: () => ['PUT', '/strategies/prod', { strategy: { ...DAYS, selector: { env: 'prod' } } }],
  },
  deleteFleetStrategy: { request: () => ({ name: 'prod' }), rest: () => ['DELETE', '/strategies/prod'] },
};

const OCCURRENCE_SAMPLES: Samples<typeof OccurrenceService> = {
  listOccurrences: {
    request: ({ clusterId }) => ({ clusterIds: [clusterId] }),
    rest: ({ clusterId }) => ['GET', `/clusters/${clusterId}/occurrences`],
  },
  previewStrategy: {
    request: ({ clusterId }) => ({ clusterId }),
    rest: ({ clusterId }) => ['POST', `/clusters/${clusterId}/strategy/preview`],
  },
};

const RETENTION_SAMPLES: Samples<typeof RetentionService> = {
  evaluateRetention: {
    request: ({ clusterId }) => ({ clusterId, rule: 'default' }),
    rest: ({ clusterId }) => ['POST', `/clusters/${clusterId}/retention/simulate`],
  },
};

/** Every RPC of the public services that people may call, with its sample. */
export const SAMPLES: readonly ServedSample[] = (
  [
    [BackupService, BACKUP_SAMPLES],
    [RegistryService, REGISTRY_SAMPLES],
    [StrategyService, STRATEGY_SAMPLES],
    [OccurrenceService, OCCURRENCE_SAMPLES],
    [RetentionService, RETENTION_SAMPLES],
  ] as const
).flatMap(([service, samples]) =>
  Object.entries(samples).map(([method, sample]) => ({
    service,
    method,
    sample: sample as Sample<Record<string, unknown>>,
  })),
);

export interface ServedSample {
  readonly service: DescService;
  /** Its local name, such as "startBackup". */
  readonly method: string;
  readonly sample: Sample<Record<string, unknown>>;
}
