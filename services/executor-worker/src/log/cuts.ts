/**
 * What cuts a log: `br` from v8.5.5 on lets a restore to a point in time into a cluster that writes one, whose rows are in no log. It leaves
 * a file that names both times of that restore: no other one from a backup before its end may reach behind its beginning.
 *
 * Which tables that is about lies in the file; the whole log counts as cut.
 */
import { MAX_LOG_CUTS } from '@tidemark/limits/limits';
import type { Env } from '@tidemark/service-kit/env';
import { openBackupFiles } from '@tidemark/storage/backup-files';
import type { LogCut, ReadCuts } from './look.ts';

/** Below the path of a log; R is the end of the restore, S its beginning, in hexadecimal. */
const FOLDER = 'v1/log_restore_tables_blocklists';
const NAME = /^R([0-9A-F]{16})_S([0-9A-F]{16})\.meta$/i;
/** A look waits for it, and goes on without. */
const READ_MS = 5_000;

/** Reads the names of these files, with the keys of this process. */
export function cutReader(env: Env): ReadCuts {
  return async ({ storage, path }) => {
    const files = await openBackupFiles(storage, path, env);
    const cuts: LogCut[] = [];
    for await (const { name } of files.entries(FOLDER, AbortSignal.timeout(READ_MS))) {
      const [, end, begin] = NAME.exec(name) ?? [];
      if (end !== undefined && begin !== undefined) cuts.push(between(BigInt(`0x${begin}`), BigInt(`0x${end}`)));
    }
    return fewest(cuts);
  };
}

function between(one: bigint, other: bigint): LogCut {
  return one < other ? { from: one, to: other } : { from: other, to: one };
}

/** Of very many the oldest count as one. */
function fewest(cuts: readonly LogCut[]): readonly LogCut[] {
  const sorted = cuts.toSorted((one, other) => Number(one.from > other.from) - Number(one.from < other.from));
  const old = sorted.slice(0, Math.max(0, sorted.length - MAX_LOG_CUTS + 1));
  const [first] = old;
  if (!first || old.length < 2) return sorted;
  let { to } = first;
  for (const one of old) if (one.to > to) to = one.to;
  return [{ from: first.from, to }, ...sorted.slice(old.length)];
}
