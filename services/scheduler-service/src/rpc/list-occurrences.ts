import { type FieldViolation, invalidArgument } from '@tidemark/errors/app-error';
import { MAX_LISTED, MAX_OCCURRENCE_REASON, MAX_PAGE, MAX_PAGE_SIZE } from '@tidemark/limits/limits';
import {
  type ListOccurrencesRequest,
  type ListOccurrencesResponse,
  Occurrence as OccurrenceMessage,
  OccurrenceState as StateMessage,
} from '@tidemark/protocol/grpc/tidemark/scheduler/v1/occurrence_service';
import { WindowEnd } from '@tidemark/protocol/grpc/tidemark/strategy/v1/strategy_service';
import type { CallContext } from '@tidemark/service-kit/grpc/call-context';
import { fitting } from '@tidemark/service-kit/grpc/fitting';
import { readable } from '@tidemark/service-kit/quarantine';
import type { Occurrence, OccurrenceState } from '../catch-up.ts';
import type { OccurrenceStore } from '../occurrence-store.ts';
import type { Quarantines } from '../quarantines.ts';

const STATES = {
  Pending: StateMessage.OCCURRENCE_STATE_PENDING,
  Started: StateMessage.OCCURRENCE_STATE_STARTED,
  Skipped: StateMessage.OCCURRENCE_STATE_SKIPPED,
  Missed: StateMessage.OCCURRENCE_STATE_MISSED,
} as const satisfies Record<OccurrenceState, StateMessage>;

/** Where a page goes on: how many of it were told, and opening and id of the last one. */
const TOKEN = /^(\d{1,3})_(\d{1,15})_([\w.:-]{1,200})$/;

export interface ListOccurrencesDependencies {
  readonly store: OccurrenceStore;
  readonly quarantines: Pick<Quarantines, 'listedWindows'>;
}

/**
 * A page of what became of windows, newest first. What does not fit into a message follows under a token; what cannot be
 * read is left out.
 */
export function listOccurrences({ store, quarantines }: ListOccurrencesDependencies) {
  return async (
    { clusterIds, page, pageSize, states, rule, pageToken }: ListOccurrencesRequest,
    { signal }: CallContext,
  ): Promise<ListOccurrencesResponse> => {
    const violations: FieldViolation[] = [];
    if (page < 1 || page > MAX_PAGE) violations.push({ field: 'page', description: `must be from 1 to ${MAX_PAGE}` });
    if (pageSize < 1 || pageSize > MAX_PAGE_SIZE)
      violations.push({ field: 'pageSize', description: `must be from 1 to ${MAX_PAGE_SIZE}` });
    if (clusterIds.length > MAX_LISTED)
      violations.push({ field: 'clusterIds', description: `must be at most ${MAX_LISTED}` });
    const [, toldBefore, opensAt, lastId] = TOKEN.exec(pageToken) ?? [];
    const before = Number(toldBefore ?? 0);
    if (pageToken !== '' && (lastId === undefined || before >= pageSize))
      violations.push({ field: 'pageToken', description: 'must be the nextPageToken of the answer before, or empty' });
    if (violations.length > 0) throw invalidArgument(violations);
    const wanted = (Object.keys(STATES) as OccurrenceState[]).filter((state) => states.includes(STATES[state]));
    const filter = { clusterIds, states: wanted, ...(rule !== '' && { rule }) };
    const wish =
      lastId === undefined
        ? { skip: (page - 1) * pageSize, limit: pageSize }
        : { skip: 0, limit: pageSize - before, after: { opensAt: new Date(Number(opensAt)), id: lastId } };
    const found = await store.list(filter, wish, signal);
    const told = readable(quarantines.listedWindows, found.occurrences, toMessage, OccurrenceMessage);
    const messages = told.map(({ message }) => message);
    const occurrences = fitting(messages, OccurrenceMessage);
    const last = occurrences.length < told.length ? told[occurrences.length - 1]?.record : undefined;
    const passed = last ? found.occurrences.indexOf(last) + 1 : 0;
    return {
      occurrences,
      total: BigInt(found.total ?? 0),
      nextPageToken: last ? `${before + passed}_${+last.opensAt}_${last._id}` : '',
    };
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
    // Cut when it is written; older ones may be longer, and a page of them must fit into one message.
    reason: reason.slice(0, MAX_OCCURRENCE_REASON),
    windowEnd: occurrence.windowEnd === 'stop' ? WindowEnd.WINDOW_END_STOP : WindowEnd.WINDOW_END_LET_RUN,
    state: STATES[state],
    backupId: backupId ?? '',
    decidedAt: decidedAt ?? undefined,
  };
}
