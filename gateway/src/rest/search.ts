import { SearchKind } from '@tidemark/protocol/connect/tidemark/backup/v1/registry_service';
import type { FastifyInstance } from 'fastify';
import type { CallDependencies } from '../calls/scope.ts';
import { timeOf } from './legacy-states.ts';
import { type SearchKindName, search } from './operations/search.ts';
import { route } from './route.ts';
import { parseQuery } from './validate.ts';

const KINDS: Readonly<Record<SearchKind, SearchKindName>> = {
  [SearchKind.UNSPECIFIED]: 'unknown',
  [SearchKind.CLUSTER]: 'cluster',
  [SearchKind.STRATEGY]: 'strategy',
  [SearchKind.RULE]: 'rule',
  [SearchKind.STORAGE]: 'storage',
  [SearchKind.BACKUP]: 'backup',
  [SearchKind.RESTORE]: 'restore',
};

/** What has an id, by its beginning. */
export function searchRoutes(app: FastifyInstance, dependencies: CallDependencies): void {
  route(app, dependencies, {
    method: 'GET',
    path: '/search',
    operation: search,
    toRequest: ({ request }) => ({ text: parseQuery(search.query, request.query).text }),
    toView: ({ hits, more, incomplete }) => ({
      data: {
        hits: hits.map(({ kind, id, clusterId, title, time, exact }) => ({
          kind: KINDS[kind] ?? 'unknown',
          id,
          ...(clusterId && { clusterId }),
          title,
          time: timeOf(time),
          exact,
        })),
        more,
        incomplete: incomplete.map((kind) => KINDS[kind]),
      },
    }),
  });
}
