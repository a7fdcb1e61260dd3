import { DEFAULT_GC_TTL_SECONDS } from './backup-options.ts';
import type { BackupRun, StartedBackup } from './backup-run.ts';
import type { CheckpointMeta } from './checkpoint.ts';
import { goDuration } from './go-format.ts';
import type { Log } from './log.ts';
import { tsoMillis } from './tso.ts';

/** Lines that BR logs on its way, where a caller or a reader of logs may look for them; as in the recorded runs. */

/** What the default becomes for a backup that may be resumed (br-contract 1.3). */
const CHECKPOINT_GC_TTL_SECONDS = 4320;

/** PD answers. */
export function logCluster({ newCollation, script, log }: StartedBackup): void {
  log.info('pd_service_discovery.go:499', '[pd] init cluster id', [['cluster-id', script.clusterId]]);
  log.info('conn.go:142', 'checked alive KV stores', [
    ['aliveStores', 3],
    ['totalStores', 3],
  ]);
  log.info('backup.go:433', 'get new_collation_enabled config from mysql.tidb table', [
    ['new_collation_enabled', newCollation ? 'True' : 'False'],
  ]);
  log.info('client.go:379', 'new backup client');
}

/** The snapshot point is known, and with it what PD shall keep. */
export function logBackupTs(
  { options, log }: Pick<BackupRun, 'options' | 'log'>,
  { backupTs, gcServiceId }: CheckpointMeta,
  { resumed, checkpointed }: { resumed: boolean; checkpointed: boolean },
): void {
  const raised = checkpointed && options.gcTtlSeconds === DEFAULT_GC_TTL_SECONDS;
  const ttl = raised ? CHECKPOINT_GC_TTL_SECONDS : options.gcTtlSeconds;
  if (raised) log.info('backup.go:472', "use checkpoint's default GC TTL", [['GC TTL', ttl]]);
  if (resumed) {
    log.info('client.go:415', 'reuse checkpoint BackupTS', [['backup-ts', backupTs]]);
    log.info('client.go:461', 'reuse the checkpoint gc-safepoint service id', [['service-id', gcServiceId]]);
  } else {
    log.info('client.go:447', 'backup encode timestamp', [['BackupTS', backupTs]]);
  }
  const time = new Date(tsoMillis(backupTs)).toISOString().replace('T', ' ').replace('Z', ' +0000 UTC');
  const job = `{ID=${gcServiceId},TTL=${goDuration(ttl * 1000)},BackupTime="${time}",BackupTS=${backupTs}}`;
  log.info('backup.go:494', 'current backup safePoint job', [['safePoint', job]]);
}

/** The stores are asked for the ranges. */
export function logRangesStarted({ options, log }: BackupRun, ranges: number): void {
  log.info('client.go:1087', 'Backup Ranges Started', [['ranges', `{total=${ranges}}`]]);
  log.info('client.go:184', 'This round of backup starts...', [['round', 1]]);
  log.info('store.go:210', 'starting backup to the corresponding store', [
    ['storeID', 1],
    ['requestCount', 5],
    ['concurrency', options.concurrency],
  ]);
}

/** The stores are done, or the run no longer waits for them. */
export function logRangesCompleted(log: Log, startedAt: number): void {
  log.info('client.go:1091', 'Backup Ranges Completed', [['take', goDuration(performance.now() - startedAt)]]);
}

/** What happens to the safe point at the end: a checkpoint that may be resumed keeps it. */
export function logSafePointKept(log: Log, gcServiceId: string): void {
  log.info('backup.go:500', 'skip removing gc-safepoint keeper for next retry', [['gc-id', gcServiceId]]);
}

/** The same after a success. */
export function logSafePointRemoved(log: Log): void {
  log.info('backup.go:503', 'start to remove gc-safepoint keeper');
  log.info('backup.go:513', 'finish removing gc-safepoint keeper');
}
