import type { GivenFlags } from './arguments.ts';
import { textFlag } from './arguments.ts';
import { backupFull } from './backup-full.ts';
import { loggedArguments, toBackupOptions } from './backup-options.ts';
import { BrError } from './br-error.ts';
import type { Ledger } from './ledger.ts';
import { type Log, logFile, openLog } from './log.ts';
import { outcomeOfThisRun } from './run-count.ts';
import { readScript } from './script.ts';
import type { Signals } from './signals.ts';
import { parseStorage } from './storage.ts';
import { type BackupTotals, FAILED_FIELDS, successFields } from './summary.ts';

/** What the command needs of its process. */
export interface CommandContext {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly signals: Signals;
  readonly ledger: Ledger;
}

/**
 * `br backup full` with its log, its summary and its error lines (br-contract 3.5, 3.6).
 *
 * @returns the exit code
 * @throws BrError if the log cannot be opened
 */
export async function backupCommand(flags: GivenFlags, context: CommandContext): Promise<number> {
  const file = logFile(flags.get('log-file')?.at(-1), context.env, new Date());
  using log = openLog({ level: textFlag(flags, 'log-level'), format: textFlag(flags, 'log-format'), file });
  if (file !== undefined) process.stderr.write(`Detail BR log in ${file} \n`);
  context.signals.logTo(log);
  try {
    const totals = await run(flags, context, log);
    log.summary('Full Backup success summary', successFields(totals, process.pid));
    return 0;
  } catch (error) {
    const failure = asBrError(error, context.signals.signal);
    log.info('collector.go:224', 'units canceled', [['cancel-unit', 0]]);
    log.summary('Full Backup failed summary', FAILED_FIELDS);
    log.error('backup.go:63', 'failed to backup', failure);
    process.stderr.write(`Error: ${failure.message}\n`);
    log.error('main.go:38', 'br failed', failure);
    return failure.exitCode;
  }
}

async function run(flags: GivenFlags, context: CommandContext, log: Log): Promise<BackupTotals> {
  const { env, signals, ledger } = context;
  const options = toBackupOptions(flags);
  log.info('common.go:925', 'arguments', [['__command', 'br backup full'], ...loggedArguments(flags)]);
  const storage = parseStorage(options.storage);
  const read = await readScript(env, storage.path, options.pd);
  const script = { ...read, outcome: await outcomeOfThisRun(read.outcome, read.runsFile) };
  if (script.outcome.kind === 'ignore-term') signals.ignore();
  ledger.start(script.ledger, {
    pid: process.pid,
    ppid: process.ppid,
    path: storage.path,
    pd: options.pd.join(','),
    outcome: script.outcome.kind,
  });
  log.info('info.go:53', 'Welcome to Backup & Restore (BR)', [
    ['release-version', script.version],
    ['git-hash', 'demo-br'],
  ]);
  return backupFull({ flags, options, storage, script, log, ledger, signal: signals.signal });
}

/** After a signal every error is its consequence, as in the real program. */
function asBrError(error: unknown, signal: AbortSignal): BrError {
  if (signal.aborted) return new BrError('context canceled');
  return error instanceof BrError ? error : new BrError(error instanceof Error ? error.message : String(error));
}
