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
  Occurrence,
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

/** A page of backups as clients see it: `nextPageToken` is that of the next page. */
export type BackupsPage = Pick<
  ListBackupsResponse,
  'backups' | 'total' | 'totalLeftOut' | 'totalIsAtLeast' | 'nextPageToken' | 'offset'
>;

/** A page of backups, and the total of its first answer. */
export async function listBackups(
  request: BackupsRequest,
  scope: RequestScope,
  { backends, serviceHeaders }: CallDependencies,
): Promise<BackupsPage> {
  const ask = (part: Partial<BackupsRequest>) =>
    backends.backups.listBackups({ ...request, ...part }, callOptions(scope, { serviceHeaders }));
  const first = await ask({});
  const backups = [...first.backups];
  let last = first;
  while (last.nextPageToken !== '' && backups.length < request.pageSize) {
    const left = request.pageSize - backups.length;
    const { nextPageToken: rest, followingPageToken } = last;
    // An older backup-service knows the rest of a page alone.
    const isOlder = followingPageToken === '';
    last = await ask(
      isOlder ? { pageToken: rest } : { pageToken: followingPageToken, pageSize: left, withoutTotal: true },
    );
    backups.push(...last.backups.slice(0, left));
  }
  const { total, totalLeftOut, totalIsAtLeast, offset } = first;
  return { backups, total, totalLeftOut, totalIsAtLeast, offset, nextPageToken: last.followingPageToken };
}

/** Clusters by id: those of a page where one is asked for, else as many as any list holds. */
export async function listClusters(
  { ids, pageSize, pageToken }: Paging & { readonly ids: readonly string[] },
  scope: RequestScope,
  dependencies: CallDependencies,
): Promise<{ clusters: Cluster[]; nextPageToken: string }> {
  const { items, nextPageToken } = await follow(
    pageSize || MAX_LISTED,
    async (token, left) => {
      const answer = await dependencies.backends.registry.listClusters(
        { ids: [...ids], pageSize: Math.min(left, MAX_PAGE_SIZE), pageToken: token },
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

/** A page of what became of windows, and the total of its first answer. */
export async function listOccurrences(
  request: OccurrencesRequest,
  scope: RequestScope,
  dependencies: CallDependencies,
): Promise<{ occurrences: Occurrence[] } & Pick<ListOccurrencesResponse, 'total'>> {
  let first: ListOccurrencesResponse | undefined;
  const { items } = await follow(request.pageSize, async (pageToken) => {
    const answer = await dependencies.backends.occurrences.listOccurrences(
      { ...request, pageToken },
      callOptions(scope, dependencies),
    );
    first ??= answer;
    return { items: answer.occurrences, nextPageToken: answer.nextPageToken };
  });
  return { occurrences: items, total: first?.total ?? 0n };
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
