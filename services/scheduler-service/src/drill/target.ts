/** Whether drills may restore into a cluster: what is in it must be of no worth to anybody. */
import { AppError, invalidArgument } from '@tidemark/errors/app-error';
import { MAX_PAGE_SIZE } from '@tidemark/limits/limits';
import { ClusterPurpose } from '@tidemark/protocol/grpc/tidemark/backup/v1/registry_service';
import type { CallOptions } from '@tidemark/service-kit/grpc/client';
import type { Backends } from '../backends.ts';
import { isWanted } from '../cluster-log.ts';

/**
 * Looks at what is on record of a target.
 *
 * @throws AppError `drill_target_refused` where it is no scratch cluster, is backed up, or has a good backup; `cluster_not_found`
 */
export async function requireDrillTarget(
  { registry, strategies, logBackups, backups }: Backends,
  { clusterId, targetClusterId: id }: { readonly clusterId: string; readonly targetClusterId: string },
  options: CallOptions,
): Promise<void> {
  const refuse = (why: string) =>
    new AppError('drill_target_refused', `Drills may not restore into cluster ${id}: ${why}`, {
      info: { clusterId: id },
    });
  if (id === clusterId) throw refuse('it is the cluster that is drilled.');
  const { cluster } = await registry.getCluster({ id }, options);
  if (cluster?.purpose !== ClusterPurpose.CLUSTER_PURPOSE_SCRATCH)
    throw refuse('each drill overwrites what is in it, and it is not registered with the purpose scratch.');
  const { strategies: rules } = await strategies.listStrategies(
    { clusterIds: [id], withRetention: false, pageSize: MAX_PAGE_SIZE, pageToken: '', updatedAfter: undefined },
    options,
  );
  const planned = rules.find(({ days }) => days.length > 0);
  if (planned) throw refuse(`it has a strategy, the rule ${planned.rule}: what is backed up counts.`);
  if (await isLogWanted(logBackups, id, options)) throw refuse('its log backup is wanted.');
  const { backups: good } = await backups.listNewestGood({ clusterIds: [id], pageToken: '' }, options);
  if (good.length > 0) throw refuse('it has good backups: delete them first, if what is in it is of no worth.');
}

/** @throws AppError `invalid_argument` where no log backup of a cluster is wanted, and so no moment can be chosen */
export async function requireLog(
  { logBackups }: Pick<Backends, 'logBackups'>,
  clusterId: string,
  options: CallOptions,
): Promise<void> {
  if (await isLogWanted(logBackups, clusterId, options)) return;
  const description = `must not be pointInTime while no log backup of cluster ${clusterId} is wanted (PUT /clusters/${clusterId}/log-backup)`;
  throw invalidArgument([{ field: 'choose', description }]);
}

async function isLogWanted(
  logBackups: Backends['logBackups'],
  clusterId: string,
  options: CallOptions,
): Promise<boolean> {
  const { logBackup } = await logBackups.getLogBackup({ clusterId }, options);
  return logBackup !== undefined && isWanted(logBackup);
}
