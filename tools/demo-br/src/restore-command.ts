import { setTimeout as pause } from 'node:timers/promises';
import { type GivenFlags, textFlag } from './arguments.ts';
import type { CommandContext } from './backup-command.ts';
import { loggedArguments } from './backup-options.ts';
import { BrError } from './br-error.ts';
import { clusterOf } from './cluster-of.ts';
import { type Collector, createCollector } from './collector.ts';
import { readCrypter } from './crypter.ts';
import type { DemoCluster } from './demo-cluster.ts';
import { failAtStage } from './fail-at-stage.ts';
import { type Log, openCommandLog } from './log.ts';
import { openLogStorage, storageFlagsOf } from './log-storage.ts';
import { openStorage } from './open-storage.ts';
import { printError } from './print-error.ts';
import { progressPlace } from './progress.ts';
import { removeCheckpoints } from './restore-end.ts';
import { logConnected } from './restore-log.ts';
import { type RestoreKind, toRestoreOptions } from './restore-options.ts';
import { restorePoint } from './restore-point.ts';
import type { RestoreRun, StartedRestore } from './restore-run.ts';
import { CANCELED } from './restore-tables.ts';
import { restoreWithSummary } from './restore-with-summary.ts';
import { outcomeOfThisRun } from './run-count.ts';
import { readScript, type Script } from './script.ts';
import { serveStatus } from './status-server.ts';
import { parseStorage } from './storage-url.ts';
import { holdTarget, type TargetHold } from './target-state.ts';
import { versionFields } from './version.ts';
import { checkClusterVersion } from './version-check.ts';

/** How long it waits for PD's etcd. */
const ETCD_SECONDS = 5;

/**
 * `br restore full`, `db`, `table` and `point` with log, summary and error lines.
 *
 * @returns the exit code
 * @throws BrError if the log cannot be opened or `--status-addr` cannot be listened on
 */
export async function restoreCommand(kind: RestoreKind, flags: GivenFlags, context: CommandContext): Promise<number> {
  const { signals, dialect, env } = context;
  using log = openCommandLog(flags, env);
  signals.logTo(log);
  const statusAddress = textFlag(flags, 'status-addr');
  if (statusAddress !== '') await serveStatus(statusAddress);
  log.info('info.go:53', 'Welcome to Backup & Restore (BR)', versionFields(dialect.version));
  log.info('common.go:925', 'arguments', [['__command', `br restore ${kind}`], ...loggedArguments(flags)]);
  let started: StartedRestore;
  try {
    const options = toRestoreOptions(kind, flags, dialect);
    const crypter = await readCrypter(flags);
    started = await start(flags, { options, crypter, collector: createCollector(), log }, context);
  } catch (error) {
    return report(asBrError(error, signals.signal), log, context);
  }
  return await run(flags, started, context);
}

/** The task itself, which says how it ended in a line of its own. */
async function run(flags: GivenFlags, started: StartedRestore, context: CommandContext): Promise<number> {
  const { log } = started;
  try {
    using hold = await connect(started);
    await restore(flags, { started, hold }, context);
    return 0;
  } catch (error) {
    const failure = asBrError(error, started.signal);
    log.error('restore.go:81', 'failed to restore', failure);
    if (failure.message.includes(NOT_FRESH)) process.stdout.write(NOT_FRESH_BANNER);
    return report(failure, log, context);
  }
}

/** What comes once the cluster was reached. */
async function restore(
  flags: GivenFlags,
  { started, hold }: { started: StartedRestore; hold: TargetHold },
  { dialect, env }: CommandContext,
): Promise<void> {
  const { options } = started;
  const openBackup = () => openStorage(parseStorage(options.storage, flags), dialect, env);
  try {
    if (options.kind === 'point') {
      const openLog = () => openLogStorage(options.logStorage, storageFlagsOf(flags), dialect, env);
      await restorePoint(started, { openBackup, openLog, hold });
    } else {
      const { checkpoint, registration } = await restoreWithSummary(started, openBackup, hold);
      await removeCheckpoints(started, checkpoint ? [checkpoint] : []);
      await registration?.remove();
    }
  } finally {
    await leave(started, hold);
  }
}

const NOT_FRESH = '[BR:Restore:ErrRestoreNotFreshCluster]';
const FRAME = '#'.repeat(71);
const NOT_FRESH_BANNER = [
  FRAME,
  '# the target cluster is not fresh, cannot restore.',
  '# you can drop existing databases and tables and start restore again',
  FRAME,
  '',
].join('\n');

/** The last words of every failure. */
function report(failure: BrError, log: Log, { dialect }: CommandContext): number {
  printError(failure, dialect);
  log.error('main.go:38', 'br failed', failure);
  return failure.exitCode;
}

