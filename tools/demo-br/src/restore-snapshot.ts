import type { BackupMeta } from '@tidemark/protocol/br/backup';
import { type BackupContent, filteredContent, plainName, readContent } from './backup-content.ts';
import { failAtStage } from './fail-at-stage.ts';
import { readMeta } from './read-meta.ts';
import {
  CHECKPOINT_DATABASE,
  checkOrigin,
  checkpointInStorage,
  checkpointInTarget,
  type RestoreCheckpoint,
  type RestoredWork,
} from './restore-checkpoint.ts';
import { checkBackupVersion, checkCollation, checkFresh, checkNamed, checkNoneExists } from './restore-checks.ts';
import {
  logChangefeedCheck,
  logLeftPaused,
  logLimitsRaised,
  logLoaded,
  logPaused,
  logResumed,
  logSpace,
  logStarted,
} from './restore-log.ts';
import { isWhole, RESTORE_NAMES } from './restore-options.ts';
import { type Registration, registerRestore } from './restore-registry.ts';
import type { RestoreRun } from './restore-run.ts';
import type { RestoreTotals } from './restore-summary.ts';
import { restoreTables } from './restore-tables.ts';
import { existingTables, userNames } from './target-names.ts';
import type { TargetHold } from './target-state.ts';

// 1. What refuses a restore comes before its first table, but schedulers and import mode may be changed by then.
// 2. Where there is a checkpoint, it is there before the first table, and goes only after the success summary.
// 3. Schedulers and import mode are put back by a success, and by every end where there is no checkpoint.

/** A restore that is over but for its checkpoint. */
export interface RestoreEnd {
  readonly totals: RestoreTotals;
  readonly checkpoint: RestoreCheckpoint | undefined;
  /** Of versions that have such. */
  readonly registration: Registration | undefined;
}

/**
 * Does the work of `br restore full`, `db` and `table` and of `point` before its log, from the start on that a summary tells of, in
 * BR's order.
 *
 * @throws BrError, or what the abort signal brings up
 */
export async function restoreSnapshot(run: RestoreRun, hold: TargetHold): Promise<RestoreEnd> {
  const { log } = run;
  const startedAt = performance.now();
  logStarted(run);
  try {
    const { meta, content } = await readBackup(run);
    using registration = await register(run, meta, content);
    const checkpoint = checkpointOf(run, meta, registration);
    try {
      await checkExisting(run, content, checkpoint);
      const totals = await restoreWhilePaused(run, { meta, content, checkpoint, hold });
      return { totals: { ...totals, tookMs: performance.now() - startedAt }, checkpoint, registration };
    } catch (error) {
      await endRegistration(run, registration, checkpoint);
      throw error;
    }
  } finally {
    log.info('client.go:196', 'Restore client closed');
  }
}

/** Reads the backup, and checks whether this cluster can take it. */
async function readBackup(run: RestoreRun): Promise<{ meta: BackupMeta; content: BackupContent }> {
  const { options, storage, crypter, target, script, log } = run;
  await failAtStage('storage', run);
  // The real one makes the folder that it looks into.
  await storage.makeFolder('.');
  const meta = await readMeta(storage, crypter);
  if (options.checkRequirements) {
    logChangefeedCheck(log, meta);
    if (!checkBackupVersion(meta, script.clusterVersion)) {
      log.warn('version.go:332', 'cannot parse backup version', [['version', meta.clusterVersion]]);
    }
  }
  const { newCollation } = await target.readState();
  log.info('restore.go:577', 'set new_collation_enabled', [['new_collation_enabled', newCollation]]);
  if (options.checkRequirements) checkCollation(meta, newCollation);
  const whole = await readContent(run, meta);
  logLoaded(log, whole);
  checkNamed(options, whole);
  const content = filteredContent(whole, options.filters);
  const bytes = content.tables.flatMap(({ files }) => files).reduce((sum, { size }) => sum + Number(size), 0);
  if (options.checkRequirements) logSpace(log, bytes);
  await failAtStage('checks', run);
  return { meta, content };
}

/** Registers this restore in the target, in versions that do. */
async function register(
  { options, dialect, target, script, signal }: RestoreRun,
  { startVersion, endVersion, clusterId }: BackupMeta,
  { tables }: BackupContent,
): Promise<Registration | undefined> {
  if (!dialect.registersRestores || options.kind === 'point') return undefined;
  const { filters, withSysTable } = options;
  const command = RESTORE_NAMES[options.kind];
  return await registerRestore(
    target,
    { filters, startTs: startVersion, restoredTs: endVersion, clusterId, withSysTable, command },
    {
      tables: tables.map(({ db, table }) => ({ db: plainName(db), table })),
      staleMs: script.registryStaleSeconds * 1000,
      signal,
    },
  );
}

