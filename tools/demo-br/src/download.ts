import { setTimeout as pause } from 'node:timers/promises';
import type { File } from '@tidemark/protocol/br/backup';
import { BrError } from './br-error.ts';
import type { RestoreRun } from './restore-run.ts';
import { parseRows } from './table.ts';

// How TiKV downloads an SST for a restore: what cannot be read is tried again and again, whatever the reason.

/** The tries between two warnings, and how often there are so many before BR gives up. */
const TRIES = 8;
const ROUNDS = 16;
/** How long all of them take. */
const GIVE_UP_SECONDS = 587;

const NOT_FOUND = 'Os { code: 2, kind: NotFound, message: "No such file or directory" }';
const DENIED = 'Io(Os { code: 13, kind: PermissionDenied, message: "Permission denied" })';
const JUNK = 'Engine Engine(Status { code: Corruption, state: "Corruption: Bad table magic number" })';

/** Why TiKV cannot read an SST, in its words. */
type Problem = string;

/**
 * The rows in an SST.
 *
 * @param isAway whether TiKV may read nothing at present
 * @throws BrError with the text of all tries, or what the abort signal brings up
 */
export async function downloadRows(
  run: RestoreRun,
  file: File,
  isAway: () => boolean,
): Promise<ReadonlyMap<number, string>> {
  const { script, log, signal } = run;
  const tryMs = (GIVE_UP_SECONDS * 1000 * script.waitScale) / (TRIES * ROUNDS);
  const problems: string[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    for (let attempt = 0; attempt < TRIES; attempt += 1) {
      const result = isAway() ? DENIED : await readRows(run, file);
      if (typeof result !== 'string') return result;
      problems.push(new BrError(result, 'BR:KV:ErrKVDownloadFailed').message);
      await pause(tryMs, undefined, { signal });
    }
    log.warn('import.go:394', 'download file failed, retry later', [
      ['startKey', file.startKey.toString('hex').toUpperCase()],
      ['endKey', file.endKey.toString('hex').toUpperCase()],
      ['error', problems.slice(-TRIES).join('; ')],
    ]);
  }
  throw new BrError(problems.join('; '));
}

async function readRows({ storage, crypter, options }: RestoreRun, file: File): Promise<Map<number, string> | Problem> {
  const place = storage.path === undefined ? options.storage.replace(/\?.*$/s, '') : `local://${storage.path}`;
  let body: Buffer | undefined;
  try {
    body = await storage.read(file.name);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EACCES' ? DENIED : (error as Error).message;
  }
  if (body === undefined) return `Cannot read ${place}/${file.name} into /data/import/.temp: ${NOT_FOUND}`;
  return parseRows(crypter.open(file.cipherIv, body).toString()) ?? JUNK;
}
