/** Which clusters may use a storage: pure. */

import type { FieldViolation } from '@tidemark/errors/app-error';
import { isId } from '@tidemark/limits/id';
import { MAX_STORAGE_CLUSTERS, MAX_STORAGE_LABELS } from '@tidemark/limits/limits';
import { hasLabels, type Labels } from '@tidemark/service-kit/label-selector';
import type { StorageLocation } from './backup.ts';
import { isShortText } from './validate.ts';

/** The clusters that are named, and those that have all of the labels. */
export interface UsableBy {
  readonly clusters: readonly string[];
  /** None chooses no cluster. */
  readonly labels: Labels;
}

/** A cluster as far as it matters here. */
export interface LabelledCluster {
  readonly _id: string;
  readonly labels: Labels;
  /** Its PD or TLS was set by an admin of some clusters, and no admin of all has saved it since. */
  readonly placedByLimited?: boolean;
}

/** A storage as far as it matters here. */
export interface AccessedStorage extends Pick<StorageLocation, 'local' | 'sendCredentialsToTikv'> {
  readonly usableBy?: UsableBy;
}

/**
 * Whether a cluster may use a storage: the storage is for it, and its keys go to no PD that an admin of some clusters chose.
 * `br` hands the keys to every TiKV that the PD names (br-contract 2.4), so who chooses the PD gets them.
 */
export function mayUseStorage(storage: AccessedStorage, cluster: LabelledCluster): boolean {
  return mayUse(storage.usableBy, cluster) && !(cluster.placedByLimited && sendsCredentials(storage));
}

/** Whether `br` hands what opens the storage to every TiKV. */
export function sendsCredentials({ local, sendCredentialsToTikv = true }: AccessedStorage): boolean {
  return !local && sendCredentialsToTikv;
}

/**
 * Whether a storage is for a cluster.
 *
 * @param usableBy of the storage; undefined: for every cluster
 */
export function mayUse(usableBy: UsableBy | undefined, { _id, labels }: LabelledCluster): boolean {
  if (!usableBy) return true;
  return usableBy.clusters.includes(_id) || (goesByLabels(usableBy) && hasLabels(labels, usableBy.labels));
}

/** Whether labels of a cluster can matter. */
export function goesByLabels(usableBy: UsableBy | undefined): boolean {
  return Object.keys(usableBy?.labels ?? {}).length > 0;
}

/** What is wrong with what somebody says of it. */
export function usableByViolations({ clusters, labels }: UsableBy): FieldViolation[] {
  const entries = Object.entries(labels);
  if (clusters.length === 0 && entries.length === 0)
    return [{ field: 'usableBy', description: 'must name clusters or labels; leave it out for all clusters' }];
  const tooMany = (field: string, most: number, what: string) => [
    { field: `usableBy.${field}`, description: `must be at most ${most} ${what}` },
  ];
  if (clusters.length > MAX_STORAGE_CLUSTERS) return tooMany('clusters', MAX_STORAGE_CLUSTERS, 'ids of clusters');
  if (entries.length > MAX_STORAGE_LABELS) return tooMany('labels', MAX_STORAGE_LABELS, 'labels');
  return [
    ...clusters.flatMap((id, index) =>
      isId(id) ? [] : [{ field: `usableBy.clusters[${index}]`, description: 'must be the id of a cluster' }],
    ),
    ...entries.flatMap(([label, value]) =>
      label !== '' && isShortText(label) && isShortText(value)
        ? []
        : [
            {
              field: `usableBy.labels.${label.slice(0, 64)}`,
              description: 'must have a name, such as team, and be at most 256 characters',
            },
          ],
    ),
  ];
}
