import { parseCommandLine } from './arguments.ts';
import { backupCommand } from './backup-command.ts';
import { BrError } from './br-error.ts';
import { helpText } from './help.ts';
import { createLedger } from './ledger.ts';
import { errorFields, printLine } from './log.ts';
import { textLine } from './log-line.ts';
import { dieOfBrokenPipe, listenForSignals } from './signals.ts';
import { DEFAULT_VERSION, versionLines } from './version.ts';

// On stderr, where BR prints nothing that a caller reads but lines that start with `Error: `.
process.stderr.write('demo-br: not PingCAP BR; a stand-in that writes sample files\n');

const ledger = createLedger();
const signals = listenForSignals(ledger.end);
dieOfBrokenPipe(ledger.end);

let exitCode: number;
try {
  exitCode = await main(process.argv.slice(2));
} catch (error) {
  // Wrong flags and the like fail before there is a log: the line goes to stdout as text (br-contract 3.1).
  const failure = error instanceof BrError ? error : new BrError(String(error));
  process.stderr.write(`Error: ${failure.message}\n`);
  const fields = errorFields(failure);
  printLine(textLine({ time: new Date(), level: 'ERROR', caller: 'main.go:38', message: 'br failed', fields }));
  exitCode = failure.exitCode;
}
ledger.end(exitCode);
await Promise.all([process.stdout, process.stderr].map((stream) => new Promise((done) => stream.write('', done))));
process.exit(exitCode);

async function main(argv: readonly string[]): Promise<number> {
  const { words, flags } = parseCommandLine(argv);
  const [command, subCommand, ...extra] = words;
  if (flags.has('version')) {
    printLine(versionLines(process.env.DEMO_BR_VERSION || DEFAULT_VERSION));
    return 0;
  }
  if (command === 'backup' && subCommand === 'full' && !flags.has('help')) {
    if (extra[0] !== undefined) throw new BrError(`unknown command "${extra[0]}" for "br backup full"`);
    return backupCommand(flags, { env: process.env, signals, ledger });
  }
  if (!flags.has('help') && isElsewhere(command, subCommand)) {
    throw new BrError(`demo-br: only "br backup full" is here, not "br ${words.join(' ')}"`);
  }
  printLine(helpText(command === 'backup' ? 'br backup' : 'br'));
  return 0;
}

/** Commands of the real program that this one does not stand in for. */
function isElsewhere(command = '', subCommand = ''): boolean {
  return command === 'backup'
    ? ['db', 'table', 'raw', 'txn'].includes(subCommand)
    : ['restore', 'log', 'debug', 'operator'].includes(command);
}
