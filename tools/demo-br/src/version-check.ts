import { BrError } from './br-error.ts';
import { type Dialect, isFrom, versionNumbers } from './dialect.ts';

const OLDEST_WITH_CHECKPOINT = '6.5.0';
/** From this version on BR takes no TiKV before it, whatever the majors say. */
const REFUSES_OLDER = '8.2.0';

/**
 * Compares BR's version with the cluster's (br-contract 1.5).
 *
 * @param clusterVersion of every TiKV of the cluster, such as `v8.5.0`
 * @throws BrError if BR would refuse to run
 */
export function checkClusterVersion({ version, majorsAhead }: Dialect, clusterVersion: string): void {
  if (isFrom(version, REFUSES_OLDER) && !isFrom(clusterVersion, REFUSES_OLDER))
    throw incompatible('8.2 br does not support tikv <= 8.1');
  const [own] = versionNumbers(version);
  const [cluster] = versionNumbers(clusterVersion);
  if (cluster <= own && own - cluster <= majorsAhead) return;
  const plain = clusterVersion.replace(/^v/, '');
  throw incompatible(
    `TiKV node 127.0.0.1:20160 version ${plain} and BR ${version} major version mismatch, please use the same version of BR`,
  );
}

function incompatible(text: string): BrError {
  const reason = new BrError(text, 'BR:Common:ErrVersionMismatch');
  return new BrError(
    "running BR in incompatible version of cluster, if you believe it's OK, use --check-requirements=false to skip.: " +
      reason.message,
  );
}

/** Whether every TiKV can work with a checkpoint. */
export function clusterKnowsCheckpoints(clusterVersion: string): boolean {
  return isFrom(clusterVersion, OLDEST_WITH_CHECKPOINT);
}
