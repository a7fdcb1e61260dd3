/** What was found, as it is told. Pure. */
import { MAX_HITS_OF_A_KIND } from '@tidemark/limits/limits';
import { SearchHit, SearchKind } from '@tidemark/protocol/grpc/tidemark/backup/v1/registry_service';
import type { DeletionState } from './backup.ts';
import type { ClusterDocument, StorageDocument } from './registry-store.ts';
import { searchKeysOf, toSearchKey } from './search-keys.ts';
import type { FoundBackup, FoundRestore } from './search-store.ts';
import { titleOf } from './storage-location.ts';

const DELETIONS: Readonly<Record<DeletionState, string>> = {
  None: '',
  Trashed: 'in the bin',
  Requested: 'being deleted',
  Deleting: 'being deleted',
  Deleted: 'deleted',
  DeleteFailed: 'cannot be deleted yet',
  Forgotten: 'deleted, its files given up',
};

const sentence = (...parts: readonly (string | undefined)[]): string => parts.filter(Boolean).join(', ');

export function toClusterHit({ _id, name, version, createTime }: ClusterDocument, text: string): SearchHit {
  const key = toSearchKey(text);
  return SearchHit.create({
    kind: SearchKind.SEARCH_KIND_CLUSTER,
    id: _id,
    clusterId: _id,
    // One without a name is called by its id, which stands beside it.
    title: sentence(name === _id ? '' : name, version && `TiDB ${version}`) || 'a cluster',
    time: createTime,
    exact: _id === text || searchKeysOf({ _id, name }).name === key,
  });
}

export function toStorageHit(storage: StorageDocument, text: string): SearchHit {
  const { _id, createTime, gone } = storage;
  return SearchHit.create({
    kind: SearchKind.SEARCH_KIND_STORAGE,
    id: _id,
    title: sentence(titleOf(storage), gone ? 'gone' : ''),
    time: createTime,
    exact: _id === text,
  });
}

export function toBackupHit(backup: FoundBackup, text: string): SearchHit {
  const { _id, clusterId, state, origin, rule, startTime, deletion } = backup;
  return SearchHit.create({
    kind: SearchKind.SEARCH_KIND_BACKUP,
    id: _id,
    clusterId,
    title: sentence(
      state,
      origin === 'schedule' && rule ? `started by the rule ${rule}` : '',
      origin === 'log' ? 'started by the log backup' : '',
      deletion && DELETIONS[deletion.state],
    ),
    time: startTime,
    exact: _id === text,
  });
}

export function toRestoreHit(
  { _id, state, targetState, source, target, startTime }: FoundRestore,
  text: string,
): SearchHit {
  return SearchHit.create({
    kind: SearchKind.SEARCH_KIND_RESTORE,
    id: _id,
    clusterId: target.clusterId,
    title: sentence(state, `the target is ${targetState}`, `of a backup of ${source.clusterId}`),
    time: startTime,
    exact: _id === text,
  });
}

/** As many as there may be of a kind, what is exact first, and whether that is all. */
export function bestOf(hits: readonly SearchHit[]): { readonly hits: SearchHit[]; readonly more: boolean } {
  const best = hits.toSorted((one, other) => Number(other.exact) - Number(one.exact));
  return { hits: best.slice(0, MAX_HITS_OF_A_KIND), more: hits.length > MAX_HITS_OF_A_KIND };
}