/** A failure keeps the row only for a checkpoint. After a signal BR can no longer write it: it stays as it is. */
async function endRegistration(
  { signal }: RestoreRun,
  registration: Registration | undefined,
  checkpoint: RestoreCheckpoint | undefined,
): Promise<void> {
  if (registration === undefined || signal.aborted) return;
  if ((await checkpoint?.read()) === undefined) await registration.remove();
  else await registration.pause();
}

/** A restore to a point looks for user tables before it pauses anything. Some versions refuse tables that are there already, where not the whole cluster is restored. */
async function checkExisting(
  { options, dialect, target }: RestoreRun,
  { tables }: BackupContent,
  checkpoint: RestoreCheckpoint | undefined,
): Promise<void> {
  const { kind, hasFilter } = options;
  if (kind !== 'point' && (!dialect.refusesExistingTables || (kind === 'full' && !hasFilter))) return;
  if ((await checkpoint?.read()) !== undefined) return;
  if (kind === 'point') checkFresh(await userNames(target));
  else checkNoneExists(await existingTables(target, tables));
}

/** Where this restore keeps its checkpoint, or has kept it before; an incremental backup has none. */
function checkpointOf(
  { options, dialect, storage, target, script }: RestoreRun,
  meta: BackupMeta,
  registration: Registration | undefined,
): RestoreCheckpoint | undefined {
  if (!options.useCheckpoint || meta.startVersion > 0n) return undefined;
  if (dialect.restoreCheckpoint === 'storage') return checkpointInStorage(storage, script.clusterId);
  const number = registration === undefined ? '' : `_${registration.id}`;
  return checkpointInTarget(target, CHECKPOINT_DATABASE + number);
}

interface PausedWork {
  readonly meta: BackupMeta;
  readonly content: BackupContent;
  readonly checkpoint: RestoreCheckpoint | undefined;
  readonly hold: TargetHold;
}

async function restoreWhilePaused(run: RestoreRun, work: PausedWork): Promise<Omit<RestoreTotals, 'tookMs'>> {
  const { log } = run;
  await work.hold.pause();
  logPaused(log);
  let putsBack = work.checkpoint === undefined;
  try {
    const earlier = await enterTarget(run, work);
    logLimitsRaised(log);
    const { endVersion: backupTs } = work.meta;
    if (work.content.tables.length === 0 && work.content.databases.length === 0) {
      log.info('restore.go:1011', 'nothing to restore, all databases and tables are filtered out');
      return { files: [], backupTs };
    }
    const files = await restoreTables(run, { ...work, backupTs, earlier });
    putsBack = true;
    return { files, backupTs };
  } finally {
    if (putsBack) {
      await work.hold.resume();
      logResumed(log);
    } else {
      logLeftPaused(log);
    }
  }
}

/** Looks whether the target is fit for this restore, and begins or finds its checkpoint. */
async function enterTarget(run: RestoreRun, { meta, checkpoint }: PausedWork): Promise<RestoredWork> {
  const { options, dialect, target, log } = run;
  const { kind, hasFilter, withSysTable } = options;
  await failAtStage('paused', run);
  const recorded = await checkpoint?.read();
  const looksForTables = isWhole(kind) && !hasFilter && (withSysTable || dialect.alwaysChecksFresh);
  if (looksForTables && recorded === undefined) {
    log.info('client.go:1019', 'checking whether target cluster is fresh');
    checkFresh(await userNames(target));
  }
  if (isWhole(kind) && withSysTable) {
    log.info('client.go:979', 'full cluster restore', [['value', !hasFilter]]);
    if (!hasFilter) {
      log.info('systable_restore.go:314', 'checking target cluster system table compatibility with backed up data');
    }
  }
  log.info('client.go:293', 'registering the table IDs', [['ids', 'ID:empty']]);
  if (checkpoint === undefined) return { regions: [], tables: [] };
  const origin = { clusterId: meta.clusterId, backupTs: meta.endVersion };
  if (recorded === undefined) {
    await checkpoint.create(origin);
    return { regions: [], tables: [] };
  }
  checkOrigin(checkpoint.name, recorded, origin);
  return await checkpoint.readWork();
}
