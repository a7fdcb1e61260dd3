/** The lists of the services, whole, however many messages they take. */

import type { MessageInitShape } from '@bufbuild/protobuf';
import type { CallOptions } from '@connectrpc/connect';
import { MAX_LISTED, MAX_PAGE_SIZE, MAX_VERDICTS } from '@tidemark/limits/limits';
import type {
  ListBackupsRequestSchema,
  ListBackupsResponse,
} from '@tidemark/protocol/connect/tidemark/backup/v1/backup_service';
import type { Cluster, Storage } from '@tidemark/protocol/connect/tidemark/backup/v1/registry_service';
import type {
  ListOccurrencesRequestSchema,
  ListOccurrencesResponse,
} from '@tidemark/protocol/connect/tidemark/scheduler/v1/occurrence_service';
import type {
  EvaluateRetentionRequestSchema,
  RetentionVerdict,
} from '@tidemark/protocol/connect/tidemark/scheduler/v1/retention_service';
import type { FleetStrategy, Strategy } from '@tidemark/protocol/connect/tidemark/strategy/v1/strategy_service';
import { follow } from './follow.ts';
import { type CallDependencies, callOptions, type RequestScope } from './scope.ts';

type Plain<Request> = Omit<Request, '$typeName' | '$unknown'>;
type BackupsRequest = Plain<MessageInitShape<typeof ListBackupsRequestSchema>> & { readonly pageSize: number };
type OccurrencesRequest = Plain<MessageInitShape<typeof ListOccurrencesRequestSchema>> & { readonly pageSize: number };
type RetentionRequest = Plain<MessageInitShape<typeof EvaluateRetentionRequestSchema>>;

export interface Paging {
  readonly pageSize: number;
  readonly pageToken: string;
}

/** What the answer of a service says of its page. */
type PageAnswer = Pick<
  ListBackupsResponse,
  'total' | 'totalLeftOut' | 'totalIsAtLeast' | 'nextPageToken' | 'followingPageToken' | 'offset'
>;

/** The same as people are told it: `nextPageToken` is that of the next page. */
type ToldPage = Omit<PageAnswer, 'followingPageToken'>;

/** How the rest of a page is asked for. */
type RestOfPage = Partial<Pick<BackupsRequest, 'pageToken' | 'pageSize' | 'withoutTotal'>>;

/** A page, and the total of its first answer. */
async function wholePage<Answer extends PageAnswer, Row>(
  pageSize: number,
  ask: (part: RestOfPage) => Promise<Answer>,
  rowsOf: (answer: Answer) => readonly Row[],
): Promise<{ rows: Row[]; page: ToldPage }> {
  const first = await ask({});
  const rows = [...rowsOf(first)];
  let last = first;
  while (last.nextPageToken !== '' && rows.length < pageSize) {
    const left = pageSize - rows.length;
    const { nextPageToken: rest, followingPageToken } = last;
    // An older service knows the rest of a page alone.
    const isOlder = followingPageToken === '';
    last = await ask(
      isOlder ? { pageToken: rest } : { pageToken: followingPageToken, pageSize: left, withoutTotal: true },
    );
    rows.push(...rowsOf(last).slice(0, left));
  }
  const { total, totalLeftOut, totalIsAtLeast, offset } = first;
  return { rows, page: { total, totalLeftOut, totalIsAtLeast, offset, nextPageToken: last.followingPageToken } };
}

/** A page of backups. */
export async function listBackups(
  request: BackupsRequest,
  scope: RequestScope,
  { backends, serviceHeaders }: CallDependencies,
): Promise<ToldPage & Pick<ListBackupsResponse, 'backups'>> {
  const { rows, page } = await wholePage(
    request.pageSize,
    (part) => backends.backups.listBackups({ ...request, ...part }, callOptions(scope, { serviceHeaders })),
    ({ backups }) => backups,
  );
  return { backups: rows, ...page };
}

