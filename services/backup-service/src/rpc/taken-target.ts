import { AppError } from '@tidemark/errors/app-error';
import type { CallContext } from '@tidemark/service-kit/grpc/call-context';
import type { Elsewhere } from '../occupants.ts';
import type { RealCluster } from '../real-cluster.ts';
import type { UncleanRestore } from '../restore/restore-store.ts';
import type { Dependencies } from './context.ts';
import { busy } from './refusals.ts';

type Seeing = Pick<CallContext, 'sees' | 'signal'>;

/**
 * Why no restore may begin in a cluster now; undefined where none would be in its way.
 *
 * @param ownId of a restore that may be there already, from a try whose answer was lost
 */
export async function whyTaken(
  { store, occupants, restores }: Pick<Dependencies, 'store' | 'occupants' | 'restores'>,
  target: RealCluster,
  { sees, signal }: Seeing,
  ownId = '',
): Promise<AppError | undefined> {
  const { clusterId } = target;
  const [holder, elsewhere, unclean] = await Promise.all([
    store.findActive(clusterId, signal),
    occupants.anyIn(target, signal),
    restores.findUnclean(target, ownId, signal),
  ]);
  if (holder?.restore?._id === ownId && ownId !== '') return undefined;
  if (holder) return busy(clusterId, holder, sees);
  if (elsewhere) return takenElsewhere(clusterId, elsewhere, sees);
  return unclean === undefined ? undefined : uncleanTarget(clusterId, unclean, sees);
}

/** What wants a cluster that a backup or a restore has by another registration; the caller is told of what it sees alone. */
export function takenElsewhere(clusterId: string, other: Elsewhere, sees: Seeing['sees']): AppError {
  const { kind, id, state, targetState, why } = other;
  const isSeen = sees(other.clusterId);
  const where = isSeen ? `cluster ${other.clusterId}` : 'a cluster that is registered under another name';
  const who = isSeen ? `${kind} ${id}` : `a ${kind}`;
  const one = `Cluster ${clusterId} and ${where} are one (${why})`;
  const info = { clusterId, ...(isSeen && { [kind === 'backup' ? 'backupId' : 'restoreId']: id, state }) };
  const isActive = state !== 'Succeeded' && state !== 'Failed' && state !== 'Canceled';
  if (isActive)
    return new AppError(
      'cluster_busy',
      `${one}, and ${who} is under way there (${state}): wait for its end or cancel it.`,
      { info },
    );
  return new AppError(
    'target_needs_cleaning',
    `${one}, and ${who} ended there in the middle (${state}): resume it, or clean the cluster and release it.`,
    { info: { ...info, ...(targetState !== undefined && { targetState }) } },
  );
}

function uncleanTarget(clusterId: string, unclean: UncleanRestore, sees: Seeing['sees']): AppError {
  const isSeen = sees(unclean.clusterId) && sees(unclean.sourceClusterId);
  const who = isSeen ? `Restore ${unclean.id}` : 'A restore';
  return new AppError(
    'target_needs_cleaning',
    `${who} left its checkpoint in cluster ${clusterId}, at which another one would go on: drop the databases __TiDB_BR_Temporary_… there, and say so to that restore (cleaned).`,
    { info: { clusterId, ...(isSeen && { restoreId: unclean.id }) } },
  );
}
