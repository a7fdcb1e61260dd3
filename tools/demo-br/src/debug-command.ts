import { type GivenFlags, textFlag } from './arguments.ts';
import { BrError } from './br-error.ts';
import { readCrypter } from './crypter.ts';
import { checkSums } from './debug-checksum.ts';
import { decode } from './debug-decode.ts';
import type { DebugRun } from './debug-run.ts';
import type { Dialect } from './dialect.ts';
import { openCommandLog } from './log.ts';
import { openStorage } from './open-storage.ts';
import { printError } from './print-error.ts';
import { parseStorage } from './storage-url.ts';

/** Commands that look into a finished backup (br-contract 9.2). */
const COMMANDS: ReadonlyMap<string, (run: DebugRun) => Promise<string>> = new Map([
  ['decode', decode],
  ['checksum', checkSums],
]);

export function isDebugCommand(name: string): boolean {
  return COMMANDS.has(name);
}

/**
 * Runs one of them, prints its answer to stdout, and logs as every command does.
 *
 * @returns the exit code
 * @throws BrError if the log cannot be opened
 */
export async function debugCommand(
  name: string,
  flags: GivenFlags,
  { env, dialect }: { env: Readonly<Record<string, string | undefined>>; dialect: Dialect },
): Promise<number> {
  using log = openCommandLog(flags, env);
  try {
    const crypter = await readCrypter(flags);
    const storage = await openStorage(parseStorage(textFlag(flags, 'storage'), flags), dialect, env);
    // The real one makes the folder that it looks into (br-contract 14.18).
    await storage.makeFolder('.');
    process.stdout.write(`${await COMMANDS.get(name)?.({ flags, storage, crypter })}\n`);
    return 0;
  } catch (error) {
    const failure = error instanceof BrError ? error : new BrError(String(error));
    printError(failure, dialect);
    log.error('main.go:38', 'br failed', failure);
    return failure.exitCode;
  }
}
