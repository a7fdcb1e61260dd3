/**
 * What begins with a text, asked of the services side by side. Where one does not answer, the answer has what the others found and
 * says what could not be looked for.
 */
import { create } from '@bufbuild/protobuf';
import { invalidArgument } from '@tidemark/errors/app-error';
import { MAX_HITS, MIN_SEARCH_TEXT } from '@tidemark/limits/limits';
import {
  type SearchHit,
  SearchKind,
  type SearchResponse,
  SearchResponseSchema,
} from '@tidemark/protocol/connect/tidemark/backup/v1/registry_service';
import { hasRole, seesAll } from '../authorize.ts';
import type { Caller } from '../identity/caller.ts';
import { leftOut } from './left-out.ts';
import { callOptions } from './scope.ts';
import type { Steps } from './steps.ts';

const OF_STRATEGY_SERVICE: readonly SearchKind[] = [SearchKind.STRATEGY, SearchKind.RULE];

type Part = Pick<SearchResponse, 'hits' | 'more'>;

export const search: Steps<'search'> = {
  prepare(request, { scope, asked }) {
    request.text = request.text.trim();
    if (request.text.length < MIN_SEARCH_TEXT)
      throw invalidArgument([{ field: 'text', description: `must have at least ${MIN_SEARCH_TEXT} characters` }]);
    request.kinds = kindsFor(scope.caller, asked.length === 0);
  },
  async act(request, { scope, dependencies }) {
    const { registry, strategies } = dependencies.backends;
    const { text, clusterIds, kinds } = request;
    const withFleetStrategies = kinds.includes(SearchKind.STRATEGY);
    const options = callOptions(scope, dependencies);
    const ofStrategies = (kind: SearchKind) => OF_STRATEGY_SERVICE.includes(kind);
    const asked: readonly { readonly kinds: SearchKind[]; readonly part: Promise<Part> }[] = [
      { kinds: kinds.filter((kind) => !ofStrategies(kind)), part: registry.search(request, options) },
      {
        kinds: kinds.filter(ofStrategies),
        part: strategies.searchStrategies({ text, clusterIds, withFleetStrategies }, options),
      },
    ];
    const settled = await Promise.allSettled(asked.map(({ part }) => part));
    const answers = settled.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
    const [reason] = settled.flatMap((one) => (one.status === 'rejected' ? [one.reason] : []));
    if (reason !== undefined) {
      if (answers.length === 0) throw reason;
      leftOut(reason, { requestId: scope.id }, 'a part of a search could not be made');
    }
    const hits = answers.flatMap((answer) => answer.hits).toSorted(inOrder);
    return create(SearchResponseSchema, {
      hits: hits.slice(0, MAX_HITS),
      more: hits.length > MAX_HITS || answers.some(({ more }) => more),
      incomplete: asked.flatMap((one, index) => (settled[index]?.status === 'rejected' ? one.kinds : [])),
    });
  },
};

/** @param isOfAll whether the search names no clusters */
function kindsFor(caller: Caller, isOfAll: boolean): SearchKind[] {
  const ofClusters = [SearchKind.CLUSTER, SearchKind.RULE, SearchKind.BACKUP, SearchKind.RESTORE];
  if (!isOfAll || !seesAll(caller)) return ofClusters;
  return [...ofClusters, SearchKind.STRATEGY, ...(hasRole(caller, 'admin') ? [SearchKind.STORAGE] : [])];
}

function inOrder(one: SearchHit, other: SearchHit): number {
  if (one.exact !== other.exact) return one.exact ? -1 : 1;
  if (one.kind !== other.kind) return one.kind - other.kind;
  const [name, another] = [one, other].map(({ id, clusterId }) => `${id} ${clusterId}`) as [string, string];
  return name < another ? -1 : Number(name > another);
}
