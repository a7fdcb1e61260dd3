/**
 * Labels by which storages go: whoever sets one on a cluster chooses whose storage it may use, and whoever removes one
 * takes a storage from it. That is for admins of all clusters alone.
 */

import { AppError } from '@tidemark/errors/app-error';
import { MAX_NAMED } from '@tidemark/limits/limits';
import type { Cluster } from '@tidemark/protocol/connect/tidemark/backup/v1/registry_service';
import { seesAll } from '../authorize.ts';
import { registeredCluster } from './keep-credentials.ts';
import { listStorages } from './lists.ts';
import type { CallDependencies, RequestScope } from './scope.ts';

type Labels = Readonly<Record<string, string>>;

/**
 * Looks at a cluster before an admin of some clusters registers or changes it.
 *
 * @throws AppError `permission_denied` naming each label that is not left as it is
 */
export async function requireKeptLabels(
  { id, labels }: Pick<Cluster, 'id' | 'labels'>,
  scope: RequestScope,
  dependencies: CallDependencies,
): Promise<void> {
  if (seesAll(scope.caller)) return;
  const known = await registeredCluster(id, scope, dependencies);
  const changed = changedLabels(known?.labels ?? {}, labels);
  if (changed.length === 0) return;
  const storages = await listStorages(scope, dependencies);
  const deciding = new Set(storages.flatMap(({ usableBy }) => Object.keys(usableBy?.labels ?? {})));
  const refused = changed.filter((label) => deciding.has(label));
  if (refused.length === 0) return;
  const more = refused.length > MAX_NAMED ? ` and ${refused.length - MAX_NAMED} more` : '';
  throw new AppError(
    'permission_denied',
    `Storages go by ${refused.length === 1 ? 'the label' : 'the labels'} ${refused.slice(0, MAX_NAMED).join(', ')}${more}: such labels of a cluster are set and removed by admins of all clusters; "${scope.caller.name}" is limited to some.`,
    { info: { clusterId: id } },
  );
}

function changedLabels(known: Labels, wanted: Labels): string[] {
  const of = (labels: Labels, label: string) => (Object.hasOwn(labels, label) ? labels[label] : undefined);
  const all = [...new Set([...Object.keys(known), ...Object.keys(wanted)])];
  return all.filter((label) => of(known, label) !== of(wanted, label));
}
