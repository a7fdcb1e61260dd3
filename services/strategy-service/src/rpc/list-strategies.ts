import { type FieldViolation, invalidArgument } from '@tidemark/errors/app-error';
import type {
  ListStrategiesRequest,
  ListStrategiesResponse,
} from '@tidemark/protocol/grpc/tidemark/strategy/v1/strategy_service';
import type { CallContext } from '@tidemark/service-kit/grpc/call-context';
import { type StrategyDocument, toStrategyMessage } from '../strategy.ts';
import type { Dependencies } from './context.ts';

const MOST = 1_000;
const ID = /^[A-Za-z0-9_-]{1,64}$/;
const TOKEN = /^([A-Za-z0-9_-]{1,64}:[A-Za-z0-9_-]{1,64})?$/;
const TIME_TOKEN = /^(\d{1,15})?$/;

/**
 * Rules of clusters, a page at a time. The token of a page is the `_id` of its last rule, or, where those changed since an
 * instant are asked for, the time of its last rule, so that some may come twice.
 */
export function listStrategies({ store, spreadMs }: Dependencies) {
  return async (request: ListStrategiesRequest, { signal }: CallContext): Promise<ListStrategiesResponse> => {
    validate(request);
    const { clusterIds, withRetention, pageSize, pageToken, updatedAfter } = request;
    const found = updatedAfter
      ? await store.changedSince(pageToken ? new Date(Number(pageToken)) : updatedAfter, pageSize + 1, signal)
      : await store.list({ clusterIds, withRetention, after: pageToken }, pageSize + 1, signal);
    const last = found.length > pageSize ? found[pageSize - 1] : undefined;
    return {
      strategies: found.slice(0, pageSize).map((strategy) => toStrategyMessage(strategy, spreadMs)),
      nextPageToken: last ? (updatedAfter ? timeToken(last, pageToken) : last._id) : '',
    };
  };
}

/** Just before the last rule's time, for others of the same; further on where a whole page has one time. */
function timeToken({ updateTime }: StrategyDocument, before: string): string {
  const token = String(updateTime.getTime() - 1);
  return token === before ? String(updateTime.getTime()) : token;
}

function validate({ clusterIds, pageSize, pageToken, updatedAfter, withRetention }: ListStrategiesRequest): void {
  const violations: FieldViolation[] = [];
  if (pageSize < 1 || pageSize > MOST) violations.push({ field: 'pageSize', description: `must be from 1 to ${MOST}` });
  if (!(updatedAfter ? TIME_TOKEN : TOKEN).test(pageToken))
    violations.push({ field: 'pageToken', description: 'must be the nextPageToken of the page before, or empty' });
  if (clusterIds.length > MOST || !clusterIds.every((id) => ID.test(id)))
    violations.push({ field: 'clusterIds', description: `must be at most ${MOST} ids of clusters` });
  if (updatedAfter && (withRetention || clusterIds.length > 0))
    violations.push({ field: 'updatedAfter', description: 'cannot be narrowed further' });
  if (violations.length > 0) throw invalidArgument(violations);
}
