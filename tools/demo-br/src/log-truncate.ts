import { hostname } from 'node:os';
import { setTimeout as pause } from 'node:timers/promises';
import { boolFlag, type GivenFlags, textFlag } from './arguments.ts';
import { BrError, invalidArgument } from './br-error.ts';
import { printLine } from './log.ts';
import { type LogStorage, SAFEPOINT, TRUNCATING_LOCK } from './log-storage.ts';
import { dateOf } from './log-task.ts';
import type { Script } from './script.ts';

interface Truncation {
  readonly flags: GivenFlags;
  readonly script: Pick<Script, 'truncateSeconds' | 'truncateFiles'>;
  readonly signal: AbortSignal;
}

/** How many files that stay are told by name. */
const NAMED = 16;
const HINT =
  "There might be another truncate task running, or a truncate task that didn't exit properly. You may check the metadata and continue by wait other task finish or manually delete the lock file truncating.lock at the external storage.";

/**
 * Removes what came before a time, whatever needs it (br-contract 11): the safepoint is written first, and a lock that a killed
 * run left is never taken away. Files that cannot be removed are told, and no failure.
 *
 * @throws BrError where another run has the lock, or no time was given
 */
export async function truncateLog(
  { files, filesBefore, removeFile }: LogStorage,
  { flags, script, signal }: Truncation,
): Promise<void> {
  const given = textFlag(flags, 'until');
  if (given === '') throw invalidArgument('please provide the `--until` ts');
  const until = BigInt(given);
  const lock = await files.read(TRUNCATING_LOCK);
  if (lock) {
    const {
      locked_at: at,
      locker_host: host,
      locker_pid: pid,
    } = JSON.parse(lock.toString()) as Record<string, unknown>;
    throw new BrError(`locked, meta = Locked(at: ${at}, host: ${host}, pid: ${pid}, hint: ${HINT})`);
  }
  process.stdout.write('Reading log backup metadata... ');
  const names = await filesBefore(until);
  printLine('DONE { take = 0s }');
  printLine(`We are going to truncate ${names.length} files, up to TS ${dateOf(until).replace(/ \+0000$/, '')}.`);
  if (boolFlag(flags, 'dry-run', false)) return;
  if (!boolFlag(flags, 'yes', false) && names.length > 0) {
    printLine('Continue? [y/N] ');
    return;
  }
  const own = { locked_at: new Date().toISOString(), locker_host: hostname(), locker_pid: process.pid, hint: HINT };
  await files.writeWhole(TRUNCATING_LOCK, JSON.stringify(own));
  await files.writeWhole(SAFEPOINT, String(until));
  await pause(script.truncateSeconds * 1_000, undefined, { signal });
  const [removable, stuck] = [names.slice(0, script.truncateFiles), names.slice(script.truncateFiles)];
  for (const name of removable) await removeFile(name);
  await files.remove(TRUNCATING_LOCK);
  if (stuck.length === 0) return;
  printLine('Files below are not deleted due to error, you may clear it manually, check log for detail error:');
  printLine(`- Total ${stuck.length} items.`);
  if (stuck.length > NAMED) printLine(`- ${stuck.length - NAMED} items omitted.`);
  for (const name of stuck.slice(0, NAMED)) printLine(name);
}
