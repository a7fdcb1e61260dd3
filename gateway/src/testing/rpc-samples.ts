/** Test support: for each RPC that people may call, a good request, and how REST is asked for the same. */
import type { DescMessage, DescService, MessageInitShape } from '@bufbuild/protobuf';
import { CALLS, type Call, callOfMethod } from '@tidemark/contract/calls';
import type { FieldRules } from '@tidemark/contract/rules';
import type { AuditService } from '@tidemark/protocol/connect/tidemark/backup/v1/audit_service';
import type { BackupService } from '@tidemark/protocol/connect/tidemark/backup/v1/backup_service';
import type { LogBackupService } from '@tidemark/protocol/connect/tidemark/backup/v1/log_backup_service';
import { type RegistryService, TokenRole } from '@tidemark/protocol/connect/tidemark/backup/v1/registry_service';
import type { RestoreService } from '@tidemark/protocol/connect/tidemark/backup/v1/restore_service';
import type { DrillService } from '@tidemark/protocol/connect/tidemark/scheduler/v1/drill_service';
import type { FleetService } from '@tidemark/protocol/connect/tidemark/scheduler/v1/fleet_service';
import {
  type NotificationService,
  ReceiverKind,
} from '@tidemark/protocol/connect/tidemark/scheduler/v1/notification_service';
import type { OccurrenceService } from '@tidemark/protocol/connect/tidemark/scheduler/v1/occurrence_service';
import type { RetentionService } from '@tidemark/protocol/connect/tidemark/scheduler/v1/retention_service';
import type { StrategyService } from '@tidemark/protocol/connect/tidemark/strategy/v1/strategy_service';
import { MESSAGES } from '@tidemark/protocol/contract';
import { PUBLIC_SERVICES } from '../connect/rpc-handler.ts';
import { BACKUP, CLUSTER, OTHER_BACKUP, OTHER_CLUSTER, OTHER_RESTORE, RESTORE } from './programmable-backends.ts';

/** Of which cluster a request is. */
export interface Subject {
  readonly clusterId: string;
  readonly backupId: string;
  readonly restoreId: string;
}

export const OWN: Subject = { clusterId: CLUSTER, backupId: BACKUP, restoreId: RESTORE };
export const FOREIGN: Subject = { clusterId: OTHER_CLUSTER, backupId: OTHER_BACKUP, restoreId: OTHER_RESTORE };
export const UNKNOWN: Subject = {
  clusterId: 'nobody',
  backupId: 'AAAAAAAAAAAAAAAAAAAAAA',
  restoreId: 'BBBBBBBBBBBBBBBBBBBBBB',
};

/** A reason, which people write with blanks. */
const WHY = 'new disks in rack 3';

export interface ServedSample {
  readonly service: DescService;
  /** Its local name, such as "startBackup". */
  readonly method: string;
  readonly call: Call;
  request(subject: Subject): Record<string, unknown>;
  /** Method, path below /api/v1 and body; left out where REST has no such call. */
  readonly rest?: Rest | undefined;
}

type Rest = (subject: Subject) => readonly [string, string, object?];

/** What a sample has beside what the contract makes of it. */
interface Known<Request> {
  readonly request?: (subject: Subject) => Request;
  readonly rest?: Rest;
}

type Init<Input> = Input extends DescMessage ? MessageInitShape<Input> : never;
type KnownOf<Service extends DescService> = {
  readonly [Method in keyof Service['method']]?: Known<
    Service['method'][Method] extends { readonly input: infer Input } ? Init<Input> : never
  >;
};

const DAYS = { backupDate: 'Monday', period: '1:00-2:00' };

