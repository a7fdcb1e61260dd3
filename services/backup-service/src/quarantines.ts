import { createQuarantine } from '@tidemark/service-kit/quarantine';
import { log } from './logger.ts';

/**
 * The records that one copy of the service could not read or work on, each kind by its ids. What is done with a record has
 * a quarantine of its own: one that can be listed may still be one that no task can be worked on for.
 */
export function createQuarantines() {
  const of = (kind: string) => createQuarantine({ kind, log });
  return {
    backupTasks: of('backup'),
    trashedBackups: of('backup'),
    listedBackups: of('backup'),
    newestGood: of('backup'),
    lastBackups: of('backup'),
    changedBackups: of('backup'),
    countedBackups: of('backup'),
    countedRestores: of('restore'),
    countedVerifications: of('verification'),
    placedBackups: of('backup'),
    checkTasks: of('check'),
    restoreTasks: of('restore'),
    listedRestores: of('restore'),
    verifications: of('verification'),
    logTasks: of('log backup'),
    truncations: of('log backup'),
    keptLogs: of('log backup'),
    keptBases: of('backup'),
    toldLogs: of('log backup'),
    scannedLogs: of('log backup'),
    workers: of('worker'),
    tokens: of('token'),
    auditEntries: of('audit entry'),
    listedClusters: of('cluster'),
    clusterLabels: of('cluster'),
    listedStorages: of('storage'),
    foundClusters: of('cluster'),
    foundStorages: of('storage'),
    foundBackups: of('backup'),
    foundRestores: of('restore'),
  };
}

export type Quarantines = ReturnType<typeof createQuarantines>;
