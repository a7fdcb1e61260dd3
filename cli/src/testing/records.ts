/** Test support: records as the API answers them. */
import type { Backup, FleetRow } from '../api-types.ts';

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
