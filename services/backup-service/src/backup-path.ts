/** First part of the path of every backup, unless its storage names another. */
export const DEFAULT_ROOT = 'nfs/em/backup';

const two = (value: number) => String(value).padStart(2, '0');

/**
 * `<root>/<clusterId>/<YYYY-MM-DD-HH-mm-ss>-full`, in UTC as the documented API has it.
 *
 * @param acceptedAt when the request was accepted; fractions of a second are dropped
 */
export function backupPath(root: string, clusterId: string, acceptedAt: Date): string {
  const date = [acceptedAt.getUTCFullYear(), acceptedAt.getUTCMonth() + 1, acceptedAt.getUTCDate()];
  const time = [acceptedAt.getUTCHours(), acceptedAt.getUTCMinutes(), acceptedAt.getUTCSeconds()];
  return `${root}/${clusterId}/${[...date, ...time].map(two).join('-')}-full`;
}

/** The root of the storage at the time when a path was given. */
export function rootOf(path: string): string {
  return path.split('/').slice(0, -2).join('/');
}