/** Finds out what this run is given beyond its command line. */
async function start(
  flags: GivenFlags,
  parts: Pick<RestoreRun, 'options' | 'crypter' | 'log'> & { collector: Collector },
  { env, dialect, signals, ledger }: CommandContext,
): Promise<StartedRestore> {
  const { options, log } = parts;
  const path = storagePath(options.storage || options.logStorage, flags);
  const read = await readScript(env, path, options.pd, 'restore');
  const script: Script = { ...read, outcome: await outcomeOfThisRun(read.outcome, read.runsFile) };
  if (script.outcome.kind === 'ignore-term') signals.ignore();
  await ledger.start(script.ledger, {
    command: 'restore',
    pid: process.pid,
    ppid: process.ppid,
    path: path ?? options.storage.replace(/\?.*$/s, ''),
    pd: options.pd.join(','),
    outcome: script.outcome.kind,
  });
  const target = clusterOf(script, options.pd);
  if (target === undefined) {
    throw new BrError('demo-br: a restore needs a place for its clusters: set DEMO_BR_CLUSTERS to a folder');
  }
  const everyMs = script.progressIntervalSeconds * 1000;
  const progress = progressPlace(dialect, { log, everyMs }, log.isFile);
  return { ...parts, dialect, target, script, progress, ledger, signal: signals.signal };
}

/** The folder of a local storage; undefined for others, and for one that cannot be read, of which BR says so later. */
function storagePath(storage: string, flags: GivenFlags): string | undefined {
  try {
    const target = parseStorage(storage, flags);
    return target.kind === 'local' ? target.path : undefined;
  } catch {
    return undefined;
  }
}

/** Reaches the cluster, compares versions, and registers the restore there. What fails here has no summary. */
async function connect(run: StartedRestore): Promise<TargetHold> {
  const { options, dialect, target, script, log, signal } = run;
  log.info('common.go:195', 'trying to connect to etcd', [['addr', `[${options.pd.join(',')}]`]]);
  await waitForEtcd(run);
  await failAtStage('etcd', run);
  await failAtStage('pd', run);
  const hold = await holdTarget(target, signal);
  try {
    if (options.checkRequirements) checkClusterVersion(dialect, script.clusterVersion);
    logConnected(run);
    await refuseLogTask(target);
    return hold;
  } catch (error) {
    await hold.release();
    throw error;
  }
}

/** A cluster whose log is backed up is not restored into. */
async function refuseLogTask(target: DemoCluster): Promise<void> {
  const { logTask } = await target.readState();
  if (!logTask) return;
  throw new BrError(
    `failed to check task exists: log backup task is running: ${logTask.name}, please stop the task before restore, and after PITR operation finished, create log-backup task again and create a full backup on this cluster`,
  );
}

/** Ends the run if its script says that PD cannot be reached; a backup waits longer and says something else. */
async function waitForEtcd({ options, script, signal }: StartedRestore): Promise<void> {
  const { kind, name } = script.outcome;
  if (kind !== 'fail' || name !== 'pd-unreachable') return;
  const why = `connection error: desc = "transport: Error while dialing: dial tcp ${options.pd[0]}: connect: connection refused"`;
  try {
    await pause(ETCD_SECONDS * 1000 * script.waitScale, undefined, { signal });
  } catch {
    throw new BrError(`context canceled: ${why}`, undefined, 1, true);
  }
  throw new BrError(`context deadline exceeded: ${why}`);
}

/** Ends the registration in etcd, which BR cannot after a signal: then it ends by itself. */
async function leave({ options, log, signal }: StartedRestore, hold: TargetHold): Promise<void> {
  if (!signal.aborted) return await hold.release();
  const error = 'rpc error: code = Canceled desc = context canceled';
  process.stderr.write(
    `${JSON.stringify({ level: 'warn', ts: new Date().toISOString(), logger: 'etcd-client', caller: 'v3@v3.5.12/retry_interceptor.go:62', msg: 'retrying of unary invoker failed', target: `etcd-endpoints://0x37ed15c976c0/${options.pd[0]}`, attempt: 0, error })}\n`,
  );
  log.warn('register.go:118', 'failed to revoke the lease', [
    ['error', 'context canceled'],
    ['lease-id', process.pid],
  ]);
}

/** After a signal every error is its consequence, but for one. */
function asBrError(error: unknown, signal: AbortSignal): BrError {
  if (signal.aborted && !(error instanceof BrError && error.survivesSignal)) return new BrError(CANCELED);
  return error instanceof BrError ? error : new BrError(error instanceof Error ? error.message : String(error));
}
