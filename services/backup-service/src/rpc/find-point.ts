import { AppError } from '@tidemark/errors/app-error';
import { MAX_NAMED } from '@tidemark/limits/limits';
import type { PointInTime } from '@tidemark/protocol/grpc/tidemark/backup/v1/restore_service';
import type { CallContext } from '@tidemark/service-kit/grpc/call-context';
import { instantOf } from '../log/log-backup.ts';
import { baseOf, type Recoverable, recoverable } from '../recovery/recoverable.ts';
import { readRecoveryState } from '../recovery/recovery-state.ts';
import type { Span } from '../recovery/state.ts';
import type { RestorePoint } from '../restore/restore.ts';
import { tsoAt } from '../snapshot-time.ts';
import { validation } from '../validate.ts';
import type { Dependencies } from './context.ts';
import { unknownCluster } from './refusals.ts';

/** What a point in time is restored from. */
export interface FoundPoint {
  readonly backupId: string;
  /** Absent where the point is that of the backup: it needs no log. */
  readonly point?: RestorePoint;
}

/**
 * From which backup, and by which log, a cluster is brought back to a point: the newest good backup before it in the log that has it.
 *
 * @throws AppError `invalid_argument`, `cluster_not_found`, and `point_not_restorable` with what can be restored
 */
export async function findPoint(
  { registry, logs, finished, now }: Pick<Dependencies, 'registry' | 'logs' | 'finished' | 'now'>,
  { clusterId, time, ts }: PointInTime,
  { sees, signal }: Pick<CallContext, 'sees' | 'signal'>,
): Promise<FoundPoint> {
  const check = validation();
  check.id('point.clusterId', clusterId);
  check.require((time === undefined) !== (ts === 0n), 'point', 'must have a time or a tso, and not both');
  check.require(ts < TSO_END, 'point.tso', 'must be a TSO of TiDB');
  check.finish();
  const [cluster, log] = await Promise.all([registry.clusters.get(clusterId, signal), logs.get(clusterId, signal)]);
  if (!sees(clusterId) || (!cluster && !log)) throw unknownCluster(clusterId);
  const tso = time ? tsoAt(time) : ts;
  const state = log ? await readRecoveryState(log, finished, signal) : { snapshots: [], generations: [] };
  const base = baseOf(state, tso);
  const generation = log?.generations.find(({ n }) => n === base?.generation);
  if (!base || !generation) throw notRestorable(clusterId, tso, recoverable(state, tsoAt(now())));
  if (base.snapshot.tso === tso) return { backupId: base.snapshot.id };
  const { n, path, storage } = generation;
  return { backupId: base.snapshot.id, point: { tso: String(tso), generation: n, path, storage } };
}

/** TiDB keeps a TSO in 64 bits with a sign. */
const TSO_END = 1n << 63n;

function notRestorable(clusterId: string, tso: bigint, { ranges, holes, newest }: Recoverable): AppError {
  const at = instantOf(String(tso)).toISOString();
  const hole = holes.find(({ from, to }) => from <= tso && tso <= to);
  const info = {
    clusterId,
    ranges: ranges.slice(-MAX_NAMED).map(named).join(', '),
    ...(hole && { why: hole.why }),
  };
  return new AppError('point_not_restorable', `${at} cannot be restored: ${sentenceOn()}`, { info });

  function sentenceOn(): string {
    if (ranges.length === 0)
      return `of cluster ${clusterId} no log backup is there with a good full backup in it. Restore a backup by its id.`;
    const known = `What can be restored of cluster ${clusterId}: ${info.ranges}.`;
    if (newest !== undefined && tso > newest) return `it lies behind the newest point. ${known}`;
    return hole ? `it lies in a hole (${hole.why}). ${known}` : known;
  }
}

const named = ({ from, to }: Span) =>
  `${instantOf(String(from)).toISOString()} to ${instantOf(String(to)).toISOString()}`;