const KNOWN: KnownOf<typeof BackupService> &
  KnownOf<typeof RestoreService> &
  KnownOf<typeof LogBackupService> &
  KnownOf<typeof RegistryService> &
  KnownOf<typeof AuditService> &
  KnownOf<typeof StrategyService> &
  KnownOf<typeof DrillService> &
  KnownOf<typeof FleetService> &
  KnownOf<typeof NotificationService> &
  KnownOf<typeof OccurrenceService> &
  KnownOf<typeof RetentionService> = {
  listRecoveryPoints: { rest: ({ clusterId }) => ['GET', `/clusters/${clusterId}/recovery-points`] },
  putLogBackup: {
    request: ({ clusterId }) => ({ clusterId, storageId: 'nfs' }),
    rest: ({ clusterId }) => ['PUT', `/clusters/${clusterId}/log-backup`, { storageId: 'nfs' }],
  },
  getLogBackup: { rest: ({ clusterId }) => ['GET', `/clusters/${clusterId}/log-backup`] },
  pauseLogBackup: {
    request: ({ clusterId }) => ({ clusterId, reason: WHY }),
    rest: ({ clusterId }) => ['POST', `/clusters/${clusterId}/log-backup/pause`, { reason: WHY }],
  },
  resumeLogBackup: {
    request: ({ clusterId }) => ({ clusterId, reason: WHY }),
    rest: ({ clusterId }) => ['POST', `/clusters/${clusterId}/log-backup/resume`, { reason: WHY }],
  },
  truncateLogBackup: {
    request: ({ clusterId }) => ({ clusterId, reason: WHY }),
    rest: ({ clusterId }) => ['POST', `/clusters/${clusterId}/log-backup/truncate`, { reason: WHY }],
  },
  stopLogBackup: { rest: ({ clusterId }) => ['DELETE', `/clusters/${clusterId}/log-backup`] },
  planRestore: {
    request: ({ clusterId }) => ({ backupId: 'sample', targetClusterId: clusterId, options: {} }),
    rest: ({ clusterId }) => ['POST', '/restores/plan', { backupId: 'sample', targetClusterId: clusterId }],
  },
  startRestore: {
    request: ({ clusterId }) => ({
      backupId: 'sample',
      targetClusterId: clusterId,
      options: {},
      planHash: 'p',
      confirm: clusterId,
    }),
    rest: ({ clusterId }) => [
      'POST',
      '/restores',
      { backupId: 'sample', targetClusterId: clusterId, planHash: 'p', confirm: clusterId },
    ],
  },
  getRestore: { rest: ({ restoreId }) => ['GET', `/restores/${restoreId}`] },
  listRestores: { rest: ({ clusterId }) => ['GET', `/restores?targetClusterId=${clusterId}`] },
  cancelRestore: { rest: ({ restoreId }) => ['POST', `/restores/${restoreId}/cancel`, {}] },
  resumeRestore: { rest: ({ restoreId }) => ['POST', `/restores/${restoreId}/resume`, {}] },
  releaseRestore: {
    request: ({ restoreId }) => ({ id: restoreId, targetCleaned: true }),
    rest: ({ restoreId }) => ['POST', `/restores/${restoreId}/release`, { targetCleaned: true }],
  },
  confirmCleaned: { rest: ({ restoreId }) => ['POST', `/restores/${restoreId}/cleaned`] },
  watchRestore: { rest: ({ restoreId }) => ['GET', `/restores/${restoreId}/events`] },
  readRestoreLog: { rest: ({ restoreId }) => ['GET', `/restores/${restoreId}/log`] },
  startBackup: { rest: ({ clusterId }) => ['POST', '/backups', { clusterId }] },
  getBackup: { rest: ({ backupId }) => ['GET', `/backups/${backupId}`] },
  listBackups: { rest: ({ clusterId }) => ['GET', `/backups?clusterId=${clusterId}`] },
  cancelBackup: {
    request: ({ clusterId, backupId }) => ({ clusterId, id: backupId, reason: 'too slow' }),
    rest: ({ clusterId, backupId }) => ['POST', '/backups/cancel', { clusterId, backupId, reason: 'too slow' }],
  },
  deleteBackup: { rest: ({ backupId }) => ['DELETE', `/backups/${backupId}`] },
  undeleteBackup: { rest: ({ backupId }) => ['POST', `/backups/${backupId}/undelete`] },
  pinBackup: { rest: ({ backupId }) => ['PUT', `/backups/${backupId}/pin`] },
  unpinBackup: { rest: ({ backupId }) => ['DELETE', `/backups/${backupId}/pin`] },
  verifyBackup: { rest: ({ backupId }) => ['POST', `/backups/${backupId}/verify`] },
  cancelVerification: { rest: ({ backupId }) => ['POST', `/backups/${backupId}/verify/cancel`] },
  watchBackup: { rest: ({ backupId }) => ['GET', `/backups/${backupId}/events`] },
  readBackupLog: { rest: ({ backupId }) => ['GET', `/backups/${backupId}/log`] },

  putCluster: {
    request: ({ clusterId }) => ({ cluster: { id: clusterId, pd: ['10.0.0.1:2379'], storageId: 'nfs' } }),
    rest: ({ clusterId }) => ['PUT', `/clusters/${clusterId}`, { pd: ['10.0.0.1:2379'], storageId: 'nfs' }],
  },
  getCluster: { rest: ({ clusterId }) => ['GET', `/clusters/${clusterId}`] },
  listClusters: { request: () => ({}), rest: () => ['GET', '/clusters'] },
  deleteCluster: { rest: ({ clusterId }) => ['DELETE', `/clusters/${clusterId}`] },
  putStorage: {
    request: () => ({ storage: { id: 'sample', location: { case: 'local', value: { path: '/mnt/nfs' } } } }),
    rest: () => ['PUT', '/storages/sample', { type: 'local', path: '/mnt/nfs' }],
  },
  getStorage: { rest: () => ['GET', '/storages/sample'] },
  listStorages: { rest: () => ['GET', '/storages'] },
  deleteStorage: { rest: () => ['DELETE', '/storages/sample'] },
  checkStorage: { rest: () => ['POST', '/storages/sample/check'] },
  rebuildRecords: {
    request: () => ({ storageId: 'sample', apply: true }),
    rest: () => ['POST', '/storages/sample/rebuild', { apply: true }],
  },
  createToken: {
    request: ({ clusterId }) => ({ name: 'sample', role: TokenRole.VIEWER, clusterIds: [clusterId] }),
    rest: ({ clusterId }) => ['POST', '/tokens', { name: 'sample', role: 'viewer', clusters: [clusterId] }],
  },
  listTokens: { request: () => ({}), rest: () => ['GET', '/tokens'] },
  revokeToken: { request: () => ({ id: 'sample' }), rest: () => ['DELETE', '/tokens/sample'] },
  listAuditEntries: { rest: ({ clusterId }) => ['GET', `/audit?clusterId=${clusterId}`] },
  listWorkers: { request: () => ({}), rest: () => ['GET', '/workers'] },
  search: { request: () => ({ text: 'sample' }), rest: () => ['GET', '/search?text=sample'] },
  getStorageCheck: { rest: () => ['GET', '/storages/nfs/checks/sample'] },

  getStrategy: { rest: ({ clusterId }) => ['GET', `/clusters/${clusterId}/strategy`] },
  listStrategies: { rest: ({ clusterId }) => ['GET', `/clusters/${clusterId}/strategies`] },
  saveStrategy: {
    request: ({ clusterId }) => ({ clusterId, rule: 'default', days: 'Monday', period: '1:00-2:00' }),
    rest: ({ clusterId }) => ['PUT', `/clusters/${clusterId}/strategy`, { strategy: DAYS }],
  },
  deleteStrategy: {
    request: ({ clusterId }) => ({ clusterId, rule: 'default' }),
    rest: ({ clusterId }) => ['DELETE', `/clusters/${clusterId}/strategy`],
  },
  getFleetStrategy: { rest: () => ['GET', '/strategies/sample'] },
  listFleetStrategies: { rest: () => ['GET', '/strategies'] },
  saveFleetStrategy: {
    request: () => ({ name: 'sample', selector: { env: 'prod' }, days: 'Monday', period: '1:00-2:00' }),
    rest: () => ['PUT', '/strategies/sample', { strategy: { ...DAYS, selector: { env: 'prod' } } }],
  },
  deleteFleetStrategy: { rest: () => ['DELETE', '/strategies/sample'] },

  putDrill: {
    request: ({ clusterId }) => ({ clusterId, targetClusterId: clusterId }),
    rest: ({ clusterId }) => ['PUT', `/clusters/${clusterId}/drill`, { targetClusterId: clusterId }],
  },
  getDrill: { rest: ({ clusterId }) => ['GET', `/clusters/${clusterId}/drill`] },
  deleteDrill: { rest: ({ clusterId }) => ['DELETE', `/clusters/${clusterId}/drill`] },
  runDrill: { rest: ({ clusterId }) => ['POST', `/clusters/${clusterId}/drill/run`] },
  listDrillRuns: { rest: ({ clusterId }) => ['GET', `/clusters/${clusterId}/drill/runs`] },

  listReceivers: { request: () => ({}), rest: () => ['GET', '/notifications'] },
  getReceiver: { rest: () => ['GET', '/notifications/sample'] },
  putReceiver: {
    request: () => ({
      receiver: {
        id: 'sample',
        kind: ReceiverKind.WEBHOOK,
        url: 'https://example.com/',
        secrets: { source: { case: 'envPrefix', value: 'OPS_' } },
      },
    }),
    rest: () => [
      'PUT',
      '/notifications/sample',
      { kind: 'webhook', url: 'https://example.com/', secrets: { envPrefix: 'OPS_' } },
    ],
  },
  deleteReceiver: { rest: () => ['DELETE', '/notifications/sample'] },
  testReceiver: { rest: () => ['POST', '/notifications/sample/test'] },
  listDeliveries: {
    request: () => ({ receiverId: 'sample' }),
    rest: () => ['GET', '/notifications/sample/deliveries'],
  },

  watchFleet: { rest: ({ clusterId }) => ['GET', `/fleet/watch?clusterId=${clusterId}`] },
  listFleet: { rest: ({ clusterId }) => ['GET', `/fleet?clusterId=${clusterId}`] },
  listOccurrences: { rest: ({ clusterId }) => ['GET', `/clusters/${clusterId}/occurrences`] },
  previewStrategy: { rest: ({ clusterId }) => ['POST', `/clusters/${clusterId}/strategy/preview`] },
  evaluateRetention: {
    request: ({ clusterId }) => ({ clusterId, rule: 'default' }),
    rest: ({ clusterId }) => ['POST', `/clusters/${clusterId}/retention/simulate`],
  },
};

