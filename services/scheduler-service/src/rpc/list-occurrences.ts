import { type FieldViolation, invalidArgument } from '@tidemark/errors/app-error';
import {
  type ListOccurrencesRequest,
  type ListOccurrencesResponse,
  type Occurrence as OccurrenceMessage,
  OccurrenceState as StateMessage,
} from '@tidemark/protocol/grpc/tidemark/scheduler/v1/occurrence_service';
import { WindowEnd } from '@tidemark/protocol/grpc/tidemark/strategy/v1/strategy_service';
import type { CallContext } from '@tidemark/service-kit/grpc/call-context';
import type { Occurrence, OccurrenceState } from '../catch-up.ts';
import type { OccurrenceStore } from '../occurrence-store.ts';

const LARGEST_PAGE = 1_000;
const LAST_PAGE = 1_000_000_000;
const STATES = {
  Pending: StateMessage.OCCURRENCE_STATE_PENDING,
  Started: StateMessage.OCCURRENCE_STATE_STARTED,
  Skipped: StateMessage.OCCURRENCE_STATE_SKIPPED,
  Missed: StateMessage.OCCURRENCE_STATE_MISSED,
} as const satisfies Record<OccurrenceState, StateMessage>;

/** What became of windows, newest first. */
export function listOccurrences({ store }: { readonly store: OccurrenceStore }) {
  return async (
    { clusterIds, page, pageSize, states, rule }: ListOccurrencesRequest,
    { signal }: CallContext,
  ): Promise<ListOccurrencesResponse> => {
    const violations: FieldViolation[] = [];
    if (page < 1 || page > LAST_PAGE) violations.push({ field: 'page', description: `must be from 1 to ${LAST_PAGE}` });
    if (pageSize < 1 || pageSize > LARGEST_PAGE)
      violations.push({ field: 'pageSize', description: `must be from 1 to ${LARGEST_PAGE}` });
    if (violations.length > 0) throw invalidArgument(violations);
    const wanted = (Object.keys(STATES) as OccurrenceState[]).filter((state) => states.includes(STATES[state]));
    const filter = { clusterIds, states: wanted, ...(rule !== '' && { rule }) };
    const found = await store.list(filter, { skip: (page - 1) * pageSize, limit: pageSize }, signal);
    return { occurrences: found.occurrences.map(toMessage), total: BigInt(found.total) };
  };
}

function toMessage(occurrence: Occurrence): OccurrenceMessage {
  const { _id, clusterId, rule, opensAt, closesAt, startAt, state, backupId, code, reason, decidedAt } = occurrence;
  return {
    id: _id,
    clusterId,
    rule,
    opensAt,
    closesAt,
    startAt,
    code,
    reason,
    windowEnd: occurrence.windowEnd === 'stop' ? WindowEnd.WINDOW_END_STOP : WindowEnd.WINDOW_END_LET_RUN,
    state: STATES[state],
    backupId: backupId ?? '',
    decidedAt: decidedAt ?? undefined,
  };
}
