/** The exact command lines of `br log` (br-contract 11): pure; no argument holds a secret. */
import { flag, storageFlags, storageUrl } from '@tidemark/br-options/command-line';
import type { Target } from '@tidemark/protocol/grpc/tidemark/backup/v1/executor_service';
import type { Storage } from '@tidemark/protocol/grpc/tidemark/backup/v1/registry_service';

type Cluster = Pick<Target, 'pd' | 'tls'>;

/** Where a log is written, or lies. */
export interface LogPlace {
  readonly storage: Storage;
  /** Below the storage. */
  readonly path: string;
}

/** All tasks of a cluster; as JSON, which up to 8.5.0 does not say whether one is paused, or as text. */
export function statusArguments(cluster: Cluster, form: 'json' | 'text'): string[] {
  return ['log', 'status', ...ofCluster(cluster), ...(form === 'json' ? ['--json'] : [])];
}

/** From and to when the log in a storage reaches; it asks no cluster. */
export function metadataArguments(place: LogPlace): string[] {
  return ['log', 'metadata', ...ofStorage(place)];
}

/**
 * Removes what the log in a storage has before a point; it asks no cluster, and obeys whatever point it is given.
 *
 * @param until a TSO
 */
export function truncateArguments(place: LogPlace, until: bigint): string[] {
  return ['log', 'truncate', '--until', String(until), ...ofStorage(place), '-y'];
}

export function startArguments(cluster: Cluster, taskName: string, place: LogPlace): string[] {
  const { storage } = place;
  return [
    ...['log', 'start', '--task-name', taskName],
    ...ofCluster(cluster),
    ...ofStorage(place),
    `--send-credentials-to-tikv=${storage.sendCredentialsToTikv ?? true}`,
  ];
}

/** @param gcTtlSeconds for how long the cluster keeps its history */
export function pauseArguments(cluster: Cluster, taskName: string, gcTtlSeconds: number): string[] {
  return ['log', 'pause', '--task-name', taskName, ...ofCluster(cluster), '--gc-ttl', String(gcTtlSeconds)];
}

export function resumeArguments(cluster: Cluster, taskName: string): string[] {
  return ['log', 'resume', '--task-name', taskName, ...ofCluster(cluster)];
}

export function stopArguments(cluster: Cluster, taskName: string): string[] {
  return ['log', 'stop', '--task-name', taskName, ...ofCluster(cluster)];
}

function ofCluster({ pd, tls }: Cluster): string[] {
  return ['--pd', pd.join(','), ...flag('ca', tls?.ca), ...flag('cert', tls?.cert), ...flag('key', tls?.key)];
}

function ofStorage({ storage, path }: LogPlace): string[] {
  return ['--storage', storageUrl(storage, path), ...storageFlags(storage)];
}

const SCHEMES: Readonly<Record<string, string>> = { file: 'local', azblob: 'azure', gs: 'gcs' };

/** Whether a storage as `br` prints it is this place: it leaves out what is no part of where files lie. */
export function isPlace(printed: string, { storage, path }: LogPlace): boolean {
  return plain(printed) === plain(storageUrl(storage, path));
}

function plain(url: string): string {
  const [, scheme = '', rest = ''] = /^([a-z0-9]+):\/\/([^?#]*)/i.exec(url) ?? [];
  const known = SCHEMES[scheme.toLowerCase()] ?? scheme.toLowerCase();
  return `${known}://${decoded(rest).replace(/\/+$/, '')}`;
}

/** What is no encoding of anything stands for itself. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