/** Every RPC of the public services that people may call. */
export const SAMPLES: readonly ServedSample[] = PUBLIC_SERVICES.flatMap((service) =>
  service.methods.flatMap(({ name, localName }): ServedSample[] => {
    const callName = callOfMethod(`${service.typeName}/${name}`);
    if (callName === undefined) return [];
    const call = CALLS[callName];
    const { request, rest }: Known<object> = KNOWN[callName] ?? {};
    return [
      {
        service,
        method: localName,
        call,
        request: (subject) => ({ ...(request ? request(subject) : leastRequest(call, subject)) }),
        rest,
      },
    ];
  }),
);

const FIELDS: Readonly<Record<string, Readonly<Record<string, FieldRules>>>> = MESSAGES;

/** A request that has its subject, and what else the contract requires. */
function leastRequest({ request, subject, field = '' }: Call, { clusterId, backupId, restoreId }: Subject): object {
  const required = Object.entries(FIELDS[request] ?? {}).flatMap(([name, rules]) =>
    rules.required ? [[name, 'sample']] : [],
  );
  const values = {
    'own clusters': [clusterId],
    backup: backupId,
    restore: restoreId,
    cluster: clusterId,
    everything: clusterId,
  };
  const value = values[subject];
  const named = field.split('.').reduceRight<unknown>((inner, name) => ({ [name]: inner }), value) as object;
  return { ...Object.fromEntries(required), ...(field !== '' && named) };
}
