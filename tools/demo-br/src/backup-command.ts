import { untilAborted } from './abort.ts';
import type { GivenFlags } from './arguments.ts';
import { textFlag } from './arguments.ts';
import { backupFull } from './backup-full.ts';
import { type BackupOptions, loggedArguments, toBackupOptions } from './backup-options.ts';
import { readSource } from './backup-source.ts';
import { BrError } from './br-error.ts';
import { clusterOf } from './cluster-of.ts';
import { type Collector, createCollector } from './collector.ts';
import { type Crypter, readCrypter } from './crypter.ts';
import { NEW_STATE } from './demo-cluster.ts';
import type { Dialect } from './dialect.ts';
import type { Ledger } from './ledger.ts';
import { type Log, openCommandLog } from './log.ts';
import { openStorage } from './open-storage.ts';
import { printError } from './print-error.ts';
import { progressPlace } from './progress.ts';
import { outcomeOfThisRun } from './run-count.ts';
import { readScript } from './script.ts';
import type { Signals } from './signals.ts';
import { serveStatus } from './status-server.ts';
import { parseStorage } from './storage-url.ts';
import { type BackupTotals, successFields } from './summary.ts';
import { versionFields } from './version.ts';

/** What the command needs of its process. */
export interface CommandContext {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly dialect: Dialect;
  readonly signals: Signals;
  readonly ledger: Ledger;
}

/**
 * `br backup full` with its log, its summary and its error lines (br-contract 3.5, 3.6).
 *
 * @returns the exit code
 * @throws BrError if the log cannot be opened or `--status-addr` cannot be listened on
 */
export async function backupCommand(flags: GivenFlags, context: CommandContext): Promise<number> {
  using log = openCommandLog(flags, context.env);
  context.signals.logTo(log);
  const statusAddress = textFlag(flags, 'status-addr');
  if (statusAddress !== '') await serveStatus(statusAddress);
  log.info('info.go:53', 'Welcome to Backup & Restore (BR)', versionFields(context.dialect.version));
  log.info('common.go:925', 'arguments', [['__command', 'br backup full'], ...loggedArguments(flags)]);
  let parsed: Parsed;
  try {
    parsed = { options: toBackupOptions(flags, context.dialect), crypter: await readCrypter(flags) };
  } catch (error) {
    return report(asBrError(error, context.signals.signal), log, context.dialect);
  }
  const collector = createCollector();
  try {
    const totals = await run(flags, parsed, context, { log, collector });
    log.summary('Full Backup', 'success', [...collector.fields(), ...successFields(totals, process.pid)]);
    return 0;
  } catch (error) {
    const failure = asBrError(error, context.signals.signal);
    log.info('collector.go:224', 'units canceled', [['cancel-unit', 0]]);
    log.summary('Full Backup', 'failed', collector.fields());
    log.error('backup.go:63', 'failed to backup', failure);
    return report(failure, log, context.dialect);
  }
}

/** What the flags say once they are understood. */
interface Parsed {
  readonly options: BackupOptions;
  readonly crypter: Crypter;
}

/** The last words of every failure; one over a flag's value has no others, and no summary. */
function report(failure: BrError, log: Log, dialect: Dialect): number {
  printError(failure, dialect);
  log.error('main.go:38', 'br failed', failure);
  return failure.exitCode;
}

async function run(
  flags: GivenFlags,
  { options, crypter }: Parsed,
  { env, dialect, signals, ledger }: CommandContext,
  { log, collector }: { log: Log; collector: Collector },
): Promise<BackupTotals> {
  const target = parseStorage(options.storage, flags);
  const path = target.kind === 'local' ? target.path : undefined;
  const read = await readScript(env, path, options.pd);
  const script = { ...read, outcome: await outcomeOfThisRun(read.outcome, read.runsFile) };
  if (script.outcome.kind === 'ignore-term') signals.ignore();
  await ledger.start(script.ledger, {
    command: 'backup',
    pid: process.pid,
    ppid: process.ppid,
    path: path ?? options.storage.replace(/\?.*$/s, ''),
    pd: options.pd.join(','),
    outcome: script.outcome.kind,
  });
  const cluster = clusterOf(script, options.pd);
  const { newCollation } = (await cluster?.readState()) ?? NEW_STATE;
  const storage = await untilAborted(openStorage(target, dialect, env), signals.signal);
  const everyMs = script.progressIntervalSeconds * 1000;
  const progress = progressPlace(dialect, { log, everyMs }, log.isFile);
  return backupFull({
    flags,
    options,
    dialect,
    storage,
    newCollation,
    readSource: (at) => readSource(cluster, { size: script, filters: options.filters, at }),
    crypter,
    script,
    log,
    progress,
    collector,
    ledger,
    signal: signals.signal,
  });
}

/** After a signal every error is its consequence, as in the real program, but for one. */
function asBrError(error: unknown, signal: AbortSignal): BrError {
  if (signal.aborted && !(error instanceof BrError && error.survivesSignal)) return new BrError('context canceled');
  return error instanceof BrError ? error : new BrError(error instanceof Error ? error.message : String(error));
}
