import { invalidArgument } from '@tidemark/errors/app-error';
import { MAX_LISTED, MAX_OCCURRENCE_REASON } from '@tidemark/limits/limits';
import { askedPage } from '@tidemark/mongo/page-request';
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
import { toTokenScope } from '../occurrence-filter.ts';
import type { OccurrenceStore } from '../occurrence-store.ts';
import type { Quarantines } from '../quarantines.ts';

const STATES = {
  Pending: StateMessage.OCCURRENCE_STATE_PENDING,
  Started: StateMessage.OCCURRENCE_STATE_STARTED,
  Skipped: StateMessage.OCCURRENCE_STATE_SKIPPED,
  Missed: StateMessage.OCCURRENCE_STATE_MISSED,
} as const satisfies Record<OccurrenceState, StateMessage>;

export interface ListOccurrencesDependencies {
  readonly store: OccurrenceStore;
  readonly quarantines: Pick<Quarantines, 'listedWindows'>;
  /** Up to how many windows the total of a list is exact. */
  readonly exactTotal: number;
  /** Database time. */
  readonly now: () => Date;
}

/**
 * A page of what became of windows, newest first. What does not fit into a message follows under a token; what cannot be
 * read is left out, and the total counts it.
 */
export function listOccurrences({ store, quarantines, exactTotal, now }: ListOccurrencesDependencies) {
  return async (
    request: ListOccurrencesRequest,
    { signal, timeLeftMs }: CallContext,
  ): Promise<ListOccurrencesResponse> => {
    const { clusterIds, withinSight, states, rule } = request;
    const wanted = (Object.keys(STATES) as OccurrenceState[]).filter((state) => states.includes(STATES[state]));
    const filter = { clusterIds, withinSight, states: wanted, ...(rule !== '' && { rule }) };
    const asked = askedPage(request, { scope: toTokenScope(filter), exactTotal, timeLeftMs: timeLeftMs() });
    const tooMany = !withinSight && clusterIds.length > MAX_LISTED;
    const violations = [
      ...asked.violations,
      ...(tooMany ? [{ field: 'clusterIds', description: `must be at most ${MAX_LISTED}` }] : []),
    ];
    if (violations.length > 0) throw invalidArgument(violations);
    const page = await store.list(filter, asked.wish, now(), signal);
    const shown = readable(quarantines.listedWindows, page.rows, toMessage, OccurrenceMessage);
    const messages = shown.map(({ message }) => message);
    const occurrences = fitting(messages, OccurrenceMessage);
    const last = occurrences.length < shown.length ? shown[occurrences.length - 1]?.record : undefined;
    return {
      occurrences,
      ...asked.answer(page, last && { at: last.opensAt, id: last._id, number: page.rows.indexOf(last) + 1 }),
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
