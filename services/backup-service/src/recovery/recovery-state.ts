/** Reads what is to be known for the recovery of a cluster: its logs, and the snapshots that lie in them. */
import { MAX_SNAPSHOTS_OF_LOGS } from '@tidemark/limits/limits';
import { plus } from '@tidemark/task/time';
import type { FinishedBackups, GoodSnapshot } from '../finished-backups.ts';
import { instantOf, type LogBackup } from '../log/log-backup.ts';
import type { Log, Snapshot } from './recoverable.ts';

/** A backup is accepted before its snapshot is taken, and clocks differ. */
const EARLIER_MS = 86_400_000;

/** Those of a log backup that were seen to run, the oldest first. */
export function logsOf({ generations }: Pick<LogBackup, 'generations'>): Log[] {
  return generations.flatMap(({ n, min, max, open, endedWhy }) =>
    min === null || max === null ? [] : [{ n, min: BigInt(min), max: BigInt(max), open, endedWhy: endedWhy ?? '' }],
  );
}

/** The good snapshots since the beginning of some logs; none where there are no logs. Of very many the oldest are read. */
export async function snapshotsIn(
  clusterId: string,
  [oldest]: readonly Log[],
  finished: Pick<FinishedBackups, 'snapshotsSince'>,
  signal: AbortSignal,
): Promise<Snapshot[]> {
  if (!oldest) return [];
  const since = plus(instantOf(String(oldest.min)), -EARLIER_MS);
  return (await finished.snapshotsSince(clusterId, since, MAX_SNAPSHOTS_OF_LOGS, signal)).flatMap(toSnapshot);
}

function toSnapshot({ _id, result }: GoodSnapshot): Snapshot[] {
  const tso = BigInt(result?.tso ?? 0);
  return tso > 0n ? [{ id: _id, tso }] : [];
}
