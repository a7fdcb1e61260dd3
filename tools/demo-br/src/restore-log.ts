import type { BackupMeta } from '@tidemark/protocol/br/backup';
import type { BackupContent } from './backup-content.ts';
import { goDuration } from './go-format.ts';
import type { Log } from './log.ts';
import type { RestoreRun } from './restore-run.ts';

/** Lines that a restore logs on its way, as in the recorded runs. */

const SCHEDULERS =
  '[balance-region-scheduler,balance-leader-scheduler,balance-hot-region-scheduler,evict-slow-store-scheduler]';

export function logConnected({ options, script, log }: Pick<RestoreRun, 'options' | 'script' | 'log'>): void {
  log.info('conn.go:168', 'new mgr', [['pdAddrs', `[${options.pd.join(',')}]`]]);
  log.info('pd_service_discovery.go:499', '[pd] init cluster id', [['cluster-id', script.clusterId]]);
  log.info('conn.go:142', 'checked alive KV stores', [
    ['aliveStores', 3],
    ['totalStores', 3],
  ]);
}

export function logStarted({ options, log }: RestoreRun): void {
  log.info('restore.go:750', 'starting snapshot restore');
  log.info('client.go:238', 'per-store download worker pool', [['size', 64]]);
  log.info('client.go:278', 'set placement policy mode', [['mode', options.placementMode]]);
}

export function logLoaded(log: Log, { databases }: BackupContent): void {
  log.info('client.go:591', 'load backupmeta', [
    ['databases', databases.length],
    ['jobs', 0],
  ]);
  log.info('client.go:232', 'download coarse worker pool', [['size', 2048]]);
}

export function logChangefeedCheck(log: Log, { endVersion }: BackupMeta): void {
  log.info('restore.go:795', 'Checking incompatible TiCDC changefeeds before restoring.', [['restore-ts', endVersion]]);
}

export function logSpace(log: Log, bytes: number): void {
  log.info('restore.go:1209', 'estimate tikv usage', [
    ['total size', bytes],
    ['replicaCnt', 3],
    ['store count', 3],
  ]);
  log.info('restore.go:1280', 'preserved disk space', [
    ['tikv', Math.floor(bytes * 1.1)],
    ['tiflash', 0],
  ]);
}

export function logPaused(log: Log): void {
  log.info('import_mode_switcher.go:130', 'switch to import mode at beginning');
  logSchedulersPaused(log);
}

/** A log is restored without import mode. */
export function logSchedulersPaused(log: Log): void {
  log.info('pd.go:299', 'pause scheduler successful at beginning', [['name', SCHEDULERS]]);
  log.info('pd.go:307', 'pause configs successful at beginning', [['cfg', '{"merge-schedule-limit":0}']]);
}

/** What becomes of schedulers and import mode at the end: a checkpoint that may be resumed leaves them. */
export function logLeftPaused(log: Log): void {
  log.info('restore.go:864', 'skip removing pd schehduler for next retry');
}

export function logResumed(log: Log): void {
  log.info('restore.go:867', 'start to remove the pd scheduler');
  log.info('import_mode_switcher.go:147', 'stop automatic switch to import mode');
  logSchedulersResumed(log);
  log.info('restore.go:871', 'finish removing pd scheduler');
}

export function logSchedulersResumed(log: Log): void {
  log.info('pd.go:346', 'resume scheduler', [['schedulers', SCHEDULERS]]);
  log.info('pd.go:332', 'exit pause scheduler and configs successful');
}

export function logLimitsRaised(log: Log): void {
  log.warn('restore.go:1419', 'set max-index-length to max(3072*4) to skip check index length in DDL');
  log.warn('restore.go:1421', 'set index-limit to max(64*8) to skip check index count in DDL');
  log.warn('restore.go:1423', 'set table-column-count to max(4096) to skip check column count in DDL');
}

export function logCreating(log: Log, { databases, tables }: BackupContent): void {
  log.info('client.go:745', 'create databases in db pool', [
    ['pool size', 100],
    ['number of db', databases.length],
  ]);
  for (const db of databases) log.info('db.go:162', 'create database', [['name', db]]);
  log.info('client.go:789', 'start create tables', [['total count', tables.length]]);
  log.info('client.go:818', 'client to create tables');
}

export function logCreated(log: Log, tables: number, tookMs: number): void {
  const speed = `${((tables * 1000) / Math.max(1, tookMs)).toFixed(2)} ops/s`;
  log.info('client.go:882', 'tables created', [
    ['speed', speed],
    ['num', tables],
  ]);
}

export function logPrepared(log: Log, counts: { files: number; ranges: number }, backupTs: bigint): void {
  log.info('restore.go:1078', 'range and file prepared', [
    ['file count', counts.files],
    ['range count', counts.ranges],
  ]);
  log.info('client.go:660', 'reset pd timestamp', [['ts', backupTs]]);
  log.info('tikv_sender.go:152', 'start to merge ranges', [
    ['kv size threshold', 100_663_296],
    ['kv count threshold', 960_000],
  ]);
}

/** A part of the download and ingestion that is over. */
export function logStage(log: Log, stage: 'merge ranges' | 'split regions' | 'restore files', tookMs: number): void {
  const caller = { 'merge ranges': 304, 'split regions': 311, 'restore files': 318 }[stage];
  log.info(`tikv_sender.go:${caller}`, 'Restore Stage Duration', [
    ['stage', stage],
    ['take', goDuration(tookMs)],
  ]);
}

/** The run gives back what it holds in PD, whichever way it ends. */
export function logSafePointEnd(log: Log): void {
  log.info('restore.go:943', 'start to remove gc-safepoint keeper');
  log.info('restore.go:953', 'finish removing gc-safepoint keeper');
  log.info('restore.go:929', 'wait for flush checkpoint...');
}
