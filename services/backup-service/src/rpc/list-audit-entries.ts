import { DEFAULT_PAGE_SIZE, MAX_LISTED } from '@tidemark/limits/limits';
import { askedPage } from '@tidemark/mongo/page-request';
import {
  AuditEntry,
  type ListAuditEntriesRequest,
  type ListAuditEntriesResponse,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/audit_service';
import type { CallContext } from '@tidemark/service-kit/grpc/call-context';
import { fitting } from '@tidemark/service-kit/grpc/fitting';
import { readable } from '@tidemark/service-kit/quarantine';
import { OUTCOMES, type Outcome, toEntryMessage } from '../audit-entry.ts';
import { type AuditFilter, toTokenScope } from '../audit-store.ts';
import { validation } from '../validate.ts';
import type { Dependencies } from './context.ts';

/** A page of audit entries, newest first. What cannot be read is left out. */
export function listAuditEntries({ audit, quarantines }: Pick<Dependencies, 'audit' | 'quarantines'>) {
  return async (
    request: ListAuditEntriesRequest,
    { signal, timeLeftMs }: CallContext,
  ): Promise<ListAuditEntriesResponse> => {
    const filter = toFilter(request);
    const { pageSize, pageToken } = request;
    const wish = { page: 1, pageSize: pageSize || DEFAULT_PAGE_SIZE, pageToken, withoutTotal: true };
    const asked = askedPage(wish, { scope: toTokenScope(filter), exactTotal: 0, timeLeftMs: timeLeftMs() });
    const check = validation();
    check.add(asked.violations);
    check.require(
      filter.withinSight || filter.clusterIds.length <= MAX_LISTED,
      'clusterIds',
      `must be at most ${MAX_LISTED}`,
    );
    check.require(!filter.from || !filter.to || filter.from < filter.to, 'to', 'must be after from');
    check.finish();

    const page = await audit.list(filter, asked.wish, signal);
    const shown = readable(
      quarantines.auditEntries,
      page.rows,
      (entry) => toEntryMessage(entry, request.limitedCaller),
      AuditEntry,
    );
    const entries = fitting(
      shown.map(({ message }) => message),
      AuditEntry,
    );
    const last = entries.length < shown.length ? shown[entries.length - 1]?.record : undefined;
    const { followingPageToken } = asked.answer(
      page,
      last && { at: last.at, id: last._id, number: page.rows.indexOf(last) + 1 },
    );
    return { entries, nextPageToken: followingPageToken };
  };
}

function toFilter(request: ListAuditEntriesRequest): AuditFilter {
  const { clusterIds, withinSight, caller, what, from, to } = request;
  const outcome = (Object.keys(OUTCOMES) as Outcome[]).find((one) => OUTCOMES[one] === request.outcome);
  return {
    clusterIds,
    withinSight,
    ...(caller !== '' && { caller }),
    ...(what !== '' && { what }),
    ...(outcome && { outcome }),
    ...(from && { from }),
    ...(to && { to }),
  };
}
