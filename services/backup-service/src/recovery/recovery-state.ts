/** Reads what is to be known for the recovery of a cluster: its logs, and the snapshots that lie in them. */
import { MAX_SNAPSHOTS_OF_LOGS } from '@tidemark/limits/limits';
import { plus } from '@tidemark/task/time';
import { isDamaged } from '../backup.ts';
import type { FinishedBackups, GoodSnapshot } from '../finished-backups.ts';
import { instantOf, type LogBackup, type LogGeneration } from '../log/log-backup.ts';
import type { Generation, RecoveryState, Snapshot } from './state.ts';

/** A backup is accepted before its snapshot is taken, and clocks differ. */
const EARLIER_MS = 86_400_000;

/**
 * The logs of a cluster that were seen to run, and the good snapshots since the first of them; nothing where there are no logs. Of very
 * many snapshots the oldest are read.
 */
export async function readRecoveryState(
  log: Pick<LogBackup, '_id' | 'generations' | 'observed'>,
  finished: Pick<FinishedBackups, 'snapshotsSince'>,
  signal: AbortSignal,
): Promise<RecoveryState> {
  const generations = log.generations.flatMap((one) => toGeneration(one, log));
  const [oldest] = generations;
  if (!oldest) return { snapshots: [], generations };
  const since = plus(instantOf(String(oldest.min)), -EARLIER_MS);
  const snapshots = await finished.snapshotsSince(log._id, since, MAX_SNAPSHOTS_OF_LOGS, signal);
  return { snapshots: snapshots.flatMap(toSnapshot), generations };
}

function toGeneration(
  { n, min, max, open, endedWhy }: LogGeneration,
  { observed }: Pick<LogBackup, 'observed'>,
): Generation[] {
  if (min === null || max === null) return [];
  return [
    {
      n,
      min: BigInt(min),
      max: BigInt(max),
      cuts: [],
      open,
      paused: open && observed.state === 'Paused',
      endedWhy,
      holds: [],
      truncating: null,
      upstreamClusterId: null,
    },
  ];
}

/** A good backup, as nobody had asked for its removal; none where it is damaged or its point is not on record. */
export function toSnapshot({ _id, result, verification }: GoodSnapshot): Snapshot[] {
  const tso = BigInt(result?.tso ?? 0);
  if (tso <= 0n || isDamaged({ verification })) return [];
  return [
    {
      id: _id,
      tso,
      damagedAt: null,
      removal: 'none',
      removalBy: null,
      pinned: false,
      held: false,
      origin: 'rule',
      rule: null,
      upstreamClusterId: '',
      keyKnown: true,
    },
  ];
}
