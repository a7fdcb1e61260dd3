/** Reads what is to be known for the recovery of a cluster: its logs, and the snapshots that lie in them. */
import { MAX_SNAPSHOTS_OF_LOGS } from '@tidemark/limits/limits';
import { plus } from '@tidemark/task/time';
import { isDamaged } from '../backup.ts';
import type { FinishedBackups, GoodSnapshot } from '../finished-backups.ts';
import { instantOf, type LogBackup, type LogCut, type LogGeneration } from '../log/log-backup.ts';
import { type Cut, type Generation, type RecoveryState, type Snapshot, smaller } from './state.ts';

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
  const generations = generationsOf(log);
  const since = beginningOf(log.generations);
  if (generations.length === 0 || !since) return { snapshots: [], generations };
  const snapshots = await finished.snapshotsSince(log._id, since, MAX_SNAPSHOTS_OF_LOGS, signal);
  return { snapshots: snapshots.flatMap(toSnapshot), generations };
}

/** The snapshots of that state, and those that retention wants removed and no worker has yet: such a removal may be taken back. */
export async function readAllSnapshots(
  { _id, generations }: Pick<LogBackup, '_id' | 'generations'>,
  finished: Pick<FinishedBackups, 'snapshotsSince' | 'snapshotsAskedToGo'>,
  signal: AbortSignal,
): Promise<readonly Snapshot[]> {
  const since = beginningOf(generations);
  if (!since) return [];
  const [stay, asked] = await Promise.all([
    finished.snapshotsSince(_id, since, MAX_SNAPSHOTS_OF_LOGS, signal),
    finished.snapshotsAskedToGo(_id, since, MAX_SNAPSHOTS_OF_LOGS, signal),
  ]);
  const going = asked.flatMap(toSnapshot);
  return [
    ...stay.flatMap(toSnapshot),
    ...going.map((one): Snapshot => ({ ...one, removal: 'asked', removalBy: 'retention' })),
  ];
}

/** From when on snapshots may lie in a log, also in what is being taken out of it. */
function beginningOf(generations: readonly LogGeneration[]): Date | undefined {
  const mins = generations.flatMap(({ min, truncating }) => truncating?.minBefore ?? min ?? []).map(BigInt);
  return mins.length === 0 ? undefined : plus(instantOf(String(mins.reduce(smaller))), -EARLIER_MS);
}

/** The logs that were seen to run. What is being removed, or is to be, is promised no more. */
export function generationsOf({ generations, observed }: Pick<LogBackup, 'generations' | 'observed'>): Generation[] {
  return generations.flatMap((generation) => {
    const {
      n,
      path,
      min,
      max,
      open,
      endedWhy,
      holds = [],
      truncating,
      removal,
      upstreamClusterId = null,
      cuts = [],
    } = generation;
    if (min === null || max === null || removal || truncating?.until === null) return [];
    const earlier = generations.find((one) => one.n < n && one.path === path);
    return [
      {
        ...{ n, min: BigInt(min), max: BigInt(max), cuts: cuts.map(toCut), open, endedWhy, holds },
        paused: open && observed.state === 'Paused',
        truncating: truncating?.until ? { until: BigInt(truncating.until) } : null,
        ...(earlier && { inPlaceOf: earlier.n }),
        upstreamClusterId,
      },
    ];
  });
}

function toCut({ from, to }: LogCut): Cut {
  return { from: BigInt(from), to: BigInt(to), why: 'restoredMeanwhile', crossable: false };
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
      upstreamClusterId: idOf(result?.tidbClusterId),
      keyKnown: true,
    },
  ];
}

/** Records of earlier versions name none, or 0. */
const idOf = (tidbClusterId = ''): string => (tidbClusterId === '0' ? '' : tidbClusterId);
