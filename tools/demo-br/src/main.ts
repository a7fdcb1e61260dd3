import { parseCommandLine } from './arguments.ts';
import { BrError } from './br-error.ts';
import { type Dialect, dialectOf } from './dialect.ts';
import { findVersion } from './find-version.ts';
import { flagsOf } from './flags.ts';
import { helpText } from './help.ts';
import { createLedger } from './ledger.ts';
import { errorFields, printLine } from './log.ts';
import { isLogCommand } from './log-command-names.ts';
import { textLine } from './log-line.ts';
import { printError } from './print-error.ts';
import { checkRequiredFlags, isRestoreKind } from './restore-options.ts';
import { dieOfBrokenPipe, listenForSignals } from './signals.ts';
import { serveStatusOnDemand } from './status-server.ts';
import { versionLines } from './version.ts';

// On stderr, where BR prints nothing that a caller reads but lines that start with `Error: `.
process.stderr.write('demo-br: not PingCAP BR; a stand-in that writes sample files\n');

/** One command with two names. */
const DEBUG_COMMANDS = ['debug', 'validate'];

const argv = process.argv.slice(2);
const dialect = dialectOf(await findVersion(process.env, argv));
const ledger = createLedger();
const signals = listenForSignals(dialect, ledger.end);
dieOfBrokenPipe(ledger.end);
serveStatusOnDemand();

let exitCode: number;
try {
  exitCode = await main(dialect);
} catch (error) {
  // Wrong flags and the like fail before there is a log: the line goes to stdout as text (br-contract 3.1).
  const failure = error instanceof BrError ? error : new BrError(String(error));
  printError(failure, dialect);
  const fields = errorFields(failure);
  printLine(textLine({ time: new Date(), level: 'ERROR', caller: 'main.go:38', message: 'br failed', fields }));
  exitCode = failure.exitCode;
}
ledger.end(exitCode);
await Promise.all([process.stdout, process.stderr].map((stream) => new Promise((done) => stream.write('', done))));
process.exit(exitCode);

/** Loads what a command is made of only for that command: tests start this program hundreds of times. */
async function main({ version }: Dialect): Promise<number> {
  const { words, flags } = parseCommandLine(argv, flagsOf(dialect, flagSet()));
  const [command, subCommand, ...extra] = words;
  if (flags.has('version')) {
    printLine(versionLines(version));
    return 0;
  }
  if (command === 'backup' && subCommand === 'full' && !flags.has('help')) {
    if (extra[0] !== undefined) throw new BrError(`unknown command "${extra[0]}" for "br backup full"`);
    const { backupCommand } = await import('./backup-command.ts');
    return backupCommand(flags, { env: process.env, dialect, signals, ledger });
  }
  if (command === 'restore' && isRestoreKind(subCommand) && !flags.has('help')) {
    if (extra[0] !== undefined) throw new BrError(`unknown command "${extra[0]}" for "br restore ${subCommand}"`);
    checkRequiredFlags(subCommand, flags);
    const { restoreCommand } = await import('./restore-command.ts');
    return restoreCommand(subCommand, flags, { env: process.env, dialect, signals, ledger });
  }
  if (command === 'log' && isLogCommand(subCommand) && !flags.has('help')) {
    const { logCommand } = await import('./log-command.ts');
    return logCommand(subCommand, flags, { env: process.env, dialect, signals, ledger });
  }
  if (DEBUG_COMMANDS.includes(command ?? '') && !flags.has('help')) {
    const { debugCommand, isDebugCommand } = await import('./debug-command.ts');
    if (isDebugCommand(subCommand ?? '')) {
      return debugCommand(subCommand ?? '', flags, { env: process.env, dialect });
    }
  }
  if (!flags.has('help') && isElsewhere(command, subCommand)) {
    throw new BrError(
      `demo-br: only "br backup full", "br restore full|db|table|point", "br log …", "br debug decode" and "br debug checksum" are here, not "br ${words.join(' ')}"`,
    );
  }
  printLine(helpText(command === 'backup' || command === 'restore' ? `br ${command}` : 'br'));
  return 0;
}

/** Which flags there are depends on the command, which may stand anywhere among them. */
function flagSet(): 'debug' | 'restore' | 'log' | undefined {
  const command = argv.find((argument) => [...DEBUG_COMMANDS, 'backup', 'restore', 'log'].includes(argument));
  if (command === 'restore' || command === 'log') return command;
  return command === undefined || command === 'backup' ? undefined : 'debug';
}

/** Commands of the real program that this one does not stand in for. */
function isElsewhere(command = '', subCommand = ''): boolean {
  return command === 'backup'
    ? ['db', 'table', 'raw', 'txn'].includes(subCommand)
    : (command === 'restore' && ['raw', 'txn'].includes(subCommand)) ||
        ['operator', ...DEBUG_COMMANDS].includes(command);
}
