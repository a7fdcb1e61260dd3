import { type FieldViolation, invalidArgument } from '@tidemark/errors/app-error';
import { MAX_ENTRIES, MAX_PAGE_SIZE } from '@tidemark/limits/limits';
import {
  type ListStrategiesRequest,
  type ListStrategiesResponse,
  Strategy,
} from '@tidemark/protocol/grpc/tidemark/strategy/v1/strategy_service';
import type { CallContext } from '@tidemark/service-kit/grpc/call-context';
import { fitting } from '@tidemark/service-kit/grpc/fitting';
import { readable } from '@tidemark/service-kit/quarantine';
import { toStrategyMessage } from '../strategy.ts';
import type { Dependencies } from './context.ts';

const TOKEN = /^([A-Za-z0-9_-]{1,64}:[A-Za-z0-9_-]{1,64})?$/;
/** The time alone is a token of an older version. */
const TIME_TOKEN = /^((\d{1,15})(?:_([A-Za-z0-9_-]{1,64}:[A-Za-z0-9_-]{1,64}))?)?$/;

/**
 * Rules of clusters, a page at a time, which holds as many as fit. The token of a page is the `_id` of its last rule, or,
 * where those changed since an instant are asked for, time and `_id`; one that changes meanwhile may come twice.
 * One that cannot be read is left out.
 */
export function listStrategies({ store, spreadMs, quarantines }: Dependencies) {
  return async (request: ListStrategiesRequest, { signal }: CallContext): Promise<ListStrategiesResponse> => {
    validate(request);
    const { clusterIds, withRetention, pageSize, pageToken, updatedAfter } = request;
    const found = updatedAfter
      ? await store.changedSince(...goesOn(pageToken, updatedAfter), pageSize + 1, signal)
      : await store.list({ clusterIds, withRetention, after: pageToken }, pageSize + 1, signal);
    const page = found.slice(0, pageSize);
    const shown = readable(
      quarantines.listedRules,
      page,
      (strategy) => toStrategyMessage(strategy, spreadMs),
      Strategy,
    );
    const messages = shown.map(({ message }) => message);
    const strategies = fitting(messages, Strategy);
    const rest = found.length > pageSize ? page.at(-1) : undefined;
    const last = strategies.length < shown.length ? shown[strategies.length - 1]?.record : rest;
    const timed = last && updatedAfter ? `${last.updateTime.getTime()}_` : '';
    return { strategies, nextPageToken: last ? timed + last._id : '' };
  };
}

/** After which change the rules of a page come, and after which rule among those of that instant. */
function goesOn(pageToken: string, updatedAfter: Date): [Date, string | undefined] {
  const [, , time, id] = TIME_TOKEN.exec(pageToken) ?? [];
  return [time === undefined ? updatedAfter : new Date(Number(time)), id];
}

function validate({ clusterIds, pageSize, pageToken, updatedAfter, withRetention }: ListStrategiesRequest): void {
  const violations: FieldViolation[] = [];
  if (pageSize < 1 || pageSize > MAX_PAGE_SIZE)
    violations.push({ field: 'pageSize', description: `must be from 1 to ${MAX_PAGE_SIZE}` });
  if (!(updatedAfter ? TIME_TOKEN : TOKEN).test(pageToken))
    violations.push({ field: 'pageToken', description: 'must be the nextPageToken of the page before, or empty' });
  if (clusterIds.length > MAX_ENTRIES)
    violations.push({ field: 'clusterIds', description: `must be at most ${MAX_ENTRIES} ids of clusters` });
  if (updatedAfter && (withRetention || clusterIds.length > 0))
    violations.push({ field: 'updatedAfter', description: 'cannot be narrowed further' });
  if (violations.length > 0) throw invalidArgument(violations);
}
