/** What a search finds, and where the page of it is. Pure. */
import {
  type SearchHit,
  SearchKind,
  type SearchResponse,
} from '@tidemark/protocol/connect/tidemark/backup/v1/registry_service';
import { pathOf } from './shell.ts';

/** Kinds of what can be found, in the words of the API. */
export const KINDS: ReadonlyMap<SearchKind, string> = new Map([
  [SearchKind.CLUSTER, 'cluster'],
  [SearchKind.STRATEGY, 'strategy'],
  [SearchKind.RULE, 'rule'],
  [SearchKind.STORAGE, 'storage'],
  [SearchKind.BACKUP, 'backup'],
  [SearchKind.RESTORE, 'restore'],
]);

/** The page of what was found; nothing for a kind that this console does not know. */
export function pageOf({ kind, id, clusterId }: Pick<SearchHit, 'kind' | 'id' | 'clusterId'>): string | undefined {
  switch (kind) {
    case SearchKind.CLUSTER:
      return pathOf(['clusters', id]);
    case SearchKind.STRATEGY:
      return pathOf(['plans', id]);
    case SearchKind.RULE:
      return pathOf(['clusters', clusterId, 'rules', id]);
    case SearchKind.STORAGE:
      return pathOf(['storages', id]);
    case SearchKind.BACKUP:
      return pathOf(['backups', id]);
    case SearchKind.RESTORE:
      return pathOf(['restores', id]);
    default:
      return undefined;
  }
}

/** The page of the one that is meant without doubt: the only hit of a whole search, or the only one that is the text itself. */
export function onlyPage({
  hits,
  more,
  incomplete,
}: Pick<SearchResponse, 'hits' | 'more' | 'incomplete'>): string | undefined {
  const exact = hits.filter((hit) => hit.exact);
  const [only, other] = exact.length > 0 ? exact : hits;
  if (!only || other || (exact.length === 0 && (more || incomplete.length > 0))) return undefined;
  return pageOf(only);
}

export function searchPage(text: string): string {
  return `/search?${new URLSearchParams({ text })}`;
}
