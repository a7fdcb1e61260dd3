import type { CallName } from '@tidemark/contract/calls';
import { cancelBackup } from './cancel-backup.ts';
import { checkStorage } from './check-storage.ts';
import { deleteBackup } from './delete-backup.ts';
import { deleteCluster } from './delete-cluster.ts';
import { deleteStorage } from './delete-storage.ts';
import { deleteStrategy } from './delete-strategy.ts';
import { evaluateRetention } from './evaluate-retention.ts';
import { getBackup } from './get-backup.ts';
import { getStrategy } from './get-strategy.ts';
import { listAuditEntries } from './list-audit-entries.ts';
import { listBackups } from './list-backups.ts';
import { listClusters } from './list-clusters.ts';
import { listDeliveries } from './list-deliveries.ts';
import { listFleet } from './list-fleet.ts';
import { listFleetStrategies } from './list-fleet-strategies.ts';
import { listOccurrences } from './list-occurrences.ts';
import { listRecoveryPoints } from './list-recovery-points.ts';
import { listRestores } from './list-restores.ts';
import { listStorages } from './list-storages.ts';
import { listStrategies } from './list-strategies.ts';
import { planRestore } from './plan-restore.ts';
import { previewStrategy } from './preview-strategy.ts';
import { putCluster } from './put-cluster.ts';
import { putDrill } from './put-drill.ts';
import { putStorage } from './put-storage.ts';
import { readBackupLog } from './read-backup-log.ts';
import { readRestoreLog } from './read-restore-log.ts';
import { saveStrategy } from './save-strategy.ts';
import { search } from './search.ts';
import { startBackup } from './start-backup.ts';
import { startRestore } from './start-restore.ts';
import type { Steps } from './steps.ts';
import { testReceiver } from './test-receiver.ts';
import { createToken, revokeToken } from './tokens.ts';
import { watchFleet } from './watch-fleet.ts';

/** The calls that do more here than being passed on to their service. */
export const STEPS: { readonly [Name in CallName]?: Steps<Name> } = {
  startBackup,
  getBackup,
  listBackups,
  cancelBackup,
  deleteBackup,
  readBackupLog,
  listRecoveryPoints,
  planRestore,
  startRestore,
  listRestores,
  readRestoreLog,
  putCluster,
  listClusters,
  search,
  listAuditEntries,
  createToken,
  revokeToken,
  deleteCluster,
  putStorage,
  putDrill,
  listStorages,
  deleteStorage,
  checkStorage,
  getStrategy,
  listStrategies,
  saveStrategy,
  deleteStrategy,
  listFleetStrategies,
  testReceiver,
  listDeliveries,
  listFleet,
  watchFleet,
  listOccurrences,
  previewStrategy,
  evaluateRetention,
};
