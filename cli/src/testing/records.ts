/** Test support: records as the API answers them. */
import type { Backup, Cluster, FleetRow, Restore, RestorePlan } from '../api-types.ts';

const NEVER = '0001-01-01T00:00:00Z';

export const BACKUP = 'h6IhUQh-Q32MDOfcVieYgA';

export function backup(changes: Partial<Backup> = {}): Backup {
  return {
    id: BACKUP,
    clusterId: 'orders',
    backupType: 'full',
    backupMethod: 'physical',
    backupMode: 'manual',
    filePath: 'nfs/em/backup/orders/2026-01-05-23-00-00-full',
    size: 1.5,
    backupTso: '432834567783317505',
    status: 'Finished',
    startTime: '2026-01-05T23:00:00.000Z',
    endTime: '2026-01-05T23:01:30.000Z',
    createTime: '2026-01-05T23:00:00.000Z',
    updateTime: '2026-01-05T23:01:30.000Z',
    deleteTime: NEVER,
    state: 'Succeeded',
    progress: { step: 'Checksum', percent: 100 },
    sizeBytes: 1_572_864,
    files: 7,
    attempts: [],
    deletion: { state: 'None' },
    holds: [],
    pinned: false,
    storageId: 'nfs',
    origin: 'request',
    createdBy: 'console',
    deadline: NEVER,
    revision: 9,
    ...changes,
  };
}

export const running = (percent: number, changes: Partial<Backup> = {}): Backup =>
  backup({
    state: 'Running',
    endTime: NEVER,
    progress: { step: 'Full Backup', percent, speed: '14 p/s', remainingSeconds: 120 },
    ...changes,
  });

export function fleetRow(clusterId: string, changes: Partial<FleetRow> = {}): FleetRow {
  return {
    clusterId,
    name: '',
    labels: {},
    verdict: 'inTime',
    registerTime: '2026-01-01T08:00:00.000Z',
    newestGood: { endTime: '2026-01-06T00:31:00.000Z', ageSeconds: 27_000 },
    ...changes,
  };
}

export const RESTORE = 'Qm1haW4tcmVzdG9yZS0wMQ';

const SOURCE = {
  backupId: BACKUP,
  clusterId: 'orders',
  storageId: 'nfs',
  path: 'nfs/em/backup/orders/2026-01-05-23-00-00-full',
  tso: '432834567783317505',
  sizeBytes: 1_572_864,
  clusterVersion: '8.5.0',
};

export function restore(changes: Partial<Restore> = {}): Restore {
  return {
    id: RESTORE,
    state: 'Succeeded',
    targetState: 'Restored',
    source: SOURCE,
    target: target('dr'),
    argv: [],
    attempts: [],
    outcomeUnknown: false,
    resumable: false,
    needsConfirm: false,
    needsCleaning: false,
    cleanup: [],
    createdBy: 'console',
    startTime: '2026-01-06T08:00:00.000Z',
    endTime: '2026-01-06T08:10:00.000Z',
    createTime: '2026-01-06T08:00:00.000Z',
    updateTime: '2026-01-06T08:10:00.000Z',
    revision: 5,
    ...changes,
  };
}

const target = (purpose: 'dr' | 'scratch') => ({
  clusterId: 'orders-dr',
  pd: ['10.0.1.1:2379'],
  version: '8.5.0',
  pool: 'default',
  purpose,
  strictLoss: false,
});

export function plan(purpose: 'dr' | 'scratch', changes: Partial<RestorePlan> = {}): RestorePlan {
  return {
    planHash: '3f9c0d5e7a1b2c4d',
    source: { ...SOURCE, time: '2026-01-05T23:00:00.000Z' },
    target: target(purpose),
    checks: [{ name: 'sameCluster', result: 'ok', message: 'The target is another cluster.' }],
    estimate: { seconds: 60, basis: 'as the last restore took it' },
    needs: ['confirm'],
    ...changes,
  };
}

export function cluster(changes: Partial<Cluster> = {}): Cluster {
  return {
    id: 'orders',
    name: 'shop',
    pd: ['10.0.0.1:2379'],
    version: '8.5.0',
    pool: 'default',
    storageId: 'nfs',
    timeZone: '',
    labels: { env: 'prod' },
    purpose: 'production',
    restore: { strictLoss: false },
    createTime: '2026-01-02T10:00:00.000Z',
    updateTime: '2026-01-02T10:00:00.000Z',
    revision: 1,
    ...changes,
  };
}
