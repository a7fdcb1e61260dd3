import { createHash } from 'node:crypto';
import { readDataFiles, readStored } from './backup-content.ts';
import { BrError } from './br-error.ts';
import type { DebugRun } from './debug-run.ts';
import { readMeta } from './read-meta.ts';

/**
 * `br debug checksum`: reads every SST and compares its sum with the metadata's (br-contract 9.2, 14.20).
 *
 * @returns what goes to stdout, also for a backup without files
 * @throws BrError with a message of several lines, the first one empty, for a file that was changed; without a code for
 * one that is missing
 */
export async function checkSums(run: DebugRun): Promise<string> {
  for (const file of await readDataFiles(run, await readMeta(run.storage, run.crypter))) {
    const sum = createHash('sha256')
      .update(await readStored(run, file))
      .digest('hex');
    const recorded = file.sha256.toString('hex');
    if (sum === recorded) continue;
    throw new BrError(
      `\nbackup data checksum failed: ${file.name} may be changed\ncalculated sha256 is ${sum},\norigin sha256 is ${recorded}`,
      'BR:Backup:ErrBackupChecksumMismatch',
    );
  }
  return 'backup data checksum succeed!';
}