/** Clusters by id, of those that a filter lets through: those of a page where one is asked for, else as many as any list holds. */
export async function listClusters(
  {
    pageSize,
    pageToken,
    ...filter
  }: Paging & {
    readonly ids: string[];
    readonly labels: Record<string, string>;
    readonly text: string;
  },
  scope: RequestScope,
  dependencies: CallDependencies,
): Promise<{ clusters: Cluster[]; nextPageToken: string }> {
  const { items, nextPageToken } = await follow(
    pageSize || MAX_LISTED,
    async (token, left) => {
      const answer = await dependencies.backends.registry.listClusters(
        { ...filter, pageSize: Math.min(left, MAX_PAGE_SIZE), pageToken: token },
        callOptions(scope, dependencies),
      );
      return { items: answer.clusters, nextPageToken: answer.nextPageToken };
    },
    pageToken,
  );
  return { clusters: items, nextPageToken: pageSize === 0 ? '' : nextPageToken };
}

export async function listStorages(scope: RequestScope, dependencies: CallDependencies): Promise<Storage[]> {
  const { items } = await follow(MAX_LISTED, async (pageToken) => {
    const answer = await dependencies.backends.registry.listStorages({ pageToken }, callOptions(scope, dependencies));
    return { items: answer.storages, nextPageToken: answer.nextPageToken };
  });
  return items;
}

export async function listFleetStrategies(
  scope: RequestScope,
  dependencies: CallDependencies,
): Promise<FleetStrategy[]> {
  const { items } = await follow(MAX_LISTED, async (pageToken) => {
    const { strategies } = dependencies.backends;
    const answer = await strategies.listFleetStrategies({ pageToken }, callOptions(scope, dependencies));
    return { items: answer.fleetStrategies, nextPageToken: answer.nextPageToken };
  });
  return items;
}

/** A page of rules. */
export async function listRules(
  { pageSize, pageToken, ...filter }: Paging & { readonly clusterIds: string[]; readonly withRetention: boolean },
  scope: RequestScope,
  dependencies: CallDependencies,
): Promise<{ strategies: Strategy[]; nextPageToken: string }> {
  const { items, nextPageToken } = await follow(
    pageSize,
    async (token, left) => {
      const answer = await dependencies.backends.strategies.listStrategies(
        { ...filter, pageSize: left, pageToken: token },
        callOptions(scope, dependencies),
      );
      return { items: answer.strategies, nextPageToken: answer.nextPageToken };
    },
    pageToken,
  );
  return { strategies: items, nextPageToken };
}

/** A page of what became of windows. */
export async function listOccurrences(
  request: OccurrencesRequest,
  scope: RequestScope,
  { backends, serviceHeaders }: CallDependencies,
): Promise<ToldPage & Pick<ListOccurrencesResponse, 'occurrences'>> {
  const { rows, page } = await wholePage(
    request.pageSize,
    (part) => backends.occurrences.listOccurrences({ ...request, ...part }, callOptions(scope, { serviceHeaders })),
    ({ occurrences }) => occurrences,
  );
  return { occurrences: rows, ...page };
}

/**
 * What retention says of the backups of a cluster, the newest first, and the bytes that all of them that go would free.
 *
 * @param options of each call, asked anew: the time of the request passes
 */
export async function evaluateRetention(
  request: RetentionRequest,
  { backends }: CallDependencies,
  options: () => CallOptions,
): Promise<{ verdicts: RetentionVerdict[]; bytesToFree: bigint }> {
  let bytesToFree: bigint | undefined;
  const { items } = await follow(MAX_VERDICTS, async (pageToken) => {
    const answer = await backends.retention.evaluateRetention({ ...request, pageToken }, options());
    bytesToFree ??= answer.bytesToFree;
    return { items: answer.verdicts, nextPageToken: answer.nextPageToken };
  });
  return { verdicts: items, bytesToFree: bytesToFree ?? 0n };
}
