/** Looks whether what a call is about is there. */
import type { Cluster } from '@tidemark/protocol/connect/tidemark/backup/v1/registry_service';
import { DEFAULT_RULE, findRule } from './find-rule.ts';
import { callOptions } from './scope.ts';
import type { Acting } from './steps.ts';

/** @throws AppError `cluster_not_found` */
export async function requireCluster(clusterId: string, { scope, dependencies }: Acting): Promise<Cluster | undefined> {
  const { registry } = dependencies.backends;
  return (await registry.getCluster({ id: clusterId }, callOptions(scope, dependencies))).cluster;
}

/** Where one cluster is asked about, it must be there. @throws AppError `cluster_not_found` */
export async function requireOnlyCluster(acting: Acting): Promise<void> {
  const [clusterId, ...others] = acting.asked;
  if (clusterId !== undefined && others.length === 0) await requireCluster(clusterId, acting);
}

/**
 * The default rule is there with its cluster; another one must have been saved.
 *
 * @throws AppError `cluster_not_found` or `strategy_not_found`
 */
export async function requireRule(clusterId: string, rule: string, acting: Acting): Promise<void> {
  if (rule === DEFAULT_RULE) await requireCluster(clusterId, acting);
  else await findRule(acting.scope, acting.dependencies, clusterId, rule);
}
